package dev.prefix4j.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TorchRuntime;
import java.util.List;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class InspectionTest extends ScopedTest {
    private static final ModelConfig CONFIG =
            Gpt2Family.config(2, 2, 8, 32, 40, 32, Activation.GELU_TANH, 1e-5, true, false, true, Tokens.of(0, 0));

    private BaseModel model;

    @BeforeEach
    void open() {
        model = Gpt2Family.initialize(CONFIG, TorchRuntime.device("cpu"));
        model.weights().values().forEach(weight -> weight.requires_grad_(false));
    }

    private static SoftPrompt prompt(Tensor vectors) {
        return SoftPrompt.prefix(vectors, CONFIG);
    }

    @Test
    void withEqualKeysAttentionIsEven() {
        for (String name : List.of("h.0.attn.c_attn.weight", "h.0.attn.c_attn.bias")) {
            model.weights().get(name).zero_();
        }
        double[][] mass = Inspection.attention(
                model, prompt(torch.randn(3, 32)), List.of(new int[] {1, 2, 3, 4}, new int[] {5, 6}), new int[] {2, 1});
        // tokens 2 and 3 of the first, 1 of the second, of 3 virtual and their own earlier tokens
        double expected = (3.0 / 6 + 3.0 / 7 + 3.0 / 5) / 3;
        assertEquals(expected, mass[0][0], 1e-6);
        assertEquals(expected, mass[0][1], 1e-6);
    }

    @Test
    void aKeyAlongEveryQueryTakesAllAttention() {
        Tensor bias = model.weights().get("h.1.attn.c_attn.bias"); // queries, keys, values
        model.weights().get("h.1.attn.c_attn.weight").zero_();
        bias.zero_().narrow(0, 0, 4).fill_(new Scalar(10.0)); // head 0 asks, head 1 does not
        Tensor vectors = torch.zeros(2, 32);
        vectors.narrow(0, 1, 1).narrow(1, 16, 4).fill_(new Scalar(10.0)); // keys of layer 1, head 0
        double[][] mass = Inspection.attention(model, prompt(vectors), List.of(new int[] {1, 2, 3}), new int[] {0});
        assertEquals(1, mass[1][0], 1e-6);
        assertEquals((2.0 / 3 + 2.0 / 4 + 2.0 / 5) / 3, mass[1][1], 1e-6);
    }

    @Test
    void normsAreThoseOfKeysAndValues() {
        Tensor vectors = torch.zeros(2, 32);
        vectors.narrow(1, 8, 1).fill_(new Scalar(3.0)); // a value of layer 0
        vectors.narrow(1, 9, 1).fill_(new Scalar(4.0));
        vectors.narrow(0, 0, 1).narrow(1, 16, 1).fill_(new Scalar(2.0)); // a key of layer 1, of one of two tokens
        List<Inspection.Norms> norms = Inspection.norms(prompt(vectors), CONFIG);
        assertEquals(new Inspection.Norms(0, 5), norms.get(0));
        assertEquals(new Inspection.Norms(1, 0), norms.get(1));
    }

    @Test
    void theNearestWordOfAWordIsItself() {
        Tensor words = model.weights()
                .get("wte.weight")
                .narrow(0, 5, 3)
                .mul(new Scalar(-2.0))
                .neg();
        List<List<Inspection.Near>> near = Inspection.nearest(model, words, 4);
        for (int i = 0; i < 3; i++) {
            assertEquals(5 + i, near.get(i).getFirst().token());
            assertEquals(1, near.get(i).getFirst().cosine(), 1e-5);
        }
    }

    @Test
    void similarityIsTheCosineOfEachLayer() {
        Tensor vectors = torch.randn(3, 32);
        Tensor other = vectors.clone();
        other.narrow(1, 16, 16).neg_();
        double[] cosines = Inspection.similarity(prompt(vectors), prompt(other), CONFIG);
        assertEquals(1, cosines[0], 1e-5);
        assertEquals(-1, cosines[1], 1e-5);
        assertThrows(
                InputException.class, () -> Inspection.similarity(prompt(vectors), prompt(torch.randn(2, 32)), CONFIG));
    }
}
