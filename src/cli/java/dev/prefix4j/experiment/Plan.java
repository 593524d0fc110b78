package dev.prefix4j.experiment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.cfg.JsonNodeFeature;
import com.fasterxml.jackson.databind.node.TextNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.JsonFile;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.yaml.snakeyaml.LoaderOptions;

/**
 * A declared grid of runs, read from YAML:
 *
 * <pre>
 * name: prefix length
 * remark: what the paper found, and what differs here
 * train: {model: builtin:tiny, data: builtin:e2e/train, valid: builtin:e2e/valid, steps: 300}
 * test: builtin:e2e/test
 * generate: {beams: 5}
 * metrics: [bleu, rouge-l]
 * variants:
 *   - {name: prefix, method: prefix}
 *   - {name: embedding only, method: embedding, lr: 1e-2}
 * grid: {prefix-length: [1, 5, 20], seed: [1, 2, 3]}
 * </pre>
 *
 * <p>Keys under {@code train}, in variants and in the grid are options of {@code train}; those under {@code generate} of
 * {@code generate}. Later ones take precedence: train, variant, grid. Every variant is run with every combination of the grid.
 *
 * <p>Instead of one test file there can be a map of several: {@code test: {seen: FILE, unseen: FILE}}.
 *
 * <p>{@code claims: [prefix > embedding only]} are checked when the runs have finished ({@link Claim}).
 *
 * @param tests data that every run is scored on, by name; a single one has the name ""
 */
