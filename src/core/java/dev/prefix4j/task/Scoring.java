package dev.prefix4j.task;

import dev.prefix4j.eval.Induction;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.RunningText;
import java.nio.file.Path;
import java.util.List;

/** How well a model predicts. */
public final class Scoring {
    private static final int BATCH = 20;

    private Scoring() {}

    /**
     * Scores the targets of examples, each given its source.
     *
     * @throws dev.prefix4j.InputException naming the row, if one has no target or is too long for the model
     */
    public static Likelihood targets(AdaptedModel model, List<Example> examples) {
        return targets(model, examples, Encoding.CLEAN, BATCH);
    }

    /**
     * As {@link #targets(AdaptedModel, List)}.
     *
     * @param batchSize sequences scored together
     */
    public static Likelihood targets(AdaptedModel model, List<Example> examples, Encoding encoding, int batchSize) {
        GenerationJob.requireBatch(batchSize);
        return Likelihood.of(
                model.conditioned(), encoding.sequences(examples, model.model(), model.taken()), batchSize);
    }

    /** Scores plain text, whose documents are separated by a line {@code <|endoftext|>}. */
    public static TextLikelihood text(LanguageModel model, Path file) {
        RunningText text =
                RunningText.encode(file, model.tokenizer(), model.config().eos());
        return TextLikelihood.of(model.base(), text.ids(), text.bytes());
    }

    /**
     * Scores how well the model copies random tokens that it reads twice.
     *
     * @param tokens how many are repeated
     */
    public static Induction copying(LanguageModel model, int tokens, long seed) {
        return Induction.of(model.base(), tokens, seed);
    }
}
