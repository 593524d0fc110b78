package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Freezer;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainListener;
import dev.prefix4j.train.Trainer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The Java of docs/coming-from-peft.md. */
class ComingFromPeftTest {
    private static void page(Path folder, Path data, Path out) {
        Path adapter = out.resolve("adapter");
        try (TensorScope _ = new TensorScope();
                var tokenizer = Tokenizer.load(folder)) {
            BaseModel model = Checkpoint.load(folder, TorchRuntime.device("cpu"));
            ModelConfig shape = model.config();
            List<Example> pairs = Example.pairs(DataFile.read(data, DataOptions.DEFAULTS));
            List<Sequence> sequences = Sequences.encode(pairs, tokenizer, shape.bos(), shape.eos());

            Method method = new PrefixTuning(new Vectors(5, Reparametrization.MLP, 512));
            Freezer freezer =
                    (base, changes) -> new FrozenModel(base, changes, FrozenModel.Options.of(base, Precision.FP32));
            Tuning tuning = method.tuning(model, freezer, 101);
            // 5 epochs, batches of 10, learning rate 8e-5
            TrainConfig config = new TrainConfig(0, 5, 10, 1, false, 8e-5, 0, 0, 1, false, 0, 0, 0, 0, 100, 101);
            try (RunDirectory run = RunDirectory.create(out, new ObjectMapper().createObjectNode())) {
                Runnable saver =
                        () -> AdapterFolder.save(method, tuning.stored(), shape, adapter, "gpt2", Optional.empty());
                new Trainer(tuning, config, sequences, List.of(), run, saver)
                        .train(new TrainListener() {}, () -> false);
            }

            int[] prompt = Sequences.prompt("name : The Mill", tokenizer, shape.bos());
            OutputRules rules = new OutputRules(60, 0, 3, OutputRules.Counted.ALL);
            Generation output = new Generator(AdapterFolder.apply(adapter, model))
                    .generate(List.of(prompt), new Decoding.BeamSearch(5, 1.0), rules)
                    .getFirst();
            System.out.println(tokenizer.decode(output.ids()));
        }
    }

    @Test
    void theJavaOfThePageRuns(@TempDir Path t) throws IOException {
        Path data = Files.writeString(
                t.resolve("train.jsonl"),
                "{\"source\": \"name : The Mill\", \"target\": \"It is cheap.\"}\n".repeat(20));
        page(Path.of("tests/resources/model"), data, t.resolve("run"));
        assertTrue(Files.exists(t.resolve("run/adapter/adapter_model.safetensors")));
        assertEquals(
                10,
                Files.readAllLines(t.resolve("run/metrics.jsonl")).stream()
                        .filter(line -> line.contains("\"loss\""))
                        .count());
    }

    @Test
    void thePageShowsWhatRunsHere() throws IOException {
        String here = Files.readString(Path.of("tests/java/dev/prefix4j/cli/ComingFromPeftTest.java"))
                .replaceAll("\\s+", " ");
        String page = Files.readString(Path.of("docs/coming-from-peft.md"));
        String code = page.substring(page.indexOf("```java") + 7);
        assertTrue(here.contains(code.substring(0, code.indexOf("```")).strip().replaceAll("\\s+", " ")));
    }
}
