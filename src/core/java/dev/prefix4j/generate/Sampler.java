package dev.prefix4j.generate;

import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.T_TensorTensor_T;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/** Draws tokens: temperature, then top-k, then top-p, then min-p, in the order of Transformers' logits warpers. */
final class Sampler {
    private Sampler() {}

    /**
     * @param logits [B, V]
     * @return int64 [B]
     */
    static Tensor draw(Decoding.Sampling how, Tensor logits) {
        Tensor scores = logits.div(new Scalar(how.temperature())); // [B, V]
        if (how.topK() == 0 && how.topP() == 1 && how.minP() == 0) {
            return torch.multinomial(torch.softmax(scores, 1), 1).squeeze(1);
        }
        long kept = how.topK() == 0 ? scores.size(1) : Math.min(how.topK(), scores.size(1));
        T_TensorTensor_T top = torch.topk(scores, kept, 1, true, true); // best first
        Tensor probabilities = torch.softmax(top.get0(), 1); // [B, kept]
        if (how.topP() < 1) {
            // A token is dropped if those before it already have the probability mass; the first one stays.
            Tensor before = torch.cumsum(probabilities, 1).sub(probabilities); // [B, kept]
            probabilities = probabilities.masked_fill(
                    before.ge(new Scalar(Math.max(how.topP(), Float.MIN_NORMAL))), new Scalar(0.0));
        }
        if (how.minP() > 0) {
            Tensor least = probabilities.narrow(1, 0, 1).mul(new Scalar(how.minP())); // [B, 1]
            probabilities = probabilities.masked_fill(probabilities.lt(least), new Scalar(0.0));
        }
        Tensor drawn = torch.multinomial(probabilities, 1); // [B, 1], indices into kept
        return torch.gather(top.get1(), 1, drawn).squeeze(1);
    }
}
