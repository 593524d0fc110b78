package dev.prefix4j.torch;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * Our own kernels, {@code native/}, on the memory of CPU tensors; {@code native/include/prefix4j.h} says what each
 * computes. They run on libtorch's threads.
 *
 * <p>The environment variable {@code PREFIX4J_KERNELS} chooses: {@code off}, or an instruction set ({@code avx512vnni},
 * {@code avx512}, {@code avx2}, {@code portable}) instead of the best that the processor has.
 *
 * <p>Tensors must be on the CPU, of the stated type, and contiguous unless rows may lie apart. Callers see to the
 * shapes; types and strides are checked here.
 */
public final class Kernels {
    private static final String VARIABLE = "PREFIX4J_KERNELS";
    private static final int VERSION = 2;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG; // pointers too
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final StructLayout Q8_ROWS = MemoryLayout.structLayout(LONG, LONG, LONG, LONG);

    private static Lookup found;

    /** The kernels, or why there are none. */
    private record Lookup(Optional<Kernels> kernels, String why) {}

    private final SymbolLookup library;
    private final String isa;

    private final MethodHandle quantize;
    private final MethodHandle layerNorm;
    private final MethodHandle layerNormBackward;
    private final MethodHandle gelu;
    private final MethodHandle geluBackward;
    private final MethodHandle slopeBackward;
    private final MethodHandle packedBytes;
    private final MethodHandle pack;
    private final MethodHandle matmulQ8;
    private final MethodHandle matmulF32;
    private final MethodHandle attentionForward;
    private final MethodHandle attentionBackward;
    private final MethodHandle attentionDecode;
    private final MethodHandle softmaxBlock;
    private final MethodHandle topK;
    private final MethodHandle adamwProduct;

