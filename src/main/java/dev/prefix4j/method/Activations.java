package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Keys and values of virtual tokens in a range of layers.
 *
 * <p>P virtual tokens, k layers of the range, L of the model, E width.
 */
record Activations(Vectors vectors, SoftPrompt.Place place, int firstLayer, int lastLayer, Gpt2Config config) {
    Activations {
        if (lastLayer >= config.layers()) {
            throw new InputException("layers: expected a range within 0 to %d, found %d to %d"
                    .formatted(config.layers() - 1, firstLayer, lastLayer));
        }
    }

    /** 2·k·E. */
    private int rowWidth() {
        return 2 * (lastLayer - firstLayer + 1) * config.width();
    }

    private long from() {
        return 2L * firstLayer * config.width();
    }

    Map<String, List<Long>> stored() {
        return Map.of(SoftPromptTuner.VECTORS, List.of((long) vectors.length(), (long) rowWidth()));
    }

    long trainedNumbers() {
        return vectors.trainedNumbers(config.width(), rowWidth());
    }

    /** @param rows [P, 2·k·E] */
    private SoftPrompt prompt(Tensor rows) {
        long all = 2L * config.layers() * config.width();
        Tensor wide = rows.size(1) == all
                ? rows
                : torch.constant_pad_nd(
                        rows, new long[] {from(), all - from() - rowWidth()}, new Scalar(0.0)); // [P, 2·L·E]
        return SoftPrompt.activations(wide, place, firstLayer, lastLayer, config);
    }

    Conditioned apply(Gpt2 model, Freezer freezer, Map<String, Tensor> stored) {
        return new Conditioned(
                freezer.freeze(model, FrozenGpt2.Changes.NONE), prompt(stored.get(SoftPromptTuner.VECTORS)));
    }

    Tuner tuner(Gpt2 model, Freezer freezer) {
        SoftPromptTuner.Kind kind = new SoftPromptTuner.Kind() {
            @Override
            public SoftPrompt prompt(Tensor rows) {
                return Activations.this.prompt(rows);
            }

            @Override
            public Tensor back(FrozenGpt2.Gradient gradient) {
                return gradient.gradient().narrow(1, from(), rowWidth());
            }

            @Override
            public Tensor ofWords(Gpt2 base, int[] ids) {
                return Words.activations(base, Words.embeddings(base, ids)).narrow(1, from(), rowWidth());
            }
        };
        return new SoftPromptTuner(
                freezer.freeze(model, FrozenGpt2.Changes.NONE),
                vectors.encoder(config.width(), rowWidth(), model.device()),
                kind);
    }
}
