package dev.prefix4j.cli;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Help;
import picocli.CommandLine.Model.OptionSpec;

/** Headings in the help of commands with many options. Only the help knows of them. */
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
                    "--model",
                    "--adapter",
                    "--strict-base",
                    "--data",
                    "--valid",
                    "--text",
                    "--induction",
                    "--prompt",
                    "--limit",
                    "--valid-limit",
                    "--sample",
                    "--sample-seed",
                    "--max-source-tokens",
                    "--format",
                    "--source-field",
                    "--target-field",
                    "--lang",
                    "--distinct",
                    "--raw",
                    "--compat",
                    "--from",
                    "--tokenizer",
                    "--vocab-size",
                    "--mixture"),
            METHOD,
            List.of(
                    "--method",
                    "--prefix-length",
                    "--reparam",
                    "--hidden",
                    "--layers",
                    "--top-blocks",
                    "--adapter-share",
                    "--bottleneck",
                    "--rank",
                    "--alpha",
                    "--examples",
                    "--init",
                    "--init-words",
                    "--init-text",
                    "--init-adapter",
                    "--prefix-dropout"),
            OPTIMIZATION,
            List.of(
                    "--recipe",
                    "--epochs",
                    "--steps",
                    "--minutes",
                    "--batch-size",
                    "--rows-at-once",
                    "--accumulate",
                    "--group-by-length",
                    "--lr",
                    "--muon-lr",
                    "--final-lr",
                    "--warmup",
                    "--weight-decay",
                    "--beta2",
                    "--clip",
                    "--objective",
                    "--label-smoothing",
                    "--teacher",
                    "--valid-every",
                    "--patience"),
            DECODING,
            List.of(
                    "--beams",
                    "--length-penalty",
                    "--temperature",
                    "--top-k",
                    "--top-p",
                    "--min-p",
                    "--repetition-penalty",
                    "--n-best",
                    "--max-new-tokens",
                    "--min-new-tokens",
                    "--no-repeat-ngram",
                    "--no-repeat-ngram-in"),
            OUTPUT,
            List.of("--out", "--resume", "--save-every", "--dtype", "--tensorboard", "--scores", "--json"),
            RUNTIME,
            List.of(
                    "--precision",
                    "--matmul-precision",
                    "--recompute",
                    "--threads",
                    "--seed",
                    "--device",
                    "--verbose",
                    "--help",
                    "--version"));

    /** By command: options that mean something else there. */
    private static final Map<String, Map<String, OptionGroups>> OWN = Map.of(
            "train", Map.of(),
            "pretrain",
                    Map.of(
                            "--layers",
                            GEOMETRY,
                            "--heads",
                            GEOMETRY,
                            "--width",
                            GEOMETRY,
                            "--positions",
                            GEOMETRY,
                            "--init",
                            GEOMETRY,
                            "--prompt",
                            OUTPUT),
            "generate", Map.of("--recipe", DECODING, "--batch-size", RUNTIME),
            "score", Map.of("--batch-size", RUNTIME));

    private final String heading;

    OptionGroups(String heading) {
        this.heading = heading;
    }

    /** Commands whose help has headings. */
    static List<String> commands() {
        return OWN.keySet().stream().sorted().toList();
    }

    /**
     * Where an option stands.
     *
     * @return null if nobody has said it: it is then listed last
     */
    static OptionGroups of(String command, OptionSpec option) {
        for (String name : option.names()) {
            OptionGroups own = OWN.get(command).get(name);
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
            CommandLine grouped = line.getSubcommands().get(command);
            grouped.getCommandSpec().usageMessage().abbreviateSynopsis(true); // the lists below say it all
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

    /** @param all options of the command, which decide the widths of the columns */
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
