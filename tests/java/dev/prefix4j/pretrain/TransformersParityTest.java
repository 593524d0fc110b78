package dev.prefix4j.pretrain;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.cli.Main;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code pretrain} writes is what Transformers reads. */
@Tag("parity")
class TransformersParityTest {
    @TempDir
    Path folder;

    private static int pretrain(Path text, Path run, String dtype) {
        String command = "pretrain --vocab-size 320 --layers 3 --heads 2 --width 24 --positions 48 --steps 30 --lr 1e-2"
                + " --warmup 5 --init random --dtype " + dtype;
        List<String> arguments = new ArrayList<>(List.of(command.split(" ")));
        arguments.addAll(List.of("--data", text.toString(), "--out", run.toString()));
        return Main.run(
                arguments.toArray(String[]::new),
                InputStream.nullInputStream(),
                new PrintStream(PrintStream.nullOutputStream()),
                System.err);
    }

    @ParameterizedTest
    @ValueSource(strings = {"float32", "float16"})
    void transformersLoadsThePretrainedFolderAndGivesTheSameLogits(String dtype) throws Exception {
        Path text = MixtureTest.text(folder);
        Path run = folder.resolve("run");
        assertEquals(Main.OK, pretrain(text, run, dtype));
        Path expected = folder.resolve("logits.safetensors");
        Process process = new ProcessBuilder(
                        System.getProperty("parity.python"),
                        "scripts/fixtures/logits.py",
                        run.resolve("model").toString(),
                        text.toString(),
                        expected.toString())
                .inheritIO()
                .start();
        assertEquals(0, process.waitFor());
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard();
                Tokenizer tokenizer = Tokenizer.load(run.resolve("model"));
                Safetensors file = Safetensors.open(expected)) {
            BaseModel base = Checkpoint.load(run.resolve("model"), TorchRuntime.device("cpu"));
            Gpt2 model = new Gpt2(base);
            long[] ids = new long[48];
            file.tensor("ids").data_ptr_long().get(ids);
            int[] ours = Arrays.copyOf(tokenizer.encode(Files.readString(text)), ids.length);
            assertArrayEquals(ids, Arrays.stream(ours).asLongStream().toArray());
            Tensor logits = model.logits(model.forward(base.ids(ids, 1), KvCache.empty(3)));
            double difference = logits.sub(file.tensor("logits")).abs().max().item_double();
            assertTrue(difference < 1e-4, "differs by " + difference);
        }
    }
}
