package dev.prefix4j.eval;

import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.LmLoss;
import dev.prefix4j.torch.TensorScope;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * How well a model predicts running text.
 *
 * @param loss mean negative log-likelihood per token, in nats
 * @param tokens number of tokens predicted
 * @param bitsPerByte the same per UTF-8 byte of the text, which does not depend on the tokenizer
 */
public record TextLikelihood(double loss, long tokens, double bitsPerByte) {
    /** Windows in a batch. */
    private static final int BATCH = 4;

    /**
     * Scores text in windows of the model's context length: each token is predicted from those before it in
     * its window. The first token of a window is the last target of the previous one.
     *
     * @param ids documents, concatenated, each with its end token; at least 2
     * @param bytes UTF-8 bytes of their text; end tokens have none
     */
    public static TextLikelihood of(BaseModel model, int[] ids, long bytes) {
        int length = Math.min(model.config().positions(), ids.length - 1);
        double sum = 0;
        long tokens = 0;
        for (int from = 0; from + 1 < ids.length; ) {
            int rows = Math.max(1, Math.min(BATCH, (ids.length - 1 - from) / length));
            int columns = Math.min(length, ids.length - 1 - from);
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                long[] read = slice(ids, from, rows * columns);
                long[] targets = slice(ids, from + 1, rows * columns);
                Tensor hidden = new AutogradModel(model).forward(model.ids(read, rows)); // [B, T, E]
                Tensor all = model.ids(LongStream.range(0, targets.length).toArray());
                sum += LmLoss.sum(model.head(), hidden, all, model.ids(targets)).item_double();
            }
            tokens += (long) rows * columns;
            from += rows * columns;
        }
        return new TextLikelihood(sum / tokens, tokens, sum / Math.log(2) / Math.max(1, bytes));
    }

    private static long[] slice(int[] ids, int from, int count) {
        return Arrays.stream(ids, from, from + count).asLongStream().toArray();
    }
}
