package dev.prefix4j.frozen;

import dev.prefix4j.torch.Kernels;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/**
 * The output head: logits of hidden states, and back from a distribution over the vocabulary to the mean of its rows.
 *
 * <p>n rows, E width, V vocabulary.
 */
sealed interface Head {
    /** Logits [n, V] of hidden states [n, E]. */
    Tensor logits(Rows hidden);

    /** {@code p · W}, [n, E], of probabilities p [n, V] and the head's weight W [V, E]. */
    Tensor mean(Tensor p);

    /** @param kernels null: libtorch's operators do the work */
    static Head of(Tensor weight, Operators operators, Precision precision, Kernels kernels) {
        return switch (precision) {
            case FP32 -> new Float32(new Linear.Float32(weight.t(), null));
            case INT8 -> Int8.of(weight, operators, kernels);
        };
    }

    record Float32(Linear.Float32 linear) implements Head {
        @Override
        public Tensor logits(Rows hidden) {
            return linear.forward(hidden, null);
        }

        @Override
        public Tensor mean(Tensor p) {
            return linear.backward(new Rows.Float32(p), null);
        }
    }

    /**
     * In 8 bits. Probabilities lie between many that are tiny and a few that are not: they get a scale for each row and
     * {@link #BLOCK} words, else most of them would be rounded to nothing.
     *
     * @param blocks of words: from their part of p to E
     */
    record Int8(Int8Linear.OneWay toLogits, List<Int8Linear.OneWay> blocks, Operators operators) implements Head {
        private static final long BLOCK = 1024;

        static Int8 of(Tensor weight, Operators operators, Kernels kernels) {
            List<Int8Linear.OneWay> blocks = new ArrayList<>();
            for (long from = 0; from < weight.size(0); from += BLOCK) {
                long count = Math.min(BLOCK, weight.size(0) - from);
                blocks.add(Int8Linear.OneWay.of(weight.narrow(0, from, count), kernels));
            }
            return new Int8(Int8Linear.OneWay.of(weight.t(), kernels), blocks, operators);
        }

        @Override
        public Tensor logits(Rows hidden) {
            return toLogits.multiply((Rows.Int8) hidden, null, null);
        }

        @Override
        public Tensor mean(Tensor p) {
            Tensor sum = null;
            long from = 0;
            for (Int8Linear.OneWay block : blocks) {
                Rows rows = operators.rows(p.narrow(1, from, block.inputs()));
                sum = block.multiply((Rows.Int8) rows, null, sum);
                from += block.inputs();
            }
            return sum;
        }
    }
}
