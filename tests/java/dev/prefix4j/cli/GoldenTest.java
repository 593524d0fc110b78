package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every method gave before the engine was built anew: losses, files, ids. The fixture was written by {@link #main}, and is
 * written again only where a change of these numbers is meant.
 */
class GoldenTest {
    private static final Path FIXTURE = Path.of("tests/resources/golden/methods.json");
    private static final ObjectMapper JSON = new ObjectMapper();

    /** Options of each training, by a name. */
    private static final Map<String, String> TRAININGS = new LinkedHashMap<>();

    static {
        TRAININGS.put("prefix", "");
        TRAININGS.put("prefix, int8", "--precision int8");
        TRAININGS.put("prefix, recomputed", "--recompute");
        TRAININGS.put("prefix, accumulated", "--accumulate 2 --group-by-length");
        TRAININGS.put("prefix, from words", "--init words --init-words restaurant,price --prefix-length 5");
        TRAININGS.put("prefix, smoothed", "--label-smoothing 0.1 --objective sentence --weight-decay 0.01 --warmup 3");
        TRAININGS.put("prefix, authors", "--compat authors");
        TRAININGS.put("direct", "--reparam direct");
        TRAININGS.put("layers", "--method layers --layers 2-3");
        TRAININGS.put("embedding", "--method embedding");
        TRAININGS.put("infix", "--method infix");
        TRAININGS.put("infix, int8", "--method infix --precision int8");
        TRAININGS.put("infix-embedding", "--method infix-embedding");
        TRAININGS.put("fine-tune", "--method fine-tune");
        TRAININGS.put("fine-tune-top", "--method fine-tune-top");
        TRAININGS.put("adapter", "--method adapter");
        TRAININGS.put("lora", "--method lora");
        TRAININGS.put("in-context", "--method in-context");
    }

    @TempDir
    Path temporary;

    static List<String> names() {
        return List.copyOf(TRAININGS.keySet());
    }

    @ParameterizedTest
    @MethodSource("names")
    void methodGivesWhatItGave(String name) throws IOException {
        JsonNode expected = JSON.readTree(FIXTURE.toFile()).get(name);
        JsonNode found = observe(TRAININGS.get(name), temporary);
        boolean exact = !name.contains("int8");
        // Instruction sets differ by rounding, and every step of AdamW makes more of it. With int8, a value that rounds
        // differently moves by a whole step of its row's scale.
        double first = exact ? 1e-6 : 1e-2;
        double later = exact ? 1e-5 : 3e-2;
        JsonNode losses = expected.get("losses");
        assertEquals(losses.size(), found.get("losses").size());
        for (int i = 0; i < losses.size(); i++) {
            near(losses.get(i), found.get("losses").get(i), i == 0 ? first : later, "loss of step " + (i + 1));
        }
        for (String key : List.of("validation", "score")) {
            near(expected.get(key), found.get(key), later, key);
        }
        for (String key : List.of("run", "adapter", "adapter_config", "shapes")) {
            assertEquals(expected.get(key), found.get(key), key);
        }
        for (String key : exact ? List.of("greedy", "beams") : List.<String>of()) {
            assertEquals(expected.get(key), found.get(key), key);
        }
        expected.get("norms")
                .properties()
                .forEach(norm -> near(
                        norm.getValue(),
                        found.get("norms").get(norm.getKey()),
                        exact ? 1e-4 : 3e-2,
                        "norm of " + norm.getKey()));
    }

    @Test
    void fixtureHasEveryTraining() throws IOException {
        List<String> stored = new ArrayList<>();
        JSON.readTree(FIXTURE.toFile()).fieldNames().forEachRemaining(stored::add);
        assertEquals(names(), stored);
    }

    private static void near(JsonNode expected, JsonNode found, double relative, String what) {
        if (expected.isNull()) {
            assertTrue(found.isNull(), () -> what + ": expected null, found " + found);
            return;
        }
        assertEquals(expected.asDouble(), found.asDouble(), Math.abs(expected.asDouble()) * relative, what);
    }

    /** Trains, writes and scores. */
    private static ObjectNode observe(String options, Path folder) throws IOException {
        Path run = folder.resolve("run");
        boolean authors = options.contains("--compat");
        String trained =
                execute("train --model builtin:tiny --data builtin:e2e/train --limit 60 --valid builtin:e2e/test"
                        + " --valid-limit 4 --steps 6 --batch-size 4 --lr 1e-3 --json --out " + run + " " + options);
        ObjectNode observed = JSON.createObjectNode();
        ArrayNode losses = observed.putArray("losses");
        Path log = run.resolve("metrics.jsonl");
        for (String line : Files.readAllLines(log)) {
            JsonNode entry = JSON.readTree(line);
            if (entry.has("loss")) {
                losses.add(entry.get("loss"));
            }
        }
        observed.set("validation", JSON.readTree(trained).get("valid_loss"));
        files(run, observed.putArray("run"));
        Path adapter = run.resolve("adapter");
        files(adapter, observed.putArray("adapter"));
        observed.set(
                "adapter_config",
                JSON.readTree(adapter.resolve("adapter_config.json").toFile()));
        ObjectNode shapes = observed.putObject("shapes");
        ObjectNode norms = observed.putObject("norms");
        try (TensorScope _ = new TensorScope();
                Safetensors tensors = Safetensors.open(adapter.resolve("adapter_model.safetensors"))) {
            for (String name : tensors.names()) {
                Tensor tensor = tensors.tensor(name);
                shapes.put(
                        name,
                        tensors.info(name).dtype() + " " + tensors.info(name).shape());
                norms.put(name, torch.norm(tensor).item_double());
            }
        }
        String common = " --model builtin:tiny --adapter " + adapter + " --data builtin:e2e/test --limit 3 --json"
                + (authors ? " --compat authors" : "");
        observed.set("greedy", ids(execute("generate --distinct --max-new-tokens 16" + common)));
        observed.set("beams", ids(execute("generate --distinct --max-new-tokens 16 --beams 3 --n-best 2" + common)));
        observed.set("score", JSON.readTree(execute("score" + common)).get("loss"));
        return observed;
    }

    private static ArrayNode ids(String output) throws IOException {
        ArrayNode all = JSON.createArrayNode();
        for (String line : output.lines().toList()) {
            StringBuilder ids = new StringBuilder();
            JSON.readTree(line)
                    .get("ids")
                    .forEach(id -> ids.append(ids.isEmpty() ? "" : " ").append(id.asInt()));
            all.add(ids.toString());
        }
        return all;
    }

    private static void files(Path folder, ArrayNode names) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            files.map(file -> file.getFileName().toString())
                    .filter(name -> !name.equals(".lock"))
                    .sorted()
                    .forEach(names::add);
        }
    }

    /** @return standard output */
    private static String execute(String line) {
        Shell shell = new Shell();
        assertEquals(0, shell.run(line.strip().split(" +")), () -> line + "\n" + shell.errors());
        return shell.output();
    }

    /** Writes the fixture. */
    public static void main(String[] arguments) throws IOException {
        ObjectNode all = JSON.createObjectNode();
        for (String name : names()) {
            all.set(name, observe(TRAININGS.get(name), Files.createTempDirectory("golden")));
            System.out.println(name);
        }
        DefaultPrettyPrinter printer = new DefaultPrettyPrinter();
        printer.indentArraysWith(DefaultIndenter.SYSTEM_LINEFEED_INSTANCE);
        Files.createDirectories(FIXTURE.getParent());
        Files.writeString(FIXTURE, JSON.writer(printer).writeValueAsString(all) + "\n");
    }
}
