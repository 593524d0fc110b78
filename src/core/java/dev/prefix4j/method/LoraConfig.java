package dev.prefix4j.method;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.method.StoredLora.Target;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.model.Family;
import dev.prefix4j.model.ModelConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Reads PEFT's LoRA configuration with PEFT's rules (0.21: {@code check_target_module_exists}, {@code get_pattern_key} and
 * {@code set_additional_trainable_modules}): which modules are changed, by which rank and scale, and what else is trained.
 */
final class LoraConfig {
    private static final int MAX_ENTRIES = 100_000;
    private static final double MAX_ALPHA = 1e9;

    /** The first number in a module's name: where PEFT finds the layer if no pattern is given. */
    private static final Pattern LAYER = Pattern.compile(".*?\\.[^.]*\\.(\\d+)\\..*");

    private final ConfigFile file;
    private final ModelConfig model;
    private final List<String> modulesToSave;

    private LoraConfig(ConfigFile file, ModelConfig model) {
        this.file = file;
        this.model = model;
        this.modulesToSave = strings("modules_to_save");
    }

    /**
     * @param tensors names in the weights file
     * @throws InputException naming the key that is wrong
     */
    static StoredLora read(ConfigFile file, ModelConfig model, Set<String> tensors) {
        return new LoraConfig(file, model).read(tensors);
    }

    private StoredLora read(Set<String> tensors) {
        boolean dora = file.flag("use_dora", false);
        boolean biased = file.flag("lora_bias", false);
        if (dora && biased) {
            throw file.wrong("lora_bias", "false where use_dora is true", true);
        }
        String bias = file.text("bias", "none");
        if (!List.of("none", "all", "lora_only").contains(bias)) {
            throw file.wrong("bias", "none, all or lora_only", Excerpt.of(bias));
        }
        List<Target> targets = targets();
        Map<String, List<Integer>> tokens = tokens();
        boolean embeddings = targets.stream().anyMatch(target -> !target.inBlock())
                || modulesToSave.stream().anyMatch(name -> words().endsWith(name) || Family.Names.HEAD.endsWith(name));
        if (file.flag("ensure_weight_tying", false) && embeddings) {
            throw file.wrong(
                    "ensure_weight_tying",
                    "false where embeddings or head are trained (nothing else is supported)",
                    true);
        }
        for (Target target : targets) {
            if (tokens.containsKey(target.module())) {
                throw file.wrong(
                        "trainable_token_indices",
                        "tokens of a module that target_modules does not name",
                        target.module());
            }
        }
        return StoredLora.of(model, targets, dora, biased, !bias.equals("none"), this::isSaved, tokens, tensors);
    }

    /** Full name of the token embedding. */
    private String words() {
        return model.family().names().full(model.family().names().words());
    }

    /** Whether a module, or one around it, is stored whole: PEFT compares the ends of names. */
    private boolean isSaved(String module) {
        for (String around = module; ; around = around.substring(0, around.lastIndexOf('.'))) {
            if (modulesToSave.stream().anyMatch(around::endsWith)) {
                return true;
            }
            if (around.indexOf('.') < 0) {
                return false;
            }
        }
    }

    private List<Target> targets() {
        Predicate<String> wanted = wanted();
        Predicate<String> excluded = excluded();
        Map<String, Integer> ranks = new LinkedHashMap<>();
        pattern("rank_pattern").forEach((key, value) -> ranks.put(key, rank("rank_pattern", value)));
        Map<String, Double> alphas = new LinkedHashMap<>();
        pattern("alpha_pattern").forEach((key, value) -> alphas.put(key, alpha("alpha_pattern", value)));
        int rank = file.has("r") ? rank("r", file.json().get("r")) : 8;
        double alpha = file.has("lora_alpha") ? alpha("lora_alpha", file.json().get("lora_alpha")) : 8;
        boolean rootScale = file.flag("use_rslora", false);
        List<Target> targets = new ArrayList<>();
        for (StoredLora.Module one : StoredLora.modules(model)) {
            String module = one.name();
            if (excluded.test(module) || isSaved(module) || !wanted.test(module)) {
                continue;
            }
            int r = ofPattern("rank_pattern", ranks, module, rank);
            double a = ofPattern("alpha_pattern", alphas, module, alpha);
            targets.add(new Target(
                    module, StoredLora.weight(model, module), one.kind(), r, rootScale ? a / Math.sqrt(r) : a / r));
        }
        if (targets.isEmpty()) {
            throw file.wrong(
                    "target_modules",
                    "modules that the model has, such as "
                            + model.family().loraTargets().getFirst(),
                    file.json().get("target_modules"));
        }
        return targets;
    }

