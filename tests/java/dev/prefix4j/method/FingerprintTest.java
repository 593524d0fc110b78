package dev.prefix4j.method;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.gpt2.Gpt2Family;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FingerprintTest {
    private static final Path MODEL = Path.of("tests/resources/peft/model");

    @TempDir
    Path temporary;

    @BeforeAll
    static void start() {
        TorchRuntime.require();
    }

    /** The fixture's model with normalizations as trained ones are: near 0.3 and near 0, also very near. */
    private static BaseModel model(double shift) {
        TorchRuntime.seed(4);
        BaseModel model = Checkpoint.load(MODEL, TorchRuntime.device("cpu")).trainable();
        model.weights().forEach((name, weight) -> {
            if (name.contains("ln_")) {
                Tensor noise = torch.randn_like(weight);
                weight.detach()
                        .copy_(noise.mul(noise)
                                .mul(noise)
                                .mul(new Scalar(name.endsWith("bias") ? 1e-4 : 0.3))
                                .add(new Scalar(shift)));
            }
        });
        return model;
    }

    @Test
    void formsOfOneModelAreTheSameBaseAndOthersAreNot() {
        try (TensorScope _ = new TensorScope();
                Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            Fingerprint.of(model(0), tokenizer).write(temporary);
            for (torch.ScalarType type :
                    new torch.ScalarType[] {torch.ScalarType.Float, torch.ScalarType.Half, torch.ScalarType.BFloat16}) {
                Path folder = temporary.resolve(type.toString());
                Gpt2Family.save(model(0), folder, type);
                BaseModel form = Checkpoint.load(folder, TorchRuntime.device("cpu"));
                assertEquals(
                        Optional.empty(), Fingerprint.of(form, tokenizer).difference(temporary, "m"), type.toString());
            }
            for (BaseModel other : new BaseModel[] {model(0.01), Checkpoint.load(MODEL, TorchRuntime.device("cpu"))}) {
                assertEquals(
                        Optional.of("its base had other weights of the same shapes"),
                        Fingerprint.of(other, tokenizer).difference(temporary, "m"));
            }
        }
    }

    @Test
    void roundsToTheNearestAndTiesToEven() {
        assertEquals((short) 0x3f80, Fingerprint.rounded(1));
        assertEquals((short) 0x3f80, Fingerprint.rounded(Float.intBitsToFloat(0x3f808000)));
        assertEquals((short) 0x3f82, Fingerprint.rounded(Float.intBitsToFloat(0x3f818000)));
        assertEquals((short) 0xbf81, Fingerprint.rounded(Float.intBitsToFloat(0xbf808001)));
    }

    @Test
    void ofPeftsAdaptersTheNamesAreCompared() throws IOException {
        Files.writeString(
                temporary.resolve("adapter_config.json"), "{\"base_model_name_or_path\": \"openai-community/gpt2\"}");
        try (TensorScope _ = new TensorScope();
                Tokenizer tokenizer = Tokenizer.load(MODEL)) {
            Fingerprint model = Fingerprint.of(model(0), tokenizer);
            assertEquals(Optional.empty(), model.difference(temporary, "gpt2"));
            assertEquals(Optional.empty(), model.difference(temporary, "/models/gpt2"));
            assertTrue(model.difference(temporary, "/models/distilgpt2")
                    .orElseThrow()
                    .contains("made for 'openai-community/gpt2'"));
        }
    }
}
