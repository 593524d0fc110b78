package dev.prefix4j.model;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Names and shapes of a model's weights, in the order of the model. */
public final class Shapes {
    private final ModelConfig config;
    private final Family.Names names;
    private final Map<String, List<Long>> shapes = new LinkedHashMap<>();

    private Shapes(ModelConfig config) {
        this.config = config;
        this.names = config.family().names();
    }

    /** By the names of {@link BaseModel#weights}. */
    public static Map<String, List<Long>> of(ModelConfig config) {
        Shapes all = new Shapes(config);
        all.add();
        return all.shapes;
    }

    private void add() {
        long width = config.width();
        long words = config.vocabulary();
        shapes.put(names.words() + ".weight", List.of(words, width));
        if (!names.positions().isEmpty()) {
            shapes.put(names.positions() + ".weight", List.of((long) config.positions(), width));
        }
        for (int layer = 0; layer < config.layers(); layer++) {
            block(names.block().apply(layer));
        }
        norm(names.norm());
        if (!config.tiedHead()) {
            shapes.put(Family.Names.HEAD + ".weight", List.of(words, width));
        }
    }

    private void block(Family.Block block) {
        ModelConfig.Attention attention = config.attention();
        long width = config.width();
        long[] outputs = {attention.queryColumns(), attention.keyColumns(), attention.keyColumns()};
        norm(block.attentionNorm());
        affine(block.attentionInputs(), width, outputs, attention.inputBias());
        if (attention.normed()) {
            shapes.put(block.queryNorm() + ".weight", List.of((long) attention.headWidth()));
            shapes.put(block.keyNorm() + ".weight", List.of((long) attention.headWidth()));
        }
        affine(List.of(block.attentionOutput()), attention.queryColumns(), new long[] {width}, attention.outputBias());
        norm(block.mlpNorm());
        ModelConfig.Mlp mlp = config.mlp();
        long[] inner = mlp.gated() ? new long[] {mlp.width(), mlp.width()} : new long[] {mlp.width()};
        affine(block.mlpInputs(), width, inner, mlp.bias());
        affine(List.of(block.mlpOutput()), mlp.width(), new long[] {width}, mlp.bias());
    }

    /** One map for each of several outputs, or one for all of them. */
    private void affine(List<String> maps, long in, long[] outputs, boolean bias) {
        for (int i = 0; i < maps.size(); i++) {
            long out = maps.size() == outputs.length
                    ? outputs[i]
                    : java.util.Arrays.stream(outputs).sum();
            shapes.put(maps.get(i) + ".weight", names.inputsFirst() ? List.of(in, out) : List.of(out, in));
            if (bias) {
                shapes.put(maps.get(i) + ".bias", List.of(out));
            }
        }
    }

    private void norm(String name) {
        shapes.put(name + ".weight", List.of((long) config.width()));
        if (config.norm().kind() == ModelConfig.Norm.Kind.LAYER) {
            shapes.put(name + ".bias", List.of((long) config.width()));
        }
    }
}