    /** The first pattern that matches decides; a pattern matches whole parts at the end of a name. */
    private <T> T ofPattern(String key, Map<String, T> patterns, String module, T otherwise) {
        for (Map.Entry<String, T> entry : patterns.entrySet()) {
            if (regex(key, "(.*\\.)?(" + entry.getKey() + ")").matches(module)) {
                return entry.getValue();
            }
        }
        return otherwise;
    }

    private PythonPattern regex(String key, String text) {
        return new PythonPattern("%s: key '%s'".formatted(file.file(), key), text);
    }

    private Predicate<String> wanted() {
        JsonNode node = file.json().get("target_modules");
        if (node == null || node.isNull()) {
            return named(model.family().loraTargets()); // PEFT's default
        }
        if (node.isTextual()) {
            if (node.textValue().equalsIgnoreCase("all-linear")) {
                Set<String> inBlocks = StoredLora.modules(model).stream()
                        .filter(StoredLora.Module::inBlock)
                        .map(StoredLora.Module::name)
                        .collect(Collectors.toSet());
                return inBlocks::contains; // the head is not among them
            }
            return regex("target_modules", node.textValue())::matches;
        }
        List<String> names = strings("target_modules");
        Predicate<String> whole = names::contains;
        return whole.or(named(names).and(layers()));
    }

    private Predicate<String> excluded() {
        JsonNode node = file.json().get("exclude_modules");
        if (node != null && node.isTextual()) {
            return node.textValue().isEmpty() ? module -> false : regex("exclude_modules", node.textValue())::matches;
        }
        return named(strings("exclude_modules"));
    }

    /** Modules with these names, or whose names end with them. */
    private static Predicate<String> named(List<String> names) {
        return module -> names.stream().anyMatch(name -> module.equals(name) || module.endsWith("." + name));
    }

    /** Modules in the layers to change; every module if the key is not used. */
    private Predicate<String> layers() {
        Set<Integer> layers = new LinkedHashSet<>();
        JsonNode node = file.json().get("layers_to_transform");
        if (node == null || node.isNull() || (node.isArray() && node.isEmpty())) {
            return module -> true;
        }
        (node.isArray() ? node : List.of(node))
                .forEach(one -> layers.add(index("layers_to_transform", one, model.layers())));
        JsonNode given = file.json().get("layers_pattern");
        List<String> patterns =
                given != null && given.isTextual() ? List.of(given.textValue()) : strings("layers_pattern");
        return module -> {
            if (patterns.isEmpty()) {
                Matcher matcher = LAYER.matcher(module);
                return matcher.matches() && layers.contains(Integer.parseInt(matcher.group(1)));
            }
            // the layer is the first number after the first pattern that is found
            return patterns.stream()
                    .filter(pattern -> regex("layers_pattern", "(.*\\.)?" + pattern + "\\.\\d+\\..*")
                            .matches(module))
                    .findFirst()
                    .filter(pattern -> layers.stream()
                            .anyMatch(layer -> regex("layers_pattern", "(.*\\.)?" + pattern + "\\." + layer + "\\..*")
                                    .matches(module)))
                    .isPresent();
        };
    }

