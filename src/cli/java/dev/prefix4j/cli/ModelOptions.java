package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.task.Encoding;
import dev.prefix4j.task.Engine;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.text.Layout;
import java.nio.file.Path;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The model, and the longest source. */
final class ModelOptions {
    static final String DESCRIPTION =
            "A Hugging Face model (gpt2, llama, mistral, qwen2, qwen3): a folder (config.json, model.safetensors,"
                    + " tokenizer.json), or a name on the hub: gpt2, owner/name, owner/name@revision; or builtin:tiny.";

    static final String STRICT_BASE =
            "Refuse an adapter that was made for another model; without it, only a note is printed.";

    @Option(names = OptionNames.MODEL, paramLabel = "MODEL", required = true, description = DESCRIPTION)
    String name;

    @Option(
            names = OptionNames.MAX_SOURCE_TOKENS,
            paramLabel = "N",
            description = "Keep only the first N tokens of each source.")
    @Nullable
    Integer maxSourceTokens;

    @Option(names = OptionNames.STRICT_BASE, description = STRICT_BASE)
    boolean strictBase;

    /** Loads the model, which is downloaded if needed. */
    LanguageModel load(RuntimeOptions runtime, Console console) {
        return load(runtime, console, Engine.FP32);
    }

    /** Loads the model for an engine; it is downloaded if needed. */
    LanguageModel load(RuntimeOptions runtime, Console console, Engine engine) {
        encoding(Layout.CLEAN); // checked before the long work
        return console.models().load(name, runtime.device, engine);
    }

    /** The encoding with targets in a layout. */
    Encoding encoding(Layout layout) {
        return encoding(layout, maxSourceTokens);
    }

    /** @param maxSourceTokens null: all */
    static Encoding encoding(Layout layout, @Nullable Integer maxSourceTokens) {
        return new Encoding(layout, maxSourceTokens == null ? OptionalInt.empty() : OptionalInt.of(maxSourceTokens));
    }

    /** Prints a note if an adapter was made for another model. */
    void checkBase(@Nullable Path adapter, LanguageModel model, Console console) {
        checkBase(adapter, model, strictBase, console);
    }

    /**
     * Prints a note if an adapter was made for another model.
     *
     * @param adapter null: none
     * @throws InputException instead, if {@code strictBase}
     */
    static void checkBase(@Nullable Path adapter, LanguageModel model, boolean strictBase, Console console) {
        if (adapter == null) {
            return;
        }
        model.difference(adapter).ifPresent(difference -> {
            if (strictBase) {
                throw new InputException("%s: %s (--strict-base refuses it)".formatted(adapter, difference));
            }
            console.say("note: %s: %s; results may mean nothing (--strict-base refuses it)", adapter, difference);
        });
    }
}
