package dev.prefix4j.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BeamSearcherTest {
    private record Beam(int[] ids, double score) {}

    /** Transformers 3's search, written down plainly: all scores of all beams, no cache, one prompt. */
    private record Plain(BaseModel model, int beams, double penalty, int newTokens) {
        int[] search(int[] prompt) {
            int eos = model.config().eos();
            List<Beam> open = List.of(new Beam(prompt, 0));
            List<Beam> ended = new ArrayList<>();
            boolean done = false;
            for (int length = prompt.length; length < prompt.length + newTokens && !done; length++) {
                List<Beam> all = new ArrayList<>();
                float[] scores = next(open);
                for (int at = 0; at < scores.length; at++) {
                    Beam beam = open.get(at / model.config().vocabulary());
                    int[] longer = Arrays.copyOf(beam.ids(), length + 1);
                    longer[length] = at % model.config().vocabulary();
                    all.add(new Beam(longer, beam.score() + scores[at]));
                }
                all.sort(Comparator.comparingDouble(Beam::score).reversed());
                List<Beam> next = new ArrayList<>();
                for (int rank = 0; rank < 2 * beams && next.size() < beams; rank++) {
                    Beam one = all.get(rank);
                    if (one.ids()[length] != eos) {
                        next.add(one);
                    } else if (rank < beams) {
                        end(ended, new Beam(Arrays.copyOf(one.ids(), length), one.score()));
                    }
                }
                done = ended.size() == beams
                        && ended.getLast().score() >= all.getFirst().score() / Math.pow(length, penalty);
                open = next;
            }
            if (!done) {
                open.forEach(beam -> end(ended, beam));
            }
            int[] best = ended.getFirst().ids();
            return Arrays.copyOfRange(best, prompt.length, best.length);
        }

        private void end(List<Beam> ended, Beam beam) {
            ended.add(new Beam(beam.ids(), beam.score() / Math.pow(beam.ids().length, penalty)));
            ended.sort(Comparator.comparingDouble(Beam::score).reversed());
            if (ended.size() > beams) {
                ended.removeLast();
            }
        }

        /** Log-probabilities of all next tokens of all beams. */
        private float[] next(List<Beam> open) {
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                int length = open.getFirst().ids().length;
                long[] ids = open.stream()
                        .flatMapToInt(beam -> IntStream.of(beam.ids()))
                        .asLongStream()
                        .toArray();
                Tensor hidden = new Gpt2(model)
                        .forward(
                                model.ids(ids, open.size()),
                                KvCache.empty(model.config().layers()));
                Tensor scores = torch.log_softmax(new Gpt2(model).logits(hidden.narrow(1, length - 1, 1)), -1)
                        .contiguous();
                float[] values = new float[open.size() * model.config().vocabulary()];
                scores.data_ptr_float().get(values);
                return values;
            }
        }
    }

    @TempDir
    Path folder;

    private static final Path TINY = Path.of("tests/resources/parity/tiny/model");

    /** The tiny model, but the token that it writes most ends the text. */
    private BaseModel model() throws IOException {
        BaseModel tiny = Checkpoint.load(TINY, TorchRuntime.device("cpu"));
        Map<Integer, Integer> counts = new HashMap<>();
        for (Generation one :
                new Generator(tiny, Optional.empty()).generate(prompts(), new Decoding.BeamSearch(5, 1), 8)) {
            IntStream.of(one.ids()).forEach(token -> counts.merge(token, 1, Integer::sum));
        }
        int often =
                Collections.max(counts.entrySet(), Map.Entry.comparingByValue()).getKey();
        Files.copy(TINY.resolve("model.safetensors"), folder.resolve("model.safetensors"));
        String config = Files.readString(TINY.resolve("config.json"));
        String other = config.replaceFirst("\"eos_token_id\": *\\d+", "\"eos_token_id\": " + often);
        assertNotEquals(config, other);
        Files.writeString(folder.resolve("config.json"), other);
        return Checkpoint.load(folder, TorchRuntime.device("cpu"));
    }

    private static List<int[]> prompts() {
        return IntStream.range(0, 24)
                .mapToObj(i -> IntStream.range(i, i + 1 + i % 9).toArray())
                .toList();
    }

    @Test
    void searchesAsTransformers3WhereThePromptCounts() throws IOException {
        TorchRuntime.seed(1);
        try (TensorScope _ = new TensorScope()) {
            BaseModel model = model();
            Generator generator = new Generator(model, Optional.empty());
            int ended = 0;
            int all = 0;
            for (int beams : new int[] {2, 5}) {
                for (double penalty : new double[] {0.6, 1, 2}) {
                    Decoding how = new Decoding.BeamSearch(beams, penalty, true);
                    for (int[] prompt : prompts()) {
                        int[] expected = new Plain(model, beams, penalty, 8).search(prompt);
                        int[] found = generator
                                .generate(List.of(prompt), how, 8)
                                .getFirst()
                                .ids();
                        assertArrayEquals(expected, found, how + ", prompt " + Arrays.toString(prompt));
                        ended += expected.length < 8 ? 1 : 0;
                        all++;
                    }
                }
            }
            assertTrue(ended >= 10 && ended <= all - 10, "both kinds of ends, found " + ended + " of " + all);
        }
    }
}
