package dev.prefix4j.torch;

import dev.prefix4j.FirstStart;
import dev.prefix4j.InputException;
import dev.prefix4j.ProcessSettings;
import dev.prefix4j.SettingException;
import java.io.File;
import java.io.IOException;
import java.net.JarURLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.UUID;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Loads and configures libtorch, once per process.
 *
 * <p>Some settings are read while native libraries load and cannot change later: which BLAS libtorch calls, how OpenMP
 * threads wait, how the C allocator treats large blocks. {@link #start} applies them first and then loads libtorch;
 * everything else in this package calls it with {@link Options#defaults} if it has not been called. An environment variable
 * that the user has set always takes precedence, and a host can forbid all of this: {@link ProcessSettings}.
 */
public final class TorchRuntime {
    private static final Logger LOG = LoggerFactory.getLogger(TorchRuntime.class);

    /** Blocks up to this size are kept for reuse; the largest value that glibc accepts. */
    private static final int MMAP_THRESHOLD_BYTES = 32 << 20;

    /** Smaller blocks need not be mapped separately. */
    private static final int LONG_LIVED_THRESHOLD_BYTES = 16 << 10;

    private static final int TRIM_THRESHOLD_BYTES = 1 << 30;

    private static final String BLAS_VARIABLE = "PREFIX4J_BLAS";

    // Of GNU's OpenMP.
    private static final String SPIN_COUNT = "GOMP_SPINCOUNT";
    private static final String SPINS = "20000";
    private static final String WAIT_POLICY = "OMP_WAIT_POLICY";
    private static final String PASSIVE = "passive";

    static final String MKL_THREADS = "MKL_NUM_THREADS";

    private static @Nullable TorchRuntime instance;

    private final Blas blas;
    private final boolean settled;
    private Threads threads;
    private final boolean keepsFreedMemory;
    private final boolean loadedByOthers;

    /**
     * How to start.
     *
     * @param threads for one operator; absent: {@code OMP_NUM_THREADS}, else {@code MKL_NUM_THREADS}, else one for each processor
     *     available to this process (its affinity and control group count)
     * @param blas fixed by the first start
     */
    public record Options(OptionalInt threads, Blas blas) {
        /**
         * All threads; the BLAS from the environment variable {@code PREFIX4J_BLAS}, if set.
         *
         * @throws SettingException if the variable does not name a BLAS
         */
        public static Options defaults() {
            String name = System.getenv().getOrDefault(BLAS_VARIABLE, "");
            return new Options(OptionalInt.empty(), name.isEmpty() ? Blas.AUTO : Blas.parse(BLAS_VARIABLE, name));
        }

        public Options {
            if (threads.isPresent() && threads.getAsInt() < 1) {
                throw new InputException("threads must be at least 1, was " + threads.getAsInt());
            }
        }

        /** These options with a number of threads. */
        public Options withThreads(int count) {
            return new Options(OptionalInt.of(count), blas);
        }
    }

    private TorchRuntime(Options options) {
        this.loadedByOthers = Loader.getLoadedLibraries().keySet().stream().anyMatch(name -> name.contains("torch"));
        this.settled = ProcessSettings.allowed();
        this.blas = settled ? options.blas().choose() : options.blas().given();
        this.threads = Threads.choose(
                options.threads(), System.getenv(), Runtime.getRuntime().availableProcessors());
        this.keepsFreedMemory = settled && settle(options);
        try {
            FirstStart.load(cache(), unpackedName(), TorchRuntime::unpack);
            if (settled) {
                torch.initLogging(); // reads the level
            }
        } catch (LinkageError e) {
            throw new InputException(
                    "libtorch cannot be loaded on " + Loader.getPlatform()
                            + ": is the native library of this platform on the class path? (" + e.getMessage() + ")",
                    e);
        }
    }

    /**
     * Applies the settings of the process that native libraries read while they load.
     *
     * @return whether the C library keeps freed memory
     */
    private boolean settle(Options options) {
        // JavaCPP would count the whole process against the Java heap and call the garbage collector when it grows.
        ProcessSettings.setDefault("org.bytedeco.javacpp.maxBytes", "0");
        ProcessSettings.setDefault("org.bytedeco.javacpp.maxPhysicalBytes", "0");
        if (blas == Blas.MKL) {
            ProcessSettings.setDefault(Blas.PROPERTY, "mkl");
            // Share libtorch's OpenMP (libgomp) instead of loading Intel's as well.
            Libc.setEnvironmentDefault("MKL_THREADING_LAYER", "GNU");
            if (options.threads().isPresent() && System.getenv(MKL_THREADS) != null) {
                // MKL would follow its variable, not libtorch.
                Libc.setEnvironment(MKL_THREADS, Integer.toString(threads.count()));
            }
            // Threads spin briefly while they wait, then sleep: a long spin would take cores from other processes.
            Libc.setEnvironmentDefault(SPIN_COUNT, SPINS);
        } else {
            // OpenBLAS has its own threads: spinning OpenMP threads would take their cores.
            Libc.setEnvironmentDefault(WAIT_POLICY, PASSIVE);
        }
        // The C ABI would print a C++ stack trace for every error, which we throw with its reason.
        Libc.setEnvironmentDefault("TORCH_CPP_LOG_LEVEL", "FATAL");
        // Otherwise glibc returns every large tensor to the kernel, and it is faulted in again at the next step.
        boolean maps = Libc.mallopt(Libc.M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES);
        boolean trims = Libc.mallopt(Libc.M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES);
        return maps && trims;
    }

    /** Where JavaCPP unpacks native libraries: its property, the home or the temporary folder, whichever is writable. */
    private static Path cache() {
        try {
            return Loader.getCacheDir().toPath();
        } catch (IOException e) {
            throw new InputException(
                    "native libraries cannot be unpacked: no folder can be written; set the system property"
                            + " org.bytedeco.javacpp.cachedir (" + e.getMessage() + ")",
                    e);
        }
    }

    /** A name that depends on the jars and the BLAS. */
    private static String unpackedName() {
        StringBuilder sources = new StringBuilder(System.getProperty(Blas.PROPERTY, ""));
        for (String library : List.of("pytorch", "openblas", "mkl", "javacpp")) {
            Optional.ofNullable(Blas.resource("org/bytedeco/" + library + "/" + Loader.getPlatform() + "/"))
                    .ifPresent(url -> {
                        sources.append('\n').append(url);
                        try {
                            if (url.openConnection() instanceof JarURLConnection jar) {
                                File file = new File(jar.getJarFileURL().getPath());
                                sources.append(' ')
                                        .append(file.length())
                                        .append(' ')
                                        .append(file.lastModified());
                            }
                        } catch (IOException e) {
                            LOG.debug("{}: {}", url, e.toString());
                        }
                    });
        }
        return UUID.nameUUIDFromBytes(sources.toString().getBytes(StandardCharsets.UTF_8))
                .toString();
    }

    private static Collection<Path> unpack() {
        Loader.load(torch.class);
        return Loader.getLoadedLibraries().values().stream()
                .map(Path::of)
                .filter(Path::isAbsolute)
                .toList();
    }

    /**
     * Loads libtorch, or if it is loaded, changes the number of threads.
     *
     * @return the one runtime of this process
     * @throws InputException if the native libraries are missing or do not match
     * @throws SettingException if the environment or the options request something unknown, or something that cannot be changed
     *     any more
     */
    public static synchronized TorchRuntime start(Options options) {
        TorchRuntime running = instance;
        if (running == null) {
            TorchRuntime started = new TorchRuntime(options);
            instance = started;
            torch.set_num_threads(started.threads.count());
            LOG.debug("{}", started.describe());
            return started;
        }
        options.blas().requireLoaded(running.blas);
        if (options.threads().isPresent()) {
            running.threads = Threads.choose(options.threads(), Map.of(), 0);
            torch.set_num_threads(running.threads.count());
        }
        return running;
    }

    /** Starts with {@link Options#defaults} unless it has been started. */
    public static synchronized TorchRuntime require() {
        return instance != null ? instance : start(Options.defaults());
    }

    /** The BLAS that libtorch calls. */
    public Blas blas() {
        return blas;
    }

    /** Threads for one operator. */
    public int threads() {
        return torch.get_num_threads();
    }

    /** How OpenMP's threads wait for work. */
    private String waiting() {
        if (!settled) {
            return "left to the host (" + ProcessSettings.PROPERTY + " is off)";
        }
        String policy = System.getenv().getOrDefault(WAIT_POLICY, blas == Blas.MKL ? "" : PASSIVE);
        String spin = System.getenv().getOrDefault(SPIN_COUNT, blas == Blas.MKL ? SPINS : "");
        return !spin.isEmpty()
                ? "waiting threads spin for " + spin + " rounds, then sleep (" + SPIN_COUNT + ")"
                : "threads wait according to " + WAIT_POLICY + "=" + policy;
    }

    /** Address of libtorch's {@code torch_parallel_for}, for native code that runs on its threads. */
    public static long parallelFor() {
        return StableAbi.parallelFor();
    }

    /** What was chosen, by topic. */
    public Map<String, String> describe() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("libtorch", StableAbi.libtorchVersion() + (torch.hasCUDA() ? " with CUDA" : " for CPUs"));
        facts.put(
                "blas",
                switch (blas) {
                    case MKL -> "MKL, on libtorch's OpenMP threads";
                    case OPENBLAS -> "OpenBLAS, on its own threads" + (settled ? "; OpenMP waits passively" : "");
                    case AUTO -> throw new AssertionError(blas);
                });
        facts.put("threads", threads() + ", " + (threads() == threads.count() ? threads.from() : "set by other code"));
        facts.put("openmp", waiting());
        facts.put("allocator", keepsFreedMemory ? "keeps freed memory" : "the C library's default");
        if (loadedByOthers) {
            facts.put(
                    "warning", "libtorch was loaded before prefix4j could configure it: BLAS and allocator may differ");
        }
        return facts;
    }

    /**
     * Until it is closed, each block is mapped separately, for memory that is kept. On the heap, among short-lived blocks, it would
     * cause fragmentation.
     */
    public final class LongLived implements AutoCloseable {
        private LongLived() {
            threshold(LONG_LIVED_THRESHOLD_BYTES);
        }

        private void threshold(int bytes) {
            if (keepsFreedMemory) {
                Libc.mallopt(Libc.M_MMAP_THRESHOLD, bytes);
            }
        }

        @Override
        public void close() {
            threshold(MMAP_THRESHOLD_BYTES);
        }
    }

    /** Begins to allocate long-lived memory; without effect if the C library is not glibc. */
    public LongLived longLived() {
        return new LongLived();
    }

    /** Names of the devices available here, such as {@code cpu} and {@code cuda:0}. */
    public static List<String> devices() {
        require();
        List<String> names = new ArrayList<>(List.of("cpu"));
        for (int i = 0; i < cudaDevices(); i++) {
            names.add("cuda:" + i);
        }
        return names;
    }

    private static int cudaDevices() {
        return torch.hasCUDA() ? torch.cuda_device_count() : 0;
    }

    /**
     * A device by its name.
     *
     * @param name {@code cpu}, {@code cuda} or {@code cuda:N}
     * @throws SettingException if there is no such device here
     */
    public static Device device(String name) {
        require();
        if (!name.matches("cpu|cuda(:\\d{1,2})?")) {
            throw new SettingException("device: expected cpu, cuda or cuda:N, found '" + name + "'");
        }
        if (name.startsWith("cuda")) {
            if (!torch.hasCUDA()) {
                throw new SettingException(
                        "device '" + name + "': this libtorch is built for CPUs only; build prefix4j with -Pgpu");
            }
            int index = name.length() > 5 ? Integer.parseInt(name.substring(5)) : 0;
            if (index >= cudaDevices()) {
                throw new SettingException("device '" + name + "': found " + cudaDevices() + " CUDA devices");
            }
        }
        return new Device(name);
    }

    /** The precision of float32 matrix products, named as in PyTorch's {@code set_float32_matmul_precision}. */
    public enum MatmulPrecision {
        /** float32 throughout. */
        HIGHEST,
        /** Factors rounded to tf32 if the device supports it. */
        HIGH,
        /** Factors rounded to bfloat16 if the device multiplies those faster; sums in float32. */
        MEDIUM;

        /** @throws InputException if there is no such precision */
        public static MatmulPrecision parse(String name) {
            return switch (name) {
                case "highest" -> HIGHEST;
                case "high" -> HIGH;
                case "medium" -> MEDIUM;
                default ->
                    throw new InputException(
                            "matmul precision: expected highest, high or medium, found '" + name + "'");
            };
        }
    }

    /** Sets the precision of float32 matrix products in this process. */
    public static void matmulPrecision(MatmulPrecision precision) {
        require();
        torch.globalContext().setFloat32MatmulPrecision(precision.name().toLowerCase(Locale.ROOT));
    }

    /** Seeds the random number generators of all devices. */
    public static void seed(long seed) {
        require();
        torch.manual_seed(seed);
    }
}
