package dev.prefix4j.experiment;

import java.util.List;
import java.util.Optional;

/**
 * What a plan expects: {@code left > right}, {@code left >= right}, {@code left < right}, or {@code left steadier than right}, between two
 * variants; an optional {@code score: …} before it selects one of the plan's scores; the default is the first.
 *
 * <p>{@code left > right} compares the means over seeds at every point of the grid; the steadier variant is the one with the smaller
 * range of means over the grid.
 *
 * @param text as in the plan
 */
public record Claim(String text, String score, String left, Relation relation, String right) {
    /** A relation between two values. */
    enum Relation {
        GREATER(">"),
        NOT_LESS(">="),
        LESS("<"),
        STEADIER("steadier than");

        private final String sign;

        Relation(String sign) {
            this.sign = sign;
        }

        boolean holds(double left, double right) {
            return switch (this) {
                case GREATER -> left > right;
                case NOT_LESS -> left >= right;
                case LESS, STEADIER -> left < right;
            };
        }
    }

    /**
     * Parses a claim. It is split at known names, because names may contain anything.
     *
     * @return empty if it is not a claim about these variants and scores
     */
    static Optional<Claim> parse(String text, List<String> variants, List<String> scores) {
        Optional<Claim> bare = split(text, text, scores.getFirst(), variants);
        if (bare.isPresent()) {
            return bare;
        }
        return scores.stream()
                .filter(score -> text.startsWith(score + ": "))
                .flatMap(score -> split(text, text.substring(score.length() + 2), score, variants).stream())
                .findFirst();
    }

    private static Optional<Claim> split(String text, String bare, String score, List<String> variants) {
        for (String left : variants) {
            for (Relation relation : Relation.values()) {
                String head = left + " " + relation.sign + " ";
                if (bare.startsWith(head) && variants.contains(bare.substring(head.length()))) {
                    return Optional.of(new Claim(text, score, left, relation, bare.substring(head.length())));
                }
            }
        }
        return Optional.empty();
    }
}
