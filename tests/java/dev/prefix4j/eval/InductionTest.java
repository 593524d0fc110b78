package dev.prefix4j.eval;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;

class InductionTest {
    private static final int VOCABULARY = 50;
    private static final int LENGTH = 20;

    private static BaseModel model(int layers, int heads, int width) {
        TorchRuntime.seed(3);
        return Gpt2Family.initialize(
                Gpt2Family.config(
                        layers,
                        heads,
                        width,
                        2 * LENGTH + 1,
                        VOCABULARY,
                        4 * width,
                        Activation.GELU_TANH,
                        1e-5,
                        true,
                        false,
                        true,
                        Tokens.of(0, 0)),
                TorchRuntime.device("cpu"));
    }

    @Test
    void whoCannotCopyHasTheSameLossTwice() {
        try (TensorScope _ = new TensorScope()) {
            Induction induction = Induction.of(model(2, 2, 16), LENGTH, 1);
            assertEquals(Math.log(VOCABULARY), induction.first(), 0.05);
            assertEquals(Math.log(VOCABULARY), induction.second(), 0.05);
            assertTrue(induction.accuracy() < 0.2);
        }
    }

    /**
     * A model that is built to repeat what stood {@value #LENGTH} - 1 tokens before: its only head looks there by
     * position, and writes what it finds into the half of the stream that the head of the model reads.
     */
    @Test
    void whoCopiesIsSeen() {
        int half = VOCABULARY + 2 * LENGTH + 1;
        int width = 2 * half;
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            BaseModel model = Gpt2Family.initialize(
                    Gpt2Family.config(
                            1,
                            1,
                            width,
                            2 * LENGTH + 1,
                            VOCABULARY,
                            4,
                            Activation.GELU_TANH,
                            1e-5,
                            true,
                            false,
                            false,
                            Tokens.of(0, 0)),
                    TorchRuntime.device("cpu"));
            Map<String, Tensor> weights = model.weights();
            weights.values().forEach(Tensor::zero_);
            weights.get("h.0.ln_1.weight").fill_(new Scalar(1.0));
            weights.get("ln_f.weight").fill_(new Scalar(1.0));
            Tensor token = torch.eye(VOCABULARY);
            weights.get("wte.weight").narrow(1, 0, VOCABULARY).copy_(token);
            Tensor position = torch.eye(2L * LENGTH + 1);
            weights.get("wpe.weight").narrow(1, VOCABULARY, 2L * LENGTH + 1).copy_(position);
            Tensor attention = weights.get("h.0.attn.c_attn.weight"); // [E, 3E]
            for (int p = 0; p < 2 * LENGTH + 1; p++) {
                int looked = Math.max(0, p - LENGTH + 1);
                set(attention, VOCABULARY + p, looked, 40); // query of position p
                set(attention, VOCABULARY + p, width + p, 40); // key of position p
            }
            for (int v = 0; v < VOCABULARY; v++) {
                set(attention, v, 2 * width + v, 10); // value: the token
                set(weights.get("h.0.attn.c_proj.weight"), v, half + v, 1);
                set(weights.get("lm_head.weight"), v, half + v, 10);
            }
            Induction induction = Induction.of(model, LENGTH, 1);
            assertEquals(1, induction.accuracy());
            assertTrue(induction.second() < 0.1 && induction.first() > 1, induction.toString());
        }
    }

    private static void set(Tensor matrix, long row, long column, double value) {
        matrix.narrow(0, row, 1).narrow(1, column, 1).fill_(new Scalar(value));
    }

    @Test
    void lengthsThatDoNotFitAreRefused() {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model(1, 1, 8);
            assertThrows(InputException.class, () -> Induction.of(model, LENGTH + 1, 1));
            assertThrows(InputException.class, () -> Induction.of(model, 1, 1));
        }
    }
}
