package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Objective;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.TensorScope;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains the vectors of a soft prompt through their encoder, on the frozen engine.
 *
 * <p>P vectors, W numbers each.
 */
public final class SoftPromptTuner implements Tuner {
    /** The one tensor that is kept. */
    public static final String VECTORS = "prompt_embeddings";

    private final FrozenModel model;
    private final PrefixEncoder encoder;
    private final Kind kind;

    /** From vectors to a soft prompt, and back. */
    interface Kind {
        /** @param vectors [P, W] */
        SoftPrompt prompt(Tensor vectors);

        /**
         * The gradient with respect to the vectors that {@link #prompt} was last called with.
         *
         * @return [P, W]
         */
        Tensor back(FrozenModel.Gradient gradient);

        /** What the base model computes for P words, [P, W]. */
        Tensor ofWords(BaseModel base, int[] ids);
    }

    SoftPromptTuner(FrozenModel model, PrefixEncoder encoder, Kind kind) {
        this.model = model;
        this.encoder = encoder;
        this.kind = kind;
    }

    /** What gives the vectors. */
    public PrefixEncoder encoder() {
        return encoder;
    }

    /**
     * Starts from given vectors.
     *
     * @param vectors [P, W]
     * @return the largest absolute difference from them that the encoder cannot help
     */
    public double start(Tensor vectors) {
        return encoder.fit(vectors);
    }

    /** [P, W]. Keys and values of 0 add nothing to what attention gives, but take some of its mass. */
    public Tensor zeros() {
        return torch.zeros_like(vectors());
    }

    /**
     * The activations, or embeddings, of real words (Li and Liang 2021, section 7.4): fewer than there are virtual tokens are
     * repeated, more are cut off.
     *
     * @param ids at least one
     * @return [P, W]
     */
    public Tensor ofWords(BaseModel base, int[] ids) {
        if (ids.length == 0) {
            throw new InputException("init words: expected at least one token, found none");
        }
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            int[] repeated = IntStream.range(0, encoder.length())
                    .map(i -> ids[i % ids.length])
                    .toArray();
            return scope.keep(kind.ofWords(base, repeated).detach().clone());
        }
    }

    /** As many of some vectors as there are virtual tokens, [P, W], repeated or cut off. */
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
    public Result gradients(List<List<Sequence>> parts, Goal goal, double weight) {
        Tensor vectors = vectors(); // [P, W]
        Tensor dVectors = torch.zeros_like(vectors); // [P, W]
        double loss = 0;
        for (List<Sequence> part : parts) {
            try (TensorScope _ = new TensorScope()) {
                Tensor mask = torch.dropout(torch.ones_like(vectors), goal.dropout(), true); // [P, W]
                Conditioned conditioned = new Conditioned(model, kind.prompt(vectors.mul(mask)));
                PackedBatch batch =
                        PackedBatch.of(part.stream().map(conditioned::arrange).toList());
                Objective objective = new Objective(
                        goal.smoothing(),
                        goal.teacher()
                                .map(teacher -> teacher.model()
                                        .predictions(
                                                PackedBatch.of(part.stream()
                                                        .map(teacher::arrange)
                                                        .toList()),
                                                teacher.prompt())));
                FrozenModel.Gradient result = model.gradient(batch, conditioned.prompt(), objective, weight);
                try (NoGradGuard _ = new NoGradGuard()) {
                    dVectors.addcmul_(kind.back(result), mask, new Scalar(1.0));
                }
                loss += result.loss();
            }
        }
        return new Result(loss, encoder.gradients(dVectors));
    }

    private Tensor vectors() {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            return scope.keep(encoder.forward().detach());
        }
    }

    @Override
    public int taken() {
        return encoder.length();
    }

    @Override
    public void requireRoom(int tokens) {
        model.requireRoom(taken(), tokens, 0);
    }

    @Override
    public Conditioned current() {
        return new Conditioned(model, kind.prompt(vectors()).withoutGraph());
    }

    @Override
    public Map<String, Tensor> stored() {
        return Map.of(VECTORS, vectors());
    }
}
