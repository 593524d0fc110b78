package dev.prefix4j.cli;

import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.Engine;
import dev.prefix4j.task.LanguageModel;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The adapter that a model is used with. */
final class AdapterOption {
    /** Description of an option that names an adapter. */
    static final String DESCRIPTION =
            "An adapter of any method: a folder, or owner/name or owner/name@revision on the hub";

    @Option(
            names = {"--prefix", OptionNames.ADAPTER},
            paramLabel = "DIR",
            description = DESCRIPTION + "; without it, the model alone.")
    @Nullable
    Path name;

    /**
     * The folder of an adapter, which is downloaded if needed.
     *
     * @param name null: none
     * @return null if there is none
     */
    static @Nullable Path resolve(@Nullable Path name, Console console) {
        return name == null ? null : console.models().adapterFolder(name);
    }

    /** The model with the adapter; warns if the adapter was made for another model. */
    AdaptedModel adapt(
            LanguageModel model, ModelOptions options, Engine engine, AdaptedModel.Use use, Console console) {
        if (name == null) {
            return AdaptedModel.alone(model, engine, use);
        }
        Path folder = console.models().adapterFolder(name);
        AdaptedModel adapted = AdaptedModel.of(model, folder, name.toString(), engine, use);
        options.checkBase(folder, model, console);
        return adapted;
    }
}
