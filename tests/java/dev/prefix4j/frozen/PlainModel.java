package dev.prefix4j.frozen;

import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.Map;
import java.util.stream.LongStream;
import org.bytedeco.pytorch.LongOptional;
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
final class PlainModel {
    private final BaseModel model;
    private final ModelConfig config;
    private final Map<String, Tensor> w;
    private final boolean rotary;
    private final int[] ids;
    private final SoftPrompt prompt;
    private final int from;
    private final long[] positions; // [T]

    private PlainModel(BaseModel model, int[] ids, SoftPrompt prompt, int from) {
        this.model = model;
        this.config = model.config();
        this.w = model.weights();
        this.rotary = config.attention().rotary().isPresent();
        this.ids = ids;
        this.prompt = prompt;
        this.from = from;
        this.positions = LongStream.range(0, ids.length)
                .map(t -> t >= from ? t + prompt.length() : t)
                .toArray();
    }

    /**
     * @param ids negative ones are virtual tokens
     * @param from first token that sees the activations; those before it have positions as if there were none
     * @return logits [T, V]
     */
    static Tensor logits(BaseModel model, int[] ids, SoftPrompt prompt, int from) {
        return new PlainModel(model, ids, prompt, from).logits();
    }

    private Tensor logits() {
        Tensor mask = mask();
        Tensor x = embeddings();
        for (int layer = 0; layer < config.layers(); layer++) {
            String h = rotary ? "layers." + layer + '.' : "h." + layer + '.';
            x = x.add(attention(norm(x, w, h + (rotary ? "input_layernorm" : "ln_1"), config), h, layer, mask));
            x = x.add(mlp(norm(x, w, h + (rotary ? "post_attention_layernorm" : "ln_2"), config), h));
        }
        return torch.matmul(
                norm(x, w, rotary ? "norm" : "ln_f", config), model.head().t());
    }

    /** [T, E]. */
    private Tensor embeddings() {
        TensorVector rows = new TensorVector();
        for (int t = 0; t < ids.length; t++) {
            Tensor word = ids[t] < 0
                    ? prompt.embeddings().select(0, -ids[t] - 1)
                    : model.words().select(0, ids[t]);
            rows.push_back(
                    rotary
                            ? word
                            : word.add(model.positions(model.ids(new long[] {positions[t]}))
                                    .select(0, 0)));
        }
        return torch.stack(rows, 0);
    }

    /** Which of the activations and tokens a token does not see, [T, P+T]. */
    private Tensor mask() {
        int past = prompt.length();
        byte[] hidden = new byte[ids.length * (past + ids.length)];
        for (int t = 0; t < ids.length; t++) {
            for (int s = 0; s < past + ids.length; s++) {
                boolean seen = s < past ? t >= from : s - past <= t;
                hidden[t * (past + ids.length) + s] = (byte) (seen ? 0 : 1);
            }
        }
        return torch.tensor(hidden).view(ids.length, past + ids.length).to(torch.ScalarType.Bool);
    }

    /** What attention adds to x, [T, E]. */
    private Tensor attention(Tensor normed, String h, int layer, Tensor mask) {
        int past = prompt.length();
        int heads = config.heads();
        int keyColumns = config.keyColumns();
        Tensor[] qkv = inputs(normed, w, h, config);
        Tensor q = split(qkv[0], heads); // [H, T, D]
        Tensor k = split(qkv[1], config.keyHeads());
        Tensor v = split(qkv[2], config.keyHeads());
        if (config.attention().normed()) {
            q = norm(q, w, h + "self_attn.q_norm", config);
            k = norm(k, w, h + "self_attn.k_norm", config);
        }
        if (rotary) {
            q = turned(q, config, positions);
            k = turned(k, config, positions);
        }
        Tensor own = mask.narrow(1, past, ids.length);
        if (layer >= prompt.firstLayer() && layer <= prompt.lastLayer() && past > 0) {
            Tensor keys = split(prompt.activations().narrow(1, 2L * layer * keyColumns, keyColumns), config.keyHeads());
            Tensor values = prompt.activations().narrow(1, (2L * layer + 1) * keyColumns, keyColumns);
            if (rotary) { // an infix is where the source ends
                keys = turned(
                        keys,
                        config,
                        LongStream.generate(() -> from).limit(past).toArray());
            }
            k = torch.cat(new TensorVector(keys, k), 1); // [Hk, P+T, D]
            v = torch.cat(new TensorVector(split(values, config.keyHeads()), v), 1);
            own = mask;
        }
        k = k.repeat_interleave(heads / config.keyHeads(), new LongOptional(0), new LongOptional());
        v = v.repeat_interleave(heads / config.keyHeads(), new LongOptional(0), new LongOptional());
        Tensor scores = torch.matmul(q, k.transpose(1, 2)).mul(new Scalar(config.attentionScale(layer)));
        Tensor p = torch.softmax(scores.masked_fill(own, new Scalar(Double.NEGATIVE_INFINITY)), 2);
        Tensor y = torch.matmul(p, v).transpose(0, 1).reshape(ids.length, -1); // [T, H·D]
        return linear(y, w, h + (rotary ? "self_attn.o_proj" : "attn.c_proj"));
    }

