package dev.prefix4j.hub;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * Hugging Face's environment variables for the hub: {@code HF_ENDPOINT}, {@code HF_HOME},
 * {@code HF_HUB_CACHE}, {@code HF_TOKEN}, {@code HF_TOKEN_PATH}, {@code HF_HUB_OFFLINE}, and {@code XDG_CACHE_HOME}. An
 * empty variable counts as unset.
 *
 * @param variables by name, as from {@link System#getenv()}
 */
public record HubEnvironment(Map<String, String> variables) {
    private static final String ENDPOINT = "https://huggingface.co";
    private static final Set<String> TRUE = Set.of("1", "ON", "YES", "TRUE");
    private static final int MAX_TOKEN_BYTES = 4096;

    public HubEnvironment {
        variables = Map.copyOf(variables);
    }

    private Optional<String> variable(String name) {
        return Optional.ofNullable(variables.get(name)).filter(value -> !value.isBlank());
    }

    /**
     * Address of the hub, without a trailing slash.
     *
     * @throws InputException if {@code HF_ENDPOINT} is not a plain http or https address
     */
    URI endpoint() {
        String text = variable("HF_ENDPOINT").orElse(ENDPOINT).strip().replaceAll("/+$", "");
        try {
            URI uri = new URI(text);
            boolean web = "https".equalsIgnoreCase(uri.getScheme()) || "http".equalsIgnoreCase(uri.getScheme());
            if (web
                    && uri.getHost() != null
                    && uri.getUserInfo() == null
                    && uri.getQuery() == null
                    && uri.getFragment() == null) {
                return uri;
            }
        } catch (URISyntaxException e) {
            // The same error.
        }
        throw new InputException(
                "HF_ENDPOINT: expected an address such as %s, found '%s'".formatted(ENDPOINT, PlainName.excerpt(text)));
    }

    /** Whether network access is forbidden. */
    boolean isOffline() {
        return variable("HF_HUB_OFFLINE")
                .or(() -> variable("TRANSFORMERS_OFFLINE"))
                .map(value -> TRUE.contains(value.toUpperCase(Locale.ROOT)))
                .orElse(false);
    }

    /** The folder that holds {@code models--owner--name}. */
    Path cache() {
        return variable("HF_HUB_CACHE").map(this::path).orElseGet(() -> home().resolve("hub"));
    }

    private Path home() {
        return variable("HF_HOME")
                .map(this::path)
                .orElseGet(() -> variable("XDG_CACHE_HOME")
                        .map(this::path)
                        .orElseGet(() -> userHome().resolve(".cache"))
                        .resolve("huggingface"));
    }

    private Path userHome() {
        return Path.of(variable("HOME").orElseGet(() -> System.getProperty("user.home")));
    }

    private Path path(String text) {
        boolean ofUser = text.equals("~") || text.startsWith("~/");
        return ofUser ? userHome().resolve(text.replaceFirst("^~/?", "")) : Path.of(text);
    }

    /**
     * The access token for private and gated models: {@code HF_TOKEN}, or else the one that {@code hf auth login} stored.
     *
     * @throws InputException if it cannot be read or cannot be sent in a request; the message does not show it
     */
    Optional<String> token() {
        Optional<String> given = variable("HF_TOKEN").map(String::strip);
        if (given.isPresent()) {
            return Optional.of(requireVisible(given.get(), "HF_TOKEN"));
        }
        Path file = variable("HF_TOKEN_PATH").map(this::path).orElseGet(() -> home().resolve("token"));
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        try (InputStream in = Files.newInputStream(file)) {
            String text = new String(in.readNBytes(MAX_TOKEN_BYTES + 1), StandardCharsets.UTF_8).strip();
            return text.isEmpty() ? Optional.empty() : Optional.of(requireVisible(text, file.toString()));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    private static String requireVisible(String token, String where) {
        if (token.length() > MAX_TOKEN_BYTES || !token.matches("[!-~]+")) {
            throw new InputException(
                    where + ": expected an access token, a short word of letters and digits, found other text");
        }
        return token;
    }

    /** Without the values, since one is a secret. */
    @Override
    public String toString() {
        return "HubEnvironment"
                + variables.keySet().stream()
                        .filter(name -> name.startsWith("HF_"))
                        .sorted()
                        .toList();
    }
}
