package dev.prefix4j.cli;

import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.torch.TorchRuntime;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** How libtorch runs. */
final class RuntimeOptions {
    @Option(
            names = OptionNames.THREADS,
            paramLabel = "N",
            description =
                    "Threads for one operator; by default OMP_NUM_THREADS or MKL_NUM_THREADS, if set, or all available"
                            + " processors.")
    @Nullable
    Integer threads;

    @Option(
            names = OptionNames.SEED,
            paramLabel = "N",
            defaultValue = "101",
            description = "Seed of all random numbers.")
    long seed;

    @Option(names = OptionNames.DEVICE, paramLabel = "D", defaultValue = "cpu", description = "cpu, cuda or cuda:N.")
    String device;

    /**
     * Starts libtorch and the native kernels, and checks that the device exists.
     *
     * @throws dev.prefix4j.SettingException if the device or the environment requests what this machine lacks
     */
    void start() {
        TorchRuntime.Options options = TorchRuntime.Options.defaults();
        TorchRuntime.start(threads == null ? options : options.withThreads(threads));
        Kernels.find();
        TorchRuntime.seed(seed);
        TorchRuntime.device(device);
    }
}
