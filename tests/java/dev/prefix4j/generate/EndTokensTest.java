package dev.prefix4j.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Several end tokens of generation_config.json: any of them ends an output. */
class EndTokensTest {
    private static final Path TINY = Path.of("tests/resources/parity/tiny/model");
    private static final int NEW = 8;

    @TempDir
    Path t;

    private BaseModel model(String ends) throws IOException {
        Path folder = Files.createTempDirectory(t, "model");
        for (String name : List.of("config.json", "model.safetensors")) {
            Files.copy(TINY.resolve(name), folder.resolve(name));
        }
        Files.writeString(folder.resolve("generation_config.json"), "{\"eos_token_id\": " + ends + "}");
        return Checkpoint.load(folder, TorchRuntime.device("cpu"));
    }

    private static List<int[]> prompts() {
        return IntStream.range(0, 24)
                .mapToObj(i -> IntStream.range(i, i + 1 + i % 9).toArray())
                .toList();
    }

    private List<Generation> generate(String ends, Decoding how) throws IOException {
        return new Generator(model(ends), Optional.empty()).generate(prompts(), how, NEW);
    }

    /** Two tokens that outputs without an end have, neither in all of them. */
    private static int[] ends(List<Generation> endless) {
        int[] counts = new int[4096];
        endless.forEach(one -> IntStream.of(one.ids()).distinct().forEach(id -> counts[id]++));
        int[] ends = IntStream.range(0, counts.length)
                .filter(id -> counts[id] > 0)
                .boxed()
                .sorted((a, b) -> counts[b] - counts[a])
                .limit(2)
                .mapToInt(id -> id)
                .toArray();
        assertEquals(2, ends.length);
        return ends;
    }

    @Test
    void greedyOutputsEndAtWhicheverComesFirst() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            List<Generation> endless = generate("null", new Decoding.Greedy());
            int[] ends = ends(endless);
            List<Generation> found = generate(Arrays.toString(ends), new Decoding.Greedy());
            Set<Integer> met = new TreeSet<>();
            for (int i = 0; i < found.size(); i++) {
                int[] whole = endless.get(i).ids();
                assertEquals(NEW, whole.length);
                int[] expected = IntStream.of(whole)
                        .takeWhile(id -> id != ends[0] && id != ends[1])
                        .toArray();
                assertArrayEquals(expected, found.get(i).ids());
                if (expected.length < NEW) {
                    met.add(whole[expected.length]);
                }
            }
            assertEquals(Set.of(ends[0], ends[1]), met);
        }
    }

    @Test
    void beamsEndAtEither() throws IOException {
        try (TensorScope _ = new TensorScope()) {
            Decoding how = new Decoding.BeamSearch(4, 1);
            int[] ends = ends(generate("null", how));
            List<Generation> either = generate(Arrays.toString(ends), how);
            List<Generation> first = generate(Integer.toString(ends[0]), how);
            assertTrue(first.stream().anyMatch(one -> IntStream.of(one.ids()).anyMatch(id -> id == ends[1])));
            for (Generation one : either) {
                assertTrue(IntStream.of(one.ids()).noneMatch(id -> id == ends[0] || id == ends[1]));
            }
            assertTrue(either.stream().anyMatch(one -> one.ids().length < NEW));
        }
    }
}
