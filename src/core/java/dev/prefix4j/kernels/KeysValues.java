package dev.prefix4j.kernels;

import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;

/**
 * Keys and values of one layer, or of several at equal distances in memory, to which rows can attend in segments ({@link Attention}).
 * T keys, W = heads of keys · head width.
 *
 * <p>It keeps the tensors from being garbage-collected, but not from being closed: they must stay open as long as it is used.
 */
public final class KeysValues {
    private final Matrix keys;
    private final Matrix values;
    private final long layers;
    private final long layerStride;
    private final @Nullable Matrix dKeys; // null: no gradient is wanted
    private final @Nullable Matrix dValues;
    private final long turn;
    private final long turned;
    private final List<Tensor> alive;

    private KeysValues(
            Matrix keys,
            Matrix values,
            long layers,
            long layerStride,
            @Nullable Matrix dKeys,
            @Nullable Matrix dValues,
            long turn,
            long turned,
            List<Tensor> alive) {
        this.keys = keys;
        this.values = values;
        this.layers = layers;
        this.layerStride = layerStride;
        this.dKeys = dKeys;
        this.dValues = dValues;
        this.turn = turn;
        this.turned = turned;
        this.alive = alive;
    }

    /**
     * Keys and values of one layer.
     *
     * @param keys float32 [T, W], like values; rows need not be adjacent
     */
    public static KeysValues of(Tensor keys, Tensor values) {
        Matrix k = Matrix.floats("keys", keys);
        Matrix v = Matrix.floats("values", values, k.rows(), k.columns()).as(k);
        return new KeysValues(k, v, 1, 0, null, null, 0, 0, List.of(keys, values));
    }

    /**
     * Keys and values of all layers.
     *
     * @param memory float32 [L, 2, T, W] contiguous: keys and values of each layer
     */
    public static KeysValues layers(Tensor memory) {
        Matrix.requireCpu("memory", memory, ScalarType.Float);
        long layers = memory.dim() == 4 ? memory.size(0) : 0;
        if (layers < 1 || memory.size(1) != 2 || !memory.is_contiguous()) {
            throw new IllegalArgumentException("kernel: memory: expected [L, 2, T, W] contiguous, got " + memory.dim()
                    + " dimensions of " + memory.numel() + " elements");
        }
        long length = memory.size(2);
        long width = memory.size(3);
        Matrix all = Matrix.floats("memory", memory.view(-1, width));
        return new KeysValues(
                part(all, 0, length),
                part(all, length, length),
                layers,
                2 * length * width,
                null,
                null,
                0,
                0,
                List.of(memory));
    }

    private static Matrix part(Matrix all, long first, long rows) {
        return new Matrix(all.name(), all.address() + first * all.ld() * Float.BYTES, rows, all.columns(), all.ld());
    }

    /** The same with a gradient, of one layer: dKeys and dValues [T, W], with equal row strides. */
    public KeysValues withGradient(Tensor dKeys, Tensor dValues) {
        if (layers != 1) {
            throw new IllegalArgumentException(
                    "kernel: dKeys: expected a gradient of " + layers + " layers, got one layer");
        }
        Matrix dk = Matrix.floats("dKeys", dKeys, keys.rows(), keys.columns());
        Matrix dv =
                Matrix.floats("dValues", dValues, keys.rows(), keys.columns()).as(dk);
        return new KeysValues(keys, values, layers, layerStride, dk, dv, turn, turned, and(dKeys, dValues));
    }

    /** The same with a gradient of all layers, in the layout of the memory. */
    public KeysValues withGradient(Tensor gradient) {
        KeysValues like = layers(gradient);
        if (like.layers != layers) {
            throw new IllegalArgumentException("kernel: gradient: expected " + layers + " layers, got " + like.layers);
        }
        return new KeysValues(
                keys,
                values,
                layers,
                layerStride,
                like.keys.require(keys.rows(), keys.columns()),
                like.values,
                turn,
                turned,
                and(gradient));
    }

    /** The same, for rotated queries: angles float32 [rotary], cosines, then sines. */
    public KeysValues turned(Tensor angles) {
        return new KeysValues(
                keys,
                values,
                layers,
                layerStride,
                dKeys,
                dValues,
                Matrix.vector("turn", angles, ScalarType.Float, angles.numel()),
                angles.numel(),
                and(angles));
    }

    private List<Tensor> and(Tensor... others) {
        List<Tensor> all = new ArrayList<>(alive);
        all.addAll(List.of(others));
        return List.copyOf(all);
    }

    /** T. */
    public long length() {
        return keys.rows();
    }

    /** W. */
    long width() {
        return keys.columns();
    }

    /** Number of layers. */
    long layers() {
        return layers;
    }

    /** Number of columns of a head that are rotated; 0: none. */
    long rotary() {
        return turned;
    }

    /** Writes the structure of a segment of a layer, in fields of 8 bytes, starting at an index. */
    void write(long[] to, int at, long layer, long first, long length, long from) {
        long place = layer * layerStride;
        to[at + K] = keys.address() + (place + first * keys.ld()) * Float.BYTES;
        to[at + V] = values.address() + (place + first * keys.ld()) * Float.BYTES;
        to[at + LD] = keys.ld();
        to[at + LENGTH] = length;
        to[at + LAYER_STRIDE] = layerStride;
        to[at + FROM] = from;
        to[at + TURN] = turn;
        to[at + DK] = dKeys == null ? 0 : dKeys.address() + (place + first * dKeys.ld()) * Float.BYTES;
        to[at + DV] = dValues == null ? 0 : dValues.address() + (place + first * dValues.ld()) * Float.BYTES;
        to[at + LDD] = dKeys == null ? 0 : dKeys.ld();
    }

    private static final int K = Struct.SEGMENT.index("k");
    private static final int V = Struct.SEGMENT.index("v");
    private static final int LD = Struct.SEGMENT.index("ld");
    static final int LENGTH = Struct.SEGMENT.index("length");
    private static final int LAYER_STRIDE = Struct.SEGMENT.index("layer_stride");
    private static final int FROM = Struct.SEGMENT.index("from");
    private static final int TURN = Struct.SEGMENT.index("turn");
    static final int DK = Struct.SEGMENT.index("dk");
    private static final int DV = Struct.SEGMENT.index("dv");
    private static final int LDD = Struct.SEGMENT.index("ldd");
    /** Number of fields of a segment. */
    static final int FIELDS = (int) (Struct.SEGMENT.layout().byteSize() / Long.BYTES);
}
