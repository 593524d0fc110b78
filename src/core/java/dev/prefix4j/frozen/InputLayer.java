package dev.prefix4j.frozen;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Rotary;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.torch.Safetensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * The input of the first block: token embeddings, their positions, and what each sequence sees besides itself.
 *
 * <p>N tokens, M targets, B sequences, E width, K virtual tokens.
 */
final class InputLayer {
    private final BaseModel model;
    private final Optional<Rotary> rotary;
    private final boolean evicting;

    /** @param evicting release the memory of word embeddings after reading: the system maps much more around each row */
    InputLayer(BaseModel model, boolean evicting) {
        this.model = model;
        this.rotary = model.config().attention().rotary();
        this.evicting = evicting;
    }

    /**
     * A batch on the device, with what every block needs.
     *
     * @param x [N, E]
     * @param asked int64 [M], rows whose output is requested
     * @param seen what each sequence sees besides itself
     * @param turns null: no rotary positions
     */
    record Input(
            Tensor x,
            long[] offsets,
            Packing.Queries queries,
            Tensor asked,
            List<List<Segment>> seen,
            @Nullable Turns turns) {
        /** The tensors that must outlive a pause. */
        List<Tensor> tensors() {
            List<Tensor> all = new ArrayList<>(List.of(x, asked));
            if (turns != null) {
                all.addAll(List.of(turns.all(), turns.asked()));
            }
            return all;
        }
    }

    /**
     * Rows of virtual tokens.
     *
     * @param rows int64, of the batch
     * @param tokens int64, which virtual token each is
     */
    record VirtualRows(Tensor rows, Tensor tokens) {
        boolean any() {
            return rows.numel() > 0;
        }
    }

