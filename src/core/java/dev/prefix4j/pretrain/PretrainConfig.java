package dev.prefix4j.pretrain;

import dev.prefix4j.InputException;
import java.util.EnumMap;
import java.util.Map;

/**
 * The hyper-parameters of pretraining.
 *
 * @param steps optimizer steps; 0: as many as {@code minutes} allow
 * @param minutes total training time across resumptions, if {@code steps} is 0; the schedule follows it
 * @param rows in a step
 * @param rowsAtOnce rows that the model processes at once: few fit in the processor's cache
 * @param learningRate peak, at the end of the warm-up
 * @param muonLearningRate of {@link Muon} for the matrices of the blocks; 0: AdamW trains them too
 * @param finalLearningRate at the end of the cosine, as a fraction of the peak
 * @param warmup steps over which the learning rate rises from 0
 * @param weightDecay of matrices, decoupled; none for biases and gains
 * @param beta2 of AdamW
 * @param clip maximum gradient norm; 0: no limit
 * @param validateEvery steps between validations
 * @param saveEvery steps between saves of the state
 * @param mixture shares of the kinds of rows
 * @param seed of the weights and of the rows
 */
public record PretrainConfig(
        int steps,
        double minutes,
        int rows,
        int rowsAtOnce,
        double learningRate,
        double muonLearningRate,
        double finalLearningRate,
        int warmup,
        double weightDecay,
        double beta2,
        double clip,
        int validateEvery,
        int saveEvery,
        Map<Mixture.Part, Double> mixture,
        long seed) {

    public PretrainConfig {
        mixture = new EnumMap<>(mixture);
        within("steps", steps, 0, Integer.MAX_VALUE);
        within("minutes", minutes, 0, 1e7);
        if ((steps > 0) == (minutes > 0)) {
            throw new InputException("expected steps or minutes, found " + (steps > 0 ? "both" : "neither"));
        }
        within("batch-size", rows, 1, 1 << 20);
        within("rows-at-once", rowsAtOnce, 1, 1 << 20);
        within("lr", learningRate, 0, 10);
        within("muon-lr", muonLearningRate, 0, 10);
        within("final-lr", finalLearningRate, 0, 1);
        within("warmup", warmup, 0, Integer.MAX_VALUE);
        within("weight-decay", weightDecay, 0, 10);
        within("beta2", beta2, 0, 0.999999);
        within("clip", clip, 0, Double.MAX_VALUE);
        within("valid-every", validateEvery, 1, Integer.MAX_VALUE);
        within("save-every", saveEvery, 1, Integer.MAX_VALUE);
    }

    private static void within(String name, double value, double least, double most) {
        if (!(value >= least && value <= most)) { // NaN too
            throw new InputException("%s must be between %s and %s, was %s".formatted(name, least, most, value));
        }
    }

    /**
     * The factor of the learning rates in a step: linear warm-up, then half a cosine.
     *
     * @param step from 0
     * @param progress completed fraction of the run, in [0, 1]
     */
    double schedule(int step, double progress) {
        double rise = warmup == 0 ? 1 : Math.min(1, (step + 1.0) / warmup);
        double cosine = 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
        return rise * (finalLearningRate + (1 - finalLearningRate) * cosine);
    }
}
