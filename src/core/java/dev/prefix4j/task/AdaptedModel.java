package dev.prefix4j.task;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Freezer;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A model as it is scored and decoded: under an adapter, or alone. Its tensors belong to the scope that was open when it was made, at
 * the latest that of the model.
 *
 * @param conditioned how it computes
 * @param adapter as it was named, for messages; absent without one, or where it has no folder
 */
public record AdaptedModel(LanguageModel model, Conditioned conditioned, Optional<String> adapter) {
    /** Whether a model is to write, or to be scored: float32 weights are laid out for the one or the other. */
    public enum Use {
        DECODING,
        SCORING
    }

    /** The model alone. */
    public static AdaptedModel alone(LanguageModel model, Engine engine, Use use) {
        FrozenModel frozen = freezer(engine, use).freeze(model.base(), FrozenModel.Changes.NONE);
        return new AdaptedModel(model, Conditioned.plain(frozen), Optional.empty());
    }

    /** As {@link #of(LanguageModel, Path, Engine, Use)}, in float32, to write with; it can be scored too. */
    public static AdaptedModel of(LanguageModel model, Path folder) {
        return of(model, folder, Engine.FP32, Use.DECODING);
    }

    /**
     * The model under an adapter of any method.
     *
     * @param folder that {@link Models#adapterFolder} gives
     * @throws dev.prefix4j.InputException if no adapter is there, or one of another geometry
     */
    public static AdaptedModel of(LanguageModel model, Path folder, Engine engine, Use use) {
        return of(model, folder, folder.toString(), engine, use);
    }

    /** As {@link #of(LanguageModel, Path, Engine, Use)}, under the name that a user knows. */
    public static AdaptedModel of(LanguageModel model, Path folder, String name, Engine engine, Use use) {
        AdapterFolder.Contents contents =
                AdapterFolder.load(folder, model.config(), model.base().device());
        Conditioned conditioned = contents.method().apply(model.base(), freezer(engine, use), contents.tensors());
        return new AdaptedModel(model, conditioned, Optional.of(name));
    }

    static Freezer freezer(Engine engine, Use use) {
        return switch (use) {
            case DECODING -> engine.decoder();
            case SCORING -> engine.freezer();
        };
    }

    /** The positions that a text cannot use. */
    public Encoding.Taken taken() {
        return new Encoding.Taken(conditioned.taken(), adapter);
    }

    /** Numbers of the keys and values that it sees besides words. */
    public long activations() {
        return conditioned.prompt().activations().numel();
    }
}
