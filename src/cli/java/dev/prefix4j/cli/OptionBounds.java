package dev.prefix4j.cli;

import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/**
 * The largest values of numeric options: far above what anyone needs, and small enough that nothing overflows. The smallest values are
 * checked where they are used.
 */
final class OptionBounds {
    private static final double BILLION = 1e9;

    /** By the longest name of the option. */
    private static final Map<String, Double> MOST = Map.ofEntries(
            Map.entry(OptionNames.PREFIX_LENGTH, 65_536.0),
            Map.entry(OptionNames.HIDDEN, 1_048_576.0),
            Map.entry(OptionNames.RANK, 65_536.0),
            Map.entry(OptionNames.ALPHA, 1_000_000.0),
            Map.entry(OptionNames.BOTTLENECK, 1_048_576.0),
            Map.entry(OptionNames.TOP_BLOCKS, 10_000.0),
            Map.entry(OptionNames.EXAMPLES, 100_000.0),
            Map.entry(OptionNames.BATCH_SIZE, 65_536.0),
            Map.entry(OptionNames.ROWS_AT_ONCE, 65_536.0),
            Map.entry(OptionNames.ACCUMULATE, 1_000_000.0),
            Map.entry(OptionNames.EPOCHS, 1_000_000.0),
            Map.entry(OptionNames.STEPS, BILLION),
            Map.entry(OptionNames.MINUTES, 10_000_000.0),
            Map.entry(OptionNames.WARMUP, BILLION),
            Map.entry(OptionNames.VALID_EVERY, BILLION),
            Map.entry(OptionNames.SAVE_EVERY, BILLION),
            Map.entry(OptionNames.PATIENCE, BILLION),
            Map.entry(OptionNames.BEAMS, 1024.0),
            Map.entry(OptionNames.N_BEST, 1024.0),
            Map.entry(OptionNames.MAX_NEW_TOKENS, 1_000_000.0),
            Map.entry(OptionNames.MIN_NEW_TOKENS, 1_000_000.0),
            Map.entry(OptionNames.NO_REPEAT_NGRAM, 1_000_000.0),
            Map.entry(OptionNames.TOP_K, 10_000_000.0),
            Map.entry(OptionNames.MAX_SOURCE_TOKENS, 10_000_000.0),
            Map.entry(OptionNames.INDUCTION, 1_000_000.0),
            Map.entry(OptionNames.THREADS, 1024.0),
            Map.entry(OptionNames.LAYERS, 10_000.0),
            Map.entry(OptionNames.HEADS, 10_000.0),
            Map.entry(OptionNames.WIDTH, 1_048_576.0),
            Map.entry(OptionNames.POSITIONS, 1_048_576.0),
            Map.entry(OptionNames.VOCAB_SIZE, 10_000_000.0),
            Map.entry(OptionNames.NEW_TOKENS, 1_000_000.0),
            Map.entry(OptionNames.BATCHES, 1_000_000.0));

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
    static @Nullable String wrong(OptionSpec option, @Nullable Object value) {
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
}
