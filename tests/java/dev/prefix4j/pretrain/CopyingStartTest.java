package dev.prefix4j.pretrain;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import dev.prefix4j.eval.Induction;
import dev.prefix4j.eval.TextLikelihood;
import dev.prefix4j.model.Activation;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig.Tokens;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.text.BpeTrainer;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CopyingStartTest {
    @TempDir
    Path folder;

    private Path text;

    @BeforeEach
    void learnVocabulary() throws IOException {
        text = MixtureTest.text(folder);
        BpeTrainer trainer = new BpeTrainer();
        Documents.read(text, trainer::add);
        trainer.write(folder.resolve("tokenizer.json"), 340);
    }

    private static BaseModel model(int layers, int heads, int vocabulary) {
        TorchRuntime.seed(5);
        return Gpt2Family.initialize(
                Gpt2Family.config(
                        layers,
                        heads,
                        128,
                        128,
                        vocabulary,
                        512,
                        Activation.GELU_TANH,
                        1e-5,
                        true,
                        false,
                        true,
                        Tokens.of(0, 0)),
                TorchRuntime.device("cpu"));
    }

    @Test
    void anUntrainedModelCopiesAndKnowsHowCommonTokensAre() {
        try (TensorScope _ = new TensorScope();
                Tokenizer tokenizer = Tokenizer.load(folder);
                TokenCorpus corpus =
                        TokenCorpus.encode(List.of(text), tokenizer, 0, folder.resolve("tokens.safetensors"))) {
            RunningText running = RunningText.encode(text, tokenizer, 0);
            for (int heads : new int[] {4, 8}) {
                BaseModel model = model(3, heads, tokenizer.vocabularySize());
                double uniform =
                        TextLikelihood.of(model, running.ids(), running.bytes()).loss();
                Induction before = Induction.of(model, 50, 1);
                CopyingStart.apply(new Gpt2(model), corpus);
                double prepared =
                        TextLikelihood.of(model, running.ids(), running.bytes()).loss();
                Induction after = Induction.of(model, 50, 1);
                assertTrue(before.accuracy() < 0.05, before.toString());
                assertTrue(after.first() - after.second() > 2, heads + " heads: " + after);
                assertTrue(prepared < uniform - 0.5, uniform + " to " + prepared);
            }
        }
    }

    @Test
    void modelsThatAreTooSmallAreRefused() {
        try (TensorScope _ = new TensorScope()) {
            for (int[] size : new int[][] {{1, 4}, {2, 2}}) {
                InputException e = assertThrows(
                        InputException.class, () -> CopyingStart.apply(new Gpt2(model(size[0], size[1], 300)), null));
                assertEquals(
                        "copying start: expected at least 2 layers and 4 heads of even width, found %d, %d, %d"
                                .formatted(size[0], size[1], 128 / size[1]),
                        e.getMessage());
            }
        }
    }
}