public record Plan(
        String name,
        String remark,
        Map<String, String> train,
        Map<String, String> tests,
        Map<String, String> generate,
        List<String> metrics,
        List<Map<String, String>> variants,
        Map<String, List<String>> grid,
        List<Claim> claims) {
    private static final int MAX_BYTES = 1 << 20;
    private static final int MAX_RUNS = 10_000;

    /** The most digits of a number: 1e1000000000 would be written out. */
    private static final int MAX_DIGITS = 100;

    /** The axis over which a table averages. */
    static final String SEED = "seed";

    private static final Set<String> KEYS =
            Set.of("name", "remark", "train", "test", "generate", "metrics", "variants", "grid", "claims");

    /** Options of train that the sweep itself sets. */
    private static final Set<String> RESERVED = Set.of("out", "resume", "json", "help");

    /** Options of generate that the sweep itself sets for each run. */
    private static final Set<String> GIVEN = Set.of("model", "adapter", "prefix", "data", "prompt");

    /**
     * A run of a plan.
     *
     * @param folder its name within the sweep's folder
     * @param variant name of its variant
     * @param point values of the grid, by key
     * @param options of {@code train}
     */
    public record Run(String folder, String variant, Map<String, String> point, Map<String, String> options) {}

    /** @throws InputException if the file is missing or is not a plan */
    public static Plan read(Path file) {
        InputFile.require(file, "a plan in YAML");
        try {
            if (Files.size(file) > MAX_BYTES) {
                throw new InputException(
                        file + ": expected a plan of at most 1 MiB, found " + Files.size(file) + " bytes");
            }
            FileKind.requireText(file, "a plan in YAML", Files.readAllBytes(file));
            LoaderOptions limits = new LoaderOptions();
            limits.setMaxAliasesForCollections(20);
            limits.setCodePointLimit(MAX_BYTES);
            JsonNode root = YAMLMapper.builder(
                            YAMLFactory.builder().loaderOptions(limits).build())
                    .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS) // 3e-4 is 0.0003, not 3.0E-4
                    .disable(JsonNodeFeature.STRIP_TRAILING_BIGDECIMAL_ZEROES)
                    .build()
                    .readTree(Files.readString(file));
            return new Reader(file).plan(root);
        } catch (JsonProcessingException e) {
            String line = e.getLocation() == null ? "" : ":" + e.getLocation().getLineNr();
            throw new InputException(file + line + ": invalid YAML: " + JsonFile.reason(e), e);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    private Plan with(List<Claim> given) {
        return new Plan(name, remark, train, tests, generate, metrics, variants, grid, List.copyOf(given));
    }

    /** Names of the scores: a metric, and the test's name if it has one. */
    public List<String> scores() {
        return tests.keySet().stream()
                .flatMap(test -> metrics.stream().map(metric -> score(metric, test)))
                .toList();
    }

    /** As in {@link #scores}. */
    public static String score(String metric, String test) {
        return test.isEmpty() ? metric : metric + "-" + test;
    }

    /** All runs: variants in their order, and for each the grid, its last key fastest. */
    public List<Run> runs() {
        List<Map<String, String>> points = new ArrayList<>(List.of(Map.of()));
        for (var axis : grid.entrySet()) {
            List<Map<String, String>> longer = new ArrayList<>();
            for (Map<String, String> point : points) {
                for (String value : axis.getValue()) {
                    Map<String, String> next = new LinkedHashMap<>(point);
                    next.put(axis.getKey(), value);
                    longer.add(next);
                }
            }
            points = longer;
        }
        List<Run> runs = new ArrayList<>();
        for (Map<String, String> variant : variants) {
            String name = variantName(variant);
            for (Map<String, String> point : points) {
                Map<String, String> options = new LinkedHashMap<>(train);
                options.putAll(variant);
                options.remove("name");
                options.putAll(point);
                StringBuilder folder = new StringBuilder(slug(name));
                point.forEach((key, value) ->
                        folder.append('_').append(slug(key)).append('-').append(slug(value)));
                runs.add(new Run(folder.toString(), name, point, options));
            }
        }
        return runs;
    }

    /** The name of a variant, which each has. */
    static String variantName(Map<String, String> variant) {
        return Objects.requireNonNull(variant.get("name"), "name");
    }

    private static String slug(String text) {
        return text.toLowerCase(java.util.Locale.ROOT)
                .replaceAll("[^a-z0-9.]+", "-")
                .replaceAll("^-|-$", "");
    }

    private record Reader(Path file) {
        Plan plan(JsonNode root) {
            if (root == null || !root.isObject()) {
                throw new InputException(file + ": expected a plan in YAML, found something else");
            }
            root.fieldNames().forEachRemaining(key -> {
                if (!KEYS.contains(key)) {
                    throw wrong(key, "a key among " + new java.util.TreeSet<>(KEYS), root.get(key));
                }
            });
            List<Map<String, String>> variants = new ArrayList<>();
            Set<String> names = new LinkedHashSet<>();
            JsonNode list = root.path("variants");
            if (list.isMissingNode()) {
                variants.add(Map.of("name", "run"));
            } else if (!list.isArray() || list.isEmpty()) {
                throw wrong("variants", "a list of maps", list);
            }
            for (JsonNode item : list) {
                Map<String, String> variant = options("variants", item);
                if (!variant.containsKey("name") || !names.add(slug(variantName(variant)))) {
                    throw wrong("variants", "a different name for each", item);
                }
                variants.add(variant);
            }
            Map<String, List<String>> grid = new LinkedHashMap<>();
            for (var axis : object("grid", root.path("grid")).properties()) {
                List<String> values = strings("grid." + axis.getKey(), axis.getValue());
                requireOption("grid", axis.getKey());
                if (values.isEmpty() || new LinkedHashSet<>(values).size() < values.size()) {
                    throw wrong("grid." + axis.getKey(), "different values", axis.getValue());
                }
                grid.put(axis.getKey(), values);
            }
            long runs = variants.size();
            for (List<String> values : grid.values()) {
                runs *= values.size();
                if (runs > MAX_RUNS) {
                    throw new InputException(file + ": expected at most " + MAX_RUNS + " runs, found more");
                }
            }
            Plan plan = new Plan(
                    root.path("name").asText(file.getFileName().toString()),
                    root.path("remark").asText(""),
                    options("train", root.path("train")),
                    tests(root.get("test")),
                    generation(root.path("generate")),
                    metrics(root.path("metrics")),
                    List.copyOf(variants),
                    grid,
                    List.of());
            Set<String> folders = new LinkedHashSet<>();
            for (Run run : plan.runs()) {
                if (slug(run.variant()).isEmpty() || !folders.add(run.folder())) {
                    throw new InputException(
                            "%s: expected variants and grid values that differ in their letters or digits, found two runs '%s'"
                                    .formatted(file, run.folder()));
                }
            }
            return plan.with(claims(plan, root.path("claims")));
        }

        private List<String> metrics(JsonNode node) {
            List<String> metrics = node.isMissingNode() ? List.of("bleu") : strings("metrics", node);
            if (metrics.isEmpty()) {
                throw wrong("metrics", "at least one", node);
            }
            return metrics;
        }

        private List<Claim> claims(Plan plan, JsonNode node) {
            List<Claim> claims = new ArrayList<>();
            List<String> names =
                    plan.variants().stream().map(variant -> variant.get("name")).toList();
            for (String text : node.isMissingNode() ? List.<String>of() : strings("claims", node)) {
                Claim claim = Claim.parse(text, names, plan.scores())
                        .orElseThrow(() -> wrong(
                                "claims",
                                "'A > B', 'A >= B', 'A < B' or 'A steadier than B' with A and B from %s, optionally preceded by one of %s and ': '"
                                        .formatted(names, plan.scores()),
                                TextNode.valueOf(text)));
                boolean varies = plan.grid().entrySet().stream()
                        .anyMatch(axis ->
                                !axis.getKey().equals(SEED) && axis.getValue().size() > 1);
                if (claim.relation() == Claim.Relation.STEADIER && !varies) {
                    throw wrong(
                            "claims",
                            "a grid with several values for a key other than the seed",
                            TextNode.valueOf(text));
                }
                claims.add(claim);
            }
            return claims;
        }

        private Map<String, String> tests(JsonNode node) {
            if (node != null && node.isTextual()) {
                return Map.of("", node.textValue());
            }
            if (node == null || !node.isObject() || node.isEmpty()) {
                throw wrong("test", "a data file, or a map of data files", node);
            }
            Map<String, String> tests = new LinkedHashMap<>();
            for (var entry : node.properties()) {
                if (!entry.getKey().matches("[a-z][a-z0-9-]*")
                        || !entry.getValue().isTextual()) {
                    throw wrong("test." + entry.getKey(), "a name in lower case and a data file", entry.getValue());
                }
                tests.put(entry.getKey(), entry.getValue().textValue());
            }
            return tests;
        }

        private JsonNode object(String key, JsonNode node) {
            if (!node.isMissingNode() && !node.isObject()) {
                throw wrong(key, "a map", node);
            }
            return node;
        }

        private Map<String, String> options(String key, JsonNode node) {
            Map<String, String> options = new LinkedHashMap<>();
            for (var entry : object(key, node).properties()) {
                requireOption(key, entry.getKey());
                if (!entry.getValue().isValueNode() || entry.getValue().isNull()) {
                    throw wrong(key + '.' + entry.getKey(), "a number, a string, true or false", entry.getValue());
                }
                options.put(entry.getKey(), text(key + '.' + entry.getKey(), entry.getValue()));
            }
            return options;
        }

        private void requireOption(String key, String option) {
            if (!option.matches("[a-z][a-z-]*")) {
                throw new InputException("%s: key '%s': expected an option such as prefix-length, found '%s'"
                        .formatted(file, key, option));
            }
            if (RESERVED.contains(option)) {
                throw new InputException(
                        "%s: key '%s': expected no '%s', which a plan may not set".formatted(file, key, option));
            }
        }

        /** A number without an exponent. */
        private String text(String key, JsonNode value) {
            if (!value.isBigDecimal()) {
                return value.asText();
            }
            BigDecimal number = value.decimalValue();
            if (number.precision() + Math.abs((long) number.scale()) > MAX_DIGITS) {
                throw wrong(key, "a number of at most " + MAX_DIGITS + " digits", value);
            }
            return number.toPlainString();
        }

        /** Options of generate, without {@code distinct: true}, which a sweep always sets. */
        private Map<String, String> generation(JsonNode node) {
            Map<String, String> options = options("generate", node);
            if (!options.getOrDefault("distinct", "true").equals("true")) {
                throw wrong(
                        "generate.distinct",
                        "true, because a sweep generates once for each source",
                        node.get("distinct"));
            }
            options.remove("distinct");
            for (String option : GIVEN) {
                if (options.containsKey(option)) {
                    throw new InputException(
                            "%s: key 'generate': expected no '%s', which the sweep sets".formatted(file, option));
                }
            }
            return options;
        }

        private List<String> strings(String key, JsonNode node) {
            if (!node.isArray()) {
                throw wrong(key, "a list", node);
            }
            List<String> values = new ArrayList<>();
            for (JsonNode item : node) {
                if (!item.isValueNode() || item.isNull()) {
                    throw wrong(key, "a list of numbers or strings", item);
                }
                values.add(text(key, item));
            }
            return values;
        }

        private InputException wrong(String key, String expected, JsonNode found) {
            String text = found == null ? "nothing" : found.toString();
            return new InputException("%s: key '%s': expected %s, found %s"
                    .formatted(file, key, expected, text.length() > 60 ? text.substring(0, 60) + "…" : text));
        }
    }
}
