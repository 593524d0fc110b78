package dev.prefix4j.method;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Adapters that PEFT 0.21 wrote, with the ids that it gives ({@code scripts/peft_adapter_fixtures.py} made some of them). */
class PeftAdapterTest extends ScopedTest {
    private static final Path ROOT = Path.of("tests/resources/peft");
    private static final ObjectMapper JSON = new ObjectMapper();

    @TempDir
    Path temporary;

    private static BaseModel model() {
        return Checkpoint.load(ROOT.resolve("model"), TorchRuntime.device("cpu"));
    }

    static Stream<String> adapters() throws IOException {
        try (Stream<Path> folders = Files.list(ROOT)) {
            return folders
                    .filter(folder -> Files.exists(folder.resolve("expected.json")))
                    .map(folder -> folder.getFileName().toString())
                    .sorted()
                    .toList()
                    .stream();
        }
    }

    @ParameterizedTest
    @MethodSource("adapters")
    void givesTheIdsOfPeft(String name) throws IOException {
        assertGivesTheIdsOfPeft(AdapterFolder.apply(ROOT.resolve(name), model()), name);
    }

    /** The folder that is written needs no adapter: the ids are those that PEFT gives with the adapter. */
    @ParameterizedTest
    @MethodSource("adapters")
    void mergedFolderGivesTheIdsOfPeft(String name) throws IOException {
        boolean weights = JSON.readTree(
                        ROOT.resolve(name).resolve("adapter_config.json").toFile())
                .get("peft_type")
                .asText()
                .equals("LORA");
        BaseModel model = model();
        if (!weights) {
            InputException e = assertThrows(InputException.class, () -> AdapterFolder.merge(ROOT.resolve(name), model));
            assertTrue(e.getMessage().contains("which cannot be merged"), e.getMessage());
            return;
        }
        Path merged = temporary.resolve("merged");
        Checkpoint.export(
                ROOT.resolve("model"), AdapterFolder.merge(ROOT.resolve(name), model), merged, torch.ScalarType.Float);
        BaseModel alone = Checkpoint.load(merged, TorchRuntime.device("cpu"));
        assertGivesTheIdsOfPeft(
                Conditioned.plain(new FrozenModel(
                        alone, FrozenModel.Changes.NONE, FrozenModel.Options.of(alone, Precision.FP32))),
                name);
    }

    private static void assertGivesTheIdsOfPeft(Conditioned conditioned, String name) throws IOException {
        List<int[]> prompts = new ArrayList<>();
        try (Tokenizer tokenizer = Tokenizer.load(ROOT.resolve("model"))) {
            for (String line : Files.readAllLines(ROOT.resolve("prompts.jsonl"))) {
                prompts.add(tokenizer.encode(JSON.readTree(line).get("source").asText()));
            }
        }
        List<Generation> found = new Generator(conditioned).generate(prompts, new Decoding.Greedy(), 10);
        JsonNode expected = JSON.readTree(
                        ROOT.resolve(name).resolve("expected.json").toFile())
                .get("ids");
        assertEquals(expected.size(), found.size());
        for (int i = 0; i < found.size(); i++) {
            assertArrayEquals(
                    JSON.treeToValue(expected.get(i), int[].class), found.get(i).ids(), "prompt " + i);
        }
    }

    /** A copy of an adapter with another value of a key. */
    private Path with(String adapter, String key, String value) throws IOException {
        Path folder = Files.createDirectories(temporary.resolve("copy"));
        Files.copy(
                ROOT.resolve(adapter).resolve("adapter_model.safetensors"),
                folder.resolve("adapter_model.safetensors"));
        ObjectNode config = (ObjectNode) JSON.readTree(
                ROOT.resolve(adapter).resolve("adapter_config.json").toFile());
        String text = config.put(key, "@@").toString().replace("\"@@\"", value);
        Files.writeString(folder.resolve("adapter_config.json"), text);
        return folder;
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
        layer_replication        | [[0,1],[0,1]]
        target_parameters        | ["x"]
        use_qalora               | true
        alora_invocation_tokens  | [1]
        init_lora_weights        | "pissa"
        init_lora_weights        | "olora"
        megatron_config          | {"a":1}
        something_new            | 0.5
        r                        | 1e1000000000
        r                        | 99999999999999999999
        r                        | 0
        r                        | 2147483647
        lora_alpha               | 1e400
        lora_alpha               | "NaN"
        alpha_pattern            | {"c_attn": -1e300}
        alpha_pattern            | {"(a+)+$((": 3}
        alpha_pattern            | {"(.*)*(.*)*(.*)*(.*)*(.*)*(.*)*!": 3}
        rank_pattern             | {"c_attn": -1}
        rank_pattern             | [4]
        layers_to_transform      | [-1]
        layers_to_transform      | [99999999999]
        trainable_token_indices  | [-1]
        trainable_token_indices  | [5, 5]
        trainable_token_indices  | [300]
        target_modules           | 7
        target_modules           | ["nothing"]
        exclude_modules          | "["
        modules_to_save          | "x"
        bias                     | "some"
        task_type                | "SEQ_CLS"
        peft_type                | "IA3"
        """)
    void whatChangesAResultAndIsNotAppliedIsRefusedByName(String key, String value) throws IOException {
        Path folder = with("c_attn", key, value);
        InputException e = assertThrows(InputException.class, () -> AdapterFolder.apply(folder, model()));
        assertTrue(e.getMessage().contains("key '" + key + "'"), e.getMessage());
        assertTrue(e.getMessage().lines().count() == 1 && e.getMessage().length() < 500, e.getMessage());
    }

    @Test
    void aKeyThatIsOffIsNeutral() throws IOException {
        AdapterFolder.apply(with("c_attn", "use_something_new", "false"), model());
    }

    @Test
    void differencesOfTensorsAreShown() throws IOException {
        Path folder = with("c_attn", "target_modules", "[\"c_attn\", \"c_fc\"]");
        InputException e = assertThrows(InputException.class, () -> AdapterFolder.apply(folder, model()));
        assertTrue(
                e.getMessage()
                        .contains("expected 8 tensors, found 4; missing"
                                + " 'base_model.model.transformer.h.0.mlp.c_fc.lora_A.weight'"),
                e.getMessage());
    }

    @Test
    void otherFoldersAreToldApart() throws IOException {
        Path named = Files.createDirectories(temporary.resolve("saved/e2e"));
        Files.writeString(named.resolve("adapter_config.json"), "{}");
        refused(temporary.resolve("saved"), "name " + named);
        refused(ROOT.resolve("model"), "found a model's: name it with --model");
        Path pickle = Files.createDirectories(temporary.resolve("pickle"));
        Files.writeString(pickle.resolve("adapter_config.json"), "{\"peft_type\":\"LORA\"}");
        Files.writeString(pickle.resolve("adapter_model.bin"), "x");
        refused(pickle, "found only adapter_model.bin");
        Path other = Files.createDirectories(temporary.resolve("other"));
        Files.writeString(other.resolve("adapter_config.json"), "{\"config\":{\"architecture\":\"prefix_tuning\"}}");
        Files.writeString(other.resolve("pytorch_adapter.bin"), "x");
        refused(
                other,
                "adapter_config.json: expected an adapter of PEFT or prefix4j, found one of the library adapters");
    }

    private static void refused(Path folder, String because) {
        InputException e = assertThrows(InputException.class, () -> AdapterFolder.apply(folder, model()));
        assertTrue(e.getMessage().contains(because), e.getMessage());
    }
}
