package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.AutogradModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.KvCache;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Looks inside a soft prompt.
 *
 * <p>P virtual tokens, L layers, H heads, D head width, E width, W columns of keys, V vocabulary.
 */
public final class Inspection {
    private Inspection() {}

    /**
     * Mean norms of the vectors of a layer.
     *
     * @param keys mean Euclidean norm of a virtual token's keys, over all heads together
     * @param values the same for its values
     */
    public record Norms(double keys, double values) {}

    /** For every layer; 0 where a layer does not see the prompt. */
    public static List<Norms> norms(SoftPrompt prompt, ModelConfig config) {
        List<Norms> norms = new ArrayList<>();
        try (TensorScope _ = new TensorScope()) {
            for (int layer = 0; layer < config.layers(); layer++) {
                norms.add(new Norms(norm(part(prompt, config, 2 * layer)), norm(part(prompt, config, 2 * layer + 1))));
            }
        }
        return norms;
    }

    /** Keys (even) or values (odd) of a layer, [P, W]. */
    private static Tensor part(SoftPrompt prompt, ModelConfig config, int index) {
        return prompt.activations().narrow(1, (long) index * config.keyColumns(), config.keyColumns());
    }

    private static double norm(Tensor rows) {
        return rows.size(0) == 0
                ? 0
                : torch.sum(rows.mul(rows), new long[] {1}, false, new ScalarTypeOptional())
                        .sqrt()
                        .mean()
                        .item_double();
    }

    /**
     * A word near a virtual token.
     *
     * @param token id of the word
     * @param cosine of the two embeddings
     */
    public record Near(int token, double cosine) {}

    /**
     * The words nearest to each embedding.
     *
     * @param embeddings [P, E]
     * @param count words for each
     */
    public static List<List<Near>> nearest(BaseModel model, Tensor embeddings, int count) {
        List<List<Near>> all = new ArrayList<>();
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor cosines = torch.matmul(
                    unit(embeddings),
                    unit(model.words().to(torch.ScalarType.Float)).t()); // [P, V]
            T_TensorTensor_T top = torch.topk(cosines, count, 1, true, true);
            for (int i = 0; i < embeddings.size(0); i++) {
                List<Near> near = new ArrayList<>();
                for (int j = 0; j < count; j++) {
                    near.add(new Near(
                            (int) top.get1().get(i).get(j).item_long(),
                            top.get0().get(i).get(j).item_double()));
                }
                all.add(near);
            }
        }
        return all;
    }

    private static Tensor unit(Tensor rows) {
        return rows.div(torch.sum(rows.mul(rows), new long[] {1}, true, new ScalarTypeOptional())
                .sqrt()
                .add(new Scalar(1e-12)));
    }

    /**
     * Cosine of two prompts in each layer, with the keys and values of all virtual tokens as one vector.
     *
     * @throws InputException if their lengths differ, or are 0
     */
    public static double[] similarity(SoftPrompt one, SoftPrompt other, ModelConfig config) {
        if (one.length() != other.length() || one.length() == 0) {
            throw new InputException("expected two prompts of the same length, at least 1, found %d and %d"
                    .formatted(one.length(), other.length()));
        }
        double[] cosines = new double[config.layers()];
        try (TensorScope _ = new TensorScope()) {
            for (int layer = 0; layer < cosines.length; layer++) {
                Tensor a = one.activations()
                        .narrow(1, 2L * layer * config.keyColumns(), 2L * config.keyColumns())
                        .reshape(1, -1); // [1, 2·P·W]
                Tensor b = other.activations()
                        .narrow(1, 2L * layer * config.keyColumns(), 2L * config.keyColumns())
                        .reshape(1, -1);
                cosines[layer] = torch.sum(unit(a).mul(unit(b))).item_double();
            }
        }
        return cosines;
    }

    /** Whether a prompt comes before the source in all layers. */
    public static boolean hasAttention(BaseModel model, SoftPrompt prompt) {
        return prompt.length() > 0
                && prompt.place() == SoftPrompt.Place.PREFIX
                && prompt.firstLayer() == 0
                && prompt.lastLayer() == model.config().layers() - 1;
    }

    /**
     * The share of their attention that tokens give to a prompt at the beginning, in all layers.
     *
     * @param sequences token ids of each
     * @param from the first token of each that counts: the first generated one
     * @return [L][H], means over all tokens that count
     */
    public static double[][] attention(BaseModel model, SoftPrompt prompt, List<int[]> sequences, int[] from) {
        ModelConfig config = model.config();
        if (!hasAttention(model, prompt)) {
            throw new IllegalArgumentException("expected a prompt before the source in all layers");
        }
        double[][] mass = new double[config.layers()][config.heads()];
        long count = 0;
        for (int i = 0; i < sequences.size(); i++) {
            int[] ids = sequences.get(i);
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                AutogradModel watched =
                        new AutogradModel(model, new Watch(config, prompt.length(), ids.length, from[i], mass));
                watched.forward(
                        model.ids(Arrays.stream(ids).asLongStream().toArray(), 1),
                        KvCache.startingWith(
                                PrefixShape.of(prompt.length(), config).split(prompt.activations())));
            }
            count += ids.length - from[i];
        }
        for (double[] heads : mass) {
            for (int h = 0; h < heads.length; h++) {
                heads[h] /= Math.max(1, count);
            }
        }
        return mass;
    }

    /** Computes attention from queries and keys, and adds up the prompt's share. */
    private record Watch(ModelConfig config, int past, int tokens, int from, double[][] mass)
            implements AutogradModel.Watcher {
        @Override
        public void attention(int layer, Tensor queries, Tensor keys) {
            try (TensorScope _ = new TensorScope()) {
                Tensor q = queries.squeeze(0); // [H, T, D]
                Tensor k = keys.squeeze(0)
                        .repeat_interleave(
                                config.heads() / config.keyHeads(),
                                new LongOptional(0),
                                new LongOptional()); // [H, P+T, D]
                Tensor later = torch.ones(new long[] {tokens, past + tokens}, q.options())
                        .triu(past + 1)
                        .to(torch.ScalarType.Bool); // [T, P+T]
                Tensor p = torch.softmax(
                        torch.matmul(q, k.transpose(1, 2))
                                .mul(new Scalar(config.attentionScale(layer)))
                                .masked_fill(later, new Scalar(Double.NEGATIVE_INFINITY)),
                        2); // [H, T, P+T]
                Tensor sums = torch.sum(
                        p.narrow(2, 0, past).narrow(1, from, tokens - from),
                        new long[] {1, 2},
                        false,
                        new ScalarTypeOptional()); // [H]
                for (int h = 0; h < config.heads(); h++) {
                    mass[layer][h] += sums.get(h).item_double();
                }
            }
        }
    }
}
