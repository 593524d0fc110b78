package dev.prefix4j.pretrain;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.model.gpt2.Gpt2;
import dev.prefix4j.torch.TensorScope;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Initial weights with which a GPT-2 can copy from its context before any training: the two-layer circuit of Olsson
 * et al. 2022 (arXiv:2209.11895) that models learn by themselves after billions of tokens, far more than a small run has.
 *
 * <p>The residual stream of width E is divided: D dimensions hold the position as sines and cosines, D the previous token, and the
 * rest the token, the last one its frequency (D is the head width). A head of the first block attends to the previous position, by a rotation of
 * sines and cosines, and writes the token there. Heads of the second block attend to positions whose previous token equals the
 * current one, and write the token there. The other residual projections start at zero; all of it is trained.
 */
final class CopyingStart {
    private static final double LONGEST_WAVE = 100; // positions per radian
    private static final double SHORTEST_WAVE = 0.5;
    private static final double TOKEN_LOUDNESS = 10; // scale of the embeddings, so that early steps do not swamp them
    private static final double READING_LOUDNESS = 0.25; // gain of the final normalization, to compensate
    private static final double QUIET = 0.1; // scale of tokens outside their part of the stream
    private static final double POSITION_SHARPNESS = 1.8;
    private static final double TOKEN_SHARPNESS = 1.5;
    private static final double COPY_LOUDNESS = 3;

    /** Bias of the final normalization that turns a token's frequency dimension into its initial logit. */
    private static final double FREQUENCY_BIAS = 30;

    private CopyingStart() {}

