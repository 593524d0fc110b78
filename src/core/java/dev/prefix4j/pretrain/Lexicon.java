package dev.prefix4j.pretrain;

import dev.prefix4j.text.Tokenizer;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.SplittableRandom;

/** Words of the text, and invented names, places, numbers and other values. */
final class Lexicon {
    private static final int SAMPLES = 1_500;
    private static final int SAMPLE_TOKENS = 200;
    private static final int PHRASE_WORDS = 6;

    private static final String[] ONSETS = {
        "b", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "g", "gr", "h", "j", "k", "l", "m", "n", "p", "pr", "r",
        "s", "sh", "st", "str", "t", "th", "tr", "v", "w", "z", "", "", "qu", "sch", "y"
    };
    private static final String[] VOWELS = {
        "a", "e", "i", "o", "u", "a", "e", "o", "ai", "ea", "ie", "oo", "ou", "é", "y"
    };
    private static final String[] CODAS = {
        "", "", "", "n", "r", "l", "s", "t", "m", "nd", "ck", "rt", "st", "x", "th", "ng", "lli", "ra", "no", "la", "d"
    };
    private static final String[] PLACE_ENDINGS = {
        "ton", "ford", "berg", "ham", "by", "ville", "mouth", "grad", "port", "field"
    };
    private static final String[] HOUSE_WORDS = {
        "House", "Hall", "Bridge", "Court", "Gardens", "Works", "Corner", "Lodge", "Square", "Tower", "Street", "Wood",
        "Cross"
    };

    /** Distinct lower-case words of the text. */
    private final List<String> words;

    Lexicon(TokenCorpus corpus, Tokenizer tokenizer, long seed) {
        SplittableRandom random = new SplittableRandom(seed);
        Set<String> found = new LinkedHashSet<>();
        for (int i = 0; i < SAMPLES; i++) {
            long from = random.nextLong(Math.max(1, corpus.tokens() - SAMPLE_TOKENS));
            for (String word :
                    tokenizer.decode(corpus.slice(from, SAMPLE_TOKENS)).split("\\s+", -1)) {
                if (word.matches("[a-z]{3,10}")) {
                    found.add(word);
                }
            }
        }
        found.add("thing"); // a corpus may be in another script
        this.words = List.copyOf(found);
    }

    static <T> T pick(List<T> list, SplittableRandom random) {
        return list.get(random.nextInt(list.size()));
    }

    private static String pick(String[] list, SplittableRandom random) {
        return list[random.nextInt(list.length)];
    }

    static String capitalize(String word) {
        return word.isEmpty() ? word : word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1);
    }

    /** A lower-case word of the text. */
    String word(SplittableRandom random) {
        return pick(words, random);
    }

    /** An invented word. */
    private static String coinage(SplittableRandom random) {
        StringBuilder word = new StringBuilder();
        for (int syllables = random.nextInt(1, 4); syllables > 0; syllables--) {
            word.append(pick(ONSETS, random)).append(pick(VOWELS, random)).append(pick(CODAS, random));
        }
        return word.length() < 3 ? word + "no" : word.toString();
    }

    private String nameWord(SplittableRandom random) {
        return capitalize(random.nextInt(5) < 3 ? word(random) : coinage(random));
    }

    /** A name of one to three words, such as "Brindle", "The Quiet Lantern", "Soudra House". */
    String name(SplittableRandom random) {
        return switch (random.nextInt(8)) {
            case 0, 1 -> nameWord(random);
            case 2 -> "The " + nameWord(random);
            case 3 -> "The " + nameWord(random) + ' ' + nameWord(random);
            case 4 -> nameWord(random) + ' ' + pick(HOUSE_WORDS, random);
            case 5 -> nameWord(random) + "'s";
            default -> nameWord(random) + ' ' + nameWord(random);
        };
    }

    String person(SplittableRandom random) {
        String last = capitalize(coinage(random));
        return random.nextInt(4) == 0 ? last : capitalize(coinage(random)) + ' ' + last;
    }

    String place(SplittableRandom random) {
        String word = random.nextInt(3) == 0 ? word(random) : coinage(random);
        return capitalize(random.nextBoolean() ? word + pick(PLACE_ENDINGS, random) : word);
    }

    /** A value for a placeholder of {@code facts.txt}. */
    String make(String kind, SplittableRandom random) {
        return switch (kind) {
            case "@name" -> name(random);
            case "@person" -> person(random);
            case "@place" -> place(random);
            case "@word" -> word(random);
            case "@year" -> Integer.toString(random.nextInt(1400, 2026));
            case "@small" -> Integer.toString(random.nextInt(2, 40));
            case "@large" -> large(random);
            case "@money" -> currency(random) + (random.nextInt(1, 99) + (random.nextBoolean() ? " million" : ",000"));
            case "@price" -> price(random);
            case "@stars" -> stars(random);
            case "@length" -> random.nextInt(2, 900) + pick(new String[] {" m", " metres", " feet", " km"}, random);
            case "@phrase" -> phrase(random);
            default -> throw new IllegalArgumentException(kind);
        };
    }

    private static String currency(SplittableRandom random) {
        return pick(new String[] {"£", "£", "$", "€"}, random);
    }

    private static String large(SplittableRandom random) {
        int n = random.nextInt(20, 900);
        return random.nextBoolean() ? Integer.toString(n) : n + ",000";
    }

    private static String price(SplittableRandom random) {
        String c = currency(random);
        int n = random.nextInt(1, 60);
        return switch (random.nextInt(6)) {
            case 0 -> "less than " + c + n;
            case 1 -> "more than " + c + n;
            case 2 -> c + n + '-' + (n + random.nextInt(1, 20));
            case 3 -> "about " + c + n;
            case 4 -> pick(new String[] {"cheap", "moderate", "high", "free", "low"}, random);
            default -> c + n;
        };
    }

    private static String stars(SplittableRandom random) {
        int n = random.nextInt(1, 6);
        return switch (random.nextInt(5)) {
            case 0 -> n + " out of 5";
            case 1 -> n == 1 ? "one star" : n + " stars";
            case 2 -> pick(new String[] {"low", "average", "high", "poor", "excellent", "good"}, random);
            case 3 -> random.nextInt(1, 11) + " out of 10";
            default -> n + "/5";
        };
    }

    private String phrase(SplittableRandom random) {
        List<String> some = new ArrayList<>();
        for (int n = random.nextInt(2, PHRASE_WORDS); n > 0; n--) {
            some.add(word(random));
        }
        return String.join(" ", some);
    }
}
