package dev.prefix4j.frozen;

import dev.prefix4j.frozen.FrozenBlock.KeyGradients;
import dev.prefix4j.frozen.FrozenBlock.Result;
import dev.prefix4j.frozen.InputLayer.Input;
import dev.prefix4j.model.Extension;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Vectors that a model has read at its first positions: their keys and values, which other rows may see, and the backward pass from
 * their gradients to the vectors. What it holds belongs to no scope.
 *
 * <p>P vectors, L layers, E width, W columns of keys.
 */
public final class PromptReading implements AutoCloseable {
    private final Stack stack;
    private final Input input;
    private final Extended plain;
    private final List<Saved> layers = new ArrayList<>();
    private final Tensor activations; // [P, 2·L·W]
    private final List<Tensor> kept = new ArrayList<>();

    /** As {@link FrozenModel#read}. */
    PromptReading(FrozenModel model, Tensor embeddings) {
        this.stack = model.stack();
        this.plain = Extended.all(Extension.NONE, stack.operators());
        int length = Math.toIntExact(embeddings.size(0));
        model.requireRoom(0, length, 0);
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            long[] positions = LongStream.range(0, length).toArray();
            long[] virtual = LongStream.range(0, length).map(i -> -i - 1).toArray();
            PackedBatch batch = new PackedBatch(virtual, new long[] {0, length}, new long[0], new long[0]);
            this.input = model.inputLayer()
                    .input(
                            batch,
                            positions,
                            List.of(List.of()),
                            List.of(embeddings.detach().contiguous()));
            Tensor memory = torch.empty(
                    new long[] {stack.layers(), 2, length, model.layout().columns()}, model.options(), null);
            Stored stored = new Stored(memory);
            Tensor places = torch.tensor(positions).to(memory.device(), torch.ScalarType.Long);
            Tensor x = input.x();
            for (int layer = 0; layer < stack.layers(); layer++) {
                Result result = stack.forward(layer, x, input, plain);
                layers.add(result.saved());
                stored.write(
                        layer,
                        places,
                        result.saved().heads().k(),
                        result.saved().heads().v());
                x = result.y();
            }
            this.activations = Stored.toVectors(memory);
            input.tensors().forEach(tensor -> kept.add(scope.release(tensor)));
            kept.add(scope.release(activations));
            for (Saved saved : layers) {
                saved.keep(tensor -> kept.add(scope.release(tensor)));
                @SuppressWarnings("ReferenceEquality") // the same object is freed once
                boolean own = saved.x() != input.x();
                if (own) {
                    kept.add(scope.release(saved.x()));
                }
            }
        }
    }

    /** Keys and values of the vectors, [P, 2·L·W]; valid until this is closed. */
    public Tensor activations() {
        return activations;
    }

    /**
     * The backward pass.
     *
     * @param dActivations gradient with respect to {@link #activations}, [P, 2·L·W]
     * @return gradient with respect to the vectors, [P, E]; it belongs to the open scope, or to the caller
     */
    public Tensor back(Tensor dActivations) {
        try (TensorScope scope = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            long columns = dActivations.size(1) / (2L * stack.layers());
            Tensor d = dActivations.unflatten(1, new long[] {stack.layers(), 2, columns}); // [P, L, 2, W]
            int last = stack.layers() - 1;
            Tensor dx = stack.backward(own(d, last), layers.get(last), input, plain);
            for (int layer = last - 1; layer >= 0; layer--) {
                Tensor before = stack.backward(layer, dx, layers.get(layer), input, plain, true, own(d, layer));
                dx = Objects.requireNonNull(before, "requested");
            }
            return scope.keep(dx);
        }
    }

    private static KeyGradients own(Tensor d, int layer) {
        Tensor of = d.select(1, layer); // [P, 2, W]
        return new KeyGradients(of.select(1, 0), of.select(1, 1));
    }

    /** Frees what the reading holds. */
    @Override
    public void close() {
        kept.forEach(Tensor::close);
        kept.clear();
    }
}