    /**
     * Gives a new model these weights.
     *
     * @param corpus whose token frequencies are its initial predictions
     * @throws InputException if the model has fewer than two blocks or four heads
     */
    static void apply(Gpt2 model, TokenCorpus corpus) {
        int e = model.base().config().width();
        int d = model.base().config().headWidth();
        if (model.base().config().layers() < 2 || model.base().config().heads() < 4 || d % 2 != 0) {
            throw new InputException(
                    "copying start: expected at least 2 layers and 4 heads of even width, found %d, %d, %d"
                            .formatted(
                                    model.base().config().layers(),
                                    model.base().config().heads(),
                                    d));
        }
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard()) {
            Map<String, Tensor> w = model.base().weights();
            // Other contributions to the stream start at zero, or they would swamp the circuit.
            w.forEach((name, weight) -> {
                if (name.endsWith("c_proj.weight")) {
                    weight.zero_();
                }
            });
            Tensor tokens = Named.get(w, "wte.weight");
            tokens.mul_(new Scalar(TOKEN_LOUDNESS));
            double deviation = tokens.std().item_double();
            tokens.narrow(1, 0, 2L * d).mul_(new Scalar(QUIET));
            Named.get(w, "ln_f.weight").fill_(new Scalar(READING_LOUDNESS));
            double[] frequencies = frequencies(d / 2);
            positions(Named.get(w, "wpe.weight"), frequencies, deviation * Math.sqrt(2));

            frequencies(w, corpus, e - 1);

            Tensor half = firstBlock(w, e, d, frequencies, deviation);
            secondBlock(w, e, d, half, deviation);
        }
    }

    /**
     * The head that attends to the token before, and passes on what it was.
     *
     * @return the directions of the stream in which tokens are told apart, [E - 2D, D]
     */
    private static Tensor firstBlock(Map<String, Tensor> w, int e, int d, double[] frequencies, double deviation) {
        Tensor attention = Named.get(w, "h.0.attn.c_attn.weight"); // [E, 3E]
        Tensor query = block(attention, 0, e, 0, d);
        Tensor key = block(attention, 0, e, e, d);
        Tensor value = block(attention, 0, e, 2L * e, d);
        previous(query, key, frequencies);
        Tensor half =
                torch.linalg_qr(torch.randn(e - 2L * d, e - 2L * d)).get0().narrow(1, 0, d); // [E - 2D, D]
        value.zero_();
        value.narrow(0, 2L * d, e - 2L * d).copy_(half);
        Tensor out = block(Named.get(w, "h.0.attn.c_proj.weight"), 0, d, 0, e);
        out.zero_();
        out.narrow(1, d, d).copy_(torch.eye(d).mul(new Scalar(deviation)));
        return half;
    }

    /** The heads that look for an earlier occurrence of a token, and copy what followed it. */
    private static void secondBlock(Map<String, Tensor> w, int e, int d, Tensor half, double deviation) {
        Tensor second = Named.get(w, "h.1.attn.c_attn.weight");
        Tensor secondOut = Named.get(w, "h.1.attn.c_proj.weight");
        Tensor basis = torch.linalg_qr(torch.randn(e - 2L * d, e - 2L * d)).get0(); // [E - 2D, E - 2D]
        int heads = (e - 2 * d) / d;
        for (int h = 0; h < heads; h++) {
            Tensor query = block(second, 0, e, (long) h * d, d);
            query.zero_();
            query.narrow(0, 2L * d, e - 2L * d).copy_(half.mul(new Scalar(TOKEN_SHARPNESS)));
            Tensor key = block(second, 0, e, e + (long) h * d, d);
            key.zero_();
            key.narrow(0, d, d).copy_(torch.eye(d).mul(new Scalar(TOKEN_SHARPNESS)));
            Tensor value = block(second, 0, e, 2L * e + (long) h * d, d);
            value.zero_();
            Tensor part = basis.narrow(1, (long) h * d, d); // [E - 2D, D]
            value.narrow(0, 2L * d, e - 2L * d).copy_(part);
            Tensor out = block(secondOut, (long) h * d, d, 0, e);
            out.zero_();
            out.narrow(1, 2L * d, e - 2L * d).copy_(part.t().mul(new Scalar(COPY_LOUDNESS * deviation)));
        }
    }

    /**
     * One dimension of each token is its log frequency, the initial prediction. Otherwise the first hundred steps would
     * move all rare tokens the same way, and swamp what distinguishes them.
     */
    private static void frequencies(Map<String, Tensor> weights, TokenCorpus corpus, long column) {
        Tensor tokens = Named.get(weights, "wte.weight");
        long[] counts = corpus.counts((int) tokens.size(0));
        double[] logs = new double[counts.length];
        double mean = 0;
        for (int i = 0; i < counts.length; i++) {
            logs[i] = Math.log(counts[i] + 0.5);
            mean += logs[i] / counts.length;
        }
        float[] values = new float[counts.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) ((logs[i] - mean) / FREQUENCY_BIAS);
        }
        tokens.narrow(1, column, 1).copy_(torch.tensor(values).unsqueeze(1));
        Named.get(weights, "wpe.weight").narrow(1, column, 1).zero_();
        Named.get(weights, "ln_f.bias").narrow(0, column, 1).fill_(new Scalar(FREQUENCY_BIAS));
        Named.get(weights, "ln_f.weight").narrow(0, column, 1).zero_();
    }

    private static Tensor block(Tensor matrix, long row, long rows, long column, long columns) {
        return matrix.narrow(0, row, rows).narrow(1, column, columns);
    }

    /** Radians per position, from short waves to long ones. */
    private static double[] frequencies(int count) {
        double[] frequencies = new double[count];
        for (int i = 0; i < count; i++) {
            double share = count == 1 ? 0 : (double) i / (count - 1);
            frequencies[i] = 1 / (SHORTEST_WAVE * Math.pow(LONGEST_WAVE / SHORTEST_WAVE, share));
        }
        return frequencies;
    }

    /** Sines and cosines of the positions: [positions, E], using only the first columns. */
    private static void positions(Tensor table, double[] frequencies, double amplitude) {
        int rows = (int) table.size(0);
        float[] values = new float[rows * 2 * frequencies.length];
        for (int p = 0; p < rows; p++) {
            for (int i = 0; i < frequencies.length; i++) {
                int at = (p * frequencies.length + i) * 2;
                values[at] = (float) (amplitude * Math.sin(frequencies[i] * p));
                values[at + 1] = (float) (amplitude * Math.cos(frequencies[i] * p));
            }
        }
        table.mul_(new Scalar(QUIET));
        table.narrow(1, 0, 2L * frequencies.length).copy_(torch.tensor(values).view(rows, 2L * frequencies.length));
    }

    /** The query at a position equals the key of the previous position. */
    private static void previous(Tensor query, Tensor key, double[] frequencies) {
        int d = 2 * frequencies.length;
        float[] turned = new float[d * d];
        for (int i = 0; i < frequencies.length; i++) {
            float cos = (float) (POSITION_SHARPNESS * Math.cos(frequencies[i]));
            float sin = (float) (POSITION_SHARPNESS * Math.sin(frequencies[i]));
            int s = 2 * i;
            int c = s + 1;
            turned[s * d + s] = cos; // sin(w(p-1)) = sin(wp) cos(w) - cos(wp) sin(w)
            turned[c * d + s] = -sin;
            turned[c * d + c] = cos; // cos(w(p-1)) = cos(wp) cos(w) + sin(wp) sin(w)
            turned[s * d + c] = sin;
        }
        query.zero_();
        query.narrow(0, 0, d).copy_(torch.tensor(turned).view(d, d));
        key.zero_();
        key.narrow(0, 0, d).copy_(torch.eye(d).mul(new Scalar(POSITION_SHARPNESS)));
    }
}
