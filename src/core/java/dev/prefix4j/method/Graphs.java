package dev.prefix4j.method;

import org.bytedeco.pytorch.BoolOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorArrayRefOptional;

/** Autograd. */
final class Graphs {
    private Graphs() {}

    /** Goes back from a tensor with a given gradient to the leaves. */
    static void backward(Tensor from, Tensor gradient) {
        from.backward(gradient, new BoolOptional(), false, new TensorArrayRefOptional());
    }
}