    /** What the MLP adds to x, [T, E]. */
    private Tensor mlp(Tensor normed, String h) {
        if (rotary) {
            Tensor gates = linear(normed, w, h + "mlp.gate_proj");
            Tensor inner = gates.mul(torch.sigmoid(gates)).mul(linear(normed, w, h + "mlp.up_proj"));
            return linear(inner, w, h + "mlp.down_proj");
        }
        Tensor inner = linear(normed, w, h + "mlp.c_fc");
        Tensor activated = switch (config.mlp().activation()) {
            case GELU_TANH -> torch.gelu(inner, "tanh");
            case GELU -> torch.gelu(inner);
            case QUICK_GELU -> inner.mul(torch.sigmoid(inner.mul(new Scalar(1.702))));
            case RELU -> torch.relu(inner);
            case SILU -> inner.mul(torch.sigmoid(inner));
            case TANH -> torch.tanh(inner);
        };
        return linear(activated, w, h + "mlp.c_proj");
    }

    private static Tensor[] inputs(Tensor x, Map<String, Tensor> w, String h, ModelConfig config) {
        if (config.attention().rotary().isPresent()) {
            return new Tensor[] {
                linear(x, w, h + "self_attn.q_proj"),
                linear(x, w, h + "self_attn.k_proj"),
                linear(x, w, h + "self_attn.v_proj")
            };
        }
        Tensor all = linear(x, w, h + "attn.c_attn"); // [T, 3E]
        long width = config.width();
        return new Tensor[] {all.narrow(1, 0, width), all.narrow(1, width, width), all.narrow(1, 2 * width, width)};
    }

    /** Columns i and i + D/2 of x [heads, T, D] as a complex number, turned by positions times frequencies. */
    private static Tensor turned(Tensor x, ModelConfig config, long[] positions) {
        float[] frequencies = config.attention().rotary().orElseThrow().frequencies();
        Tensor angles = torch.tensor(positions)
                .to(torch.ScalarType.Float)
                .unsqueeze(1)
                .mul(torch.tensor(frequencies)); // [T, D/2]
        Tensor real = x.narrow(2, 0, frequencies.length);
        Tensor imaginary = x.narrow(2, frequencies.length, frequencies.length);
        return torch.cat(
                new TensorVector(
                        real.mul(angles.cos()).sub(imaginary.mul(angles.sin())),
                        real.mul(angles.sin()).add(imaginary.mul(angles.cos()))),
                2);
    }

    /** [T, heads · D] to [heads, T, D]. */
    private static Tensor split(Tensor x, int heads) {
        return x.reshape(x.size(0), heads, -1).transpose(0, 1);
    }

    private static Tensor linear(Tensor x, Map<String, Tensor> w, String name) {
        Tensor weight = w.get(name + ".weight");
        Tensor y = torch.matmul(x, name.startsWith("layers.") ? weight.t() : weight);
        Tensor bias = w.get(name + ".bias");
        return bias == null ? y : y.add(bias);
    }

    private static Tensor norm(Tensor x, Map<String, Tensor> w, String name, ModelConfig config) {
        Tensor bias = w.get(name + ".bias");
        Tensor centred = bias == null ? x : x.sub(torch.mean(x, new long[] {-1}, true, new ScalarTypeOptional()));
        Tensor variance = torch.mean(centred.mul(centred), new long[] {-1}, true, new ScalarTypeOptional());
        Tensor y = centred.div(variance.add(new Scalar(config.norm().epsilon())).sqrt())
                .mul(w.get(name + ".weight"));
        return bias == null ? y : y.add(bias);
    }
}
