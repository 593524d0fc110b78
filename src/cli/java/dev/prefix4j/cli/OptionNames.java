package dev.prefix4j.cli;

/** Names of options that more than one class uses: several commands have them, or a table mentions them. */
final class OptionNames {
    static final String ACCUMULATE = "--accumulate";
    static final String ADAPTER = "--adapter";
    static final String ADAPTER_SHARE = "--adapter-share";
    static final String ALPHA = "--alpha";
    static final String BATCH_SIZE = "--batch-size";
    static final String BATCHES = "--batches";
    static final String BEAMS = "--beams";
    static final String BETA2 = "--beta2";
    static final String BOTTLENECK = "--bottleneck";
    static final String CLIP = "--clip";
    static final String COMPAT = "--compat";
    static final String DATA = "--data";
    static final String DEVICE = "--device";
    static final String DISTINCT = "--distinct";
    static final String DTYPE = "--dtype";
    static final String EPOCHS = "--epochs";
    static final String EXAMPLES = "--examples";
    static final String FINAL_LR = "--final-lr";
    static final String FORMAT = "--format";
    static final String FROM = "--from";
    static final String GROUP_BY_LENGTH = "--group-by-length";
    static final String HEADS = "--heads";
    static final String HELP = "--help";
    static final String HIDDEN = "--hidden";
    static final String HYPS = "--hyps";
    static final String INDUCTION = "--induction";
    static final String INIT = "--init";
    static final String INIT_ADAPTER = "--init-adapter";
    static final String INIT_TEXT = "--init-text";
    static final String INIT_WORDS = "--init-words";
    static final String JSON = "--json";
    static final String LABEL_SMOOTHING = "--label-smoothing";
    static final String LANG = "--lang";
    static final String LAYERS = "--layers";
    static final String LENGTH_PENALTY = "--length-penalty";
    static final String LIMIT = "--limit";
    static final String LR = "--lr";
    static final String MATMUL_PRECISION = "--matmul-precision";
    static final String MAX_NEW_TOKENS = "--max-new-tokens";
    static final String MAX_SOURCE_TOKENS = "--max-source-tokens";
    static final String METHOD = "--method";
    static final String METRICS = "--metrics";
    static final String MIN_NEW_TOKENS = "--min-new-tokens";
    static final String MIN_P = "--min-p";
    static final String MINUTES = "--minutes";
    static final String MIXTURE = "--mixture";
    static final String MODEL = "--model";
    static final String MUON_LR = "--muon-lr";
    static final String N_BEST = "--n-best";
    static final String NEW_TOKENS = "--new-tokens";
    static final String NO_REPEAT_NGRAM = "--no-repeat-ngram";
    static final String NO_REPEAT_NGRAM_IN = "--no-repeat-ngram-in";
    static final String OBJECTIVE = "--objective";
    static final String OUT = "--out";
    static final String PATIENCE = "--patience";
    static final String POSITIONS = "--positions";
    static final String PRECISION = "--precision";
    static final String PREFIX_DROPOUT = "--prefix-dropout";
    static final String PREFIX_LENGTH = "--prefix-length";
    static final String PROMPT = "--prompt";
    static final String RANK = "--rank";
    static final String RAW = "--raw";
    static final String RECIPE = "--recipe";
    static final String RECOMPUTE = "--recompute";
    static final String REPARAM = "--reparam";
    static final String REPETITION_PENALTY = "--repetition-penalty";
    static final String RESUME = "--resume";
    static final String ROWS_AT_ONCE = "--rows-at-once";
    static final String SAMPLE = "--sample";
    static final String SAMPLE_SEED = "--sample-seed";
    static final String SAVE_EVERY = "--save-every";
    static final String SEED = "--seed";
    static final String SOURCE_FIELD = "--source-field";
    static final String STEPS = "--steps";
    static final String STRICT_BASE = "--strict-base";
    static final String TARGET_FIELD = "--target-field";
    static final String TEACHER = "--teacher";
    static final String TEMPERATURE = "--temperature";
    static final String TENSORBOARD = "--tensorboard";
    static final String TEXT = "--text";
    static final String THREADS = "--threads";
    static final String TOKENIZER = "--tokenizer";
    static final String TOP_BLOCKS = "--top-blocks";
    static final String TOP_K = "--top-k";
    static final String TOP_P = "--top-p";
    static final String VALID = "--valid";
    static final String VALID_EVERY = "--valid-every";
    static final String VALID_LIMIT = "--valid-limit";
    static final String VERBOSE = "--verbose";
    static final String VERSION = "--version";
    static final String VOCAB_SIZE = "--vocab-size";
    static final String WARMUP = "--warmup";
    static final String WEIGHT_DECAY = "--weight-decay";
    static final String WIDTH = "--width";

    private OptionNames() {}

    /** What an option is called in files: its name without the dashes. */
    static String key(String option) {
        return option.substring(2);
    }
}
