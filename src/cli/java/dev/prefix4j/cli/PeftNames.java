package dev.prefix4j.cli;

import static java.util.Map.entry;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Arguments of Transformers and PEFT, and the options that do the same here (docs/coming-from-peft.md). */
final class PeftNames {
    private static final List<Map.Entry<String, String>> ENTRIES = List.of(
            entry("num_virtual_tokens", OptionNames.PREFIX_LENGTH),
            entry("prefix_projection", OptionNames.REPARAM),
            entry("encoder_hidden_size", OptionNames.HIDDEN),
            entry("r", OptionNames.RANK),
            entry("lora_alpha", OptionNames.ALPHA),
            entry("prompt_tuning_init_text", OptionNames.INIT_WORDS),
            entry("model_name_or_path", OptionNames.MODEL),
            entry("base_model_name_or_path", OptionNames.MODEL),
            entry("train_file", OptionNames.DATA),
            entry("validation_file", OptionNames.VALID),
            entry("max_train_samples", OptionNames.SAMPLE),
            entry("max_eval_samples", OptionNames.VALID_LIMIT),
            entry("max_source_length", OptionNames.MAX_SOURCE_TOKENS),
            entry("output_dir", OptionNames.OUT),
            entry("learning_rate", OptionNames.LR),
            entry("per_device_train_batch_size", OptionNames.BATCH_SIZE),
            entry("per_device_eval_batch_size", OptionNames.BATCH_SIZE),
            entry("num_train_epochs", OptionNames.EPOCHS),
            entry("max_steps", OptionNames.STEPS),
            entry("gradient_accumulation_steps", OptionNames.ACCUMULATE),
            entry("warmup_steps", OptionNames.WARMUP),
            entry("weight_decay", OptionNames.WEIGHT_DECAY),
            entry("max_grad_norm", OptionNames.CLIP),
            entry("label_smoothing_factor", OptionNames.LABEL_SMOOTHING),
            entry("group_by_length", OptionNames.GROUP_BY_LENGTH),
            entry("eval_steps", OptionNames.VALID_EVERY),
            entry("save_steps", OptionNames.SAVE_EVERY),
            entry("early_stopping_patience", OptionNames.PATIENCE),
            entry("gradient_checkpointing", OptionNames.RECOMPUTE),
            entry("resume_from_checkpoint", OptionNames.RESUME),
            entry("data_seed", OptionNames.SAMPLE_SEED),
            entry("adapter_name_or_path", OptionNames.ADAPTER),
            entry("max_new_tokens", OptionNames.MAX_NEW_TOKENS),
            entry("min_new_tokens", OptionNames.MIN_NEW_TOKENS),
            entry("num_beams", OptionNames.BEAMS),
            entry("length_penalty", OptionNames.LENGTH_PENALTY),
            entry("top_k", OptionNames.TOP_K),
            entry("top_p", OptionNames.TOP_P),
            entry("min_p", OptionNames.MIN_P),
            entry("temperature", OptionNames.TEMPERATURE),
            entry("do_sample", OptionNames.TEMPERATURE),
            entry("num_return_sequences", OptionNames.N_BEST),
            entry("repetition_penalty", OptionNames.REPETITION_PENALTY),
            entry("no_repeat_ngram_size", OptionNames.NO_REPEAT_NGRAM));

    private PeftNames() {}

    /** Argument and option, in the order of the page. */
    static Map<String, String> table() {
        Map<String, String> table = new LinkedHashMap<>();
        ENTRIES.forEach(entry -> table.put(entry.getKey(), entry.getValue()));
        return table;
    }

    /**
     * The hint for an unknown option, such as {@code --num_virtual_tokens} or {@code --num-virtual-tokens=5}.
     *
     * @return null if Transformers and PEFT do not have it either
     */
    static @Nullable String hint(String unknown) {
        String name = unknown.replaceFirst("=.*", "")
                .replaceFirst("^-+", "")
                .replace('-', '_')
                .toLowerCase(Locale.ROOT);
        String option = unknown.startsWith("-") ? table().get(name) : null;
        return option == null ? null : "prefix4j calls it " + option + " (docs/coming-from-peft.md)";
    }
}
