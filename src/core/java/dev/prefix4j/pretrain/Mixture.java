package dev.prefix4j.pretrain;

import dev.prefix4j.InputException;
import dev.prefix4j.text.Tokenizer;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/**
 * The pretraining data: rows of several kinds in given proportions. A row depends only on its index and the seed,
 * so a resumed run reads the same rows as an uninterrupted one.
 */
public final class Mixture {
    /** Kinds of rows. */
    public enum Part {
        /** The text itself: every document once per epoch, reshuffled every epoch, packed end to end. */
        PROSE,
        /** Random tokens or a passage, then the same again: teaches copying. Only the second copy is scored. */
        REPEATS,
        /** Words of a sentence of the text as a record, then the sentence. Only the sentence is scored. */
        SENTENCES,
        /** Invented records of many kinds of entities, then a text that states them. Only the text is scored. */
        FACTS
    }

    private final TokenCorpus corpus;
    private final Map<Part, Double> shares;
    private final Map<Part, RowSource> sources = new EnumMap<>(Part.class);
    private final int length;
    private final long seed;

    // The epoch that was read last.
    private long epoch = -1;
    private int[] epochOrder = {}; // its documents
    private long[] epochStarts = {}; // where each document begins in the epoch

    /** Fills rows of one kind. */
    interface RowSource {
        void fill(RowBuilder row, SplittableRandom random);
    }

    /**
     * @param shares of rows by kind, summing to 1
     * @param length T, tokens in a row
     * @param eos ends documents, and separates source and target
     */
    public Mixture(TokenCorpus corpus, Tokenizer tokenizer, int eos, Map<Part, Double> shares, int length, long seed) {
        this.corpus = corpus;
        this.shares = new EnumMap<>(shares);
        this.length = length;
        this.seed = seed;
        Lexicon lexicon = new Lexicon(corpus, tokenizer, seed);
        sources.put(Part.REPEATS, new Repeats(corpus, tokenizer.vocabularySize(), eos));
        sources.put(Part.SENTENCES, new PairRows(new SentenceRecords(corpus, tokenizer, lexicon), tokenizer, eos));
        sources.put(Part.FACTS, new PairRows(new FactRecords(lexicon), tokenizer, eos));
    }

    /**
     * Parses shares such as {@code prose=0.7,facts=0.3}.
     *
     * @throws InputException if a kind is unknown, a share is not a number in [0, 1], or the sum is not 1
     */
    public static Map<Part, Double> parse(String text) {
        Map<Part, Double> shares = new EnumMap<>(Part.class);
        for (String item : text.split(",", -1)) {
            String[] pair = item.strip().split("=", -1);
            try {
                Part part = Part.valueOf(pair[0].strip().toUpperCase(Locale.ROOT));
                double share = Double.parseDouble(pair[1].strip());
                if (!(share >= 0 && share <= 1) || shares.put(part, share) != null) {
                    throw new IllegalArgumentException();
                }
            } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
                throw new InputException(
                        "mixture: expected kinds with shares, such as prose=0.7,repeats=0.05,sentences=0.1,facts=0.15,"
                                + " found '" + item + "'",
                        e);
            }
        }
        double sum = shares.values().stream().mapToDouble(Double::doubleValue).sum();
        if (Math.abs(sum - 1) > 1e-6) {
            throw new InputException("mixture: expected shares that sum to 1, found " + sum);
        }
        return shares;
    }

    /** In the format of {@link #parse}. */
    public static String format(Map<Part, Double> shares) {
        return shares.entrySet().stream()
                .map(e -> e.getKey().name().toLowerCase(Locale.ROOT) + '=' + e.getValue())
                .collect(Collectors.joining(","));
    }

    /** A row of a run's endless sequence of rows. */
    public Row row(long index) {
        double prose = shares.getOrDefault(Part.PROSE, 0.0);
        long proseBefore = (long) Math.floor(index * prose);
        RowBuilder builder = new RowBuilder(length);
        if ((long) Math.floor((index + 1) * prose) > proseBefore) {
            prose(builder, proseBefore);
            return builder.build();
        }
        SplittableRandom random = new SplittableRandom(seed * 0x9e3779b97f4a7c15L + index);
        double u = random.nextDouble() * (1 - prose);
        Part chosen = null;
        for (Map.Entry<Part, Double> share : shares.entrySet()) {
            if (share.getKey() != Part.PROSE && share.getValue() > 0) {
                chosen = share.getKey();
                u -= share.getValue();
                if (u < 0) {
                    break;
                }
            }
        }
        RowSource source = Objects.requireNonNull(sources.get(chosen), "all parts but prose have a source");
        while (!builder.isFull()) {
            source.fill(builder, random);
        }
        return builder.build();
    }

    /** Epochs of the text after a number of rows. */
    public double epochs(long rows) {
        return rows * shares.getOrDefault(Part.PROSE, 0.0) * length / corpus.tokens();
    }

    private void prose(RowBuilder row, long number) {
        long from = number * length;
        startEpoch(from / corpus.tokens());
        long position = from % corpus.tokens();
        int i = java.util.Arrays.binarySearch(epochStarts, position);
        i = i < 0 ? -i - 2 : i;
        while (!row.isFull()) {
            int document = epochOrder[i];
            long offset = corpus.start(document) + position - epochStarts[i];
            int count = (int) Math.min(length + 1L, corpus.end(document) - offset);
            row.add(corpus.slice(offset, count), true);
            position += count;
            i++;
            if (i == epochOrder.length) { // the last row of an epoch ends with its first document
                i = 0;
                position = 0;
            }
        }
    }

    private void startEpoch(long number) {
        if (number == epoch) {
            return;
        }
        int n = corpus.documents();
        SplittableRandom random = new SplittableRandom(seed + number * 7919);
        epochOrder = new int[n];
        for (int i = 0; i < n; i++) { // Fisher and Yates, inside out
            int j = random.nextInt(i + 1);
            epochOrder[i] = epochOrder[j];
            epochOrder[j] = i;
        }
        epochStarts = new long[n];
        long position = 0;
        for (int i = 0; i < n; i++) {
            epochStarts[i] = position;
            position += corpus.end(epochOrder[i]) - corpus.start(epochOrder[i]);
        }
        epoch = number;
    }
}
