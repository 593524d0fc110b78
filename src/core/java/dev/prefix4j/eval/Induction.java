package dev.prefix4j.eval;

import dev.prefix4j.InputException;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.torch.TensorScope;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * How well a model copies: random tokens, then the same again (Olsson et al. 2022, arXiv:2209.11895).
 * The second half can only be predicted from the first; a model that cannot copy has a loss of about ln V in both halves.
 *
 * @param first mean loss per token in the first half, in nats
 * @param second mean loss in the second half, without its first token
 * @param accuracy share of the tokens of the second half, without its first, that the model ranks highest
 */
public record Induction(double first, double second, double accuracy) {
    private static final int ROWS = 20;

    /**
     * Measures on uniformly random tokens.
     *
     * @param length N, tokens that are repeated; 2N + 1 tokens must fit the model
     * @throws InputException if it is below 2, or does not fit
     */
    public static Induction of(BaseModel model, int length, long seed) {
        if (length < 2) {
            throw new InputException("induction length must be at least 2, was " + length);
        }
        model.requireRoom(0, 2 * length + 1, 0);
        SplittableRandom random = new SplittableRandom(seed);
        int eos = model.config().eos();
        double first = 0;
        double second = 0;
        long right = 0;
        for (int row = 0; row < ROWS; row++) {
            long[] once = random.longs(length, 0, model.config().vocabulary() - 1)
                    .map(id -> id >= eos ? id + 1 : id)
                    .toArray();
            long[] ids = LongStream.concat(
                            LongStream.of(eos), IntStream.range(0, 2 * length).mapToLong(i -> once[i % length]))
                    .toArray();
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                AutogradModel autograd = new AutogradModel(model);
                Tensor hidden = autograd.forward(model.ids(ids, 1)); // [1, 2N + 1, E]
                Tensor logits =
                        autograd.logits(hidden.narrow(1, 0, 2L * length)).squeeze(0); // [2N, V]
                Tensor targets = model.ids(java.util.Arrays.copyOfRange(ids, 1, ids.length)); // [2N]
                Tensor losses = torch.nll_loss_nd(
                        torch.log_softmax(logits, 1),
                        targets,
                        new org.bytedeco.pytorch.TensorOptional(),
                        0,
                        -100); // [2N]
                first += losses.narrow(0, 0, length).sum().item_double();
                second += losses.narrow(0, length + 1L, length - 1L).sum().item_double();
                right += logits.argmax(new org.bytedeco.pytorch.LongOptional(1), false)
                        .eq(targets)
                        .narrow(0, length + 1L, length - 1L)
                        .sum()
                        .item_long();
            }
        }
        long repeated = (long) ROWS * (length - 1);
        return new Induction(first / ((long) ROWS * length), second / repeated, (double) right / repeated);
    }
}
