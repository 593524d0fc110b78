package dev.prefix4j.examples;

import dev.prefix4j.eval.Metric;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.method.PrefixTuning;
import dev.prefix4j.method.Vectors;
import dev.prefix4j.prefix.PrefixEncoder.Reparametrization;
import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.Evaluation;
import dev.prefix4j.task.GenerationJob;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.task.Scoring;
import dev.prefix4j.task.TrainingRun;
import dev.prefix4j.text.Example;
import dev.prefix4j.train.TrainConfig;
import java.io.PrintStream;
import java.util.List;
import java.util.Set;

/** Trains a prefix on pairs in memory, then generates, scores and evaluates with it; nothing is written to disk. */
public final class AdaptInMemory {
    private AdaptInMemory() {}

    public static void main(String[] args) {
        run(System.out);
    }

    static void run(PrintStream out) {
        List<Example> pairs = List.of(
                Example.of("name : The Mill | food : Italian", "The Mill serves Italian food."),
                Example.of("name : The Vaults | food : French", "The Vaults serves French food."),
                Example.of("name : Aromi | food : Chinese", "Aromi serves Chinese food."),
                Example.of("name : Fitzbillies | food : Indian", "Fitzbillies serves Indian food."));
        PrefixTuning method = new PrefixTuning(new Vectors(5, Reparametrization.MLP, 128));
        TrainConfig config = TrainConfig.DEFAULTS.withSteps(40).withBatchSize(4).withLearningRate(5e-3);
        try (LanguageModel model = LanguageModel.load("builtin:tiny");
                TrainingRun run = new TrainingRun(model, TrainingRun.Setup.of(method, config), pairs, List.of())) {
            run.train();
            AdaptedModel adapted = run.adapted();

            GenerationJob job = new GenerationJob(adapted, new Decoding.BeamSearch(5, 1.0), OutputRules.atMost(20));
            List<String> outputs = job.write(pairs.stream().map(Example::source).toList());
            outputs.forEach(out::println);

            double loss = Scoring.targets(adapted, pairs).loss();
            Evaluation evaluation = Evaluation.of(
                    outputs,
                    pairs.stream().map(Example::targets).toList(),
                    Evaluation.Settings.of(Set.of(Metric.BLEU, Metric.ROUGE_L)));
            out.printf("loss %.4f, BLEU %.1f%n", loss, evaluation.score(Metric.BLEU));
        }
    }
}
