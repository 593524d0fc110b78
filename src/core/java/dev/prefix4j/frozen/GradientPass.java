package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.FrozenBlock.Saved;
import dev.prefix4j.frozen.InputLayer.Input;
import dev.prefix4j.frozen.InputLayer.VirtualRows;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * The losses of a batch and their gradients, a block at a time: a pass can pause between any two, and be dropped. What it holds
 * meanwhile belongs to no scope.
 *
 * <p>N tokens, M targets, B sequences, P activations and K virtual tokens of a soft prompt, L layers, E width, W columns of keys.
 */
public final class GradientPass implements AutoCloseable {
    private final FrozenModel model;
    private final PackedBatch batch;
    private final Objective objective;
    private final double[] weights;
    private final Input input;
    private final Head.Targets targets;
    private final List<Prompt> prompts = new ArrayList<>();
    private final List<Tensor> kept = new ArrayList<>(); // all the way
    private final List<Layer> layers = new ArrayList<>(); // that were passed on the way up, and not yet on the way back
    private final boolean through;
    private final double[] losses; // of each target
    private Tensor x; // [N, E], after the last block [M, E]; on the way back its gradient
    private int next; // block: up to L on the way up, then down to 2L

    /** A soft prompt and its gradient. */
    private record Prompt(SoftPrompt own, Stored stored, VirtualRows rows) {}

    /**
     * A block that was passed.
     *
     * @param entered [N, E]
     * @param saved null: it is computed again
     */
    private record Layer(Tensor entered, Saved saved, List<Tensor> tensors) {}

    /**
     * The losses of a batch and the gradients of what its sequences see.
     *
     * @param losses [B], of each sequence the sum over its targets, in nats
     * @param activations of each soft prompt the gradient of the weighted losses with respect to its activations, [P, 2·L·W]
     * @param embeddings the same with respect to its virtual tokens, [K, E]
     */
    public record Gradients(double[] losses, List<Tensor> activations, List<Tensor> embeddings) {}

    /** As {@link FrozenModel#begin}. */
    GradientPass(
            FrozenModel model,
            PackedBatch batch,
            List<SoftPrompt> prompts,
            int[] of,
            Objective objective,
            double[] weights) {
        this.model = model;
        this.batch = batch;
        this.objective = objective;
        this.weights = weights;
        this.losses = new double[batch.positions().length];
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            InputLayer layer = model.inputLayer();
            for (int i = 0; i < prompts.size(); i++) {
                SoftPrompt own = prompts.get(i).withoutGraph();
                Tensor memory = Stored.fromVectors(own.activations(), model.layout());
                Stored stored = new Stored(memory, torch.zeros_like(memory));
                this.prompts.add(new Prompt(own, stored, layer.virtualRows(batch, of, i, own.embeddings())));
            }
            this.input = layer.input(
                    batch,
                    this.prompts.stream().map(Prompt::own).toList(),
                    this.prompts.stream().map(Prompt::stored).toList(),
                    of);
            this.targets = model.targets(batch);
            this.through =
                    this.prompts.stream().anyMatch(prompt -> prompt.rows().any());
            this.x = input.x();
            for (Prompt prompt : this.prompts) {
                keep(
                        scope,
                        prompt.own().embeddings(),
                        prompt.stored().memory(),
                        prompt.stored().gradient());
                keep(scope, prompt.rows().rows(), prompt.rows().tokens());
            }
            keep(scope, targets.ids(), targets.words());
            input.tensors().forEach(tensor -> keep(scope, tensor));
            input.seen()
                    .forEach(seen -> seen.stream()
                            .filter(segment -> segment.turn() != null)
                            .forEach(segment -> keep(scope, segment.turn())));
        }
    }

    private void keep(TensorScope scope, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            kept.add(scope.release(tensor));
        }
    }

    /** Goes through the next block, up or back; false: it has arrived. */
    public boolean advance() {
        int all = model.layers();
        if (next < 2 * all) {
            try (TensorScope scope = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                if (next < all) {
                    up(scope, next);
                } else {
                    if (next == all) {
                        replace(scope, model.lossAndBack(x, targets, objective, weights, losses));
                    }
                    back(scope, 2 * all - 1 - next);
                }
            }
            next++;
        }
        return next < 2 * all;
    }

    private void up(TensorScope scope, int layer) {
        Result result = model.forward(layer, x, input);
        List<Tensor> tensors = new ArrayList<>();
        if (!model.recomputes()) {
            result.saved().keep(tensor -> tensors.add(scope.release(tensor)));
        }
        layers.add(new Layer(x, model.recomputes() ? null : result.saved(), tensors));
        x = scope.release(result.y());
    }

    private void back(TensorScope scope, int layer) {
        Layer passed = layers.removeLast();
        Saved saved = passed.saved() == null
                ? model.forward(layer, passed.entered(), input).saved()
                : passed.saved();
        replace(scope, model.backward(layer, x, saved, input, layer > 0 || through));
        passed.tensors().forEach(Tensor::close);
        if (layer > 0) {
            passed.entered().close();
        }
    }

    private void replace(TensorScope scope, Tensor gradient) {
        if (gradient != x) {
            x.close();
            x = gradient == null ? null : scope.release(gradient);
        }
    }

    /**
     * What it came to.
     *
     * @return with tensors that belong to the open scope, or to the caller
     * @throws IllegalStateException if it has not arrived
     */
    public Gradients result() {
        if (next < 2 * model.layers()) {
            throw new IllegalStateException("gradient: expected a pass that has arrived");
        }
        List<Tensor> activations = new ArrayList<>();
        List<Tensor> embeddings = new ArrayList<>();
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (Prompt prompt : prompts) {
                Tensor gradient = torch.zeros_like(prompt.own().embeddings()); // [K, E]
                VirtualRows rows = prompt.rows();
                if (rows.any()) {
                    gradient.index_add_(0, rows.tokens(), torch.index_select(x, 0, rows.rows()));
                }
                activations.add(scope.keep(Stored.toVectors(prompt.stored().gradient())));
                embeddings.add(scope.keep(gradient));
            }
        }
        return new Gradients(bySequence(), activations, embeddings);
    }

    /** Sums of the losses of targets. */
    private double[] bySequence() {
        double[] sums = new double[batch.sequences()];
        int target = 0;
        for (int b = 0; b < sums.length; b++) {
            while (target < losses.length && batch.positions()[target] < batch.offsets()[b + 1]) {
                sums[b] += losses[target++];
            }
        }
        return sums;
    }

    /** Frees what it holds. */
    @Override
    public void close() {
        for (Layer layer : layers) {
            layer.tensors().forEach(Tensor::close);
            layer.entered().close();
        }
        layers.clear();
        if (x != null) {
            x.close();
            x = null;
        }
        kept.forEach(Tensor::close);
        kept.clear();
    }
}
