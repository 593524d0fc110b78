package dev.prefix4j.experiment;

import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What a plan expects: {@code left > right}, {@code left >= right}, {@code left < right}, or {@code left steadier than right}, between two
 * variants; {@code score: …} before it names one of the plan's scores, which is the first otherwise.
 *
 * <p>{@code left > right} is about the means over seeds, at every point of the grid; steadier is what has the smaller range of
 * means over the grid.
 *
 * @param text as in the plan
 */
public record Claim(String text, String score, String left, Relation relation, String right) {
    private static final Pattern FORM =
            Pattern.compile("(?:([a-z0-9-]+): )?(.+?) (>=|>|<|steadier than) (.+)");

    /** Between two numbers. */
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

        private static Relation of(String sign) {
            for (Relation relation : values()) {
                if (relation.sign.equals(sign)) {
                    return relation;
                }
            }
            throw new AssertionError(sign);
        }
    }

    /** @return empty if the text has another form */
    static Optional<Claim> parse(String text, String firstScore) {
        Matcher matcher = FORM.matcher(text);
        if (!matcher.matches()) {
            return Optional.empty();
        }
        String score = matcher.group(1) == null ? firstScore : matcher.group(1);
        return Optional.of(new Claim(text, score, matcher.group(2), Relation.of(matcher.group(3)), matcher.group(4)));
    }
}
