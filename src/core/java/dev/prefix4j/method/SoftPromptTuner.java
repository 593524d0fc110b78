package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Trains the vectors of a soft prompt through their encoder.
 *
 * <p>P vectors, W values each.
 */
public final class SoftPromptTuner implements Tuner {
    /** The one stored tensor. */
    public static final String VECTORS = "prompt_embeddings";

    private final PrefixEncoder encoder;
    private final Kind kind;

    /** How vectors become a soft prompt, and its gradient theirs. */
    interface Kind {
        /** @param vectors [P, W] */
        Given given(Tensor vectors);

        /** The gradient with respect to the vectors, [P, W]. */
        Tensor back(Adaptation.Gradient gradient);

        /** What a model computes for P words, [P, W]. */
        Tensor ofWords(FrozenModel model, int[] ids);
    }

    SoftPromptTuner(PrefixEncoder encoder, Kind kind) {
        this.encoder = encoder;
        this.kind = kind;
    }

    /** Makes the vectors. */
    public PrefixEncoder encoder() {
        return encoder;
    }

    /**
     * Starts from given vectors.
     *
     * @param vectors [P, W]
     * @return the largest absolute difference that remains
     */
    public double start(Tensor vectors) {
        return encoder.fit(vectors);
    }

    /** Zeros, [P, W]. Keys and values of 0 add nothing to attention's output, but take some of its weight. */
    public Tensor zeros() {
        return torch.zeros_like(vectors());
    }

    /**
     * The activations, or embeddings, of real words (Li and Liang 2021, section 7.4), repeated or cut off to the number of
     * virtual tokens.
     *
     * @param model that reads them
     * @param ids at least one
     * @return [P, W]
     */
    public Tensor ofWords(FrozenModel model, int[] ids) {
        if (ids.length == 0) {
            throw new InputException("init words: expected at least one token, found none");
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            int[] repeated = IntStream.range(0, encoder.length())
                    .map(i -> ids[i % ids.length])
                    .toArray();
            return scope.keep(kind.ofWords(model, repeated).detach().clone());
        }
    }

    /** Vectors repeated or cut off to the number of virtual tokens, [P, W]. */
    public Tensor repeated(Tensor vectors) {
        long[] rows = LongStream.range(0, encoder.length())
                .map(i -> i % vectors.size(0))
                .toArray();
        return torch.index_select(vectors, 0, torch.tensor(rows).to(vectors.device(), torch.ScalarType.Long));
    }

    @Override
    public Map<String, Tensor> parameters() {
        return encoder.state();
    }

    @Override
    public int taken() {
        return encoder.length();
    }

    @Override
    public Given given() {
        return kind.given(vectors());
    }

    @Override
    public Step step() {
        Tensor vectors = vectors(); // [P, W]
        Tensor dVectors = torch.zeros_like(vectors); // [P, W]
        return new Step() {
            private @Nullable Tensor mask; // [P, W]; null: nothing was given yet

            @Override
            public Given give(double dropout, Draws draws) {
                mask = dropout == 0
                        ? torch.ones_like(vectors)
                        : draws.ones(1 - dropout, vectors.size(0), vectors.size(1))
                                .div_(new Scalar(1 - dropout))
                                .to(vectors.device(), torch.ScalarType.Float);
                return kind.given(vectors.mul(mask));
            }

            @Override
            public void take(Adaptation.Gradient gradient) {
                Tensor given = Objects.requireNonNull(mask, "take comes after give");
                dVectors.addcmul_(kind.back(gradient), given, new Scalar(1.0));
            }

            @Override
            public Map<String, Gradient> gradients() {
                return encoder.gradients(dVectors);
            }
        };
    }

    private Tensor vectors() {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            return scope.keep(encoder.forward().detach());
        }
    }

    @Override
    public Map<String, Tensor> stored() {
        return Map.of(VECTORS, vectors());
    }
}
