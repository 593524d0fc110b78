package dev.prefix4j.model;

import org.bytedeco.pytorch.CrossEntropyLossOptions;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.kMean;
import org.bytedeco.pytorch.kSum;

/** Cross-entropy of target tokens only; the logits of other positions are never computed. */
public final class LmLoss {
    private LmLoss() {}

    /**
     * Mean over the target tokens, in nats.
     *
     * @param head [V, E]
     * @param hidden [B, T, E]
     * @param positions int64 [N], indices into B·T of the hidden states that predict a target
     * @param targets int64 [N], ids of those target tokens
     * @return a scalar
     */
    public static Tensor mean(Tensor head, Tensor hidden, Tensor positions, Tensor targets) {
        CrossEntropyLossOptions options = new CrossEntropyLossOptions();
        options.reduction().put(new kMean());
        return torch.cross_entropy(logits(head, hidden, positions), targets, options);
    }

    /** As {@link #mean}, but the sum over the target tokens. */
    public static Tensor sum(Tensor head, Tensor hidden, Tensor positions, Tensor targets) {
        CrossEntropyLossOptions options = new CrossEntropyLossOptions();
        options.reduction().put(new kSum());
        return torch.cross_entropy(logits(head, hidden, positions), targets, options);
    }

    private static Tensor logits(Tensor head, Tensor hidden, Tensor positions) {
        Tensor flat = hidden.view(-1, hidden.size(2)); // [B·T, E]
        return torch.index_select(flat, 0, positions).matmul(head.t()); // [N, V]
    }
}
