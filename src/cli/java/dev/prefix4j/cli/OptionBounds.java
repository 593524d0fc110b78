package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import java.lang.management.ManagementFactory;
import java.util.Map;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * The largest values of options with numbers: far above what anybody needs, and small enough that nothing overflows. The least values
 * are checked where they are used.
 */
final class OptionBounds {
    private static final double BILLION = 1e9;
    private static final int GIB = 1 << 30;

    /** By the longest name of the option. */
    private static final Map<String, Double> MOST = Map.ofEntries(
            Map.entry("--prefix-length", 65_536.0),
            Map.entry("--hidden", 1_048_576.0),
            Map.entry("--rank", 65_536.0),
            Map.entry("--alpha", 1_000_000.0),
            Map.entry("--bottleneck", 1_048_576.0),
            Map.entry("--top-blocks", 10_000.0),
            Map.entry("--examples", 100_000.0),
            Map.entry("--batch-size", 65_536.0),
            Map.entry("--rows-at-once", 65_536.0),
            Map.entry("--accumulate", 1_000_000.0),
            Map.entry("--epochs", 1_000_000.0),
            Map.entry("--steps", BILLION),
            Map.entry("--minutes", 10_000_000.0),
            Map.entry("--warmup", BILLION),
            Map.entry("--valid-every", BILLION),
            Map.entry("--save-every", BILLION),
            Map.entry("--patience", BILLION),
            Map.entry("--beams", 1024.0),
            Map.entry("--n-best", 1024.0),
            Map.entry("--max-new-tokens", 1_000_000.0),
            Map.entry("--min-new-tokens", 1_000_000.0),
            Map.entry("--no-repeat-ngram", 1_000_000.0),
            Map.entry("--top-k", 10_000_000.0),
            Map.entry("--max-source-tokens", 10_000_000.0),
            Map.entry("--induction", 1_000_000.0),
            Map.entry("--threads", 1024.0),
            Map.entry("--layers", 10_000.0),
            Map.entry("--heads", 10_000.0),
            Map.entry("--width", 1_048_576.0),
            Map.entry("--positions", 1_048_576.0),
            Map.entry("--vocab-size", 10_000_000.0),
            Map.entry("--new-tokens", 1_000_000.0),
            Map.entry("--batches", 1_000_000.0));

    private OptionBounds() {}

    /** @throws ParameterException if a given option, of the command or of its subcommand, is out of bounds */
    static void require(ParseResult parsed) {
        for (ParseResult command = parsed; command != null; command = command.subcommand()) {
            for (OptionSpec option : command.matchedOptions()) {
                String wrong = wrong(option, option.getValue());
                if (wrong != null) {
                    throw new ParameterException(command.commandSpec().commandLine(), wrong);
                }
            }
        }
    }

    /**
     * What is wrong with a value.
     *
     * @return null if nothing is
     */
    static String wrong(OptionSpec option, Object value) {
        if (!(value instanceof Number number)) {
            return null;
        }
        if (!Double.isFinite(number.doubleValue())) {
            return "%s: expected a finite number, found %s".formatted(option.longestName(), value);
        }
        Double most = MOST.get(option.longestName());
        return most == null || number.doubleValue() <= most
                ? null
                : "%s: expected at most %,.0f, found %s"
                        .formatted(
                                option.longestName(),
                                most,
                                value instanceof Double ? value : "%,d".formatted(number.longValue()));
    }

    /**
     * Refuses what cannot fit, before anything of it is made.
     *
     * @param bytes at the least; more than a {@code long} counts is well above any machine
     * @param options that decide it, as they are given
     * @param what takes them
     * @throws InputException if the machine has less memory
     */
    static void requireMemory(double bytes, String options, String what) {
        long memory = ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
                .getTotalMemorySize();
        if (bytes > memory) {
            throw new InputException(
                    "%s: expected what fits into the memory of this machine, %,.1f GiB; %s would take %,.1f GiB or more"
                            .formatted(options, (double) memory / GIB, what, bytes / GIB));
        }
    }
}
