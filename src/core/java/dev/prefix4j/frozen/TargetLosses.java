package dev.prefix4j.frozen;

import dev.prefix4j.frozen.Operators.Normalized;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Objects;
import java.util.function.ToDoubleFunction;
import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.jspecify.annotations.Nullable;

/**
 * Losses of target rows, each with its objective, and their gradient with respect to the output of the last block.
 *
 * <p>M targets, m of them in a group, E width.
 */
final class TargetLosses {
    private final Stack stack;
    private final Head.Targets targets;
    private final List<Objective> objectives;
    private final List<Group> groups = new ArrayList<>();

    /**
     * Targets that are processed together.
     *
     * @param teacher of all of them; null: none
     */
    private record Group(@Nullable Predictions teacher, List<Integer> rows) {}

    TargetLosses(Stack stack, Head.Targets targets, List<Objective> objectives) {
        this.stack = stack;
        this.targets = targets;
        this.objectives = objectives;
        List<Integer> untaught = new ArrayList<>();
        IdentityHashMap<Predictions, Group> taught = new IdentityHashMap<>();
        for (int i = 0; i < objectives.size(); i++) {
            int row = i;
            objectives
                    .get(i)
                    .teacher()
                    .ifPresentOrElse(
                            teacher -> taught.computeIfAbsent(teacher.predictions(), this::group)
                                    .rows()
                                    .add(row),
                            () -> untaught.add(row));
        }
        if (!untaught.isEmpty()) {
            groups.add(new Group(null, untaught));
        }
    }

    private Group group(Predictions teacher) {
        Group group = new Group(teacher, new ArrayList<>());
        groups.add(group);
        return group;
    }

    /**
     * The losses and the gradient of their weighted sum.
     *
     * @param x [M, E], after the last block
     * @param losses receives the losses, [M]
     * @return the gradient with respect to x, [M, E]
     */
    Tensor back(Tensor x, double[] losses) {
        Tensor dx = torch.zeros_like(x);
        try (TensorScope _ = new TensorScope()) {
            Normalized normalized = stack.normalize(x);
            Tensor dy = torch.empty_like(x); // [M, E]
            for (Group group : groups) {
                boolean all = group.rows().size() == objectives.size();
                Tensor index = index(group.rows(), x); // [m]
                Head.Loss result = loss(group, all ? null : index, normalized.rows());
                double[] own = new double[group.rows().size()];
                new DoublePointer(result.losses().cpu().contiguous().data_ptr()).get(own);
                for (int i = 0; i < own.length; i++) {
                    losses[group.rows().get(i)] = own[i];
                }
                Tensor weights = column(group, x, Objective::weight).unsqueeze(1); // [m, 1]
                Tensor gradient = Objects.requireNonNull(result.gradient(), "requested with the words");
                dy.index_copy_(0, index, gradient.mul_(weights));
            }
            stack.normalizeBackward(dy, x, normalized.moments(), dx);
        }
        return dx;
    }

    /** @param index int64 [m]; null: all, in order */
    private Head.Loss loss(Group group, @Nullable Tensor index, Rows hidden) {
        Rows own = index == null ? hidden : hidden.select(index);
        Predictions teacher = group.teacher();
        if (teacher != null) {
            List<Integer> taught = group.rows().stream()
                    .map(row -> objectives.get(row).teacher().orElseThrow().row())
                    .toList();
            Rows wanted = teacher.hidden(index(taught, targets.ids()));
            return stack.head().divergence(own, teacher.head(), wanted);
        }
        Tensor ids = index == null ? targets.ids() : torch.index_select(targets.ids(), 0, index);
        Tensor words = index == null ? targets.words() : torch.index_select(targets.words(), 0, index);
        boolean smoothed =
                group.rows().stream().anyMatch(row -> objectives.get(row).smoothing() > 0);
        return stack.head().loss(own, ids, words, smoothed ? column(group, words, Objective::smoothing) : null);
    }

    /** [m], on the device of another tensor. */
    private static Tensor index(List<Integer> rows, Tensor beside) {
        return torch.tensor(rows.stream().mapToLong(Integer::longValue).toArray())
                .to(beside.device(), torch.ScalarType.Long);
    }

    /** A value for each target, float32 [m]. */
    private Tensor column(Group group, Tensor beside, ToDoubleFunction<Objective> number) {
        float[] values = new float[group.rows().size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) number.applyAsDouble(objectives.get(group.rows().get(i)));
        }
        return torch.tensor(values).to(beside.device(), torch.ScalarType.Float);
    }
}
