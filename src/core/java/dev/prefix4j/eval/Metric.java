package dev.prefix4j.eval;

import dev.prefix4j.InputException;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** The metrics; {@code docs/metrics.md} has the sources. */
public enum Metric {
    BLEU("bleu", "BLEU"),
    E2E_BLEU("e2e-bleu", "BLEU (E2E mteval)"),
    NIST("nist", "NIST-5 (E2E mteval)"),
    METEOR("meteor", "METEOR (" + Meteor.STAGES + ")"),
    ROUGE_1("rouge-1", "ROUGE-1 (F1)"),
    ROUGE_2("rouge-2", "ROUGE-2 (F1)"),
    ROUGE_L("rouge-l", "ROUGE-L (F1)"),
    ROUGE_LSUM("rouge-lsum", "ROUGE-Lsum (F1)"),
    COCO_ROUGE_L("coco-rouge-l", "ROUGE-L (COCO)"),
    CIDER("cider", "CIDEr (COCO)"),
    TER("ter", "TER"),
    CHRF("chrf", "chrF2");

    private final String key;
    private final String label;

    Metric(String key, String label) {
        this.key = key;
        this.label = label;
    }

    /**
     * Parses names.
     *
     * @param names comma-separated, or {@code all}
     * @throws InputException if one is unknown
     */
    public static Set<Metric> parse(String names) {
        if (names.strip().equalsIgnoreCase("all")) {
            return EnumSet.allOf(Metric.class);
        }
        Set<Metric> metrics = EnumSet.noneOf(Metric.class);
        for (String name : names.split(",", -1)) {
            metrics.add(Arrays.stream(values())
                    .filter(metric -> metric.key.equals(name.strip().toLowerCase(Locale.ROOT)))
                    .findFirst()
                    .orElseThrow(() -> new InputException("metrics: expected all or some of "
                            + Arrays.stream(values()).map(Metric::key).collect(Collectors.joining(","))
                            + ", found '" + name + "'")));
        }
        return metrics;
    }

    /** Its name in options and in JSON. */
    public String key() {
        return key;
    }

    /** Its display name, including what it leaves out. */
    public String label() {
        return label;
    }

    /** Whether higher scores are better. */
    public boolean higherIsBetter() {
        return this != TER;
    }

    /**
     * The metric for the references of a corpus.
     *
     * @param references for each segment, at least one
     * @param bleu how {@link #BLEU} is computed
     * @throws InputException if there are no segments, or one has no reference
     */
    public Scorer over(List<List<String>> references, Bleu bleu) {
        if (references.isEmpty()) {
            throw new InputException(label + ": expected at least one segment, found none");
        }
        int empty = references.indexOf(List.of());
        if (empty >= 0) {
            throw new InputException("%s: segment %d: expected a reference, found none".formatted(label, empty + 1));
        }
        return switch (this) {
            case BLEU -> new BleuScorer(bleu, references);
            case E2E_BLEU -> new MtevalBleu(references);
            case NIST -> new MtevalNist(references);
            case METEOR -> new Meteor(references);
            case ROUGE_1 -> new Rouge(Rouge.Variant.UNIGRAMS, references);
            case ROUGE_2 -> new Rouge(Rouge.Variant.BIGRAMS, references);
            case ROUGE_L -> new Rouge(Rouge.Variant.LONGEST_COMMON_SUBSEQUENCE, references);
            case ROUGE_LSUM -> new RougeLsum(references);
            case COCO_ROUGE_L -> new CocoRougeL(references);
            case CIDER -> new Cider(references);
            case TER -> new Ter(references);
            case CHRF -> new ChrF(references);
        };
    }
}
