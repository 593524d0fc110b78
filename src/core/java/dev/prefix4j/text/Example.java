package dev.prefix4j.text;

import dev.prefix4j.Excerpt;
import dev.prefix4j.InputException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A source and its target texts.
 *
 * @param source linearized as one text
 * @param targets empty if a file has only sources
 * @param location file and row, for messages
 */
public record Example(String source, List<String> targets, String location) {
    public Example {
        Objects.requireNonNull(location, "location");
        targets = List.copyOf(targets);
        requireText(source, location);
        for (String target : targets) {
            requireText(target, location);
            if (target.isBlank()) {
                throw new InputException(location + ": expected a target, found an empty one");
            }
        }
    }

    /** JSON can contain half a surrogate pair, {@code "\\ud800"}, which has no UTF-8 encoding and so no token. */
    private static void requireText(String text, String location) {
        boolean half = text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        if (half) {
            throw new InputException(location + ": expected Unicode text, found half of a surrogate pair");
        }
    }

    /** A source and its targets, of no file: messages name it by its source. */
    public static Example of(String source, String... targets) {
        return new Example(source, List.of(targets), "'" + Excerpt.of(source) + "'");
    }

    /** A source to write a target for. */
    public static Example ofSource(String source, String location) {
        return new Example(source, List.of(), location);
    }

    /** Groups equal sources, wherever they occur, as one example with all their targets, in the order of their first rows. */
    public static List<Example> distinct(List<Example> examples) {
        return distinct(examples, examples);
    }

    /**
     * Groups examples whose {@code keys} have equal sources as one with all their targets, in the order of their first rows.
     *
     * @param keys the same rows in another layout
     */
    public static List<Example> distinct(List<Example> examples, List<Example> keys) {
        Map<String, Example> firsts = new LinkedHashMap<>();
        Map<String, List<String>> targets = new HashMap<>();
        for (int i = 0; i < examples.size(); i++) {
            String key = keys.get(i).source();
            firsts.putIfAbsent(key, examples.get(i));
            targets.computeIfAbsent(key, _ -> new ArrayList<>())
                    .addAll(examples.get(i).targets());
        }
        return firsts.entrySet().stream()
                .map(group -> new Example(
                        group.getValue().source(),
                        targets.getOrDefault(group.getKey(), List.of()),
                        group.getValue().location()))
                .toList();
    }

    /**
     * Draws examples without replacement.
     *
     * @param count how many, at most all
     * @return in the order of {@code examples}; the same for the same seed
     * @throws InputException if there are fewer
     */
    public static List<Example> sample(List<Example> examples, int count, long seed) {
        if (count < 1 || count > examples.size()) {
            throw new InputException(
                    "sample must be between 1 and the %,d there are, was %,d".formatted(examples.size(), count));
        }
        List<Integer> rows =
                new ArrayList<>(IntStream.range(0, examples.size()).boxed().toList());
        Collections.shuffle(rows, new Random(seed));
        return rows.subList(0, count).stream().sorted().map(examples::get).toList();
    }

    /**
     * An example for each target.
     *
     * @throws InputException if an example has no target
     */
    public static List<Example> pairs(List<Example> examples) {
        List<Example> pairs = new ArrayList<>();
        for (Example example : examples) {
            if (example.targets().isEmpty()) {
                throw new InputException(example.location() + ": expected a target, found none");
            }
            for (String target : example.targets()) {
                pairs.add(new Example(example.source(), List.of(target), example.location()));
            }
        }
        return pairs;
    }
}
