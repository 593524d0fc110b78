package dev.prefix4j.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.frozen.Session;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.EmbeddingTuning;
import dev.prefix4j.method.LoraTuning;
import dev.prefix4j.method.Method;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.method.Tuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.model.llama.Llama;
import dev.prefix4j.model.llama.LlamaFamily;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Holds this library to what {@code scripts/fixtures/parity.py} has had Transformers and PEFT compute. */
final class PeftParity implements AutoCloseable {
    private final TensorScope scope = new TensorScope();
    private final Path folder;
    private final BaseModel model;
    private final Safetensors expected;
    private final JsonNode texts;
    private final Prefix prefix;

    PeftParity(Path folder) throws IOException {
        this(folder, "cpu");
    }

    /** @param device that computes */
    PeftParity(Path folder, String device) throws IOException {
        this.folder = folder;
        this.model = Checkpoint.load(folder.resolve("model"), TorchRuntime.device(device));
        this.expected = Safetensors.open(folder.resolve("expected.safetensors"));
        this.texts = new ObjectMapper().readTree(folder.resolve("expected.json").toFile());
        Tensor vectors = AdapterFolder.load(folder.resolve("adapter"), model.config(), model.device())
                .tensors()
                .get(SoftPromptTuner.VECTORS);
        this.prefix = new Prefix(PrefixShape.of((int) vectors.size(0), model.config()), vectors, model.device());
    }

    /** What Transformers or PEFT has, on the device. */
    private Tensor expected(String name) {
        Tensor tensor = expected.tensor(name);
        return tensor.to(model.device(), tensor.scalar_type());
    }

    @Override
    public void close() {
        expected.close();
        scope.close();
    }

    private static double distance(Tensor actual, Tensor wanted) {
        assertArrayEquals(wanted.sizes().vec().get(), actual.sizes().vec().get());
        return torch.max(torch.abs(actual.sub(wanted))).item_double();
    }

    private static double norm(Tensor tensor) {
        return tensor.norm().item_double();
    }

    private List<Sequence> sequences() {
        List<Sequence> sequences = new ArrayList<>();
        for (int i = 0; i < texts.path("sequences").size(); i++) {
            sequences.add(new Sequence(
                    ids(texts.path("sequences").get(i)),
                    texts.path("sources").get(i).intValue()));
        }
        return sequences;
    }

