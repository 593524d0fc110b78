package dev.prefix4j.model;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * What a tuning method puts into the blocks, beside the weights that a checkpoint has; float32.
 *
 * <p>E width, r rank, m bottleneck.
 *
 * @param maps changes of affine maps of blocks, by the map's name, such as {@code h.0.attn.c_attn}
 * @param halves networks behind halves of blocks, by the half's name, such as {@code h.0.attn} or {@code h.0.mlp}
 */
public record Extension(Map<String, LowRank> maps, Map<String, Bottleneck> halves) {
    /** Nothing. */
    public static final Extension NONE = new Extension(Map.of(), Map.of());

    /**
     * What is added to what comes out of an affine map of x: {@code scale · x Aᵀ Bᵀ} (Hu et al. 2021, arXiv:2106.09685, equation 3).
     *
     * @param a [r, in]
     * @param b [out, r]
     */
    public record LowRank(Tensor a, Tensor b, double scale) {
        /** x [n, in] to what is added, [n, out]. */
        Tensor of(Tensor x) {
            return torch.matmul(torch.matmul(x, a.t()), b.t()).mul(new Scalar(scale));
        }
    }

    /**
     * What comes out of a half, y, becomes {@code y + gelu(y down + downBias) up + upBias} before it is added to the residual stream
     * (Houlsby et al. 2019, arXiv:1902.00751).
     *
     * @param down [E, m]
     * @param downBias [m]
     * @param up [m, E]
     * @param upBias [E]
     */
    public record Bottleneck(Tensor down, Tensor downBias, Tensor up, Tensor upBias) {
        /** y [..., E] with what the network adds. */
        Tensor of(Tensor y) {
            Tensor inner = torch.gelu(torch.matmul(y, down).add(downBias)); // [..., m]
            return y.add(torch.matmul(inner, up)).add(upBias);
        }
    }

    /** Whether there is nothing. */
    public boolean isEmpty() {
        return maps.isEmpty() && halves.isEmpty();
    }

    /** All tensors. */
    public List<Tensor> tensors() {
        List<Tensor> all = new ArrayList<>();
        maps.values().forEach(map -> all.addAll(List.of(map.a(), map.b())));
        halves.values().forEach(net -> all.addAll(List.of(net.down(), net.downBias(), net.up(), net.upBias())));
        return all;
    }

    /** Of the same shapes, with zeros: where a gradient is summed. */
    public Extension zeros() {
        return each(tensor -> torch.zeros_like(tensor));
    }

    /** The same with tensors of its own. */
    public Extension copy() {
        return each(tensor -> tensor.clone());
    }

    private Extension each(UnaryOperator<Tensor> made) {
        Map<String, LowRank> ofMaps = new LinkedHashMap<>();
        maps.forEach(
                (name, map) -> ofMaps.put(name, new LowRank(made.apply(map.a()), made.apply(map.b()), map.scale())));
        Map<String, Bottleneck> ofHalves = new LinkedHashMap<>();
        halves.forEach((name, net) -> ofHalves.put(
                name,
                new Bottleneck(
                        made.apply(net.down()),
                        made.apply(net.downBias()),
                        made.apply(net.up()),
                        made.apply(net.upBias()))));
        return new Extension(ofMaps, ofHalves);
    }
}
