package dev.prefix4j.hub;

/**
 * The hub has no such model or adapter, or cannot be reached and the cache has none. The caller knows what else the name could have
 * meant; the message is a clause about the hub: {@code huggingface.co has no such repository}.
 */
public final class NotOnHubException extends Exception {
    private static final long serialVersionUID = 1L;

    NotOnHubException(String message) {
        super(message);
    }

    NotOnHubException(String message, Throwable cause) {
        super(message, cause);
    }
}
