package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.torch.Draws;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Keys and values of virtual tokens in a range of layers.
 *
 * <p>P virtual tokens, k layers in the range, L in the model, W columns of keys.
 */
record Activations(Vectors vectors, SoftPrompt.Place place, int firstLayer, int lastLayer, ModelConfig config) {
    Activations {
        if (lastLayer >= config.layers()) {
            throw new InputException("layers: expected a range within 0 to %d, found %d to %d"
                    .formatted(config.layers() - 1, firstLayer, lastLayer));
        }
    }

    /** 2·k·W. */
    private int rowWidth() {
        return 2 * (lastLayer - firstLayer + 1) * config.keyColumns();
    }

    private long from() {
        return 2L * firstLayer * config.keyColumns();
    }

    Map<String, List<Long>> stored() {
        return Map.of(SoftPromptTuner.VECTORS, List.of((long) vectors.length(), (long) rowWidth()));
    }

    long trainedNumbers() {
        return vectors.trainedNumbers(config.keyColumns(), rowWidth());
    }

    /** @param rows [P, 2·k·W] */
    private SoftPrompt prompt(Tensor rows) {
        long all = 2L * config.layers() * config.keyColumns();
        Tensor wide = rows.size(1) == all
                ? rows
                : torch.constant_pad_nd(
                        rows, new long[] {from(), all - from() - rowWidth()}, new Scalar(0.0)); // [P, 2·L·W]
        return SoftPrompt.activations(wide, place, firstLayer, lastLayer, config);
    }

    Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        return new Conditioned(
                freezer.freeze(model, FrozenModel.Changes.NONE), prompt(Named.get(stored, SoftPromptTuner.VECTORS)));
    }

    Tuner tuner(BaseModel model, Draws draws) {
        SoftPromptTuner.Kind kind = new SoftPromptTuner.Kind() {
            @Override
            public Tuner.Given given(Tensor rows) {
                return new Tuner.Given.Ready(Adaptation.of(prompt(rows)));
            }

            @Override
            public Tensor back(Adaptation.Gradient gradient) {
                return gradient.activations().narrow(1, from(), rowWidth());
            }

            @Override
            public Tensor ofWords(FrozenModel engine, int[] ids) {
                return Words.activations(engine, engine.embeddings(ids)).narrow(1, from(), rowWidth());
            }
        };
        return new SoftPromptTuner(vectors.encoder(config.keyColumns(), rowWidth(), model.device(), draws), kind);
    }
}
