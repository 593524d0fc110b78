package dev.prefix4j;

/**
 * What prefix4j sets for the whole process, and how a program that embeds it says no; {@code docs/embedding.md} lists it all.
 *
 * <p>System properties and environment variables that are set already stay as they are. With the system property
 * {@value #PROPERTY}{@code =off}, or after {@link #leaveAlone}, nothing is set: the host has made, or does without, each setting.
 */
public final class ProcessSettings {
    /** {@code on} (as if absent) or {@code off}. */
    public static final String PROPERTY = "prefix4j.process-settings";

    private ProcessSettings() {}

    /** Says no for this process; to be called before anything else of prefix4j. */
    public static void leaveAlone() {
        System.setProperty(PROPERTY, "off");
    }

    /**
     * Whether prefix4j may set what holds for the whole process.
     *
     * @throws SettingException if the property is neither {@code on} nor {@code off}
     */
    public static boolean allowed() {
        String value = System.getProperty(PROPERTY, "on");
        return switch (value) {
            case "on" -> true;
            case "off" -> false;
            default ->
                throw new SettingException(
                        "system property " + PROPERTY + ": expected on or off, found '" + value + "'");
        };
    }

    /** Sets a system property, unless it is set or the host said no. */
    public static void setDefault(String key, String value) {
        if (allowed() && System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }
}
