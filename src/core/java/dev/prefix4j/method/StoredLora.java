package dev.prefix4j.method;

import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Extension;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import dev.prefix4j.model.Shapes;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;

/**
 * A LoRA adapter as PEFT stores it, for any modules (Hu et al. 2021, arXiv:2106.09685; scale by the root of the rank: arXiv:2312.03732;
 * DoRA: arXiv:2402.09353), with what else was trained: whole modules, biases, rows of tokens. All of it changes weights.
 *
 * <p>r rank, E width, V vocabulary.
 *
 * @param shapes of the file's tensors, by name
 * @param targets modules with a low-rank change
 * @param dora whether the changed weights have separate magnitudes
 * @param biased whether the change has a bias ({@code lora_B.bias})
 * @param tokens ids of tokens with trained rows, by module
 * @param whole the file's tensors that replace weights
 * @param apart modules that PEFT stores as separate copies, even if tied
 */
record StoredLora(
        Map<String, List<Long>> shapes,
        List<Target> targets,
        boolean dora,
        boolean biased,
        Map<String, List<Integer>> tokens,
        List<Whole> whole,
        Set<String> apart)
        implements WeightMethod {
    private static final String FILE_PREFIX = "base_model.model.";
    private static final String HEAD = Family.Names.HEAD;
    private static final String HEAD_WEIGHT = HEAD + ".weight";

    /** How a module lays out its matrix. */
    enum Map2d {
        /** [in, out] */
        CONV1D,
        /** [rows, E], looked up */
        EMBEDDING,
        /** [out, in] */
        LINEAR
    }

    /**
     * A module with a low-rank change.
     *
     * @param module full name, such as {@code transformer.h.0.attn.c_attn}
     * @param weight name of its weight in the model
     * @param scale factor of the change
     */
    record Target(String module, String weight, Map2d kind, int rank, double scale) {
        String tensor(String suffix) {
            return FILE_PREFIX + module + '.' + suffix;
        }

        /** Whether it is a map of a block. */
        boolean inBlock() {
            return kind != Map2d.EMBEDDING && !module.equals(HEAD);
        }
    }

    /** A module that LoRA can change, by its full name. */
    record Module(String name, Map2d kind) {
        /** Whether it is a map of a block. */
        boolean inBlock() {
            return kind != Map2d.EMBEDDING && !name.equals(HEAD);
        }
    }

    /** A tensor of the file, and the weight that it replaces. */
    record Whole(String tensor, String weight) {}

    /** The modules that LoRA can change, in the model's order. */
    static List<Module> modules(ModelConfig model) {
        Family.Names names = model.family().names();
        List<Module> modules = new ArrayList<>();
        modules.add(new Module(names.full(names.words()), Map2d.EMBEDDING));
        if (!names.positions().isEmpty()) {
            modules.add(new Module(names.full(names.positions()), Map2d.EMBEDDING));
        }
        Map2d inBlocks = names.inputsFirst() ? Map2d.CONV1D : Map2d.LINEAR;
        for (int layer = 0; layer < model.layers(); layer++) {
            for (String map : names.block().apply(layer).maps()) {
                modules.add(new Module(names.full(map), inBlocks));
            }
        }
        modules.add(new Module(HEAD, Map2d.LINEAR));
        return modules;
    }

    /** The name of a module's weight in the model. */
    static String weight(ModelConfig model, String module) {
        return model.family().names().bare(module) + ".weight";
    }

    private static String words(ModelConfig model) {
        return model.family().names().words() + ".weight";
    }

    /**
     * What a file must hold for a configuration, and which other weights of the model it holds.
     *
     * @param biases whether biases of the changed modules were trained
     * @param saved whether a module is stored whole, by its full name
     * @param names of the file's tensors
     */
    static StoredLora of(
            ModelConfig model,
            List<Target> targets,
            boolean dora,
            boolean biased,
            boolean biases,
            Predicate<String> saved,
            Map<String, List<Integer>> tokens,
            Set<String> names) {
        Map<String, List<Long>> weights = new LinkedHashMap<>(Shapes.of(model));
        weights.put(HEAD_WEIGHT, weights.get(words(model)));
        Map<String, List<Long>> shapes = new LinkedHashMap<>();
        for (Target target : targets) {
            List<Long> shape = Named.get(weights, target.weight());
            long rank = target.rank();
            switch (target.kind()) {
                case CONV1D -> lowRank(shapes, target, shape.get(0), shape.get(1));
                case LINEAR -> lowRank(shapes, target, shape.get(1), shape.get(0));
                case EMBEDDING -> {
                    shapes.put(target.tensor("lora_embedding_A"), List.of(rank, shape.get(0)));
                    shapes.put(target.tensor("lora_embedding_B"), List.of(shape.get(1), rank));
                }
            }
            long outputs = target.kind() == Map2d.LINEAR ? shape.get(0) : shape.get(1);
            if (dora) {
                shapes.put(target.tensor("lora_magnitude_vector"), List.of(outputs));
            }
            if (biased && target.inBlock()) {
                shapes.put(target.tensor("lora_B.bias"), List.of(outputs));
            }
        }
        tokens.forEach((module, ids) -> shapes.put(
                FILE_PREFIX + module + ".token_adapter.trainable_tokens_delta",
                List.of((long) ids.size(), (long) model.width())));
        List<Whole> whole = new ArrayList<>();
        Set<String> apart = new HashSet<>();
        weights.forEach((weight, shape) -> {
            String full = model.family().names().full(weight);
            int dot = full.lastIndexOf('.');
            String module = full.substring(0, dot);
            String own = FILE_PREFIX + full;
            String under = FILE_PREFIX + module + ".base_layer" + full.substring(dot);
            boolean target = targets.stream().anyMatch(t -> t.module().equals(module));
            boolean wanted = saved.test(module) || (biases && target && full.endsWith(".bias"));
            if (names.contains(under) || names.contains(own) || wanted) {
                String name = names.contains(under) || (target && !names.contains(own)) ? under : own;
                shapes.put(name, shape);
                whole.add(new Whole(name, weight));
                if (saved.test(module)) {
                    apart.add(module);
                }
            }
        });
        return new StoredLora(shapes, targets, dora, biased, tokens, whole, apart);
    }

    private static void lowRank(Map<String, List<Long>> shapes, Target target, long in, long out) {
        shapes.put(target.tensor("lora_A.weight"), List.of((long) target.rank(), in));
        shapes.put(target.tensor("lora_B.weight"), List.of(out, (long) target.rank()));
    }

    @Override
    public String name() {
        return "lora";
    }

    @Override
    public Map<String, List<Long>> stored(ModelConfig config) {
        return shapes;
    }

    @Override
    public Tuning tuning(BaseModel model, Freezer freezer, long seed) {
        throw new InputException("a stored LoRA adapter cannot be trained further");
    }

    @Override
    public FrozenModel.Changes changes(BaseModel model, Map<String, Tensor> stored) {
        try (NoGradGuard _ = new NoGradGuard()) {
            Map<String, Tensor> base = new LinkedHashMap<>(model.weights());
            base.putIfAbsent(HEAD_WEIGHT, model.words());
            Map<String, Tensor> changed = new LinkedHashMap<>();
            place(model.config(), stored, base, changed);
            for (Target target : targets) {
                String name = target.weight();
                Tensor from = Objects.requireNonNull(changed.getOrDefault(name, base.get(name)), name);
                changed.put(name, lowRank(target, from, stored));
                if (biased && target.inBlock()) {
                    String bias = name.replaceFirst("weight$", "bias");
                    Tensor more =
                            Named.get(stored, target.tensor("lora_B.bias")).mul(new Scalar(target.scale())); // [out]
                    Tensor before = changed.getOrDefault(bias, base.get(bias));
                    changed.put(bias, before == null ? more : before.add(more));
                }
            }
            tokens.forEach((module, ids) -> {
                Tensor rows = torch.tensor(
                                ids.stream().mapToLong(Integer::longValue).toArray())
                        .to(model.device(), torch.ScalarType.Long);
                String name = weight(model.config(), module);
                Tensor from = Objects.requireNonNull(changed.getOrDefault(name, base.get(name)), name);
                Tensor values = stored.get(
                        FILE_PREFIX + module + ".token_adapter.trainable_tokens_delta"); // replace rows, [n, E]
                changed.put(name, from.to(torch.ScalarType.Float).index_copy(0, rows, values));
            });
            String words = words(model.config());
            if (model.config().tiedHead() && changed.containsKey(words)) {
                String module = words.replaceFirst("\\.weight$", "");
                if (tokens.containsKey(model.config().family().names().full(module))
                        && !tokens.containsKey(HEAD)
                        && !apart.contains(HEAD)) {
                    changed.put(HEAD_WEIGHT, changed.get(words)); // rows of tokens are tied like the words
                } else {
                    changed.putIfAbsent(HEAD_WEIGHT, base.get(HEAD_WEIGHT)); // PEFT changes only the lookup
                }
            }
            return new FrozenModel.Changes(changed, Extension.NONE);
        }
    }

    /** Replaces weights by whole tensors. What a tied model holds once has one value, unless PEFT stores a separate copy. */
    private void place(
            ModelConfig config, Map<String, Tensor> stored, Map<String, Tensor> base, Map<String, Tensor> changed) {
        String words = words(config);
        Optional<Tensor> shared = Optional.empty();
        for (Whole one : whole) {
            Tensor tensor = Named.get(stored, one.tensor());
            String module = config.family().names().full(one.weight()).replaceFirst("\\.\\w+$", "");
            boolean tied = config.tiedHead()
                    && (one.weight().equals(words) || one.weight().equals(HEAD_WEIGHT));
            if (!tied || apart.contains(module)) {
                changed.put(one.weight(), tensor);
                continue;
            }
            if (shared.isPresent() && !shared.get().equal(tensor)) {
                throw new InputException(
                        "tensors of %s and %s: expected equal values, because the model ties them, found different ones"
                                .formatted(
                                        config.family()
                                                .names()
                                                .full(config.family().names().words()),
                                        HEAD));
            }
            shared = Optional.of(tensor);
        }
        shared.ifPresent(tensor -> {
            base.put(words, tensor);
            base.put(HEAD_WEIGHT, tensor);
            changed.putIfAbsent(words, tensor);
            changed.putIfAbsent(HEAD_WEIGHT, tensor);
        });
    }

    /** A matrix with its change. With DoRA, each output's weights are scaled to its magnitude. */
    private Tensor lowRank(Target target, Tensor from, Map<String, Tensor> stored) {
        boolean embedding = target.kind() == Map2d.EMBEDDING;
        Tensor a = stored.get(target.tensor(embedding ? "lora_embedding_A" : "lora_A.weight")); // [r, in]
        Tensor b = stored.get(target.tensor(embedding ? "lora_embedding_B" : "lora_B.weight")); // [out, r]
        boolean outputsFirst = target.kind() == Map2d.LINEAR;
        Tensor change = torch.matmul(b, a).mul(new Scalar(target.scale())); // [out, in]
        Tensor sum = from.add(outputsFirst ? change : change.t());
        if (!dora) {
            return sum;
        }
        long inputs = outputsFirst ? 1 : 0;
        Tensor norm = torch.sum(sum.mul(sum), new long[] {inputs}, true, new org.bytedeco.pytorch.ScalarTypeOptional())
                .sqrt();
        Tensor magnitude =
                Named.get(stored, target.tensor("lora_magnitude_vector")).unsqueeze(inputs); // [out, 1] or [1, out]
        return sum.mul(magnitude.div(norm));
    }
}
