package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.prefix.Prefix;
import dev.prefix4j.prefix.PrefixEncoder;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.Draws;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.train.AdamW;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;

/** Times training steps and decoding, and nothing around them. */
public final class Benchmark {
    private static final double BETA2 = 0.999;

    private Benchmark() {}

    /**
     * How to train.
     *
     * @param hidden width of the MLP
     * @param warmup untimed steps before the timed ones
     * @param seed of the initial values
     */
    public record Steps(
            int prefixLength, int hidden, double learningRate, int batchSize, int steps, int warmup, long seed) {}

    /**
     * The cost of steps.
     *
     * @param seconds of each timed step
     * @param losses of all steps, in nats per target token
     * @param tokens in the timed steps
     */
    public record StepTimes(List<Double> seconds, List<Double> losses, long tokens) {}

    /**
     * Takes steps of prefix-tuning, through the MLP, with AdamW.
     *
     * @return no times if there are too few examples for one timed step
     * @throws InputException naming the row, if an example has no target or is too long for the model
     */
    public static StepTimes training(LanguageModel model, List<Example> examples, Engine engine, Steps settings) {
        List<Sequence> sequences =
                Encoding.CLEAN.sequences(examples, model, Encoding.Taken.of(settings.prefixLength()));
        Device device = model.base().device();
        PrefixShape shape = PrefixShape.of(settings.prefixLength(), model.config());
        PrefixEncoder encoder = PrefixEncoder.create(
                Reparametrization.MLP, shape, settings.hidden(), device, new Draws(settings.seed()));
        FrozenModel frozen = engine.freezer().freeze(model.base(), FrozenModel.Changes.NONE);
        AdamW optimizer = new AdamW(encoder.state(), BETA2, 0);
        List<Double> times = new ArrayList<>();
        List<Double> losses = new ArrayList<>();
        long tokens = 0;
        int size = settings.batchSize();
        int steps = Math.min(settings.steps() + settings.warmup(), sequences.size() / size);
        for (int step = 0; step < steps; step++) {
            long start = System.nanoTime();
            PackedBatch batch = PackedBatch.of(sequences.subList(step * size, (step + 1) * size));
            try (TensorScope _ = new TensorScope()) {
                Tensor vectors = encoder.forward().detach();
                FrozenModel.Gradient result = frozen.gradient(batch, vectors, 1.0 / batch.targets().length);
                optimizer.step(settings.learningRate(), encoder.gradients(result.gradient()));
                losses.add(result.loss() / batch.targets().length);
            }
            if (step >= settings.warmup()) {
                times.add(seconds(start));
                tokens += batch.tokens();
            }
        }
        return new StepTimes(times, losses, tokens);
    }

    /**
     * Generates with a random prefix; no output ends early.
     *
     * @param examples whose sources are prompts, batch by batch; the first batch is not timed
     * @return seconds of all batches but the first
     */
    public static double decoding(
            LanguageModel model,
            List<Example> examples,
            Engine engine,
            int prefixLength,
            Decoding decoding,
            int newTokens,
            int batchSize,
            long seed) {
        Device device = model.base().device();
        PrefixShape shape = PrefixShape.of(prefixLength, model.config());
        PrefixEncoder encoder = PrefixEncoder.create(Reparametrization.DIRECT, shape, 1, device, new Draws(seed));
        List<int[]> prompts = Encoding.CLEAN.prompts(examples, model, Encoding.Taken.of(prefixLength), newTokens);
        try (Prefix prefix = Prefix.of(encoder, shape, device)) {
            Generator generator =
                    new Generator(engine.decoder().freeze(model.base(), FrozenModel.Changes.NONE), Optional.of(prefix));
            double spent = 0;
            for (int from = 0; from < prompts.size(); from += batchSize) {
                long start = System.nanoTime();
                generator.generate(prompts.subList(from, from + batchSize), decoding, OutputRules.exactly(newTokens));
                spent += from == 0 ? 0 : seconds(start);
            }
            return spent;
        }
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) * 1e-9;
    }
}
