package dev.prefix4j.train;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.eval.TextLikelihood;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * A validation, and its line of {@code metrics.jsonl}. Keys without a value are left out.
 *
 * @param step that it followed
 * @param loss mean over the tokens, in nats
 * @param bitsPerByte of running text
 * @param tokens that were scored
 * @param epochs of the text that were read, in pretraining
 * @param best whether no earlier loss was as low
 */
public record Validation(
        int step,
        double loss,
        OptionalDouble bitsPerByte,
        OptionalLong tokens,
        OptionalDouble epochs,
        Optional<Boolean> best) {
    /** Key that lines of validations have, and no others. */
    public static final String LOSS = "valid_loss";

    public static final String BITS_PER_BYTE = "valid_bits_per_byte";
    public static final String TOKENS = "valid_tokens";
    public static final String EPOCHS = "epochs";
    public static final String BEST = "best";

    /** Of the targets of examples. */
    public static Validation ofTargets(int step, Likelihood likelihood, boolean best) {
        return new Validation(
                step,
                likelihood.loss(),
                OptionalDouble.empty(),
                OptionalLong.of(likelihood.tokens()),
                OptionalDouble.empty(),
                Optional.of(best));
    }

    /** Of running text. */
    public static Validation ofText(int step, TextLikelihood likelihood, double epochs) {
        return new Validation(
                step,
                likelihood.loss(),
                OptionalDouble.of(likelihood.bitsPerByte()),
                OptionalLong.of(likelihood.tokens()),
                OptionalDouble.of(epochs),
                Optional.empty());
    }

    /** Of a method that trains nothing: the only one of its run. */
    public static Validation untrained(double loss) {
        return new Validation(
                0, loss, OptionalDouble.empty(), OptionalLong.empty(), OptionalDouble.empty(), Optional.of(true));
    }

    /** The line. */
    ObjectNode line() {
        ObjectNode line = JsonNodeFactory.instance.objectNode();
        line.put(Step.STEP, step).put(LOSS, loss);
        bitsPerByte.ifPresent(value -> line.put(BITS_PER_BYTE, value));
        tokens.ifPresent(value -> line.put(TOKENS, value));
        epochs.ifPresent(value -> line.put(EPOCHS, value));
        best.ifPresent(value -> line.put(BEST, value));
        return line;
    }
}
