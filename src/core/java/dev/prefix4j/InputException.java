package dev.prefix4j;

/**
 * The user's input cannot be used: a file, a key, a row, an option, or a combination of them.
 *
 * <p>The message is the one line that the user sees. It names the file, key or row, what was expected and what was
 * found: {@code model/config.json: key 'n_head': expected a positive integer, found -3}.
 */
public sealed class InputException extends RuntimeException permits SettingException {
    private static final long serialVersionUID = 1L;

    /** @param message one line for the user, without a final full stop */
    public InputException(String message) {
        super(message);
    }

    /**
     * @param message one line for the user, without a final full stop
     * @param cause shown with {@code --verbose}
     */
    public InputException(String message, Throwable cause) {
        super(message, cause);
    }

    /**
     * Refuses a number that is too small.
     *
     * @param name of the option or quantity, as the message has it
     */
    public static void requireAtLeast(String name, int value, int least) {
        if (value < least) {
            throw new InputException("%s must be at least %d, was %d".formatted(name, least, value));
        }
    }
}
