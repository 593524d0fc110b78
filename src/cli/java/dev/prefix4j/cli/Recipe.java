package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Model.CommandSpec;

/**
 * The hyperparameters that Li and Liang used (ACL 2021, Table 6, footnote 4 and section 5.3), as values for options that are not
 * given.
 *
 * <p>Those of E2E, WebNLG and DART are for GPT-2 medium and large, those of XSUM for BART.
 */
enum Recipe {
    E2E,
    WEBNLG,
    DART,
    XSUM;

    /** The smaller of the paper's two kinds of adapters has 0.1 % of the model's parameters, the larger 3 %. */
    private static final double SMALL_SHARE = 0.01;

    /** @throws InputException if there is no such recipe */
    static Recipe parse(String name) {
        for (Recipe recipe : values()) {
            if (recipe.label().equals(name)) {
                return recipe;
            }
        }
        throw new InputException("recipe: expected e2e, webnlg, dart or xsum, found '" + name + "'");
    }

    private String label() {
        return name().toLowerCase(java.util.Locale.ROOT);
    }

    /** Values for options of {@code train}; a method that the paper does not have is trained like its prefixes. */
    Map<String, Object> training(String method, double adapterShare) {
        if (this == XSUM && method.startsWith("fine-tune")) {
            throw new InputException(
                    "recipe: the paper has none for xsum and method " + method + ": it fine-tunes BART");
        }
        boolean small = adapterShare < SMALL_SHARE;
        return switch (method) {
            case "fine-tune" -> this == E2E ? options(5e-5, 5, 10) : options(1e-5, 10, 6);
            case "fine-tune-top" ->
                switch (this) {
                    case E2E -> options(5e-5, 5, 10);
                    case WEBNLG -> options(5e-5, 10, 9);
                    default -> options(5e-5, 5, 5);
                };
            case "adapter" ->
                switch (this) {
                    case E2E -> small ? options(8e-5, 10, 5) : options(5e-5, 5, 5);
                    case WEBNLG -> small ? options(5e-5, 10, 5) : options(5e-5, 5, 5);
                    case DART -> small ? options(8e-5, 5, 5) : options(5e-5, 5, 5);
                    case XSUM -> throw new InputException("recipe: the paper has none for xsum and method adapter");
                };
            default ->
                switch (this) {
                    case E2E -> with(options(8e-5, 5, 10), OptionNames.PREFIX_LENGTH, 5);
                    case WEBNLG -> with(options(5e-5, 5, 5), OptionNames.PREFIX_LENGTH, 5);
                    case DART -> with(options(5e-5, 10, 5), OptionNames.PREFIX_LENGTH, 10);
                    case XSUM -> { // footnote 4: the MLP is 800 wide, 512 elsewhere
                        Map<String, Object> values = with(options(5e-5, 30, 14), OptionNames.PREFIX_LENGTH, 100);
                        yield with(with(values, OptionNames.HIDDEN, 800), OptionNames.MAX_SOURCE_TOKENS, 512);
                    }
                };
        };
    }

    private static Map<String, Object> options(double learningRate, int epochs, int batchSize) {
        Map<String, Object> options = new LinkedHashMap<>();
        options.put(OptionNames.LR, learningRate);
        options.put(OptionNames.EPOCHS, epochs);
        options.put(OptionNames.BATCH_SIZE, batchSize);
        return options;
    }

    private static Map<String, Object> with(Map<String, Object> options, String name, int value) {
        options.put(name, value);
        return options;
    }

    /**
     * Gives options of {@code train} their values.
     *
     * @param method the method that is trained
     * @param adapterShare its size, for method adapter
     * @return a line that says what was set, and its source
     */
    String train(CommandSpec spec, String method, double adapterShare) {
        Map<String, Object> values = new LinkedHashMap<>(training(method, adapterShare));
        if (given(spec, OptionNames.STEPS)) {
            values.remove(OptionNames.EPOCHS);
        }
        return set(spec, values, "Table 6");
    }

    /** Gives options of {@code generate} their values (section 5.3). */
    String generate(CommandSpec spec) {
        Map<String, Object> values = new LinkedHashMap<>();
        boolean sampling = given(spec, OptionNames.TEMPERATURE)
                || given(spec, OptionNames.TOP_K)
                || given(spec, OptionNames.TOP_P)
                || given(spec, OptionNames.MIN_P);
        if (!sampling) {
            values.put(OptionNames.BEAMS, this == XSUM ? 6 : 5);
            values.put(OptionNames.LENGTH_PENALTY, this == XSUM ? 0.8 : 1.0);
        }
        if (this == XSUM) {
            values.put(OptionNames.MAX_SOURCE_TOKENS, 512);
        }
        return set(spec, values, "section 5.3");
    }

    private String set(CommandSpec spec, Map<String, Object> values, String place) {
        List<String> names = values.keySet().stream()
                .filter(name -> !given(spec, name))
                .sorted()
                .toList();
        for (String name : names) {
            RunOptions.set(spec.findOption(name), values.get(name));
        }
        return "recipe %s (Li and Liang 2021, %s): %s"
                .formatted(
                        label(),
                        place,
                        names.isEmpty()
                                ? "every option is already given"
                                : names.stream()
                                        .map(name -> name + " " + values.get(name))
                                        .collect(Collectors.joining(" ")));
    }

    private static boolean given(CommandSpec spec, String name) {
        return spec.commandLine().getParseResult().hasMatchedOption(name);
    }
}
