package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenGpt2;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.Kernels;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.AdamW;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "bench",
        description = "Times training or decoding on this machine, with batches in the order of the file.",
        synopsisSubcommandLabel = "WORK",
        subcommands = {BenchCommand.Train.class, BenchCommand.Generate.class})
final class BenchCommand extends ConsoleCommand {
    BenchCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        throw new InputException("bench: expected train or generate, found neither");
    }

    /** What both kinds of work need. */
    abstract static class Work extends ConsoleCommand {
        @Mixin
        ModelOptions modelOptions;

        @Option(names = "--data", paramLabel = "FILE", required = true, description = "Sources and targets.")
        Path data;

        @Option(
                names = "--prefix-length",
                paramLabel = "N",
                defaultValue = "10",
                description = "Virtual tokens.")
        int prefixLength;

        @Mixin
        PrecisionOption precision;

        @Mixin
        DataOptionsMixin dataOptions;

        @Mixin
        RuntimeOptions runtimeOptions;

        Work(Console console) {
            super(console);
        }

        /** What every result says. */
        ObjectNode result(String work) {
            ObjectNode node = JSON.createObjectNode();
            node.put("program", "prefix4j bench " + work).put("precision", precision.precision);
            node.put("kernels", Kernels.describe()).put("threads", TorchRuntime.require().threads());
            return node;
        }

        void print(ObjectNode node) {
            node.put("peak_mib", peakMib());
            if (json) {
                console.out().println(node);
            } else {
                node.properties().stream()
                        .filter(field -> !field.getValue().isArray())
                        .forEach(field -> console.out().printf("%-18s %s%n", field.getKey(), field.getValue().asText()));
            }
        }

        /** Largest resident size of this process in MiB; 0 where the system does not say. */
        private static double peakMib() {
            try (var lines = Files.lines(Path.of("/proc/self/status"))) {
                return lines.filter(line -> line.startsWith("VmHWM:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                        .findFirst()
                        .orElse(0) / 1024.0;
            } catch (IOException e) {
                return 0;
            }
        }

        static double median(List<Double> values) {
            List<Double> sorted = values.stream().sorted().toList();
            int middle = sorted.size() / 2;
            return sorted.size() % 2 == 1 ? sorted.get(middle) : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
        }

        static double seconds(long since) {
            return (System.nanoTime() - since) * 1e-9;
        }

        static void atLeast(String name, int value, int least) {
            if (value < least) {
                throw new InputException(name + " must be at least " + least + ", was " + value);
            }
        }
    }

    @Command(name = "train", description = "Seconds for a step of prefix-tuning, through the MLP, with AdamW.")
    static final class Train extends Work {
        @Option(names = "--steps", paramLabel = "N", defaultValue = "20", description = "Steps that are timed.")
        int steps;

        @Option(names = "--warmup", paramLabel = "N", defaultValue = "3", description = "Steps before them.")
        int warmup;

        @Option(names = "--batch-size", paramLabel = "N", defaultValue = "10", description = "Sequences in a step.")
        int batchSize;

        @Option(names = "--hidden", paramLabel = "N", defaultValue = "512", description = "Hidden size of the MLP.")
        int hidden;

        @Option(names = "--lr", paramLabel = "X", defaultValue = "5e-5", description = "Learning rate.")
        double learningRate;

        @Option(names = "--recompute", description = "As in training: less memory, more time.")
        boolean recompute;

        Train(Console console) {
            super(console);
        }

        @Override
        public Integer call() {
            atLeast("steps", steps, 1);
            atLeast("warmup", warmup, 0);
            atLeast("batch-size", batchSize, 1);
            precision.parse();
            Device device = runtimeOptions.start();
            List<Example> examples = dataOptions.read(data, (steps + warmup) * batchSize);
            try (TensorScope _ = new TensorScope()) {
                Gpt2 gpt2 = modelOptions.load(device, console);
                List<Sequence> sequences;
                try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2)) {
                    sequences = modelOptions.encode(examples, tokenizer, gpt2, prefixLength);
                }
                PrefixShape shape = PrefixShape.of(prefixLength, gpt2.config());
                PrefixEncoder encoder = PrefixEncoder.create(Reparametrization.MLP, shape, hidden, device);
                print(time(precision.freeze(gpt2, FrozenGpt2.Changes.NONE, recompute), encoder, sequences));
            }
            return Main.OK;
        }

        private ObjectNode time(FrozenGpt2 model, PrefixEncoder encoder, List<Sequence> sequences) {
            AdamW optimizer = new AdamW(encoder.state(), 0.999, 0);
            List<Double> times = new ArrayList<>();
            ObjectNode node = result("train");
            ArrayNode losses = node.putArray("losses");
            long tokens = 0;
            for (int step = 0; step < steps + warmup && (step + 1) * batchSize <= sequences.size(); step++) {
                long start = System.nanoTime();
                PackedBatch batch = PackedBatch.of(sequences.subList(step * batchSize, (step + 1) * batchSize));
                try (TensorScope _ = new TensorScope()) {
                    Tensor vectors = encoder.forward().detach();
                    FrozenGpt2.Gradient result = model.gradient(batch, vectors, 1.0 / batch.targets().length);
                    optimizer.step(learningRate, encoder.gradients(result.gradient()));
                    losses.add(Math.round(1e4 * result.loss() / batch.targets().length) / 1e4);
                }
                if (step >= warmup) {
                    times.add(seconds(start));
                    tokens += batch.tokens();
                }
            }
            if (times.isEmpty()) {
                throw new InputException("%s: expected more than %d rows, found %d"
                        .formatted(data, warmup * batchSize + batchSize - 1, sequences.size()));
            }
            double all = times.stream().mapToDouble(Double::doubleValue).sum();
            return node.put("steps", times.size())
                    .put("step_s_median", median(times))
                    .put("real_tokens_per_s", tokens / all);
        }
    }

    @Command(name = "generate", description = "New tokens in a second, behind a random prefix; no output ends early.")
    static final class Generate extends Work {
        @Option(names = "--batch-size", paramLabel = "N", defaultValue = "8", description = "Inputs side by side.")
        int batchSize;

        @Option(names = "--batches", paramLabel = "N", defaultValue = "3", description = "Batches that are timed, after one.")
        int batches;

        @Option(names = "--beams", paramLabel = "N", defaultValue = "1", description = "1: greedy.")
        int beams;

        @Option(names = "--new-tokens", paramLabel = "N", defaultValue = "40", description = "For each input.")
        int newTokens;

        Generate(Console console) {
            super(console);
        }

        @Override
        public Integer call() {
            atLeast("batch-size", batchSize, 1);
            atLeast("batches", batches, 1);
            atLeast("new-tokens", newTokens, 1);
            precision.parse();
            Decoding decoding = beams == 1 ? new Decoding.Greedy() : new Decoding.BeamSearch(beams, 1);
            Device device = runtimeOptions.start();
            List<Example> examples = dataOptions.read(data, (batches + 1) * batchSize);
            atLeast(data + ": rows", examples.size(), (batches + 1) * batchSize);
            try (TensorScope _ = new TensorScope()) {
                Gpt2 gpt2 = modelOptions.load(device, console);
                PrefixShape shape = PrefixShape.of(prefixLength, gpt2.config());
                PrefixEncoder encoder = PrefixEncoder.create(Reparametrization.DIRECT, shape, 1, device);
                try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2);
                        Prefix prefix = Prefix.of(encoder, shape, device)) {
                    Generator generator = new Generator(precision.freezeForDecoding(gpt2, FrozenGpt2.Changes.NONE), Optional.of(prefix));
                    double spent = 0;
                    for (int batch = 0; batch <= batches; batch++) {
                        List<int[]> prompts = examples.subList(batch * batchSize, (batch + 1) * batchSize).stream()
                                .map(e -> Sequences.prompt(e.source(), tokenizer, gpt2.config().bos()))
                                .toList();
                        long start = System.nanoTime();
                        generator.generate(prompts, decoding, new OutputRules(newTokens, newTokens, 0));
                        spent += batch == 0 ? 0 : seconds(start);
                    }
                    print(result("generate")
                            .put("beams", beams)
                            .put("batch", batchSize)
                            .put("new_tokens_per_s", (double) newTokens * batchSize * batches / spent));
                }
            }
            return Main.OK;
        }
    }
}
