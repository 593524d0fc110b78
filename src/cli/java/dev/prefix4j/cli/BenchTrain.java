package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.AdamW;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

@Command(name = "train", description = "Seconds for a step of prefix-tuning, through the MLP, with AdamW.")
final class BenchTrain extends BenchWork {
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

    BenchTrain(Console console) {
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
            BaseModel gpt2 = modelOptions.load(device, console, precision.parse());
            List<Sequence> sequences;
            try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2)) {
                sequences = modelOptions.encode(examples, tokenizer, gpt2, prefixLength);
            }
            PrefixShape shape = PrefixShape.of(prefixLength, gpt2.config());
            PrefixEncoder encoder =
                    PrefixEncoder.create(Reparametrization.MLP, shape, hidden, device, new Draws(runtimeOptions.seed));
            print(time(precision.freeze(gpt2, FrozenModel.Changes.NONE, recompute), encoder, sequences));
        }
        return Main.OK;
    }

    private ObjectNode time(FrozenModel model, PrefixEncoder encoder, List<Sequence> sequences) {
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
                FrozenModel.Gradient result = model.gradient(batch, vectors, 1.0 / batch.targets().length);
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
