package dev.prefix4j;

/**
 * A setting of the process that is unknown or that this machine cannot give: an environment variable, a system property, a
 * device. It belongs to no file or row, so it is found before any work begins.
 */
public final class SettingException extends InputException {
    private static final long serialVersionUID = 1L;

    /** @param message one line for the user: the setting, what was expected, what was found */
    public SettingException(String message) {
        super(message);
    }

    /**
     * @param message one line for the user: the setting, what was expected, what was found
     * @param cause what a developer sees with {@code --verbose}
     */
    public SettingException(String message, Throwable cause) {
        super(message, cause);
    }
}
