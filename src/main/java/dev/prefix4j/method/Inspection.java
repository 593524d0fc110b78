package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.gpt2.Extension;
import dev.prefix4j.gpt2.Gpt2;
import dev.prefix4j.gpt2.Gpt2Config;
import dev.prefix4j.gpt2.KvCache;
import dev.prefix4j.prefix.PrefixShape;
import dev.prefix4j.torch.TensorScope;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * A look inside a soft prompt.
 *
 * <p>P virtual tokens, L layers, H heads, D head width, E width, V vocabulary.
 */
public final class Inspection {
    private Inspection() {}

    /**
     * How large the vectors of a layer are.
     *
     * @param keys mean Euclidean norm of a virtual token's keys, all heads together
     * @param values the same of its values
     */
    public record Norms(double keys, double values) {}

    /** Of every layer; 0 where a layer does not see the prompt. */
    public static List<Norms> norms(SoftPrompt prompt, Gpt2Config config) {
        List<Norms> norms = new ArrayList<>();
        try (TensorScope _ = new TensorScope()) {
            for (int layer = 0; layer < config.layers(); layer++) {
                norms.add(new Norms(norm(part(prompt, config, 2 * layer)), norm(part(prompt, config, 2 * layer + 1))));
            }
        }
        return norms;
    }

    /** Keys (even) or values (odd) of a layer, [P, E]. */
    private static Tensor part(SoftPrompt prompt, Gpt2Config config, int index) {
        return prompt.activations().narrow(1, (long) index * config.width(), config.width());
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
     * The words nearest to embeddings.
     *
     * @param embeddings [P, E]
     * @param count words for each
     */
    public static List<List<Near>> nearest(Gpt2 model, Tensor embeddings, int count) {
        List<List<Near>> all = new ArrayList<>();
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Tensor cosines = torch.matmul(
                    unit(embeddings), unit(model.weights().get("wte.weight")).t()); // [P, V]
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
     * Cosine of what two prompts have in each layer, keys and values of all virtual tokens as one vector.
     *
     * @throws InputException if they are of different lengths
     */
    public static double[] similarity(SoftPrompt one, SoftPrompt other, Gpt2Config config) {
        if (one.length() != other.length() || one.length() == 0) {
            throw new InputException("expected two prompts of as many virtual tokens, at least one, found %d and %d"
                    .formatted(one.length(), other.length()));
        }
        double[] cosines = new double[config.layers()];
        try (TensorScope _ = new TensorScope()) {
            for (int layer = 0; layer < cosines.length; layer++) {
                Tensor a = one.activations()
                        .narrow(1, 2L * layer * config.width(), 2L * config.width())
                        .reshape(1, -1); // [1, 2·P·E]
                Tensor b = other.activations()
                        .narrow(1, 2L * layer * config.width(), 2L * config.width())
                        .reshape(1, -1);
                cosines[layer] = torch.sum(unit(a).mul(unit(b))).item_double();
            }
        }
        return cosines;
    }

    /** Whether a prompt stands before the source in all layers. */
    public static boolean hasAttention(Gpt2 model, SoftPrompt prompt) {
        return prompt.length() > 0
                && prompt.place() == SoftPrompt.Place.PREFIX
                && prompt.firstLayer() == 0
                && prompt.lastLayer() == model.config().layers() - 1;
    }

    /**
     * The share of their attention that tokens give to a prompt that stands before everything, in all layers.
     *
     * @param sequences ids, one after the other
     * @param from for each the first token that counts: those that were generated
     * @return [L][H], means over all tokens that count
     */
    public static double[][] attention(Gpt2 model, SoftPrompt prompt, List<int[]> sequences, int[] from) {
        Gpt2Config config = model.config();
        if (!hasAttention(model, prompt)) {
            throw new IllegalArgumentException("expected a prompt before the source in all layers");
        }
        double[][] mass = new double[config.layers()][config.heads()];
        long count = 0;
        for (int i = 0; i < sequences.size(); i++) {
            int[] ids = sequences.get(i);
            try (TensorScope _ = new TensorScope();
                    NoGradGuard _ = new NoGradGuard()) {
                model.extend(new Watch(config, prompt, ids.length, from[i], mass));
                model.forward(
                        model.ids(Arrays.stream(ids).asLongStream().toArray(), 1),
                        KvCache.startingWith(
                                PrefixShape.of(prompt.length(), config).split(prompt.activations())));
            } finally {
                model.extend(Extension.NONE);
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

    /** Sees the queries and keys go by, and adds up what the prompt gets. */
    private record Watch(Gpt2Config config, SoftPrompt prompt, int tokens, int from, double[][] mass)
            implements Extension {
        @Override
        public Tensor linear(String name, Tensor x, Tensor y) {
            if (name.endsWith(".attn.c_attn")) {
                add(Integer.parseInt(name.split("\\.")[1]), y);
            }
            return y;
        }

        /** @param qkv [T, 3E] */
        private void add(int layer, Tensor qkv) {
            try (TensorScope _ = new TensorScope()) {
                long width = config.width();
                Tensor q = heads(qkv.narrow(1, 0, width)); // [H, T, D]
                Tensor own = heads(qkv.narrow(1, width, width)); // [H, T, D]
                Tensor k = torch.cat(new TensorVector(heads(part(prompt, config, 2 * layer)), own), 1); // [H, P+T, D]
                Tensor later = torch.ones(new long[] {tokens, prompt.length() + tokens}, qkv.options())
                        .triu(prompt.length() + 1)
                        .to(torch.ScalarType.Bool); // [T, P+T]
                Tensor p = torch.softmax(
                        torch.matmul(q, k.transpose(1, 2))
                                .mul(new Scalar(config.attentionScale(layer)))
                                .masked_fill(later, new Scalar(Double.NEGATIVE_INFINITY)),
                        2); // [H, T, P+T]
                Tensor sums = torch.sum(
                        p.narrow(2, 0, prompt.length()).narrow(1, from, tokens - from),
                        new long[] {1, 2},
                        false,
                        new ScalarTypeOptional()); // [H]
                for (int h = 0; h < config.heads(); h++) {
                    mass[layer][h] += sums.get(h).item_double();
                }
            }
        }

        /** [T, E] to [H, T, D]. */
        private Tensor heads(Tensor rows) {
            return rows.reshape(rows.size(0), config.heads(), config.headWidth())
                    .transpose(0, 1);
        }
    }
}
