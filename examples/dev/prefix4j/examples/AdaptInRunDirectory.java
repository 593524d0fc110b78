package dev.prefix4j.examples;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.method.LoraTuning;
import dev.prefix4j.task.AdaptedModel;
import dev.prefix4j.task.BuiltIns;
import dev.prefix4j.task.GenerationJob;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.task.TrainingRun;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.DataOptions;
import dev.prefix4j.text.Example;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainConfig;
import dev.prefix4j.train.TrainListener;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/**
 * Trains LoRA on a data file in a run directory, resuming the run if the directory exists, then generates with the adapter stored
 * there. The argument names the directory.
 */
public final class AdaptInRunDirectory {
    private AdaptInRunDirectory() {}

    public static void main(String[] args) {
        run(Path.of(args[0]), System.out);
    }

    static void run(Path folder, PrintStream out) {
        List<Example> training =
                DataFile.read(BuiltIns.data(Path.of("builtin:e2e/train")), DataOptions.DEFAULTS.withLimit(40));
        List<Example> validation =
                DataFile.read(BuiltIns.data(Path.of("builtin:e2e/valid")), DataOptions.DEFAULTS.withLimit(5));
        TrainConfig config = TrainConfig.DEFAULTS.withSteps(4).withLearningRate(1e-3);
        TrainingRun.Setup setup = TrainingRun.Setup.of(new LoraTuning(8, 16), config);
        TrainListener listener = new TrainListener() {
            @Override
            public void stepped(Step step) {
                out.printf("step %d of %d: loss %.4f%n", step.step(), step.total(), step.loss());
            }
        };
        try (LanguageModel model = LanguageModel.load("builtin:tiny")) {
            try (RunDirectory run = Files.exists(folder)
                            ? RunDirectory.open(folder)
                            : RunDirectory.create(folder, JsonNodeFactory.instance.objectNode());
                    TrainingRun work = new TrainingRun(model, setup, training, validation)) {
                work.train(run, listener, () -> Thread.currentThread().isInterrupted());
            }
            AdaptedModel adapted = AdaptedModel.of(model, RunDirectory.adapterIn(folder));
            new GenerationJob(adapted, new Decoding.Greedy(), OutputRules.atMost(30))
                    .write(List.of("name : The Mill | food : Italian"))
                    .forEach(out::println);
        }
    }
}