    private Kernels(SymbolLookup library, String wanted) throws Throwable {
        this.library = library;
        int version = (int) function("p4j_version", INT).invokeExact();
        if (version != VERSION) {
            throw new IllegalStateException("expected version " + VERSION + ", found " + version);
        }
        try (Arena arena = Arena.ofConfined()) {
            int code = (int) function("p4j_start", INT, LONG, LONG)
                    .invokeExact(arena.allocateFrom(wanted).address(), StableAbi.parallelFor());
            if (code != 0) {
                throw new InputException(VARIABLE + ": this processor has not '" + wanted + "'");
            }
        }
        long name = (long) function("p4j_isa", LONG).invokeExact();
        this.isa = MemorySegment.ofAddress(name).reinterpret(64).getString(0);
        this.quantize = function("p4j_quantize", null, LONG, LONG, LONG, LONG, Q8_ROWS, LONG);
        this.layerNorm =
                function("p4j_layer_norm", null, LONG, LONG, LONG, LONG, FLOAT, LONG, LONG, LONG, Q8_ROWS, LONG, LONG);
        this.layerNormBackward =
                function("p4j_layer_norm_backward", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.gelu = function("p4j_gelu", null, LONG, LONG, LONG, LONG, Q8_ROWS, LONG);
        this.geluBackward = function("p4j_gelu_backward", null, LONG, LONG, LONG, LONG, LONG, Q8_ROWS);
        this.slopeBackward = function("p4j_slope_backward", null, LONG, LONG, LONG, LONG, Q8_ROWS);
        this.packedBytes = function("p4j_packed_bytes", LONG, LONG, LONG);
        this.pack = function("p4j_pack", null, LONG, LONG, LONG, LONG, LONG, LONG);
        this.matmulQ8 = function(
                "p4j_matmul_q8", null, Q8_ROWS, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.matmulF32 = function(
                "p4j_matmul_f32", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.attentionForward = function(
                "p4j_attention_forward", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.attentionBackward = function(
                "p4j_attention_backward",
                null,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG);
        this.attentionDecode = function(
                "p4j_attention_decode",
                null,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG,
                LONG);
        this.softmaxBlock =
                function("p4j_softmax_block", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.topK = function("p4j_top_k", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
        this.adamwProduct =
                function("p4j_adamw_product", null, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG, LONG);
    }

    private MethodHandle function(String name, MemoryLayout result, MemoryLayout... arguments) {
        MemorySegment address = library.find(name)
                .orElseThrow(() -> new IllegalStateException("expected a function " + name + ", found none"));
        return Linker.nativeLinker()
                .downcallHandle(
                        address,
                        result == null
                                ? FunctionDescriptor.ofVoid(arguments)
                                : FunctionDescriptor.of(result, arguments));
    }

    /**
     * The kernels; absent where they were not built for this machine, or are switched off.
     *
     * @throws InputException if {@code PREFIX4J_KERNELS} asks for what there is not
     */
    public static Optional<Kernels> find() {
        return lookup().kernels();
    }

    /** In a few words what is used, and why it is not more. */
    public static String describe() {
        return find().map(k -> "prefix4j's, " + k.isa).orElseGet(() -> "libtorch's only: " + lookup().why());
    }

    /** The instruction set in use. */
    public String isa() {
        return isa;
    }

    private static synchronized Lookup lookup() {
        if (found == null) {
            TorchRuntime.require();
            found = load();
        }
        return found;
    }

    private static Lookup load() {
        String wanted = Optional.ofNullable(System.getenv(VARIABLE)).orElse("");
        switch (wanted) {
            case "off" -> {
                return new Lookup(Optional.empty(), "switched off by " + VARIABLE);
            }
            case "", "avx512vnni", "avx512", "avx2", "portable" -> {
                // These are to be tried.
            }
            default ->
                throw new InputException(
                        VARIABLE + ": expected off, avx512vnni, avx512, avx2 or portable, found '" + wanted + "'");
        }
        String resource = "/dev/prefix4j/native/" + Loader.getPlatform() + "/" + System.mapLibraryName("prefix4j");
        URL url = Kernels.class.getResource(resource);
        if (url == null && !wanted.isEmpty()) {
            throw new InputException(VARIABLE + ": '" + wanted + "' is asked for, but the kernels were not built for "
                    + Loader.getPlatform() + "; install CMake and a C++20 compiler and build again, or unset it");
        }
        if (url == null) {
            return new Lookup(Optional.empty(), "the others were not built for " + Loader.getPlatform());
        }
        try {
            return new Lookup(
                    Optional.of(new Kernels(SymbolLookup.libraryLookup(file(url), Arena.global()), wanted)), "");
        } catch (InputException e) {
            throw e;
        } catch (Throwable e) {
            if (!wanted.isEmpty()) {
                throw new InputException(
                        VARIABLE + ": '" + wanted + "' is asked for, but the kernels cannot be loaded: "
                                + e.getMessage(),
                        e);
            }
            return new Lookup(Optional.empty(), "the others cannot be loaded: " + e.getMessage());
        }
    }

    /** The library as a file: where it is, or a copy of what a jar holds, which is gone when the process ends. */
    private static Path file(URL url) {
        try {
            if (url.getProtocol().equals("file")) {
                return Path.of(url.toURI());
            }
            Path copy = Files.createTempFile("prefix4j", ".so");
            copy.toFile().deleteOnExit();
            try (InputStream in = url.openStream()) {
                Files.copy(in, copy, StandardCopyOption.REPLACE_EXISTING);
            }
            return copy;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (java.net.URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    // ---- arguments ----

    private static long pointer(Tensor tensor, torch.ScalarType type) {
        if (tensor == null) {
            return 0;
        }
        if (tensor.isNull()) {
            throw new IllegalArgumentException("kernel: got " + TensorScope.CLOSED);
        }
        if (tensor.scalar_type().intern() != type || !tensor.device().is_cpu()) {
            throw new IllegalArgumentException("kernel: expected " + type + " on the CPU, got " + tensor.scalar_type()
                    + " on " + tensor.device().str().getString());
        }
        if (tensor.dim() > 0 && tensor.stride(tensor.dim() - 1) != 1 && tensor.size(tensor.dim() - 1) > 1) {
            throw new IllegalArgumentException(
                    "kernel: expected columns side by side, got strides " + tensor.strides());
        }
        Pointer data = tensor.data_ptr();
        return data == null ? 0 : data.address(); // null: no elements
    }

    private static long floats(Tensor tensor) {
        return pointer(tensor, torch.ScalarType.Float);
    }

    private static long packed(Tensor tensor) {
        long pointer = floats(tensor);
        if (tensor != null && !tensor.is_contiguous()) {
            throw new IllegalArgumentException("kernel: expected a contiguous tensor, got strides " + tensor.strides());
        }
        return pointer;
    }

    /** Elements between two rows. */
    private static long ld(Tensor tensor) {
        return tensor == null ? 0 : tensor.stride(0);
    }

    /** Rows of 8-bit numbers to write to or to read; all null: none. */
    private static MemorySegment q8(Arena arena, Tensor q, Tensor scale, Tensor sum) {
        MemorySegment struct = arena.allocate(Q8_ROWS);
        if (q != null) {
            struct.setAtIndex(LONG, 0, pointer(q, torch.ScalarType.Char));
            struct.setAtIndex(LONG, 1, ld(q));
            struct.setAtIndex(LONG, 2, floats(scale));
            struct.setAtIndex(LONG, 3, pointer(sum, torch.ScalarType.Int));
        }
        return struct;
    }

    private static RuntimeException failed(Throwable e) {
        return switch (e) {
            case RuntimeException runtime -> runtime;
            case Error error -> throw error;
            default -> new IllegalStateException(e);
        };
    }

    // ---- rows ----

    /** {@code p4j_quantize}: x [N, K]; rest, as x and as far apart, may be null, and may be x. */
    public void quantize(Tensor x, Tensor q, Tensor scale, Tensor sum, Tensor rest) {
        if (rest != null) {
            requireSameRows(x, rest);
        }
        try (Arena arena = Arena.ofConfined()) {
            quantize.invokeExact(floats(x), ld(x), x.size(0), x.size(1), q8(arena, q, scale, sum), floats(rest));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_layer_norm}: x [N, E]; y, or q with scale and sum, may be null, and so may mean and rstd. */
    public void layerNorm(
            Tensor x,
            Tensor weight,
            Tensor bias,
            double epsilon,
            Tensor y,
            Tensor q,
            Tensor scale,
            Tensor sum,
            Tensor mean,
            Tensor rstd) {
        try (Arena arena = Arena.ofConfined()) {
            layerNorm.invokeExact(
                    floats(x),
                    ld(x),
                    packed(weight),
                    packed(bias),
                    (float) epsilon,
                    x.size(0),
                    x.size(1),
                    packed(y),
                    q8(arena, q, scale, sum),
                    packed(mean),
                    packed(rstd));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_layer_norm_backward}: adds to dx [N, E]. */
    public void layerNormBackward(Tensor dy, Tensor x, Tensor weight, Tensor mean, Tensor rstd, Tensor dx) {
        try {
            layerNormBackward.invokeExact(
                    packed(dy),
                    floats(x),
                    ld(x),
                    packed(weight),
                    packed(mean),
                    packed(rstd),
                    x.size(0),
                    x.size(1),
                    packed(dx));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_gelu}: x [N, F]; y, or q with scale and sum, may be null, and so may slope, uint8 [N, F]. */
    public void gelu(Tensor x, Tensor y, Tensor q, Tensor scale, Tensor sum, Tensor slope) {
        try (Arena arena = Arena.ofConfined()) {
            gelu.invokeExact(
                    packed(x),
                    x.size(0),
                    x.size(1),
                    packed(y),
                    q8(arena, q, scale, sum),
                    pointer(slope, torch.ScalarType.Byte));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_gelu_backward}: dx may be dy or null, q with scale and sum may be null. */
    public void geluBackward(Tensor dy, Tensor x, Tensor dx, Tensor q, Tensor scale, Tensor sum) {
        try (Arena arena = Arena.ofConfined()) {
            geluBackward.invokeExact(packed(dy), packed(x), x.size(0), x.size(1), packed(dx), q8(arena, q, scale, sum));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_slope_backward}: dy [N, F], slope uint8 [N, F]. */
    public void slopeBackward(Tensor dy, Tensor slope, Tensor q, Tensor scale, Tensor sum) {
        try (Arena arena = Arena.ofConfined()) {
            slopeBackward.invokeExact(
                    packed(dy),
                    pointer(slope, torch.ScalarType.Byte),
                    dy.size(0),
                    dy.size(1),
                    q8(arena, q, scale, sum));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    // ---- 8-bit matrix products ----

    /**
     * {@code p4j_pack}.
     *
     * @param weight float32 [K, M], of any strides
     * @return bytes for {@link #matmulQ8}, owned by the open scope or the caller
     */
    public Tensor pack(Tensor weight) {
        try {
            long k = weight.size(0);
            long m = weight.size(1);
            Tensor bytes = torch.empty(
                    new long[] {(long) packedBytes.invokeExact(k, m)}, new TensorOptions(torch.ScalarType.Byte), null);
            pack.invokeExact(
                    weight.data_ptr().address(),
                    weight.stride(0),
                    weight.stride(1),
                    k,
                    m,
                    bytes.data_ptr().address());
            return bytes;
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /**
     * {@code p4j_matmul_q8}, for a range of the outputs.
     *
     * @param q int8 [N, K'] with its scale and sum
     * @param m outputs of the packed weight
     * @param first of the outputs that are wanted, a multiple of 64; y's columns say how many
     * @param bias [columns of y] or null
     * @param residual [N, columns of y] or null; may be y
     * @param y rows may lie apart
     */
    public void matmulQ8(
            Tensor q,
            Tensor scale,
            Tensor sum,
            Tensor weight,
            long k,
            long m,
            long first,
            Tensor bias,
            Tensor residual,
            Tensor y) {
        if (first % 64 != 0 || first + y.size(1) > m) {
            throw new IllegalArgumentException("kernel: expected outputs from a multiple of 64 on and below " + m
                    + ", got " + y.size(1) + " from " + first);
        }
        try (Arena arena = Arena.ofConfined()) {
            matmulQ8.invokeExact(
                    q8(arena, q, scale, sum),
                    q.size(0),
                    pointer(weight, torch.ScalarType.Byte),
                    k,
                    m,
                    first,
                    y.size(1),
                    packed(bias),
                    floats(residual),
                    ld(residual),
                    floats(y),
                    ld(y));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    // ---- float32 matrix products ----

    /** Whether {@link #matmulF32} is made for this processor, and not only correct on it. */
    public boolean multipliesFloats() {
        return !isa.equals("portable");
    }

    /**
     * {@code p4j_matmul_f32}.
     *
     * @param x [N, K], rows may lie apart
     * @param weight [K, M], where rows or columns are contiguous
     * @param bias [M] or null
     * @param residual [N, M] or null, rows may lie apart; may be y
     * @param y [N, M], rows may lie apart
     */
    public void matmulF32(Tensor x, Tensor weight, Tensor bias, Tensor residual, Tensor y) {
        long strideK = weight.stride(0);
        long strideM = weight.stride(1);
        if (strideK != 1 && strideM != 1 || weight.size(0) != x.size(1) || weight.size(1) != y.size(1)) {
            throw new IllegalArgumentException(
                    "kernel: expected a weight [%d, %d] with contiguous rows or columns, got %s"
                            .formatted(x.size(1), y.size(1), weight.sizes()));
        }
        try {
            matmulF32.invokeExact(
                    floats(x),
                    ld(x),
                    x.size(0),
                    floats(strideM == 1 ? weight : weight.t()),
                    strideK,
                    strideM,
                    x.size(1),
                    y.size(1),
                    packed(bias),
                    floats(residual),
                    ld(residual),
                    floats(y),
                    ld(y));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    // ---- attention ----

    /**
     * {@code p4j_attention}.
     *
     * @param offsets [B+1], of the keys
     * @param queryOffsets [B+1], of the queries; null: as the keys
     * @param queryPositions of each query in its sequence; null: as the keys
     * @param prefixFrom [B], position of the first query that sees the prefix; null: all do
     */
    public record Attention(
            int heads, double scale, long[] offsets, long[] queryOffsets, int[] queryPositions, long[] prefixFrom) {
        private MemorySegment struct(Arena arena, long width, long prefix) {
            MemorySegment struct = arena.allocate(72, 8);
            struct.setAtIndex(LONG, 0, offsets.length - 1L);
            struct.setAtIndex(LONG, 1, heads);
            struct.setAtIndex(LONG, 2, width);
            struct.setAtIndex(LONG, 3, prefix);
            struct.setAtIndex(LONG, 4, arena.allocateFrom(LONG, offsets).address());
            struct.setAtIndex(
                    LONG,
                    5,
                    queryOffsets == null
                            ? 0
                            : arena.allocateFrom(LONG, queryOffsets).address());
            struct.setAtIndex(
                    LONG,
                    6,
                    queryPositions == null
                            ? 0
                            : arena.allocateFrom(INT, queryPositions).address());
            struct.set(FLOAT, 56, (float) scale);
            struct.setAtIndex(
                    LONG,
                    8,
                    prefixFrom == null
                            ? 0
                            : arena.allocateFrom(LONG, prefixFrom).address());
            return struct;
        }
    }

    /** {@code p4j_attention_forward}: rows of q, k, v and the prefix may lie apart, k's as v's. */
    public void attentionForward(
            Attention how, Tensor q, Tensor k, Tensor v, Tensor prefixK, Tensor prefixV, Tensor y, Tensor lse) {
        requireSameRows(k, v);
        requireSameRows(prefixK, prefixV);
        try (Arena arena = Arena.ofConfined()) {
            attentionForward.invokeExact(
                    how.struct(arena, q.size(1) / how.heads(), prefixK.size(0)).address(),
                    floats(q),
                    ld(q),
                    floats(k),
                    floats(v),
                    ld(k),
                    floats(prefixK),
                    floats(prefixV),
                    ld(prefixK),
                    floats(y),
                    ld(y),
                    packed(lse));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_attention_backward}; dq, dk and dv null: only the prefix gets a gradient. */
    public void attentionBackward(
            Attention how,
            Tensor dy,
            Tensor y,
            Tensor lse,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor prefixK,
            Tensor prefixV,
            Tensor dq,
            Tensor dk,
            Tensor dv,
            Tensor dPrefixK,
            Tensor dPrefixV) {
        requireSameRows(k, v);
        requireSameRows(dk, dv);
        requireSameRows(dy, y);
        requireSameRows(prefixK, dPrefixK);
        requireSameRows(prefixV, dPrefixV);
        try (Arena arena = Arena.ofConfined()) {
            attentionBackward.invokeExact(
                    how.struct(arena, q.size(1) / how.heads(), prefixK.size(0)).address(),
                    floats(dy),
                    floats(y),
                    ld(y),
                    packed(lse),
                    floats(q),
                    ld(q),
                    floats(k),
                    floats(v),
                    ld(k),
                    floats(prefixK),
                    floats(prefixV),
                    ld(prefixK),
                    floats(dq),
                    ld(dq),
                    floats(dk),
                    floats(dv),
                    ld(dk),
                    floats(dPrefixK),
                    floats(dPrefixV));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    private static void requireSameRows(Tensor one, Tensor other) {
        if (ld(one) != ld(other)) {
            throw new IllegalArgumentException(
                    "kernel: expected rows as far apart, got " + ld(one) + " and " + ld(other));
        }
    }

    /**
     * {@code p4j_decode}.
     *
     * @param promptOffsets [inputs+1]
     * @param input [R], the input of each row
     * @param beam [R · ld]: row r's token of generation t is row beam[r · ld + t] of that generation
     * @param ld at least the generations
     * @param generations tokens of each row, the new one included
     */
    public record Decode(
            int heads, double scale, long[] promptOffsets, int[] input, int[] beam, int ld, int generations) {
        private MemorySegment struct(Arena arena, long width, long prefix, long stride) {
            MemorySegment struct = arena.allocate(88, 8);
            struct.setAtIndex(LONG, 0, input.length);
            struct.setAtIndex(LONG, 1, heads);
            struct.setAtIndex(LONG, 2, width);
            struct.setAtIndex(LONG, 3, prefix);
            struct.setAtIndex(LONG, 4, generations);
            struct.setAtIndex(LONG, 5, arena.allocateFrom(LONG, promptOffsets).address());
            struct.setAtIndex(LONG, 6, arena.allocateFrom(INT, input).address());
            struct.setAtIndex(LONG, 7, arena.allocateFrom(INT, beam).address());
            struct.setAtIndex(LONG, 8, ld);
            struct.setAtIndex(LONG, 9, stride);
            struct.set(FLOAT, 80, (float) scale);
            return struct;
        }
    }

    /**
     * {@code p4j_attention_decode}.
     *
     * @param q [R, E], rows may lie apart
     * @param promptK [rows of the prompts, E], rows may lie apart, as those of promptV
     * @param k [generations, R, E], rows and generations may lie apart, as those of v
     */
    public void attentionDecode(
            Decode how,
            Tensor q,
            Tensor prefixK,
            Tensor prefixV,
            Tensor promptK,
            Tensor promptV,
            Tensor k,
            Tensor v,
            Tensor y) {
        requireSameRows(prefixK, prefixV);
        requireSameRows(promptK, promptV);
        requireSameRows(k, v);
        try (Arena arena = Arena.ofConfined()) {
            attentionDecode.invokeExact(
                    how.struct(arena, q.size(1) / how.heads(), prefixK.size(0), k.stride(0))
                            .address(),
                    floats(q),
                    ld(q),
                    floats(prefixK),
                    floats(prefixV),
                    ld(prefixK),
                    floats(promptK),
                    floats(promptV),
                    ld(promptK),
                    floats(k),
                    floats(v),
                    k.stride(1),
                    floats(y),
                    ld(y));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    // ---- vocabulary ----

    /**
     * {@code p4j_softmax_block}.
     *
     * @param z [n, m], the logits of the words from {@code first} on; rows may lie apart
     * @param targets int64 [n]
     * @param top [n], as sum (float64) and ofTarget
     * @param mean [n, E] or null
     */
    public void softmaxBlock(
            Tensor z, long first, Tensor targets, Tensor top, Tensor sum, Tensor ofTarget, Tensor mean) {
        try {
            softmaxBlock.invokeExact(
                    floats(z),
                    ld(z),
                    z.size(0),
                    z.size(1),
                    first,
                    pointer(targets, torch.ScalarType.Long),
                    packed(top),
                    pointer(sum, torch.ScalarType.Double),
                    packed(ofTarget),
                    packed(mean),
                    mean == null ? 0 : mean.size(1));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    /** {@code p4j_top_k}: values float32 [n, k] and indices int64 [n, k] of logits [n, V]. */
    public void topK(Tensor logits, Tensor values, Tensor indices) {
        try {
            topK.invokeExact(
                    floats(logits),
                    ld(logits),
                    logits.size(0),
                    logits.size(1),
                    values.size(1),
                    packed(values),
                    pointer(indices, torch.ScalarType.Long));
        } catch (Throwable e) {
            throw failed(e);
        }
    }

    // ---- optimizer ----

    /** {@code p4j_adamw}. */
    public record AdamW(double rate, double beta1, double beta2, double epsilon, double decay, long step) {
        private MemorySegment struct(Arena arena) {
            MemorySegment struct = arena.allocate(48, 8);
            double[] numbers = {rate, beta1, beta2, epsilon, decay};
            MemorySegment.copy(numbers, 0, struct, ValueLayout.JAVA_DOUBLE, 0, numbers.length);
            struct.setAtIndex(LONG, numbers.length, step);
            return struct;
        }
    }

    /**
     * {@code p4j_adamw_product}.
     *
     * @param parameter [M, K], as mean and square
     * @param left [P, M], rows may lie apart, as those of right [P, K]
     */
    public void adamwProduct(AdamW how, Tensor parameter, Tensor mean, Tensor square, Tensor left, Tensor right) {
        if (left.size(0) != right.size(0) || left.size(1) != parameter.size(0) || right.size(1) != parameter.size(1)) {
            throw new IllegalArgumentException("kernel: expected factors of a gradient %s, got %s and %s"
                    .formatted(parameter.sizes(), left.sizes(), right.sizes()));
        }
        try (Arena arena = Arena.ofConfined()) {
            adamwProduct.invokeExact(
                    how.struct(arena).address(),
                    packed(parameter),
                    packed(mean),
                    packed(square),
                    parameter.size(0),
                    parameter.size(1),
                    floats(left),
                    ld(left),
                    floats(right),
                    ld(right),
                    left.size(0));
        } catch (Throwable e) {
            throw failed(e);
        }
    }
}
