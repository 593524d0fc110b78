package dev.prefix4j.method;

import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.prefix.Gradient;
import dev.prefix4j.text.PackedBatch;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.TokenBatch;
import dev.prefix4j.torch.TensorScope;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Trains weights with autograd through the whole model, on padded batches.
 *
 * <p>B sequences, T tokens of the longest, M targets, E width, V vocabulary.
 */
final class AutogradTuning implements Tuning {
    private final AutogradModel model;
    private final Map<String, Tensor> parameters;
    private final Function<Map<String, Tensor>, Conditioned> apply;

    /**
     * @param trained its parameters require gradients from now on
     * @param apply gives the model with what is stored
     */
    AutogradTuning(AutogradMethod.Trained trained, Function<Map<String, Tensor>, Conditioned> apply) {
        this.model = trained.model();
        this.parameters = trained.parameters();
        this.apply = apply;
        parameters.values().forEach(parameter -> parameter.requires_grad_(true));
    }

    @Override
    public Map<String, Tensor> parameters() {
        return parameters;
    }

    @Override
    public Result gradients(List<List<Sequence>> parts, Goal goal, double weight, long seed) {
        parameters.values().forEach(parameter -> parameter.mutable_grad().reset());
        double sum = 0;
        for (List<Sequence> part : parts) {
            try (TensorScope _ = new TensorScope()) {
                Tensor loss = loss(part, goal); // a scalar
                loss.mul(new Scalar(weight)).backward();
                sum += loss.item_double();
            }
        }
        Map<String, Gradient> gradients = new LinkedHashMap<>();
        parameters.forEach((name, parameter) -> gradients.put(name, new Gradient.Dense(parameter.grad())));
        return new Result(sum, gradients);
    }

    /** Sum over the targets. */
    private Tensor loss(List<Sequence> part, Goal goal) {
        TokenBatch batch = TokenBatch.of(part, 0);
        BaseModel base = model.base();
        Tensor hidden = model.forward(base.ids(batch.ids(), batch.rows())); // [B, T, E]
        Tensor asked =
                torch.index_select(hidden.view(-1, base.config().width()), 0, base.ids(batch.positions())); // [M, E]
        Tensor logs = torch.log_softmax(model.logits(asked), 1); // [M, V]
        if (goal.teacher().isPresent()) {
            Conditioned teacher = goal.teacher().get();
            Tensor wanted = teacher.model()
                    .predictions(
                            PackedBatch.of(part.stream().map(teacher::arrange).toList()), teacher.prompt())
                    .logProbabilities(); // [M, V]
            return torch.sum(wanted.exp().mul_(wanted.sub(logs)));
        }
        Tensor likelihood = torch.sum(logs.gather(1, base.ids(batch.targets()).unsqueeze(1))); // a scalar
        if (goal.smoothing() == 0) {
            return likelihood.neg();
        }
        return likelihood
                .mul(new Scalar(goal.smoothing() - 1))
                .sub(torch.sum(logs)
                        .mul(new Scalar(goal.smoothing() / base.config().vocabulary())));
    }

    @Override
    public int taken() {
        return 0;
    }

    @Override
    public void requireRoom(int tokens) {
        model.base().requireRoom(taken(), tokens, 0);
    }

    @Override
    public Conditioned current() {
        return apply.apply(stored());
    }

    @Override
    public Map<String, Tensor> stored() {
        Map<String, Tensor> stored = new LinkedHashMap<>();
        try (NoGradGuard _ = new NoGradGuard()) {
            parameters.forEach((name, parameter) -> stored.put(name, parameter.detach()));
        }
        return stored;
    }
}