    /**
     * The input for sequences that see soft prompts.
     *
     * @param stored the activations of each
     * @param of [B], index of the one that each sequence sees
     */
    Input input(PackedBatch batch, List<SoftPrompt> prompts, List<Stored> stored, int[] of) {
        long[] offsets = batch.offsets();
        long[] positions = new long[batch.tokens()];
        List<List<Segment>> seen = new ArrayList<>();
        List<Tensor> vectors = new ArrayList<>();
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            SoftPrompt prompt = prompts.get(of[b]);
            int past = prompt.length();
            model.requireRoom(past, (int) (offsets[b + 1] - offsets[b]), 0);
            int from = switch (prompt.place()) { // first position behind the activations
                case PREFIX -> 0;
                case INFIX -> (int) (batch.positions()[query] - offsets[b]);
            };
            for (long i = offsets[b]; i < offsets[b + 1]; i++) {
                positions[(int) i] = i - offsets[b] + (i - offsets[b] >= from ? past : 0);
            }
            while (query < batch.positions().length && batch.positions()[query] < offsets[b + 1]) {
                query++;
            }
            seen.add(List.of(new Segment(
                    stored.get(of[b]), 0, past, from, prompt.firstLayer(), prompt.lastLayer(), turnFrom(from))));
            vectors.add(prompt.embeddings());
        }
        return input(batch, positions, seen, vectors);
    }

    /**
     * The input for any sequences.
     *
     * @param positions of all tokens, as the model counts them
     * @param vectors of the virtual tokens of each sequence; null: none
     */
    Input input(PackedBatch batch, long[] positions, List<List<Segment>> seen, List<@Nullable Tensor> vectors) {
        long[] offsets = batch.offsets();
        int[] asked = new int[batch.positions().length];
        long[] queryOffsets = new long[offsets.length];
        int query = 0;
        for (int b = 0; b < batch.sequences(); b++) {
            while (query < asked.length && batch.positions()[query] < offsets[b + 1]) {
                asked[query] = (int) (batch.positions()[query] - offsets[b]);
                query++;
            }
            queryOffsets[b + 1] = query;
        }
        Tensor x = model.words(
                model.ids(Arrays.stream(batch.ids()).map(id -> Math.max(0, id)).toArray())); // [N, E]
        List<@Nullable Tensor> distinct =
                vectors.stream().distinct().toList(); // by identity, the only equality that tensors have
        int[] of = vectors.stream().mapToInt(distinct::indexOf).toArray();
        for (int i = 0; i < distinct.size(); i++) {
            VirtualRows virtual = virtualRows(batch, of, i, distinct.get(i));
            if (virtual.any()) {
                x.index_copy_(0, virtual.rows(), torch.index_select(distinct.get(i), 0, virtual.tokens()));
            }
        }
        addPositions(x, positions);
        evict();
        long[] places = batch.positions();
        return new Input(
                x,
                offsets,
                new Packing.Queries(queryOffsets, asked),
                model.ids(places),
                seen,
                turns(
                        positions,
                        Arrays.stream(places).map(at -> positions[(int) at]).toArray()));
    }

    /**
     * The rows of virtual tokens in the sequences b with of[b] = one.
     *
     * @param vectors of the virtual tokens, [K, E]; null: none
     */
    VirtualRows virtualRows(PackedBatch batch, int[] of, int one, @Nullable Tensor vectors) {
        long[] ids = batch.ids();
        long[] rows = IntStream.range(0, of.length)
                .filter(b -> of[b] == one)
                .flatMap(b -> IntStream.range((int) batch.offsets()[b], (int) batch.offsets()[b + 1]))
                .filter(i -> ids[i] < 0)
                .asLongStream()
                .toArray();
        long[] tokens = Arrays.stream(rows).map(i -> -ids[(int) i] - 1).toArray();
        for (long token : tokens) {
            if (vectors == null || token >= vectors.size(0)) {
                throw new IllegalArgumentException("virtual token %d: expected less than %d"
                        .formatted(token, vectors == null ? 0 : vectors.size(0)));
            }
        }
        return new VirtualRows(model.ids(rows), model.ids(tokens));
    }

    /** The rows of the sequences b with of[b] = one, with the extension that is put into the blocks for them. */
    Extended.Part part(PackedBatch batch, int[] of, int one, Extension extension, Extension gradient) {
        if (Arrays.stream(of).allMatch(i -> i == one)) {
            return new Extended.Part(extension, gradient, null, null);
        }
        long[] rows = IntStream.range(0, of.length)
                .filter(b -> of[b] == one)
                .mapToObj(b -> LongStream.range(batch.offsets()[b], batch.offsets()[b + 1]))
                .flatMapToLong(all -> all)
                .toArray();
        long[] asked = LongStream.range(0, batch.positions().length)
                .filter(i -> Arrays.binarySearch(rows, batch.positions()[(int) i]) >= 0)
                .toArray();
        return new Extended.Part(extension, gradient, model.ids(rows), model.ids(asked));
    }

    /** The embeddings of one token of each row, [R, E]. */
    Tensor rows(long[] tokens, long[] positions) {
        return addPositions(model.words(model.ids(tokens)), positions);
    }

    private Tensor addPositions(Tensor x, long[] positions) {
        return rotary.isPresent() ? x : x.add_(model.positions(model.ids(positions)));
    }

    /** @return null where positions are not rotary */
    @Nullable
    Turns turns(long[] positions, long[] asked) {
        return rotary.isEmpty() ? null : new Turns(turns(positions), turns(asked));
    }

    private Tensor turns(long... positions) {
        return rotary.get().turns(positions).to(model.device(), torch.ScalarType.Float);
    }

    /**
     * The rotation of queries that attend to keys stored for the first positions as if the keys began at another position.
     *
     * @return [R]; null: none
     */
    @Nullable
    Tensor turnFrom(int position) {
        return rotary.isEmpty() || position == 0 ? null : turns(-position).view(-1);
    }

    /** Releases the memory of word embeddings that were read; they can be read from the file again. */
    void evict() {
        if (evicting) {
            Safetensors.evict(model.words());
            Safetensors.evict(model.head());
        }
    }
}
