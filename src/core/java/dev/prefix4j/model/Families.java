package dev.prefix4j.model;

import dev.prefix4j.InputException;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.model.llama.LlamaFamily;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Collectors;

/** All supported families. */
public final class Families {
    private static final List<Family> ALL = List.of(Gpt2Family.GPT2, LlamaFamily.LLAMA);

    private Families() {}

    /** The family of a {@code model_type}; for an unknown one, an error that lists the supported types. */
    private static Family of(ConfigFile file) {
        String type = file.text("model_type", "gpt2");
        return ALL.stream()
                .filter(family -> family.types().contains(type))
                .findFirst()
                .orElseThrow(() -> file.wrong("model_type", "one of " + types() + ", which prefix4j runs", type));
    }

    /** All supported values of {@code model_type}, as a list in words. */
    public static String types() {
        return ALL.stream().flatMap(family -> family.types().stream().sorted()).collect(Collectors.joining(", "));
    }

    /**
     * Reads {@code config.json} of a Hugging Face folder, and the end tokens from the files beside it.
     *
     * @throws InputException if the file is missing, is not JSON, is of an unsupported family, or has a value out of range
     */
    public static ModelConfig read(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(
                    folder + ": expected a model folder, found " + (Files.exists(folder) ? "a file" : "nothing"));
        }
        if (!Files.exists(folder.resolve("config.json")) && Files.exists(folder.resolve("adapter_config.json"))) {
            throw new InputException(
                    folder + ": expected a model, found an adapter (adapter_config.json, no config.json):"
                            + " give its base model as --model and this folder as --adapter");
        }
        ConfigFile file = ConfigFile.read(folder.resolve("config.json"), "a Hugging Face model configuration");
        Family family = of(file);
        if (file.has("quantization_config")) {
            throw file.wrong("quantization_config", "none: weights in float32, float16 or bfloat16", "one");
        }
        try {
            return family.read(file, new TokenReader(folder));
        } catch (InputException e) {
            // Errors from the constructor do not name the file yet.
            String message = Objects.requireNonNullElse(e.getMessage(), "");
            throw message.startsWith(file.file().toString())
                    ? e
                    : new InputException(file.file() + ": key " + message, e);
        }
    }
}
