package dev.prefix4j.cli;

import static java.util.Map.entry;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Arguments of Transformers and PEFT, and the options that do the same here (docs/coming-from-peft.md). */
final class PeftNames {
    private static final List<Map.Entry<String, String>> ENTRIES = List.of(
            entry("num_virtual_tokens", "--prefix-length"),
            entry("prefix_projection", "--reparam"),
            entry("encoder_hidden_size", "--hidden"),
            entry("r", "--rank"),
            entry("lora_alpha", "--alpha"),
            entry("prompt_tuning_init_text", "--init-words"),
            entry("model_name_or_path", "--model"),
            entry("base_model_name_or_path", "--model"),
            entry("train_file", "--data"),
            entry("validation_file", "--valid"),
            entry("max_train_samples", "--sample"),
            entry("max_eval_samples", "--valid-limit"),
            entry("max_source_length", "--max-source-tokens"),
            entry("output_dir", "--out"),
            entry("learning_rate", "--lr"),
            entry("per_device_train_batch_size", "--batch-size"),
            entry("per_device_eval_batch_size", "--batch-size"),
            entry("num_train_epochs", "--epochs"),
            entry("max_steps", "--steps"),
            entry("gradient_accumulation_steps", "--accumulate"),
            entry("warmup_steps", "--warmup"),
            entry("weight_decay", "--weight-decay"),
            entry("max_grad_norm", "--clip"),
            entry("label_smoothing_factor", "--label-smoothing"),
            entry("group_by_length", "--group-by-length"),
            entry("eval_steps", "--valid-every"),
            entry("save_steps", "--save-every"),
            entry("early_stopping_patience", "--patience"),
            entry("gradient_checkpointing", "--recompute"),
            entry("resume_from_checkpoint", "--resume"),
            entry("data_seed", "--sample-seed"),
            entry("adapter_name_or_path", "--adapter"),
            entry("max_new_tokens", "--max-new-tokens"),
            entry("min_new_tokens", "--min-new-tokens"),
            entry("num_beams", "--beams"),
            entry("length_penalty", "--length-penalty"),
            entry("top_k", "--top-k"),
            entry("top_p", "--top-p"),
            entry("min_p", "--min-p"),
            entry("temperature", "--temperature"),
            entry("do_sample", "--temperature"),
            entry("num_return_sequences", "--n-best"),
            entry("repetition_penalty", "--repetition-penalty"),
            entry("no_repeat_ngram_size", "--no-repeat-ngram"));

    private PeftNames() {}

    /** Argument and option, in the order of the page. */
    static Map<String, String> table() {
        Map<String, String> table = new LinkedHashMap<>();
        ENTRIES.forEach(entry -> table.put(entry.getKey(), entry.getValue()));
        return table;
    }

    /**
     * What to say of an option that does not exist, such as {@code --num_virtual_tokens} or {@code --num-virtual-tokens=5}.
     *
     * @return null if it is nobody's argument
     */
    static String hint(String unknown) {
        String name = unknown.replaceFirst("=.*", "")
                .replaceFirst("^-+", "")
                .replace('-', '_')
                .toLowerCase(Locale.ROOT);
        String option = unknown.startsWith("-") ? table().get(name) : null;
        return option == null ? null : "prefix4j calls it " + option + " (docs/coming-from-peft.md)";
    }
}