    private static int[] ids(JsonNode list) {
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; i++) {
            ids[i] = list.get(i).intValue();
        }
        return ids;
    }

    void logitsAgree() {
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            for (String name : expected.names().contains("long") ? List.of("logits", "long") : List.of("logits")) {
                Tensor ids = expected(name + ".ids");
                Tensor wanted = expected(name);
                AutogradModel autograd = new AutogradModel(model);
                assertEquals(0, distance(autograd.logits(autograd.forward(ids)), wanted), 1e-4, name);
                assertEquals(
                        0, distance(readable(ids, KvCache.empty(model.config().layers())), wanted), 1e-4, name);
                assertEquals(0, distance(read(ids), wanted), 1e-4, name);
            }
        }
    }

    /** Logits by the family's readable module, [B, T, V]. */
    private Tensor readable(Tensor ids, KvCache cache) {
        if (model.config().family() == LlamaFamily.LLAMA) {
            Llama llama = new Llama(model);
            return llama.logits(llama.forward(ids, cache));
        }
        Gpt2 gpt2 = new Gpt2(model);
        return gpt2.logits(gpt2.forward(ids, cache));
    }

    /** Logits by a session, [B, T, V]. */
    private Tensor read(Tensor ids) {
        int rows = (int) ids.size(0);
        int tokens = (int) ids.size(1);
        long[] all = new long[rows * tokens];
        ids.cpu().contiguous().data_ptr_long().get(all);
        try (Session session = new Session(frozen(), rows * Session.pagesFor(tokens))) {
            List<Session.Chunk> chunks = new ArrayList<>();
            for (int row = 0; row < rows; row++) {
                int[] own = Arrays.stream(all, row * tokens, (row + 1) * tokens)
                        .mapToInt(Math::toIntExact)
                        .toArray();
                chunks.add(new Session.Chunk(
                        session.admit(List.of(), tokens),
                        own,
                        IntStream.range(0, tokens).toArray(),
                        null));
            }
            return session.read(chunks).view(rows, tokens, -1);
        }
    }

    void adapterHoldsTheVectorsThatPeftUsed() {
        assertEquals(0, distance(prefix.vectors(), expected("prefix")), 1e-6);
    }

    private FrozenModel frozen() {
        return new FrozenModel(model, Precision.FP32);
    }

    void lossAndPrefixGradientAgree() {
        try (TensorScope _ = new TensorScope()) {
            Tensor vectors = expected("prefix").clone();
            vectors.set_requires_grad(true);
            TokenBatch batch =
                    TokenBatch.of(sequences().subList(0, 4), model.config().eos());
            KvCache cache = KvCache.startingWith(prefix.shape().split(vectors));
            Tensor hidden = new AutogradModel(model).forward(model.ids(batch.ids(), batch.rows()), cache);
            Tensor loss = LmLoss.mean(model.head(), hidden, model.ids(batch.positions()), model.ids(batch.targets()));
            loss.backward();
            assertEquals(expected("loss").item_double(), loss.item_double(), 1e-5);
            Tensor wanted = expected("prefix.gradient");
            double relative = norm(vectors.grad().sub(wanted)) / norm(wanted);
            assertTrue(relative < 1e-4, "relative difference " + relative);
            PackedBatch packed = PackedBatch.of(sequences().subList(0, 4));
            FrozenModel.Gradient result = frozen().gradient(packed, vectors, 1.0 / packed.targets().length);
            assertEquals(expected("loss").item_double(), result.loss() / packed.targets().length, 1e-5);
            double explicit = norm(result.gradient().sub(wanted)) / norm(wanted);
            assertTrue(explicit < 1e-4, "relative difference of the explicit rules " + explicit);
        }
        double scored = Likelihood.of(
                        new Conditioned(frozen(), SoftPrompt.prefix(prefix.vectors(), model.config())),
                        sequences().subList(0, 4),
                        3)
                .loss();
        assertEquals(expected("loss").item_double(), scored, 1e-5);
    }

    /** For models that are wide enough for errors of 8 bits to cancel out. */
    void eightBitGradientPointsTheSameWay() {
        try (TensorScope _ = new TensorScope()) {
            if (model.config().width() < 64) {
                return;
            }
            Tensor wanted = expected("prefix.gradient");
            PackedBatch packed = PackedBatch.of(sequences().subList(0, 4));
            FrozenModel.Gradient result = new FrozenModel(model, Precision.INT8)
                    .gradient(packed, expected("prefix"), 1.0 / packed.targets().length);
            double cosine =
                    torch.sum(result.gradient().mul(wanted)).item_double() / (norm(result.gradient()) * norm(wanted));
            System.out.printf("%s: cosine of the 8-bit gradient with PEFT's %.5f%n", folder.getFileName(), cosine);
            assertTrue(cosine > 0.99, "cosine " + cosine);
        }
    }

    void decodingAgrees() {
        Generator generator = new Generator(model, Optional.of(prefix));
        List<int[]> prompts = new ArrayList<>();
        texts.path("prompts").forEach(prompt -> prompts.add(ids(prompt)));
        check("greedy", generator.generate(prompts, new Decoding.Greedy(), 12));
        check("beam5", generator.generate(prompts, new Decoding.BeamSearch(5, 1), 12));
        // Beside others or alone: the same.
        check(
                "beam5",
                prompts.stream()
                        .flatMap(p -> generator.generate(List.of(p), new Decoding.BeamSearch(5, 1), 12).stream())
                        .toList());
    }

    /** Methods other than the prefix: losses, and with virtual tokens also what is predicted and generated. */
    void adaptersOfPeftAreRead() {
        for (String kind : List.of("prompt", "lora")) {
            try (TensorScope _ = new TensorScope()) {
                Conditioned conditioned =
                        AdapterFolder.apply(folder.resolve("adapters").resolve(kind), model);
                double loss = Likelihood.of(
                                conditioned,
                                sequences().subList(0, 4).stream()
                                        .map(conditioned::arrange)
                                        .toList(),
                                4)
                        .loss();
                assertEquals(texts.path("adapters").path(kind).doubleValue(), loss, 1e-4, kind);
                if (kind.equals("prompt")) {
                    behindVirtualTokens(conditioned);
                }
            }
        }
    }

    /** Prompts of 1 to 40 tokens, in batches of 1 and of 8. */
    private void behindVirtualTokens(Conditioned conditioned) {
        List<int[]> prompts = new ArrayList<>();
        texts.path("short").forEach(prompt -> prompts.add(ids(prompt)));
        Generator generator = new Generator(conditioned);
        for (int size : new int[] {1, 8}) {
            for (int from = 0; from < prompts.size(); from += size) {
                List<int[]> batch = prompts.subList(from, from + size);
                String what = "prompts from %d in a batch of %d".formatted(from, size);
                try (TensorScope _ = new TensorScope()) {
                    Tensor wanted = expected.tensor("behind.first").narrow(0, from, size);
                    assertEquals(0, distance(firsts(conditioned, batch), wanted), 1e-4, what);
                }
                List<Generation> outputs = generator.generate(batch, new Decoding.Greedy(), 12);
                for (int i = 0; i < size; i++) {
                    assertArrayEquals(
                            ids(texts.path("behind").get(from + i)),
                            outputs.get(i).ids(),
                            what);
                }
            }
        }
    }

    /** Logarithms of the probabilities of the first word after each prompt, [n, V]. */
    private Tensor firsts(Conditioned conditioned, List<int[]> prompts) {
        List<Sequence> sequences = prompts.stream()
                .map(prompt -> new Sequence(Arrays.copyOf(prompt, prompt.length + 1), prompt.length))
                .map(conditioned::arrange)
                .toList();
        return conditioned
                .model()
                .predictions(PackedBatch.of(sequences), conditioned.prompt())
                .logProbabilities();
    }

    /** PEFT's LoRA adapter, merged, written and loaded again as a model, has its loss. */
    void mergedAdapterIsAModel(Path out) {
        try (TensorScope _ = new TensorScope()) {
            BaseModel merged = AdapterFolder.merge(folder.resolve("adapters").resolve("lora"), model);
            Checkpoint.export(folder.resolve("model"), merged, out, torch.ScalarType.Float);
            BaseModel alone = Checkpoint.load(out, model.device());
            double loss = Likelihood.of(
                            Conditioned.plain(new FrozenModel(alone, Precision.FP32)),
                            sequences().subList(0, 4),
                            4)
                    .loss();
            assertEquals(texts.path("adapters").path("lora").doubleValue(), loss, 1e-4);
        }
    }

    private void check(String name, List<Generation> results) {
        for (int i = 0; i < results.size(); i++) {
            assertArrayEquals(ids(texts.path(name).get(i)), results.get(i).ids(), name + " " + i);
        }
    }

    void tenTrainingLossesAgree(Path out) {
        Tensor inBias = expected("encoder.transform.0.bias");
        try (TensorScope _ = new TensorScope()) {
            PrefixShape shape = prefix.shape();
            Tuning tuner = new PrefixTuning(new Vectors(shape.length(), Reparametrization.MLP, (int) inBias.size(0)))
                    .tuning(model, (_, _) -> frozen(), 1);
            try (NoGradGuard _ = new NoGradGuard()) {
                tuner.parameters().forEach((name, tensor) -> tensor.copy_(expected("encoder." + name)));
            }
            TrainConfig config = new TrainConfig(10, 0, 4, 1, false, 1e-2, 2, 0.01, 1, false, 0, 0, 0, 0, 100, 1);
            List<Double> losses = new ArrayList<>();
            try (RunDirectory run = RunDirectory.create(out, new ObjectMapper().createObjectNode())) {
                new Trainer(tuner, config, Batches.inOrder(sequences(), 4), sequences(), List.of(), run, () -> {})
                        .train(
                                new TrainListener() {
                                    @Override
                                    public void stepped(Step step) {
                                        losses.add(step.loss());
                                    }
                                },
                                () -> false);
            }
            for (int i = 0; i < 10; i++) {
                assertEquals(texts.path("losses").get(i).doubleValue(), losses.get(i), 1e-3, "step " + (i + 1));
            }
        }
    }

    /** Our methods that PEFT has, saved here with random values, give the same loss when PEFT loads them. */
    void peftLoadsWhatWeSave(Path out, String python) throws IOException {
        Vectors vectors = new Vectors(prefix.length(), Reparametrization.DIRECT, 1);
        for (Method method : List.of(new PrefixTuning(vectors), new EmbeddingTuning(vectors), new LoraTuning(4, 8))) {
            Path saved = out.resolve(method.name());
            double ours;
            try (TensorScope _ = new TensorScope()) {
                BaseModel base = Checkpoint.load(folder.resolve("model"), TorchRuntime.device("cpu"));
                Tuning tuner = method.tuning(
                        base,
                        (frozen, changes) ->
                                new FrozenModel(frozen, changes, FrozenModel.Options.of(frozen, Precision.FP32)),
                        1);
                try (NoGradGuard _ = new NoGradGuard()) {
                    tuner.parameters()
                            .values()
                            .forEach(tensor ->
                                    tensor.add_(torch.randn_like(tensor).mul_(new Scalar(0.1))));
                }
                AdapterFolder.save(
                        method,
                        tuner.stored(),
                        base.config(),
                        saved,
                        folder.resolve("model").toString(),
                        Optional.empty());
                ours = Likelihood.of(tuner.current(), sequences().subList(0, 4), 4)
                        .loss();
            }
            Process process = new ProcessBuilder(
                            python,
                            "scripts/fixtures/peft_loss.py",
                            folder.resolve("model").toString(),
                            saved.toString(),
                            folder.resolve("expected.json").toString())
                    .redirectError(ProcessBuilder.Redirect.INHERIT)
                    .start();
            String printed =
                    new String(process.getInputStream().readAllBytes(), java.nio.charset.StandardCharsets.UTF_8);
            assertEquals(Double.parseDouble(printed.strip()), ours, 1e-4, method.name());
        }
    }

    @Override
    public String toString() {
        return folder.toString();
    }
}
