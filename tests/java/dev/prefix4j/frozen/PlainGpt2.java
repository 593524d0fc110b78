package dev.prefix4j.frozen;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.ScalarTypeOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * GPT-2 for one sequence in plain operators with autograd: who sees the activations of a soft prompt is written out as a mask.
 *
 * <p>T tokens, P activations, H heads, D head width, E width.
 */
final class PlainGpt2 {
    private PlainGpt2() {}

    /**
     * @param ids negative ones are virtual tokens
     * @param from first token that sees the activations; those before it have positions as if there were none
     * @return logits [T, V]
     */
    static Tensor logits(BaseModel model, int[] ids, SoftPrompt prompt, int from) {
        ModelConfig config = model.config();
        Map<String, Tensor> w = model.weights();
        int past = prompt.length();
        int heads = config.heads();
        TensorVector rows = new TensorVector();
        byte[] hidden = new byte[ids.length * (past + ids.length)];
        for (int t = 0; t < ids.length; t++) {
            Tensor word = ids[t] < 0
                    ? prompt.embeddings().select(0, -ids[t] - 1)
                    : w.get("wte.weight").select(0, ids[t]);
            rows.push_back(word.add(w.get("wpe.weight").select(0, t >= from ? t + past : t)));
            for (int s = 0; s < past + ids.length; s++) {
                boolean seen = s < past ? t >= from : s - past <= t;
                hidden[t * (past + ids.length) + s] = (byte) (seen ? 0 : 1);
            }
        }
        Tensor mask = torch.tensor(hidden).view(ids.length, past + ids.length).to(torch.ScalarType.Bool); // [T, P+T]
        Tensor x = torch.stack(rows, 0); // [T, E]
        for (int layer = 0; layer < config.layers(); layer++) {
            String h = "h." + layer + '.';
            int width = config.width();
            Tensor qkv = linear(norm(x, w, h + "ln_1", config), w, h + "attn.c_attn"); // [T, 3E]
            Tensor q = split(qkv.narrow(1, 0, width), heads); // [H, T, D]
            Tensor k = split(qkv.narrow(1, width, width), heads);
            Tensor v = split(qkv.narrow(1, 2L * width, width), heads);
            Tensor own = mask.narrow(1, past, ids.length);
            if (layer >= prompt.firstLayer() && layer <= prompt.lastLayer() && past > 0) {
                Tensor keys = prompt.activations().narrow(1, 2L * layer * width, width);
                Tensor values = prompt.activations().narrow(1, (2L * layer + 1) * width, width);
                k = torch.cat(new TensorVector(split(keys, heads), k), 1); // [H, P+T, D]
                v = torch.cat(new TensorVector(split(values, heads), v), 1);
                own = mask;
            }
            Tensor scores = torch.matmul(q, k.transpose(1, 2)).mul(new Scalar(config.attentionScale(layer)));
            Tensor p = torch.softmax(scores.masked_fill(own, new Scalar(Double.NEGATIVE_INFINITY)), 2);
            Tensor y = torch.matmul(p, v).transpose(0, 1).reshape(ids.length, width); // [T, E]
            x = x.add(linear(y, w, h + "attn.c_proj"));
            Tensor inner = linear(norm(x, w, h + "ln_2", config), w, h + "mlp.c_fc");
            Tensor activated = switch (config.mlp().activation()) {
                case GELU_TANH -> torch.gelu(inner, "tanh");
                case GELU -> torch.gelu(inner);
                case QUICK_GELU -> inner.mul(torch.sigmoid(inner.mul(new Scalar(1.702))));
                case RELU -> torch.relu(inner);
                case SILU -> inner.mul(torch.sigmoid(inner));
                case TANH -> torch.tanh(inner);
            };
            x = x.add(linear(activated, w, h + "mlp.c_proj"));
        }
        return torch.matmul(norm(x, w, "ln_f", config), model.head().t());
    }

    /** [T, E] to [H, T, D]. */
    private static Tensor split(Tensor x, int heads) {
        return x.reshape(x.size(0), heads, -1).transpose(0, 1);
    }

    private static Tensor linear(Tensor x, Map<String, Tensor> w, String name) {
        return torch.matmul(x, w.get(name + ".weight")).add(w.get(name + ".bias"));
    }

    private static Tensor norm(Tensor x, Map<String, Tensor> w, String name, ModelConfig config) {
        Tensor centred = x.sub(torch.mean(x, new long[] {1}, true, new ScalarTypeOptional()));
        Tensor variance = torch.mean(centred.mul(centred), new long[] {1}, true, new ScalarTypeOptional());
        return centred.div(variance.add(new Scalar(config.norm().epsilon())).sqrt())
                .mul(w.get(name + ".weight"))
                .add(w.get(name + ".bias"));
    }
}
