package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.InputException;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.task.ModelName;
import dev.prefix4j.train.RunDirectory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/** The options of a run in its {@code config.json}: written when it starts, restored when it is resumed. */
final class RunOptions {
    /** Options that say how to run, not what: they may differ when a run is resumed. */
    private static final Set<String> NOT_OF_THE_RUN = Set.of(
            OptionNames.OUT,
            OptionNames.RESUME,
            OptionNames.JSON,
            OptionNames.VERBOSE,
            OptionNames.HELP,
            OptionNames.VERSION,
            OptionNames.THREADS,
            OptionNames.DEVICE,
            OptionNames.TENSORBOARD);

    /** Options of the run that may change when it is resumed: its length, and how often it is validated and saved. */
    private static final Set<String> MAY_CHANGE = Set.of(
            OptionNames.STEPS,
            OptionNames.EPOCHS,
            OptionNames.VALID_EVERY,
            OptionNames.PATIENCE,
            OptionNames.SAVE_EVERY);

    private RunOptions() {}

    /** Fails early if the folder cannot be created or written to. */
    static void requireWritable(Path folder) {
        Path existing = folder.toAbsolutePath().normalize();
        while (existing != null && !Files.exists(existing)) {
            existing = existing.getParent();
        }
        if (existing == null || !Files.isDirectory(existing) || !Files.isWritable(existing)) {
            throw new InputException(folder + ": the folder cannot be created: " + existing
                    + (existing != null && Files.isDirectory(existing) ? " cannot be written to" : " is not a folder"));
        }
    }

    /** The options of this run, by name, and the names of those that were set rather than left at their defaults. */
    static ObjectNode describe(CommandSpec spec) {
        ObjectNode config = ConsoleCommand.JSON.createObjectNode();
        List<String> chosen = new ArrayList<>();
        for (OptionSpec option : spec.options()) {
            if (NOT_OF_THE_RUN.contains(option.longestName())) {
                continue;
            }
            Object value = option.getValue();
            String key = key(option);
            if (value != null && isChosen(spec, option)) {
                chosen.add(key);
            }
            switch (value) {
                case null -> {
                    // Not given, no default.
                }
                case Path path -> config.put(key, absolute(path).toString());
                case List<?> list -> {
                    ArrayNode array = config.putArray(key);
                    list.forEach(item -> array.add((item instanceof Path path ? absolute(path) : item).toString()));
                }
                case Integer number -> config.put(key, number);
                case Long number -> config.put(key, number);
                case Double number -> config.put(key, number);
                case Boolean flag -> config.put(key, flag);
                default -> config.put(key, value.toString());
            }
        }
        chosen.forEach(config.putArray(RunDirectory.CHOSEN)::add);
        return config;
    }

    /** The options stored with a run, with those that resuming it changes. */
    static ObjectNode resumed(CommandSpec spec, JsonNode stored) {
        ObjectNode config = stored.deepCopy();
        ObjectNode now = describe(spec);
        Set<String> chosen = new LinkedHashSet<>();
        config.path(RunDirectory.CHOSEN).forEach(key -> chosen.add(key.asText()));
        for (OptionSpec option : spec.options()) {
            if (!MAY_CHANGE.contains(option.longestName())) {
                continue;
            }
            String key = key(option);
            if (!now.has(key)) {
                config.remove(key);
                chosen.remove(key);
            } else if (!now.get(key).equals(config.get(key))) {
                config.set(key, now.get(key));
                chosen.add(key);
            }
        }
        if (config.has(RunDirectory.CHOSEN)) { // an older run has no such list
            chosen.forEach(config.putArray(RunDirectory.CHOSEN)::add);
        }
        return config;
    }

    /** Given on the command line, or changed by a recipe. */
    private static boolean isChosen(CommandSpec spec, OptionSpec option) {
        return spec.commandLine().getParseResult().hasMatchedOption(option)
                || (option.defaultValue() == null && !Objects.equals(option.getValue(), option.initialValue()));
    }

