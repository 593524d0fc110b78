package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.EngineTuning;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Option;

/** What virtual tokens start from (Li and Liang 2021, section 7.4). */
final class InitOptions {
    private static final List<String> KINDS = List.of("random", "zero", "words", "text", "adapter");

    @Option(
            names = "--init",
            paramLabel = "I",
            description =
                    "Of virtual tokens: random; zero; words, text: what the model computes for --init-words or the"
                            + " beginning of --init-text; adapter: those of --init-adapter.")
    String init;

    @Option(
            names = "--init-words",
            paramLabel = "S",
            description = "Words to start from, such as \"summarize the table\".")
    String words;

    @Option(names = "--init-text", paramLabel = "FILE", description = "Text to start from.")
    Path text;

    @Option(
            names = "--init-adapter",
            paramLabel = "DIR",
            description = "Adapter of the same method to start from: a folder, or a name on the hub.")
    Path adapter;

    /** Where the adapter is, once it was looked for. */
    private Path folder;

    /** @return the folder of the adapter to start from, which is downloaded where that is needed; null: none */
    Path resolve(Console console) {
        folder = AdapterName.resolve(adapter, console);
        return folder;
    }

    /** What was asked for; checks it without a model. */
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
            throw new InputException(
                    "init: expected %s where --init-%s is given, found '%s'".formatted(source, source, init));
        }
        return init;
    }

    /** Gives virtual tokens their first values. */
    void start(Tuning tuning, BaseModel model, Tokenizer tokenizer, Console console) {
        String kind = kind();
        if (kind.equals("random")) {
            return;
        }
        if (!(tuning instanceof EngineTuning(SoftPromptTuner prompts, FrozenModel engine))) {
            throw new InputException("init %s: expected a method with virtual tokens".formatted(kind));
        }
        try (TensorScope _ = new TensorScope()) {
            double difference = prompts.start(
                    switch (kind) {
                        case "zero" -> prompts.zeros();
                        case "words" -> prompts.ofWords(engine, tokenizer.encode(words));
                        case "text" -> prompts.ofWords(engine, tokenizer.encode(beginning()));
                        case "adapter" -> ofAdapter(prompts, model);
                        default -> throw new AssertionError(kind);
                    });
            console.say("virtual tokens start from %s (to within %.1e)", described(kind), difference);
        }
    }

    private String described(String kind) {
        return switch (kind) {
            case "words" -> '"' + words + '"';
            case "text" -> text.toString();
            case "adapter" -> adapter.toString();
            default -> kind;
        };
    }

    private String beginning() {
        List<String> documents = new ArrayList<>();
        Documents.read(text, document -> {
            if (documents.isEmpty()) {
                documents.add(document);
            }
        });
        return documents.getFirst();
    }

    private Tensor ofAdapter(SoftPromptTuner prompts, BaseModel model) {
        AdapterFolder.Contents contents = AdapterFolder.load(folder, model.config(), model.device());
        Tensor vectors = contents.tensors().get(SoftPromptTuner.VECTORS);
        if (vectors == null || vectors.size(1) != prompts.encoder().rowWidth()) {
            throw new InputException("%s: expected an adapter of the same method, found one of %s"
                    .formatted(adapter, contents.method().name()));
        }
        return prompts.repeated(vectors);
    }
}
