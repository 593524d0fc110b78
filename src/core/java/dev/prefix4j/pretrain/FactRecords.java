package dev.prefix4j.pretrain;

import dev.prefix4j.text.Example;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Invented records and texts that state them, generated from {@code facts.txt}: kinds of entities, their attributes,
 * and phrases for them, joined into one to three sentences in many ways.
 */
final class FactRecords implements Function<SplittableRandom, Example> {
    private static final String FILE = "facts.txt";
    private static final int MOST_ATTRIBUTES = 7;

    /** The grammatical position of a phrase. */
    private enum Place {
        VERB,
        AFTER,
        BEFORE
    }

    /** @param when the value that it applies to; null: any */
    private record Phrase(
            Place place, String text, @Nullable String when) {}

    private record Attribute(List<String> keys, List<String> values, boolean isNoun, List<Phrase> phrases) {}

    private record Kind(List<String> nouns, List<Attribute> attributes) {}

    /** A phrase with its value in place. */
    private record Said(Place place, String text) {}

    private final Lexicon lexicon;
    private final List<Kind> kinds;

    FactRecords(Lexicon lexicon) {
        this.lexicon = lexicon;
        this.kinds = read();
    }

    private static List<Kind> read() {
        List<Kind> kinds = new ArrayList<>();
        try (BufferedReader in = new BufferedReader(
                new InputStreamReader(FactRecords.class.getResourceAsStream(FILE), StandardCharsets.UTF_8))) {
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                if (line.isBlank() || line.startsWith("#")) {
                    continue;
                }
                if (line.startsWith("[")) {
                    kinds.add(new Kind(list(line.substring(1, line.indexOf(']')), ","), new ArrayList<>()));
                } else if (!line.startsWith(" ")) {
                    String[] pair = line.split(" = ", 2);
                    List<String> keys = list(pair[0], ",");
                    kinds.getLast().attributes().add(new Attribute(keys, list(pair[1], ";"), false, new ArrayList<>()));
                } else {
                    addPhrase(kinds.getLast().attributes(), line.strip());
                }
            }
            return kinds;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> list(String text, String separator) {
        return List.of(text.strip().split("\\s*" + separator + "\\s*"));
    }

    private static void addPhrase(List<Attribute> attributes, String line) {
        Attribute last = attributes.removeLast();
        if (line.equals("t")) {
            attributes.add(new Attribute(last.keys(), last.values(), true, last.phrases()));
            return;
        }
        String when = null;
        String rest = line;
        if (line.startsWith("yes ") || line.startsWith("no ")) {
            when = line.substring(0, line.indexOf(' '));
            rest = line.substring(when.length() + 1);
        }
        Place place = switch (rest.charAt(0)) {
            case 'v' -> Place.VERB;
            case 'p' -> Place.AFTER;
            case 'j' -> Place.BEFORE;
            default -> throw new IllegalStateException(FILE + ": " + line);
        };
        last.phrases().add(new Phrase(place, rest.substring(2), when));
        attributes.add(last);
    }

    @Override
    public Example apply(SplittableRandom random) {
        Kind kind = Lexicon.pick(kinds, random);
        boolean person = kind.nouns().contains("person");
        String name = person ? lexicon.person(random) : lexicon.name(random);
        String noun = Lexicon.pick(kind.nouns(), random);
        List<Attribute> attributes = new ArrayList<>(kind.attributes());
        Collections.shuffle(attributes, Random.from(random));
        int count = random.nextInt(1, MOST_ATTRIBUTES + 1);
        List<RecordStyle.Field> fields = new ArrayList<>();
        List<Said> said = new ArrayList<>();
        for (Attribute attribute : attributes.subList(0, Math.min(count, attributes.size()))) {
            String value = Lexicon.pick(attribute.values(), random);
            value = value.startsWith("@") ? lexicon.make(value, random) : value;
            String written = attribute.isNoun() && random.nextInt(3) == 0 ? Lexicon.capitalize(value) : value;
            fields.add(new RecordStyle.Field(key(Lexicon.pick(attribute.keys(), random), random), written));
            if (attribute.isNoun()) {
                noun = value;
            } else {
                say(attribute, value, random, said);
            }
        }
        RecordStyle.Field named = new RecordStyle.Field(random.nextInt(4) > 0 ? "name" : "Name", name);
        if (random.nextInt(4) > 0) {
            fields.addFirst(named);
        } else {
            fields.add(random.nextInt(fields.size() + 1), named);
        }
        Collections.shuffle(said, Random.from(random));
        String text = new Realizer(name, noun, person, said, random).text();
        return new Example(RecordStyle.random(random).write(fields), List.of(text), "");
    }

    private static void say(Attribute attribute, String value, SplittableRandom random, List<Said> said) {
        List<Phrase> fitting = attribute.phrases().stream()
                .filter(phrase -> phrase.when() == null || phrase.when().equals(value))
                .toList();
        Phrase phrase = Lexicon.pick(fitting, random);
        said.add(new Said(phrase.place(), phrase.text().replace("{}", value)));
    }

    /** {@code home port} also as {@code homePort}, {@code home_port}, {@code Home Port}. */
    private static String key(String key, SplittableRandom random) {
        String[] words = key.split(" ");
        if (words.length == 1) {
            return random.nextInt(8) == 0 ? Lexicon.capitalize(key) : key;
        }
        return switch (random.nextInt(4)) {
            case 0 -> {
                StringBuilder camel = new StringBuilder(words[0]);
                for (int i = 1; i < words.length; i++) {
                    camel.append(Lexicon.capitalize(words[i]));
                }
                yield camel.toString();
            }
            case 1 -> String.join("_", words);
            default -> key;
        };
    }

    /** Joins phrases into sentences. */
    private static final class Realizer {
        private final String name;
        private final String noun;
        private final String pronoun;
        private final String relative;
        private final SplittableRandom random;
        private final List<String> before = new ArrayList<>();
        private final List<String> after = new ArrayList<>();
        private final List<String> verbs = new ArrayList<>();

        Realizer(String name, String noun, boolean person, List<Said> said, SplittableRandom random) {
            this.pronoun = !person
                    ? "It"
                    : noun.equals("man") || (!noun.equals("woman") && random.nextBoolean()) ? "He" : "She";
            this.relative = person ? "who" : "which";
            this.name = name;
            this.noun = noun;
            this.random = random;
            for (Said one : said) {
                switch (one.place()) {
                    case BEFORE -> before.add(one.text());
                    case AFTER -> after.add(one.text());
                    case VERB -> verbs.add(one.text());
                }
            }
        }

        String text() {
            List<String> sentences = new ArrayList<>();
            sentences.add(first());
            while (!verbs.isEmpty() || !after.isEmpty()) {
                sentences.add(next());
            }
            return String.join(" ", sentences);
        }

        private String first() {
            int form = random.nextInt(verbs.isEmpty() ? 4 : 7);
            return switch (form) {
                case 0 -> "There is " + describe(true) + " called " + name + ".";
                case 1 -> {
                    String front = after.isEmpty() ? "" : Lexicon.capitalize(after.removeFirst()) + ", ";
                    yield front + name + " is " + describe(false) + that() + ".";
                }
                case 4 -> name + ", " + describe(true) + ", " + verb() + ".";
                case 5 -> "The " + bare(describe(false)) + " " + name + " " + verb() + ".";
                case 6 -> name + " is " + describe(true) + " and " + verb() + ".";
                default -> name + " is " + describe(true) + that() + ".";
            };
        }

        /** The noun with all adjectives and some of the phrases that can follow it. */
        private String describe(boolean withAfter) {
            StringBuilder text = new StringBuilder();
            String core = before.isEmpty() ? noun : String.join(", ", before) + " " + noun;
            text.append("aeiou".indexOf(Character.toLowerCase(core.charAt(0))) >= 0 ? "an " : "a ")
                    .append(core);
            for (int n = withAfter ? random.nextInt(3) : 0; n > 0 && !after.isEmpty(); n--) {
                text.append(' ').append(after.removeFirst());
            }
            before.clear();
            return text.toString();
        }

        private static String bare(String described) {
            return described.substring(described.indexOf(' ') + 1);
        }

        private String that() {
            return verbs.isEmpty() || random.nextBoolean()
                    ? ""
                    : (random.nextBoolean() ? " that " : ", " + relative + " ") + verb();
        }

        /** One or two verb phrases; at least one must be left. */
        private String verb() {
            String one = verbs.removeFirst();
            return verbs.isEmpty() || random.nextBoolean() ? one : one + " and " + verbs.removeFirst();
        }

        private String next() {
            String subject = switch (random.nextInt(5)) {
                case 0 -> name;
                case 1 -> "The " + noun;
                default -> pronoun;
            };
            if (verbs.isEmpty()) {
                String one = after.removeFirst();
                return subject + " is " + (after.isEmpty() ? one : one + " and " + after.removeFirst()) + ".";
            }
            if (!after.isEmpty() && random.nextInt(3) == 0) {
                return Lexicon.capitalize(after.removeFirst()) + ", " + lower(subject) + " " + verb() + ".";
            }
            return subject + " " + verb() + ".";
        }

        private String lower(String subject) {
            return subject.equals(name) ? name : Character.toLowerCase(subject.charAt(0)) + subject.substring(1);
        }
    }
}
