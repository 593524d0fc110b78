package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.SoftPrompt;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.ModelConfig;
import java.util.List;
import java.util.Map;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * Examples before the source; nothing is trained (Brown et al. 2020, arXiv:2005.14165; Li and Liang 2021, section 1). The examples' tokens
 * are stored: source, BOS, target and EOS of each in turn. Their keys and values are a prefix of real words.
 *
 * @param tokens of all examples
 */
public record InContext(int tokens) implements Method {
    /** The one stored tensor, float32 like all others. */
    public static final String TOKENS = "context_tokens";

    public InContext {
        InputException.requireAtLeast("tokens of the examples", tokens, 1);
    }

    @Override
    public String name() {
        return "in-context";
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        return Map.of(TOKENS, List.of((long) tokens));
    }

    @Override
    public long trainedNumbers(ModelConfig config) {
        return 0;
    }

    @Override
    public Conditioned apply(BaseModel model, Freezer freezer, Map<String, Tensor> stored) {
        model.requireRoom(0, tokens, 0);
        try (NoGradGuard _ = new NoGradGuard()) {
            Tensor ids = Named.get(stored, TOKENS).to(torch.ScalarType.Long); // [N]
            if (ids.min().item_long() < 0
                    || ids.max().item_long() >= model.config().vocabulary()) {
                throw new InputException(TOKENS
                        + ": expected ids below the vocabulary's %d, found %d to %d"
                                .formatted(
                                        model.config().vocabulary(),
                                        ids.min().item_long(),
                                        ids.max().item_long()));
            }
            FrozenModel engine = freezer.freeze(model, FrozenModel.Changes.NONE);
            Tensor activations = Words.activations(engine, model.words(ids)); // [N, 2·L·W]
            return new Conditioned(engine, SoftPrompt.prefix(activations, model.config()));
        }
    }

    @Override
    public Tuning tuning(BaseModel model, Freezer freezer, long seed) {
        throw new InputException("method in-context trains nothing");
    }
}
