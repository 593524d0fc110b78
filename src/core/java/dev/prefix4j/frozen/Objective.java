package dev.prefix4j.frozen;

import dev.prefix4j.InputException;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * What is minimized at a target position.
 *
 * @param weight of its loss in the gradients, such as 1/M for a mean over M targets
 * @param smoothing share of the target's probability that is spread evenly over all words (label smoothing, Szegedy et al.
 *     2016, arXiv:1512.00567, section 7); 0: the negative log-likelihood
 * @param teacher whose prediction replaces the target: the loss is then KL(teacher ‖ model) instead of the negative
 *     log-likelihood (distillation, Hinton et al. 2015, arXiv:1503.02531)
 */
public record Objective(double weight, double smoothing, Optional<Teacher> teacher) {
    /**
     * A teacher's prediction for one position.
     *
     * @param row of the predictions
     */
    public record Teacher(Predictions predictions, int row) {}

    public Objective {
        requireSmoothing(smoothing);
        if (smoothing > 0 && teacher.isPresent()) {
            throw new InputException("label-smoothing: expected 0 where a teacher is given, was " + smoothing);
        }
    }

    /** The negative log-likelihood. */
    public static Objective likelihood(double weight) {
        return new Objective(weight, 0, Optional.empty());
    }

    /** This objective for each of a number of targets. */
    public List<Objective> each(int targets) {
        return Collections.nCopies(targets, this);
    }

    /** The divergence from each of a teacher's predictions, in their order. */
    public static List<Objective> taught(Predictions teacher, double weight) {
        return IntStream.range(0, Math.toIntExact(teacher.count()))
                .mapToObj(row -> new Objective(weight, 0, Optional.of(new Teacher(teacher, row))))
                .toList();
    }

    /** @throws InputException if it is not at least 0 and below 1 */
    public static void requireSmoothing(double smoothing) {
        if (!(smoothing >= 0 && smoothing < 1)) {
            throw new InputException("label-smoothing must be at least 0 and below 1, was " + smoothing);
        }
    }
}
