package dev.prefix4j.pretrain;

import dev.prefix4j.text.Example;
import dev.prefix4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.regex.Pattern;

/**
 * Sentences of the text, preceded by a record of some of their words. Everything in the record is in the sentence, so
 * the model learns to put given words into fluent text. Names are often replaced with invented ones, so that
 * they can only be taken from the record.
 */
final class SentenceRecords implements Function<SplittableRandom, Example> {
    private static final int WINDOW_TOKENS = 220;
    private static final int FEWEST_WORDS = 5;
    private static final int MOST_WORDS = 36;
    private static final int MOST_FIELDS = 7;
    private static final Pattern SENTENCE_END = Pattern.compile("(?<=[.!?][”\"’')]?)\\s+(?=[\\p{Lu}“\"‘])");
    private static final String[] KEYS = {
        "topic", "item", "kind", "what", "thing", "detail", "part", "word", "subject", "about", "of", "with", "type"
    };

    private final TokenCorpus corpus;
    private final Tokenizer tokenizer;
    private final Lexicon lexicon;

    SentenceRecords(TokenCorpus corpus, Tokenizer tokenizer, Lexicon lexicon) {
        this.corpus = corpus;
        this.tokenizer = tokenizer;
        this.lexicon = lexicon;
    }

    /** Words from one index up to another (exclusive), without surrounding punctuation. */
    private record Span(int from, int to, String value) {}

    @Override
    public Example apply(SplittableRandom random) {
        for (int attempt = 0; attempt < 20; attempt++) {
            List<String> sentences = sentences(random);
            if (sentences.isEmpty()) {
                continue;
            }
            String text = Lexicon.pick(sentences, random);
            String[] words = text.split(" ");
            List<Span> spans = spans(words, random);
            if (spans.isEmpty()) {
                continue;
            }
            return record(text, words, spans, random);
        }
        // A text without sentences: only its words.
        String word = lexicon.word(random);
        return new Example("word : " + word, List.of(word), "");
    }

    private List<String> sentences(SplittableRandom random) {
        long from = random.nextLong(Math.max(1, corpus.tokens() - WINDOW_TOKENS));
        String window = tokenizer.decode(corpus.slice(from, WINDOW_TOKENS)).replace('\n', ' ');
        String[] parts = SENTENCE_END.split(window, 0);
        List<String> whole = new ArrayList<>();
        for (int i = 1; i < parts.length - 1; i++) { // the first and the last are incomplete
            String sentence = parts[i].strip().replaceAll("\\s+", " ");
            int words = sentence.split(" ").length;
            if (words >= FEWEST_WORDS && words <= MOST_WORDS && sentence.indexOf('\ufffd') < 0) {
                whole.add(sentence);
            }
        }
        return whole;
    }

    /** Some words of a sentence, in their order, without overlap. */
    private static List<Span> spans(String[] words, SplittableRandom random) {
        int wanted = random.nextInt(1, Math.min(MOST_FIELDS, 1 + words.length / 3) + 1);
        boolean[] taken = new boolean[words.length];
        List<Span> spans = new ArrayList<>();
        for (int attempt = 0; attempt < 4 * wanted && spans.size() < wanted; attempt++) {
            int from = random.nextInt(words.length);
            if (taken[from] || !isContent(words[from], from)) {
                continue;
            }
            int to = from + 1;
            int longest = isName(words[from], from) ? 4 : random.nextInt(1, 4);
            while (to < words.length
                    && to - from < longest
                    && !taken[to]
                    && !words[to - 1].matches(".*\\p{P}")
                    && (!isName(words[from], from) || isName(words[to], to))) {
                to++;
            }
            String value = strip(String.join(" ", List.of(words).subList(from, to)));
            if (value.isEmpty() || value.contains("|")) {
                continue;
            }
            for (int i = from; i < to; i++) {
                taken[i] = true;
            }
            spans.add(new Span(from, to, value));
        }
        spans.sort(Comparator.comparingInt(Span::from));
        return spans;
    }

    private static boolean isName(String word, int at) {
        return at > 0
                && Character.isUpperCase(strip(word).codePoints().findFirst().orElse(' '))
                && strip(word).length() > 1;
    }

    private static boolean isContent(String word, int at) {
        String bare = strip(word);
        return isName(word, at) || bare.length() >= 4 || bare.chars().anyMatch(Character::isDigit);
    }

    private static String strip(String text) {
        return text.replaceAll("^[^\\p{L}\\p{N}£$€]+|[^\\p{L}\\p{N}]+$", "");
    }

    private Example record(String text, String[] words, List<Span> spans, SplittableRandom random) {
        boolean rename = random.nextBoolean();
        int keys = random.nextInt(3);
        List<RecordStyle.Field> fields = new ArrayList<>();
        for (Span span : spans) {
            String value = span.value();
            if (rename && isName(words[span.from()], span.from())) {
                String other = lexicon.name(random);
                text = text.replace(value, other);
                value = other;
            }
            fields.add(new RecordStyle.Field(key(keys, words, span, random), value));
        }
        String sentence = text;
        fields.removeIf(field -> !sentence.contains(field.value())); // a name that is part of another
        if (fields.isEmpty()) {
            fields.add(new RecordStyle.Field("text", sentence));
        }
        if (random.nextBoolean()) {
            Collections.shuffle(fields, Random.from(random));
        }
        return new Example(RecordStyle.random(random).write(fields), List.of(sentence), "");
    }

    private String key(int kind, String[] words, Span span, SplittableRandom random) {
        if (kind == 0) { // what precedes or follows it
            int near = span.from() > 0 && random.nextInt(4) > 0 ? span.from() - 1 : span.to();
            String word = near < words.length ? strip(words[near]).toLowerCase(Locale.ROOT) : "";
            if (word.length() > 1) {
                return word;
            }
        }
        if (kind == 1) {
            if (isName(words[span.from()], span.from())) {
                return "name";
            }
            if (span.value().matches("[£$€]?[\\d.,]+")) {
                return "number";
            }
            return KEYS[random.nextInt(KEYS.length)];
        }
        return lexicon.word(random);
    }
}
