package dev.prefix4j.frozen;

import dev.prefix4j.InputException;
import java.util.Optional;

/**
 * What is made small at the target positions.
 *
 * @param smoothing share of a target's probability that all words have in equal parts (label smoothing, Szegedy et al.
 *     2016, arXiv:1512.00567, section 7); 0: the negative log-likelihood
 * @param teacher whose predictions at the same positions are the targets: the divergence from them, KL(teacher ‖ model),
 *     takes the place of the negative log-likelihood (distillation, Hinton et al. 2015, arXiv:1503.02531)
 */
public record Objective(double smoothing, Optional<FrozenModel.Predictions> teacher) {
    /** The negative log-likelihood. */
    public static final Objective LIKELIHOOD = new Objective(0, Optional.empty());

    public Objective {
        requireSmoothing(smoothing);
        if (smoothing > 0 && teacher.isPresent()) {
            throw new InputException("label-smoothing: expected 0 where a teacher is given, was " + smoothing);
        }
    }

    /** @throws InputException if it is no share below 1 */
    public static void requireSmoothing(double smoothing) {
        if (!(smoothing >= 0 && smoothing < 1)) {
            throw new InputException("label-smoothing must be at least 0 and below 1, was " + smoothing);
        }
    }
}
