package dev.prefix4j;

/**
 * Process-wide settings of prefix4j, and how a host program opts out; {@code docs/embedding.md} lists them all.
 *
 * <p>System properties and environment variables that are already set are left unchanged. With the system property
 * {@value #PROPERTY}{@code =off}, or after {@link #leaveAlone}, nothing is set: the settings are the host's responsibility.
 */
public final class ProcessSettings {
    /** {@code on} (as if absent) or {@code off}. */
    public static final String PROPERTY = "prefix4j.process-settings";

    private ProcessSettings() {}

    /** Opts out for this process; call it before anything else in prefix4j. */
    public static void leaveAlone() {
        System.setProperty(PROPERTY, "off");
    }

    /**
     * Whether prefix4j may change process-wide settings.
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

    /** Sets a system property, unless it is already set or the host opted out. */
    public static void setDefault(String key, String value) {
        if (allowed() && System.getProperty(key) == null) {
            System.setProperty(key, value);
        }
    }
}
