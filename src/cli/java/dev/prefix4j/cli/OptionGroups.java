package dev.prefix4j.cli;

import dev.prefix4j.Named;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.OptionSpec;

/** Headings in the help of commands with many options. Only the help uses them. */
enum OptionGroups {
    DATA("Model and data"),
    METHOD("Method"),
    GEOMETRY("Geometry"),
    OPTIMIZATION("Optimization"),
    DECODING("Decoding"),
    OUTPUT("Output"),
    RUNTIME("Runtime");

    /** In every command, unless {@link #OWN} says otherwise. */
    private static final Map<OptionGroups, List<String>> COMMON = Map.of(
            DATA,
            List.of(
                    OptionNames.MODEL,
                    OptionNames.ADAPTER,
                    OptionNames.STRICT_BASE,
                    OptionNames.DATA,
                    OptionNames.VALID,
                    OptionNames.TEXT,
                    OptionNames.INDUCTION,
                    OptionNames.PROMPT,
                    OptionNames.LIMIT,
                    OptionNames.VALID_LIMIT,
                    OptionNames.SAMPLE,
                    OptionNames.SAMPLE_SEED,
                    OptionNames.MAX_SOURCE_TOKENS,
                    OptionNames.FORMAT,
                    OptionNames.SOURCE_FIELD,
                    OptionNames.TARGET_FIELD,
                    OptionNames.LANG,
                    OptionNames.DISTINCT,
                    OptionNames.RAW,
                    OptionNames.COMPAT,
                    OptionNames.FROM,
                    OptionNames.TOKENIZER,
                    OptionNames.VOCAB_SIZE,
                    OptionNames.MIXTURE),
            METHOD,
            List.of(
                    OptionNames.METHOD,
                    OptionNames.PREFIX_LENGTH,
                    OptionNames.REPARAM,
                    OptionNames.HIDDEN,
                    OptionNames.LAYERS,
                    OptionNames.TOP_BLOCKS,
                    OptionNames.ADAPTER_SHARE,
                    OptionNames.BOTTLENECK,
                    OptionNames.RANK,
                    OptionNames.ALPHA,
                    OptionNames.EXAMPLES,
                    OptionNames.INIT,
                    OptionNames.INIT_WORDS,
                    OptionNames.INIT_TEXT,
                    OptionNames.INIT_ADAPTER,
                    OptionNames.PREFIX_DROPOUT),
            OPTIMIZATION,
            List.of(
                    OptionNames.RECIPE,
                    OptionNames.EPOCHS,
                    OptionNames.STEPS,
                    OptionNames.MINUTES,
                    OptionNames.BATCH_SIZE,
                    OptionNames.ROWS_AT_ONCE,
                    OptionNames.ACCUMULATE,
                    OptionNames.GROUP_BY_LENGTH,
                    OptionNames.LR,
                    OptionNames.MUON_LR,
                    OptionNames.FINAL_LR,
                    OptionNames.WARMUP,
                    OptionNames.WEIGHT_DECAY,
                    OptionNames.BETA2,
                    OptionNames.CLIP,
                    OptionNames.OBJECTIVE,
                    OptionNames.LABEL_SMOOTHING,
                    OptionNames.TEACHER,
                    OptionNames.VALID_EVERY,
                    OptionNames.PATIENCE),
            DECODING,
            List.of(
                    OptionNames.BEAMS,
                    OptionNames.LENGTH_PENALTY,
                    OptionNames.TEMPERATURE,
                    OptionNames.TOP_K,
                    OptionNames.TOP_P,
                    OptionNames.MIN_P,
                    OptionNames.REPETITION_PENALTY,
                    OptionNames.N_BEST,
                    OptionNames.MAX_NEW_TOKENS,
                    OptionNames.MIN_NEW_TOKENS,
                    OptionNames.NO_REPEAT_NGRAM,
                    OptionNames.NO_REPEAT_NGRAM_IN),
            OUTPUT,
            List.of(
                    OptionNames.OUT,
                    OptionNames.RESUME,
                    OptionNames.SAVE_EVERY,
                    OptionNames.DTYPE,
                    OptionNames.TENSORBOARD,
                    "--scores",
                    OptionNames.JSON),
            RUNTIME,
            List.of(
                    OptionNames.PRECISION,
                    OptionNames.MATMUL_PRECISION,
                    OptionNames.RECOMPUTE,
                    OptionNames.THREADS,
                    OptionNames.SEED,
                    OptionNames.DEVICE,
                    OptionNames.VERBOSE,
                    OptionNames.HELP,
                    OptionNames.VERSION));

