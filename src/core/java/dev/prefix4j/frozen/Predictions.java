package dev.prefix4j.frozen;

import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What a model predicts at the target positions of a batch. It belongs to the scope in which it was made.
 *
 * <p>M targets, E width, V vocabulary.
 */
public final class Predictions {
    private final Head head;
    private final Rows hidden; // [M, E]

    Predictions(Head head, Rows hidden) {
        this.head = head;
        this.hidden = hidden;
    }

    /** M. */
    public long count() {
        return hidden.count();
    }

    /** Log-probabilities of all words, [M, V]. */
    public Tensor logProbabilities() {
        return torch.log_softmax(head.logits(hidden), 1);
    }

    Head head() {
        return head;
    }

    /** Hidden states at some of the positions, in the head's form. */
    Rows hidden(Tensor index) {
        return hidden.select(index);
    }
}
