package dev.prefix4j.method;

import static dev.prefix4j.method.MethodTest.FREEZER;
import static dev.prefix4j.method.MethodTest.model;
import static dev.prefix4j.method.MethodTest.sequences;
import static dev.prefix4j.method.MethodTest.train;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.kernels.Kernels;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.torch.ScopedTest;
import dev.prefix4j.torch.TorchRuntime;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Methods that train on the engine. */
class EngineTuningTest extends ScopedTest {
    static Stream<Method> onTheEngine() {
        return MethodTest.trainable().map(MethodTest.Case::method).filter(method -> method instanceof EngineMethod);
    }

    /** Trained on a base of 8 bits, what was learned helps there and on the float32 base, too. */
    @ParameterizedTest
    @MethodSource("onTheEngine")
    void trainingOnABaseOfEightBitsLowersTheLoss(Method method) {
        Freezer eight = (base, changes) -> new FrozenModel(base, changes, FrozenModel.Options.of(base, Precision.INT8));
        Tuning tuning = method.tuning(model(), eight, 5);
        double before = Likelihood.of(tuning.current(), sequences(), 4).loss();
        train(tuning, 30);
        double after = Likelihood.of(tuning.current(), sequences(), 4).loss();
        assertTrue(after < 0.99 * before, before + " became " + after);
        double exact = Likelihood.of(method.apply(model(), FREEZER, tuning.stored()), sequences(), 4)
                .loss();
        assertEquals(exact, after, 0.03 * exact);
    }

    /** Every method that trains on the engine, in one batch: each gets the loss and the gradients that it gets alone, bit for bit. */
    @Test
    void tunersOfManyUsersShareBatches() {
        assumeTrue(Kernels.find().isPresent(), "kernels are built");
        BaseModel model = model();
        FrozenModel engine = FREEZER.freeze(model, FrozenModel.Changes.NONE);
        Conditioned teacher = Conditioned.plain(engine);
        List<EngineStep.Task> tasks = new ArrayList<>();
        for (Method method : onTheEngine().toList()) {
            Tuner tuner = ((EngineTuning) method.tuning(model, (_, _) -> engine, tasks.size())).tuner();
            boolean taught = tasks.size() == 2;
            Tuning.Goal goal = new Tuning.Goal(
                    taught ? 0 : 0.1 * (tasks.size() % 2),
                    taught ? Optional.of(teacher) : Optional.empty(),
                    0.1 * (tasks.size() % 3));
            tasks.add(new EngineStep.Task(tuner, goal, 0.1 + tasks.size(), 30 + tasks.size()));
        }
        Random random = new Random(2);
        List<EngineStep.Batch> batches = new ArrayList<>();
        for (int part = 0; part < 2; part++) {
            List<Sequence> sequences = new ArrayList<>();
            int[] of = new int[2 * tasks.size()];
            for (int b = 0; b < of.length; b++) {
                of[b] = (b + part) % tasks.size();
                int source = 1 + random.nextInt(8);
                sequences.add(new Sequence(
                        random.ints(source + 1 + random.nextInt(9), 0, 131).toArray(), source));
            }
            batches.add(new EngineStep.Batch(sequences, of));
        }
        List<Tuning.Result> together = EngineStep.of(engine, tasks, batches);
        for (int i = 0; i < tasks.size(); i++) {
            int one = i;
            List<EngineStep.Batch> own = batches.stream()
                    .map(batch -> IntStream.range(0, batch.of().length)
                            .filter(b -> batch.of()[b] == one)
                            .mapToObj(batch.sequences()::get)
                            .toList())
                    .map(sequences -> new EngineStep.Batch(sequences, new int[sequences.size()]))
                    .toList();
            Tuning.Result alone =
                    EngineStep.of(engine, tasks.subList(i, i + 1), own).getFirst();
            assertEquals(alone.loss(), together.get(i).loss(), 1e-12 * alone.loss(), "loss of " + i);
            alone.gradients()
                    .forEach((name, gradient) -> assertTrue(
                            gradient.dense()
                                    .equal(together.get(one)
                                            .gradients()
                                            .get(name)
                                            .dense()),
                            name + " of " + one));
        }
    }

    /** A step's random numbers depend only on its seed and the part, whoever else draws. */
    @ParameterizedTest
    @MethodSource("onTheEngine")
    void randomNumbersComeFromTheSeedAlone(Method method) {
        Tuning.Goal dropping = new Tuning.Goal(0, Optional.empty(), 0.3);
        TorchRuntime.seed(9);
        Tensor expected = torch.randn(5);
        BaseModel model = model();
        TorchRuntime.seed(9);
        Tuning tuning = method.tuning(model, FREEZER, 5);
        double first = tuning.gradients(List.of(sequences()), dropping, 1, 7).loss();
        double other = tuning.gradients(List.of(sequences()), dropping, 1, 8).loss();
        assertTrue(expected.equal(torch.randn(5)), "the process's own generator was used");
        Tuning again = method.tuning(model, FREEZER, 5);
        assertEquals(
                first, again.gradients(List.of(sequences()), dropping, 1, 7).loss());
        assertEquals(method instanceof ExtensionMethod, first == other);
    }
}
