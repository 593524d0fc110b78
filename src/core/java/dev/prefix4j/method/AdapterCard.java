package dev.prefix4j.method;

import com.fasterxml.jackson.core.io.JsonStringEncoder;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.model.ModelConfig;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;

/**
 * The {@code README.md} of an adapter's folder, with the metadata that the Hugging Face hub reads (huggingface.co/docs/hub,
 * "Model Cards": {@code base_model}, {@code library_name}, {@code pipeline_tag}, {@code tags}).
 */
final class AdapterCard {
    private static final String FILE = "README.md";

    private AdapterCard() {}

    /** Writes it unless there is one, which may have been edited. */
    static void write(Method method, ModelConfig model, Path folder, String baseModel) {
        if (!Files.exists(folder.resolve(FILE), LinkOption.NOFOLLOW_LINKS)) {
            AtomicFile.write(folder.resolve(FILE), text(method, model, baseModel));
        }
    }

    private static String text(Method method, ModelConfig model, String baseModel) {
        boolean peft = isOfPeft(method);
        String base = quoted(baseModel);
        String how = peft
                ? "`prefix4j generate --model MODEL --adapter THIS_FOLDER` or Hugging Face PEFT's"
                        + " `PeftModel.from_pretrained`"
                : "`prefix4j generate --model MODEL --adapter THIS_FOLDER`";
        return """
            ---
            base_model: %s
            library_name: %s
            pipeline_tag: text-generation
            tags:
            - %s
            - %s
            - prefix4j
            ---

            # An adapter of %s

            Method `%s`: %,d parameters, for use with the %,d of the model that `base_model` above names.
            Use them with %s.
            """.formatted(
                        base,
                        peft ? "peft" : "prefix4j",
                        quoted("base_model:adapter:" + baseModel),
                        method.name(),
                        model.family().title(),
                        method.name(),
                        method.storedNumbers(model),
                        new FineTuning().storedNumbers(model),
                        how);
    }

    private static boolean isOfPeft(Method method) {
        return switch (method) {
            case PrefixTuning _, EmbeddingTuning _, LoraTuning _, StoredLora _ -> true;
            case InfixTuning _,
                    InfixEmbeddingTuning _,
                    LayerTuning _,
                    FineTuning _,
                    TopTuning _,
                    AdapterTuning _,
                    InContext _ -> false;
        };
    }

    /** As JSON, which is YAML too. */
    private static String quoted(String text) {
        return '"' + new String(JsonStringEncoder.getInstance().quoteAsString(text)) + '"';
    }
}
