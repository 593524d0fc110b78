package dev.prefix4j.task;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Freezer;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A model as it is scored and decoded: with an adapter, or alone. Its tensors belong to the innermost scope that was open when it
 * was made: the model's, or one opened later.
 *
 * @param conditioned the frozen model and what it attends to besides the text
 * @param adapter its name, for messages; absent without an adapter, or if the adapter has no folder
 */
public record AdaptedModel(LanguageModel model, Conditioned conditioned, Optional<String> adapter) {
    /** Whether a model will decode or be scored: the layout of float32 weights depends on it. */
    public enum Use {
        DECODING,
        SCORING
    }

    /** The model without an adapter. */
    public static AdaptedModel alone(LanguageModel model, Engine engine, Use use) {
        FrozenModel frozen = freezer(engine, use).freeze(model.base(), FrozenModel.Changes.NONE);
        return new AdaptedModel(model, Conditioned.plain(frozen), Optional.empty());
    }

    /** As {@link #of(LanguageModel, Path, Engine, Use)}, in float32, for decoding; it can be scored too. */
    public static AdaptedModel of(LanguageModel model, Path folder) {
        return of(model, folder, Engine.FP32, Use.DECODING);
    }

    /**
     * The model with an adapter of any method.
     *
     * @param folder from {@link Models#adapterFolder}
     * @throws dev.prefix4j.InputException if it holds no adapter, or one of another geometry
     */
    public static AdaptedModel of(LanguageModel model, Path folder, Engine engine, Use use) {
        return of(model, folder, folder.toString(), engine, use);
    }

    /** As {@link #of(LanguageModel, Path, Engine, Use)}, with the name that the user gave the adapter. */
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

    /** The positions that are not available to a text. */
    public Encoding.Taken taken() {
        return new Encoding.Taken(conditioned.taken(), adapter);
    }

    /** The number of values in the keys and values that it attends to besides those of the text. */
    public long activations() {
        return conditioned.prompt().activations().numel();
    }
}
