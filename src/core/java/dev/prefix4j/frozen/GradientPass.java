package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.InputLayer.Input;
import dev.prefix4j.frozen.InputLayer.VirtualRows;
import dev.prefix4j.model.Extension;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The losses of a batch and their gradients, one block at a time: a pass can be paused between blocks, or dropped. What it
 * holds in the meantime belongs to no scope.
 *
 * <p>N tokens, M targets, B sequences, P activations and K virtual tokens of a soft prompt, L layers, E width, W columns of keys.
 */
public final class GradientPass implements AutoCloseable {
    private final FrozenModel model;
    private final PackedBatch batch;
    private final Stack stack;
    private final Input input;
    private final Extended extended;
    private final TargetLosses targetLosses;
    private final List<Own> adaptations = new ArrayList<>();
    private final List<Tensor> kept = new ArrayList<>(); // during the whole pass
    private final List<Layer> layers = new ArrayList<>(); // done in the forward pass, and not yet in the backward pass
    private final boolean through;
    private final double[] losses; // of each target
    private @Nullable Tensor x; // [N, E], after the last block [M, E]; in the backward pass its gradient
    private int next; // block: below L in the forward pass, then below 2L in the backward pass

    /** An adaptation and its gradient. */
    private record Own(SoftPrompt prompt, Stored stored, VirtualRows rows, Extension extension) {
        /** The gradient of the activations, in the layout of {@link Stored}. */
        Tensor gradient() {
            return Objects.requireNonNull(stored.gradient(), "wanted of every adaptation");
        }
    }

    /**
     * A block after its forward pass.
     *
     * @param entered its input, [N, E]
     * @param saved null: to be recomputed
     */
    private record Layer(Tensor entered, @Nullable Saved saved, List<Tensor> tensors) {}

    /**
     * The losses of a batch and the gradients with respect to the adaptations of its sequences.
     *
     * @param losses [B], for each sequence the sum over its targets, in nats
     * @param adaptations for each, the gradient of the weighted losses
     */
    public record Gradients(double[] losses, List<Adaptation.Gradient> adaptations) {}

    /** As {@link FrozenModel#begin}. */
    GradientPass(
            FrozenModel model, PackedBatch batch, List<Adaptation> adaptations, int[] of, List<Objective> targets) {
        if (targets.size() != batch.positions().length) {
            throw new IllegalArgumentException("gradient: expected objectives for %d targets, got %d"
                    .formatted(batch.positions().length, targets.size()));
        }
        this.model = model;
        this.stack = model.stack();
        this.batch = batch;
        this.losses = new double[batch.positions().length];
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            InputLayer layer = model.inputLayer();
            List<Extended.Part> parts = new ArrayList<>();
            for (int i = 0; i < adaptations.size(); i++) {
                SoftPrompt own = adaptations.get(i).prompt().withoutGraph();
                Extension extension = adaptations.get(i).extension();
                Extension gradient = extension.zeros();
                Tensor memory = Stored.fromVectors(own.activations(), model.layout());
                Stored stored = new Stored(memory, torch.zeros_like(memory));
                VirtualRows rows = layer.virtualRows(batch, of, i, own.embeddings());
                this.adaptations.add(new Own(own, stored, rows, gradient));
                int one = i;
                if (!extension.isEmpty() && Arrays.stream(of).anyMatch(b -> b == one)) {
                    parts.add(layer.part(batch, of, i, extension, gradient));
                }
            }
            this.extended = new Extended(parts, stack.operators());
            this.input = layer.input(
                    batch,
                    this.adaptations.stream().map(Own::prompt).toList(),
                    this.adaptations.stream().map(Own::stored).toList(),
                    of);
            Head.Targets wanted = model.targets(batch);
            this.targetLosses = new TargetLosses(stack, wanted, targets);
            this.through = this.adaptations.stream().anyMatch(own -> own.rows().any());
            this.x = input.x();
            keep(scope, wanted);
        }
    }

    /** Takes what the whole pass needs out of the scope. */
    private void keep(TensorScope scope, Head.Targets wanted) {
        for (Own own : adaptations) {
            keep(scope, own.prompt().embeddings(), own.stored().memory(), own.gradient());
            keep(scope, own.rows().rows(), own.rows().tokens());
        }
        keep(scope, extended.tensors().toArray(Tensor[]::new));
        keep(scope, wanted.ids(), wanted.words());
        keep(scope, input.tensors().toArray(Tensor[]::new));
        for (Segment segment : input.seen().stream().flatMap(List::stream).toList()) {
            if (segment.turn() != null) {
                keep(scope, segment.turn());
            }
        }
    }

    private void keep(TensorScope scope, Tensor... tensors) {
        for (Tensor tensor : tensors) {
            kept.add(scope.release(tensor));
        }
    }

    /** Does the next block, forward or backward; returns false when the pass is complete. */
    public boolean advance() {
        int all = stack.layers();
        if (next < 2 * all) {
            try (TensorScope scope = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                if (next < all) {
                    up(scope, next);
                } else {
                    if (next == all) {
                        replace(scope, targetLosses.back(rows(), losses));
                    }
                    back(scope, 2 * all - 1 - next);
                }
            }
            next++;
        }
        return next < 2 * all;
    }

    private Tensor rows() {
        return Objects.requireNonNull(x, "a pass that is open");
    }

    private void up(TensorScope scope, int layer) {
        Tensor entered = rows();
        Result result = stack.forward(layer, entered, input, extended);
        List<Tensor> tensors = new ArrayList<>();
        if (!model.recomputes()) {
            result.saved().keep(tensor -> tensors.add(scope.release(tensor)));
        }
        layers.add(new Layer(entered, model.recomputes() ? null : result.saved(), tensors));
        x = scope.release(result.y());
    }

    private void back(TensorScope scope, int layer) {
        Layer passed = layers.removeLast();
        Saved saved = passed.saved() == null
                ? stack.forward(layer, passed.entered(), input, extended).saved()
                : passed.saved();
        replace(scope, stack.backward(layer, rows(), saved, input, extended, layer > 0 || through, null));
        passed.tensors().forEach(Tensor::close);
        if (layer > 0) {
            passed.entered().close();
        }
    }

    @SuppressWarnings("ReferenceEquality") // the same object stays
    private void replace(TensorScope scope, @Nullable Tensor gradient) {
        if (gradient != x) {
            rows().close();
            x = gradient == null ? null : scope.release(gradient);
        }
    }

    /**
     * The losses and gradients.
     *
     * @return with tensors that belong to the open scope, or to the caller
     * @throws IllegalStateException if the pass is not complete
     */
    public Gradients result() {
        if (next < 2 * stack.layers()) {
            throw new IllegalStateException("gradient: expected a complete pass");
        }
        List<Adaptation.Gradient> gradients = new ArrayList<>();
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (Own own : adaptations) {
                Tensor embeddings = torch.zeros_like(own.prompt().embeddings()); // [K, E]
                if (own.rows().any()) {
                    Tensor rows = torch.index_select(x, 0, own.rows().rows());
                    embeddings.index_add_(0, own.rows().tokens(), rows);
                }
                Extension extension = own.extension().copy();
                extension.tensors().forEach(scope::keep);
                gradients.add(new Adaptation.Gradient(
                        scope.keep(Stored.toVectors(own.gradient())), scope.keep(embeddings), extension));
            }
        }
        return new Gradients(bySequence(), gradients);
    }

    /** The losses of targets, summed for each sequence. */
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

    /** Frees what the pass holds. */
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
