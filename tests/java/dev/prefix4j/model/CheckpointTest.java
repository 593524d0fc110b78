package dev.prefix4j.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Which stored tensor is the output head of a model that says tie_word_embeddings. */
class CheckpointTest {
    private static final Path MODEL = Path.of("tests/resources/model");
    private static final String HEAD = "lm_head.weight";
    private static final String EMBEDDING = "transformer.wte.weight";

    @TempDir
    Path t;

    @FunctionalInterface
    private interface Change {
        void to(Map<String, Tensor> tensors);
    }

    private BaseModel load(Change change) throws IOException {
        Files.copy(MODEL.resolve("config.json"), t.resolve("config.json"));
        try (Safetensors file = Safetensors.open(MODEL.resolve("model.safetensors"))) {
            Map<String, Tensor> tensors = new TreeMap<>();
            file.names().forEach(name -> tensors.put(name, file.tensor(name)));
            change.to(tensors);
            SafetensorsWriter.write(t.resolve("model.safetensors"), tensors, Map.of("format", "pt"));
        }
        return Checkpoint.load(t, TorchRuntime.device("cpu"));
    }

    private static Tensor logits(BaseModel model) {
        return new Gpt2(model)
                .logits(new Gpt2(model)
                        .forward(
                                model.ids(new long[] {1, 2, 3}, 1),
                                KvCache.empty(model.config().layers())));
    }

    private static BaseModel usual() {
        return Checkpoint.load(MODEL, TorchRuntime.device("cpu"));
    }

    /** Every weight to the bit; logits but for the order of sums, which depends on where the file's bytes lie in memory. */
    private static void assertUsual(BaseModel model) {
        Map<String, Tensor> expected = usual().weights();
        assertEquals(expected.keySet(), model.weights().keySet());
        model.weights().forEach((name, weight) -> assertTrue(weight.equal(expected.get(name)), name));
        assertTrue(torch.allclose(logits(model), logits(usual())));
    }

    @Test
    void aHeadThatAloneIsStoredIsTheEmbeddingToo() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = load(tensors -> tensors.put(HEAD, tensors.remove(EMBEDDING)));
            assertTrue(model.config().tiedHead());
            assertUsual(model);
        }
    }

    @Test
    void aStoredHeadThatEqualsTheEmbeddingStaysTied() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model =
                    load(tensors -> tensors.put(HEAD, tensors.get(EMBEDDING).clone()));
            assertTrue(model.config().tiedHead());
            assertUsual(model);
        }
    }

    @Test
    void aStoredHeadThatDiffersIsTheHead() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model =
                    load(tensors -> tensors.put(HEAD, tensors.get(EMBEDDING).mul(new Scalar(2))));
            assertFalse(model.config().tiedHead());
            assertTrue(torch.allclose(logits(model), logits(usual()).mul(new Scalar(2))));
        }
    }

    @Test
    void aValueHeadChangesNothing() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = load(tensors -> {
                tensors.put("v_head.summary.weight", torch.ones(new long[] {1, 16}));
                tensors.put("v_head.summary.bias", torch.ones(new long[] {1}));
            });
            assertUsual(model);
        }
    }
}
