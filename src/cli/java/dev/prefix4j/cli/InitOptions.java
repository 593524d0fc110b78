package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.task.Initialization;
import dev.prefix4j.task.TrainingRun;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The initial values of virtual tokens (Li and Liang 2021, section 7.4). */
final class InitOptions {
    private static final List<String> KINDS = List.of("random", "zero", "words", "text", "adapter");

    @Option(
            names = OptionNames.INIT,
            paramLabel = "I",
            description =
                    "Initial virtual tokens: random; zero; words or text: what the model computes for --init-words or"
                            + " for the beginning of --init-text; adapter: those of --init-adapter.")
    @Nullable
    String init;

    @Option(
            names = OptionNames.INIT_WORDS,
            paramLabel = "S",
            description = "Words to start from, such as \"summarize the table\".")
    @Nullable
    String words;

    @Option(names = OptionNames.INIT_TEXT, paramLabel = "FILE", description = "Text to start from.")
    @Nullable
    Path text;

    @Option(
            names = OptionNames.INIT_ADAPTER,
            paramLabel = "DIR",
            description = "Adapter of the same method to start from: a folder, or a name on the hub.")
    @Nullable
    Path adapter;

    /** @return the folder of the adapter to start from, which is downloaded if needed; null: none */
    @Nullable
    Path resolve(Console console) {
        return AdapterOption.resolve(adapter, console);
    }

    /** The requested kind; the options are checked, without a model. */
    String kind() {
        List<String> given = Stream.of(
                        words == null ? null : "words",
                        text == null ? null : "text",
                        adapter == null ? null : "adapter")
                .filter(kind -> kind != null)
                .toList();
        if (given.size() > 1) {
            throw new InputException(
                    "init: expected one of --init-words, --init-text and --init-adapter, found " + given);
        }
        String source = given.isEmpty() ? null : given.getFirst();
        if (init == null) {
            return source == null ? "random" : source;
        }
        if (!KINDS.contains(init)) {
            throw new InputException("init: expected one of %s, found '%s'".formatted(String.join(", ", KINDS), init));
        }
        boolean needsSource = List.of("words", "text", "adapter").contains(init);
        if (needsSource && source == null) {
            throw new InputException("init %s: expected --init-%s, found none".formatted(init, init));
        }
        if (source != null && !init.equals(source)) {
            throw new InputException("init: expected %s with --init-%s, found '%s'".formatted(source, source, init));
        }
        return init;
    }

    /**
     * Gives a run its initial values.
     *
     * @param folder from {@link #resolve}; null: none
     */
    void start(TrainingRun run, @Nullable Path folder, Console console) {
        String kind = kind();
        if (kind.equals("random")) {
            return;
        }
        double difference = run.startFrom(
                switch (kind) {
                    case "zero" -> new Initialization.Zeros();
                    case "words" -> new Initialization.Words(Objects.requireNonNull(words, kind));
                    case "text" -> new Initialization.Text(Objects.requireNonNull(text, kind));
                    case "adapter" ->
                        new Initialization.Adapter(
                                Objects.requireNonNull(folder, kind), Objects.requireNonNull(adapter, kind));
                    default -> throw new AssertionError(kind);
                });
        console.say("virtual tokens start from %s (to within %.1e)", described(kind), difference);
    }

    private String described(String kind) {
        return switch (kind) {
            case "words" -> '"' + words + '"';
            case "text" -> String.valueOf(text);
            case "adapter" -> String.valueOf(adapter);
            default -> kind;
        };
    }
}