    /**
     * Gives every option the value that the run has; an option that is given again must agree.
     *
     * @param out folder of the run, for messages
     */
    static void restore(CommandSpec spec, ConfigFile stored, Path out) {
        for (OptionSpec option : spec.options()) {
            String name = option.longestName();
            if (NOT_OF_THE_RUN.contains(name)) {
                continue;
            }
            JsonNode node = stored.json().get(key(option));
            if (node != null && node.isNull() && option.type().isPrimitive()) {
                throw stored.wrong(key(option), "a value for " + name, node);
            }
            Object value = node == null || node.isNull() ? null : convert(stored, option, node);
            String wrong = OptionBounds.wrong(option, value);
            if (wrong != null) {
                throw new InputException(out.resolve(RunDirectory.CONFIG) + ": " + wrong);
            }
            if (spec.commandLine().getParseResult().hasMatchedOption(option)) {
                Object given = option.getValue();
                if (!MAY_CHANGE.contains(name) && !comparable(given).equals(value)) {
                    throw new InputException("%s: the run in %s has %s, found %s: leave it out, or start another run"
                            .formatted(name, out, value == null ? "none" : value, given));
                }
            } else if (node != null
                    && !(isLength(name) && spec.commandLine().getParseResult().hasMatchedOption(otherLength(name)))) {
                set(option, value);
            } // a run that is older than the option gets its default
        }
    }

    private static boolean isLength(String name) {
        return name.equals(OptionNames.STEPS) || name.equals(OptionNames.EPOCHS);
    }

    private static String otherLength(String name) {
        return name.equals(OptionNames.STEPS) ? OptionNames.EPOCHS : OptionNames.STEPS;
    }

    private static String key(OptionSpec option) {
        return OptionNames.key(option.longestName());
    }

    private static Path absolute(Path path) {
        return path.toString().startsWith(ModelName.BUILT_IN)
                ? path
                : path.toAbsolutePath().normalize();
    }

    private static Object comparable(Object given) {
        return switch (given) {
            case Path path -> absolute(path);
            case List<?> list -> list.stream().map(RunOptions::comparable).toList();
            default -> given;
        };
    }

    /** Gives an option a value that was not on the command line. */
    static void set(OptionSpec option, @Nullable Object value) {
        try {
            option.setter().set(value);
        } catch (Exception e) {
            throw new IllegalStateException("cannot set " + option.longestName(), e);
        }
    }

    private static Object convert(ConfigFile stored, OptionSpec option, JsonNode node) {
        Class<?> type = option.type();
        boolean nul = node.isTextual()
                ? node.textValue().indexOf(0) >= 0
                : node.isArray() && node.toString().contains("\\u0000");
        if (nul) { // not allowed in file names
            throw stored.wrong(key(option), "a value for " + option.longestName(), node);
        }
        if (type == Path.class && node.isTextual()) {
            return Path.of(node.textValue());
        }
        if (type == List.class && node.isArray()) { // of paths or of texts
            boolean paths = option.auxiliaryTypes()[0] == Path.class;
            List<Object> items = new ArrayList<>();
            node.forEach(item -> items.add(paths ? Path.of(item.asText()) : item.asText()));
            return items;
        }
        if (type == String.class && node.isTextual()) {
            return node.textValue();
        }
        if ((type == int.class || type == Integer.class) && node.isInt()) {
            return node.intValue();
        }
        if ((type == long.class || type == Long.class) && node.canConvertToLong()) {
            return node.longValue();
        }
        if (type == boolean.class && node.isBoolean()) {
            return node.booleanValue();
        }
        if ((type == double.class || type == Double.class) && node.isNumber()) {
            return node.doubleValue();
        }
        throw stored.wrong(key(option), "a value for " + option.longestName(), node);
    }
}