    /** Ids of trained tokens, by the full name of their module. */
    private Map<String, List<Integer>> tokens() {
        JsonNode node = file.json().get("trainable_token_indices");
        Map<String, List<Integer>> tokens = new LinkedHashMap<>();
        if (node == null || node.isNull()) {
            return tokens;
        }
        if (node.isArray()) {
            tokens.put(words(), ids(node));
            return tokens;
        }
        if (!node.isObject()) {
            throw file.wrong(
                    "trainable_token_indices", "a list of ids, or lists by module", Excerpt.of(node.toString()));
        }
        node.properties().forEach(entry -> {
            String module = List.of(words(), Family.Names.HEAD).stream()
                    .filter(name -> named(List.of(entry.getKey())).test(name))
                    .findFirst()
                    .orElseThrow(() -> file.wrong(
                            "trainable_token_indices",
                            "tokens of %s or %s"
                                    .formatted(model.family().names().words(), Family.Names.HEAD),
                            Excerpt.of(entry.getKey())));
            tokens.put(module, ids(entry.getValue()));
        });
        if (model.tiedHead()
                && tokens.size() == 2
                && Objects.equals(tokens.get(Family.Names.HEAD), tokens.get(words()))) {
            tokens.remove(Family.Names.HEAD); // one set of rows for both
        }
        return tokens;
    }

    private List<Integer> ids(JsonNode node) {
        if (!node.isArray() || node.size() > MAX_ENTRIES) {
            throw file.wrong("trainable_token_indices", "a list of ids", Excerpt.of(node.toString()));
        }
        List<Integer> ids = new ArrayList<>();
        node.forEach(id -> ids.add(index("trainable_token_indices", id, model.vocabulary())));
        if (Set.copyOf(ids).size() < ids.size()) {
            throw file.wrong("trainable_token_indices", "each id once", Excerpt.of(node.toString()));
        }
        return ids;
    }

    private int index(String key, JsonNode node, int end) {
        if (!node.isIntegralNumber() || !node.canConvertToInt() || node.intValue() < 0 || node.intValue() >= end) {
            throw file.wrong(key, "integers from 0 to %d".formatted(end - 1), Excerpt.of(node.toString()));
        }
        return node.intValue();
    }

    private int rank(String key, JsonNode node) {
        if (!node.isIntegralNumber()
                || !node.canConvertToInt()
                || node.intValue() < 1
                || node.intValue() > AdapterConfig.MAX_SIZE) {
            throw file.wrong(key, "an integer from 1 to " + AdapterConfig.MAX_SIZE, Excerpt.of(node.toString()));
        }
        return node.intValue();
    }

    private double alpha(String key, JsonNode node) {
        if (!node.isNumber() || !(Math.abs(node.doubleValue()) <= MAX_ALPHA)) {
            throw file.wrong(key, "a number of at most %.0e".formatted(MAX_ALPHA), Excerpt.of(node.toString()));
        }
        return node.doubleValue();
    }

    private Map<String, JsonNode> pattern(String key) {
        JsonNode node = file.json().get(key);
        if (node == null || node.isNull()) {
            return Map.of();
        }
        if (!node.isObject() || node.size() > MAX_ENTRIES) {
            throw file.wrong(key, "an object of patterns and numbers", Excerpt.of(node.toString()));
        }
        Map<String, JsonNode> patterns = new LinkedHashMap<>();
        node.properties().forEach(entry -> patterns.put(entry.getKey(), entry.getValue()));
        return patterns;
    }

    private List<String> strings(String key) {
        JsonNode node = file.json().get(key);
        if (node == null || node.isNull()) {
            return List.of();
        }
        List<String> texts = new ArrayList<>();
        for (JsonNode one : node) {
            texts.add(one.isTextual() ? one.textValue() : "");
        }
        if (!node.isArray() || node.size() > MAX_ENTRIES || texts.contains("")) {
            throw file.wrong(key, "a list of names", Excerpt.of(node.toString()));
        }
        return texts;
    }
}
