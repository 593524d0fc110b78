package dev.prefix4j.hub;

import java.util.Optional;
import java.util.regex.Pattern;

/**
 * The name of a model on the hub: {@code gpt2}, {@code owner/name}, {@code owner/name@revision}.
 *
 * @param repository {@code name} or {@code owner/name}
 * @param revision branch, tag, {@code refs/pr/N} or commit
 */
public record HubId(String repository, String revision) {
    /** The revision of a name without one. */
    public static final String MAIN = "main";

    private static final int MAX_CHARACTERS = 96;
    private static final String PART = "[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?";
    private static final Pattern REPOSITORY = Pattern.compile("(?:" + PART + "/)?" + PART);
    private static final Pattern COMMIT = Pattern.compile("[0-9a-f]{40}");

    /** @throws IllegalArgumentException if it is not the name of a model */
    public HubId {
        if (!isRepository(repository) || !isRevision(revision)) {
            throw new IllegalArgumentException("not the name of a model: " + repository + "@" + revision);
        }
    }

    /** @return empty if the text cannot be the name of a model, such as a path */
    public static Optional<HubId> parse(String text) {
        int at = text.indexOf('@');
        String repository = at < 0 ? text : text.substring(0, at);
        String revision = at < 0 ? MAIN : text.substring(at + 1);
        return isRepository(repository) && isRevision(revision)
                ? Optional.of(new HubId(repository, revision))
                : Optional.empty();
    }

    private static boolean isRepository(String text) {
        return text.length() <= MAX_CHARACTERS
                && REPOSITORY.matcher(text).matches()
                && !text.contains("--") // stands for the slash in the cache
                && !text.contains("..")
                && !text.endsWith(".git");
    }

    private static boolean isRevision(String text) {
        for (String part : text.split("/", -1)) {
            if (!PlainName.matches(part)) {
                return false;
            }
        }
        return text.length() <= MAX_CHARACTERS;
    }

    /** Whether the revision is a commit, whose files never change. */
    boolean isCommit() {
        return COMMIT.matcher(revision).matches();
    }

    /** As users write it: without the default revision. */
    @Override
    public String toString() {
        return revision.equals(MAIN) ? repository : repository + "@" + revision;
    }
}