    /** By command: options that mean something else there. */
    private static final Map<String, Map<String, OptionGroups>> OWN = Map.of(
            "train", Map.of(),
            "pretrain",
                    Map.of(
                            OptionNames.LAYERS,
                            GEOMETRY,
                            OptionNames.HEADS,
                            GEOMETRY,
                            OptionNames.WIDTH,
                            GEOMETRY,
                            OptionNames.POSITIONS,
                            GEOMETRY,
                            OptionNames.INIT,
                            GEOMETRY,
                            OptionNames.PROMPT,
                            OUTPUT),
            "generate", Map.of(OptionNames.RECIPE, DECODING, OptionNames.BATCH_SIZE, RUNTIME),
            "score", Map.of(OptionNames.BATCH_SIZE, RUNTIME));

    private final String heading;

    OptionGroups(String heading) {
        this.heading = heading;
    }

    /** Commands whose help has headings. */
    static List<String> commands() {
        return OWN.keySet().stream().sorted().toList();
    }

    /**
     * The group of an option.
     *
     * @return null if it has none: it is then listed last
     */
    static @Nullable OptionGroups of(String command, OptionSpec option) {
        for (String name : option.names()) {
            OptionGroups own = OWN.getOrDefault(command, Map.of()).get(name);
            if (own != null) {
                return own;
            }
            for (OptionGroups group : values()) {
                if (COMMON.getOrDefault(group, List.of()).contains(name)) {
                    return group;
                }
            }
        }
        return null;
    }

    /** Gives the help of commands their headings. */
    static void install(CommandLine line) {
        for (String command : OWN.keySet()) {
            CommandLine grouped = Named.get(line.getSubcommands(), command);
            grouped.getCommandSpec().usageMessage().abbreviateSynopsis(true); // the lists below have every option
            Map<String, CommandLine.IHelpSectionRenderer> sections = grouped.getHelpSectionMap();
            sections.remove(CommandLine.Model.UsageMessageSpec.SECTION_KEY_OPTION_LIST_HEADING);
            sections.put(CommandLine.Model.UsageMessageSpec.SECTION_KEY_OPTION_LIST, help -> list(command, help));
        }
    }

    private static String list(String command, Help help) {
        Map<OptionGroups, List<OptionSpec>> grouped = new EnumMap<>(OptionGroups.class);
        List<OptionSpec> rest = new ArrayList<>();
        List<OptionSpec> all = help.commandSpec().options();
        for (OptionSpec option : all) {
            OptionGroups group = of(command, option);
            (group == null ? rest : grouped.computeIfAbsent(group, _ -> new ArrayList<>())).add(option);
        }
        StringBuilder text = new StringBuilder();
        grouped.forEach((group, options) -> append(text, group.heading, options, all, help));
        if (!rest.isEmpty()) {
            append(text, "More", rest, all, help);
        }
        return text.toString();
    }

    /** @param all options of the command, which determine the column widths */
    private static void append(
            StringBuilder text, String heading, List<OptionSpec> options, List<OptionSpec> all, Help help) {
        Help.Layout layout = help.createDefaultLayout(all, List.of(), help.colorScheme());
        layout.addAllOptions(options, help.createDefaultParamLabelRenderer());
        text.append(System.lineSeparator())
                .append(heading)
                .append(':')
                .append(System.lineSeparator())
                .append(layout);
    }
}
