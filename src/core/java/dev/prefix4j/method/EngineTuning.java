package dev.prefix4j.method;

import dev.prefix4j.frozen.Adaptation;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.text.Sequence;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;

/** A single tuner on an engine. */
public record EngineTuning(Tuner tuner, FrozenModel engine) implements Tuning {
    @Override
    public Map<String, Tensor> parameters() {
        return tuner.parameters();
    }

    @Override
    public Result gradients(List<List<Sequence>> parts, Goal goal, double weight, long seed) {
        List<EngineStep.Batch> batches = parts.stream()
                .map(part -> new EngineStep.Batch(part, new int[part.size()]))
                .toList();
        return EngineStep.of(engine, List.of(new EngineStep.Task(tuner, goal, weight, seed)), batches)
                .getFirst();
    }

    @Override
    public int taken() {
        return tuner.taken();
    }

    @Override
    public void requireRoom(int tokens) {
        engine.requireRoom(taken(), tokens, 0);
    }

    @Override
    public Conditioned current() {
        return switch (tuner.given()) {
            case Tuner.Given.Ready(Adaptation(SoftPrompt prompt, var extension)) ->
                new Conditioned(extension.isEmpty() ? engine : engine.with(extension), prompt.withoutGraph());
            case Tuner.Given.ToRead(Tensor vectors) -> {
                Tensor activations = Words.activations(engine, vectors);
                yield new Conditioned(engine, SoftPrompt.prefix(activations, engine.config()));
            }
        };
    }

    @Override
    public Map<String, Tensor> stored() {
        return tuner.stored();
    }
}
