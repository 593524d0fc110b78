package dev.prefix4j.method;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import dev.prefix4j.Named;
import dev.prefix4j.model.ConfigFile;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The keys of {@code adapter_config.json} (PEFT 0.21 and ours), and whether each changes a result: never, only with values other than its
 * neutral ones, or in a way that is applied. Any other key is an error that names it, unless its value turns it off.
 */
final class PeftKeys {
    /** For every type. The base model's name and revision do not change a result; they are compared elsewhere. */
    private static final Keys COMMON = new Keys()
            .harmless("auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision")
            .applied("peft_type", "task_type");

    private static final Keys VIRTUAL_TOKENS = COMMON.and()
            .applied("num_virtual_tokens", "token_dim", "num_attention_heads", "num_layers")
            .neutral("num_transformer_submodules", "1")
            .neutral("modules_to_save");

    private static final Map<String, Keys> TYPES = Map.of(
            "PREFIX_TUNING",
            VIRTUAL_TOKENS.and().harmless("prefix_projection", "encoder_hidden_size", "init_weights"),
            "PROMPT_TUNING",
            VIRTUAL_TOKENS
                    .and()
                    .harmless(
                            "prompt_tuning_init",
                            "prompt_tuning_init_text",
                            "tokenizer_name_or_path",
                            "tokenizer_kwargs"),
            "P_TUNING",
            VIRTUAL_TOKENS
                    .and()
                    .harmless(
                            "encoder_reparameterization_type",
                            "encoder_hidden_size",
                            "encoder_num_layers",
                            "encoder_dropout"),
            "CARTRIDGE",
            VIRTUAL_TOKENS.and().harmless("num_frozen_tokens"),
            "LORA",
            COMMON.and()
                    .applied(
                            "r",
                            "lora_alpha",
                            "use_rslora",
                            "rank_pattern",
                            "alpha_pattern",
                            "target_modules",
                            "exclude_modules")
                    .applied(
                            "layers_to_transform", "layers_pattern", "bias", "lora_bias", "use_dora", "modules_to_save")
                    .applied("trainable_token_indices", "ensure_weight_tying")
                    // for training, for initial values that the file's replace, or for parallel machines
                    .harmless("lora_dropout", "loftq_config", "eva_config", "corda_config", "lora_ga_config")
                    .harmless("megatron_core", "qalora_group_size", "runtime_config", "velora_config")
                    .harmless("fan_in_fan_out") // PEFT itself corrects it for GPT-2's maps
                    // other values change the base's own weights when the adapter is injected
                    .neutral("init_lora_weights", "true", "false", "\"gaussian\"", "\"eva\"", "\"orthogonal\"")
                    .neutral("layer_replication")
                    .neutral("megatron_config")
                    .neutral("alora_invocation_tokens")
                    .neutral("use_qalora", "false")
                    .neutral("monteclora_config")
                    .neutral("target_parameters")
                    .neutral("use_bdlora", "false")
                    .neutral("arrow_config")
                    .neutral("kasa_config"),
            AdapterConfig.OURS,
            VIRTUAL_TOKENS
                    .and()
                    .applied(AdapterConfig.METHOD, "first_layer", "last_layer", "blocks", "bottleneck", "tokens"));

    private PeftKeys() {}

    /** The supported types. */
    static Set<String> types() {
        return TYPES.keySet();
    }

    /**
     * Checks every key of a configuration.
     *
     * @param type one of {@link #types}
     * @throws InputException naming the first key that may change the result and is not applied
     */
    static void check(ConfigFile file, String type) {
        Keys keys = Named.get(TYPES, type);
        file.json().properties().forEach(entry -> {
            Optional<List<String>> neutral = keys.neutralValues(entry.getKey());
            JsonNode value = entry.getValue();
            if (keys.isKnown(entry.getKey())
                    || isOff(value)
                    || (neutral.isPresent() && neutral.get().contains(value.toString()))) {
                return;
            }
            if (neutral.isPresent()) {
                List<String> values = neutral.get();
                throw file.wrong(
                        entry.getKey(),
                        (values.isEmpty() ? "null" : String.join(", ", values)) + " (nothing else is supported)",
                        Excerpt.of(value.toString()));
            }
            throw new InputException(
                    "%s: key '%s': unknown for %s, and may change the result: expected a key of PEFT 0.21, found %s"
                            .formatted(file.file(), Excerpt.of(entry.getKey()), type, Excerpt.of(value.toString())));
        });
    }

    /** Whether a value turns its key off: null, false, or empty. */
    private static boolean isOff(JsonNode value) {
        return value.isNull()
                || (value.isBoolean() && !value.booleanValue())
                || (value.isContainerNode() && value.isEmpty());
    }

    /** Known keys, whose values are not checked here, and keys with neutral values, as JSON. */
    private static final class Keys {
        private final Map<String, List<String>> neutral = new HashMap<>();
        private final Set<String> known = new HashSet<>();

        /** A copy to add to. */
        Keys and() {
            Keys copy = new Keys();
            copy.neutral.putAll(neutral);
            copy.known.addAll(known);
            return copy;
        }

        Keys harmless(String... keys) {
            known.addAll(List.of(keys));
            return this;
        }

        Keys applied(String... keys) {
            known.addAll(List.of(keys));
            return this;
        }

        /** null, false and empty values are neutral too. */
        Keys neutral(String key, String... values) {
            neutral.put(key, List.of(values));
            return this;
        }

        boolean isKnown(String key) {
            return known.contains(key);
        }

        Optional<List<String>> neutralValues(String key) {
            return Optional.ofNullable(neutral.get(key));
        }
    }
}
