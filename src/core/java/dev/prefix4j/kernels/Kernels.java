package dev.prefix4j.kernels;

import dev.prefix4j.SettingException;
import dev.prefix4j.torch.TorchRuntime;
import java.net.URL;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.Loader;
import org.jspecify.annotations.Nullable;

/**
 * Our own kernels, {@code native/}, on the memory of CPU tensors; {@code native/include/prefix4j.h} documents what each
 * computes. They run on libtorch's threads, for one caller at a time.
 *
 * <p>The environment variable {@code PREFIX4J_KERNELS} selects {@code off} or an instruction set ({@code avx512vnni},
 * {@code avx512}, {@code avx2}, {@code portable}) instead of the best that the processor supports.
 */
public final class Kernels {
    static final String VARIABLE = "PREFIX4J_KERNELS";
    private static final String OFF = "off";
    static final List<String> SETS = List.of("avx512vnni", "avx512", "avx2", "portable");

    private static @Nullable Lookup found;

    /** The kernels, or the reason why there are none. */
    private record Lookup(Optional<Kernels> kernels, String why) {}

    private final String isa;
    private final RowKernels rows;
    private final HeadKernels heads;
    private final ProductKernels products;
    private final AttentionKernels attention;
    private final VocabularyKernels vocabulary;
    private final OptimizerKernels optimizer;

    private Kernels(NativeLibrary library) {
        this.isa = library.isa();
        this.rows = new RowKernels(library);
        this.heads = new HeadKernels(library);
        this.products = new ProductKernels(library);
        this.attention = new AttentionKernels(library);
        this.vocabulary = new VocabularyKernels(library);
        this.optimizer = new OptimizerKernels(library);
    }

    /**
     * The kernels; absent if they were not built for this machine or are switched off.
     *
     * @throws SettingException if {@code PREFIX4J_KERNELS} asks for something that is not available
     */
    public static Optional<Kernels> find() {
        return lookup().kernels();
    }

    /** A short description of what is used, and if kernels are not used, why. */
    public static String describe() {
        return find().map(k -> "prefix4j's, " + k.isa)
                .orElseGet(() -> "libtorch's only (prefix4j's " + lookup().why() + ")");
    }

    /** The instruction set in use. */
    public String isa() {
        return isa;
    }

    /** Whether float32 products are fast on this processor, and not only correct. */
    public boolean multipliesFloats() {
        return !isa.equals("portable");
    }

    public RowKernels rows() {
        return rows;
    }

    public HeadKernels heads() {
        return heads;
    }

    public ProductKernels products() {
        return products;
    }

    public AttentionKernels attention() {
        return attention;
    }

    public VocabularyKernels vocabulary() {
        return vocabulary;
    }

    public OptimizerKernels optimizer() {
        return optimizer;
    }

    private static synchronized Lookup lookup() {
        if (found == null) {
            TorchRuntime.require();
            found = load(Optional.ofNullable(System.getenv(VARIABLE)).orElse(""));
        }
        return found;
    }

    /** @param wanted an instruction set, {@code off}, or empty */
    private static Lookup load(String wanted) {
        if (wanted.equals(OFF)) {
            return new Lookup(Optional.empty(), "are switched off by " + VARIABLE);
        }
        if (!wanted.isEmpty() && !SETS.contains(wanted)) {
            throw expected(SETS, "'" + wanted + "'");
        }
        String resource = "/dev/prefix4j/native/" + Loader.getPlatform() + "/" + System.mapLibraryName("prefix4j");
        URL url = Kernels.class.getResource(resource);
        if (url == null) {
            if (!wanted.isEmpty()) {
                throw expected(
                        List.of(),
                        "'%s', but the kernels were not built for %s (a build with CMake and a C++20 compiler makes them)"
                                .formatted(wanted, Loader.getPlatform()));
            }
            return new Lookup(Optional.empty(), "were not built for " + Loader.getPlatform());
        }
        try {
            return new Lookup(Optional.of(new Kernels(new NativeLibrary(url, wanted))), "");
        } catch (SettingException e) {
            throw e;
        } catch (RuntimeException e) {
            if (!wanted.isEmpty()) {
                throw new SettingException(
                        "%s: found '%s', but the kernels cannot be loaded: %s"
                                .formatted(VARIABLE, wanted, e.getMessage()),
                        e);
            }
            return new Lookup(Optional.empty(), "cannot be loaded: " + e.getMessage());
        }
    }

    /** @param sets instruction sets that are available */
    static SettingException expected(List<String> sets, String found) {
        List<String> choices = new ArrayList<>(List.of(OFF));
        choices.addAll(sets);
        String last = choices.removeLast();
        String list = choices.isEmpty() ? last : String.join(", ", choices) + " or " + last;
        return new SettingException(VARIABLE + ": expected " + list + ", found " + found);
    }
}
