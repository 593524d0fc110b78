package dev.prefix4j.text;

import dev.prefix4j.InputException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * A source and the texts that people wrote for it.
 *
 * @param source linearized to one text
 * @param targets none where a file has only sources
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

    /** JSON can write half a character, {@code "\\ud800"}, which has no UTF-8 and so no token. */
    private static void requireText(String text, String location) {
        boolean half = text.codePoints().anyMatch(c -> c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE);
        if (half) {
            throw new InputException(location + ": expected Unicode text, found half of a surrogate pair");
        }
    }

    /** A source to write a target for. */
    public static Example ofSource(String source, String location) {
        return new Example(source, List.of(), location);
    }

    /** Equal consecutive sources as one example with all their targets, in order. */
    public static List<Example> distinct(List<Example> examples) {
        return distinct(examples, examples);
    }

    /**
     * Examples whose consecutive {@code keys} have equal sources as one with all their targets, in order.
     *
     * @param keys the same rows in another layout
     */
    public static List<Example> distinct(List<Example> examples, List<Example> keys) {
        List<Example> groups = new ArrayList<>();
        for (int from = 0; from < examples.size(); ) {
            Example first = examples.get(from);
            String key = keys.get(from).source();
            List<String> targets = new ArrayList<>();
            int to = from;
            while (to < examples.size() && keys.get(to).source().equals(key)) {
                targets.addAll(examples.get(to).targets());
                to++;
            }
            groups.add(new Example(first.source(), targets, first.location()));
            from = to;
        }
        return groups;
    }

    /**
     * Draws examples without putting them back.
     *
     * @param count of them, at most as many as there are
     * @return in the order of {@code examples}; the same for the same seed
     * @throws InputException if there are fewer
     */
    public static List<Example> sample(List<Example> examples, int count, long seed) {
        if (count < 1 || count > examples.size()) {
            throw new InputException("sample must be between 1 and the %,d there are, was %,d".formatted(examples.size(), count));
        }
        List<Integer> rows = new ArrayList<>(IntStream.range(0, examples.size()).boxed().toList());
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
