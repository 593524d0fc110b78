package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Commands with damaged files and wild values: each ends in time with exit code 0, 1 or 2, and what fails says so in one
 * line and leaves nothing behind. A variant is its seed: {@code scripts/fuzz --seed N} runs it again.
 */
class FuzzTest {
    private static final int VARIANTS = 300;
    private static final long FIRST_SEED = 1;
    private static final int TIMEOUT_S = 120; // for machines under load; a variant takes some milliseconds
    private static final int MOST_CHARACTERS = 1500;
    private static final Path RESOURCES = Path.of("tests/resources");

    /** What no user should read. */
    private static final Pattern INTERNALS = Pattern.compile(
            "unexpected error|Exception|com\\.fasterxml|\\(class |StreamReadConstraints|JsonToken|ParseError|\\bat"
                    + " dev\\.|javax\\.|null tensor");

    private static final List<String> NUMBERS = List.of(
            "-1",
            "0",
            "1e1000000000",
            "NaN",
            "Infinity",
            "-0.0",
            "2147483647",
            "2147483648",
            "99999999999999999999",
            "",
            "\u001b[31m",
            "0x10",
            "1_000",
            "1e-320");

    /** Options that a train of one step takes; not those that ask for more work. */
    private static final List<String> TRAIN_OPTIONS = List.of(
            "--prefix-length",
            "--hidden",
            "--batch-size",
            "--lr",
            "--warmup",
            "--clip",
            "--weight-decay",
            "--valid-every",
            "--valid-limit",
            "--patience",
            "--save-every",
            "--limit",
            "--sample",
            "--seed",
            "--threads",
            "--prefix-dropout",
            "--label-smoothing",
            "--max-source-tokens");

    private static final List<String> GENERATE_OPTIONS = List.of(
            "--beams",
            "--length-penalty",
            "--temperature",
            "--top-k",
            "--top-p",
            "--max-new-tokens",
            "--min-new-tokens",
            "--no-repeat-ngram",
            "--batch-size",
            "--seed",
            "--threads",
            "--limit",
            "--max-source-tokens");

    private static final Map<String, String> DATA = Map.of(
            "good.csv",
                    "mr,ref\n\"name[The Mill], food[Thai]\",\"The Mill, it is Thai.\"\n\"name[A], area[B]\",A in B.\n",
            "good.tsv", "name : The Mill\tThe Mill is cheap.\n",
            "good.jsonl", "{\"source\": \"a b\", \"target\": [\"c\", \"d\"]}\n{\"source\": \"e\", \"target\": \"f\"}\n",
            "good.xml", """
                    <benchmark><entries><entry category="Food" eid="1"><originaltripleset><otriple>A | b | C</otriple>\
                    </originaltripleset><modifiedtripleset><mtriple>A | b | C</mtriple></modifiedtripleset>\
                    <lex comment="good" lid="1">A is C.</lex></entry></entries></benchmark>
                    """,
            "good.json",
                    "[{\"tripleset\": [[\"A\", \"b\", \"C\"]], \"annotations\": [{\"source\": \"x\", \"text\": \"A is"
                            + " C.\"}]}]",
            "plan.yaml", """
                    model: builtin:tiny
                    train: builtin:e2e/train
                    test: builtin:e2e/test
                    metrics: [bleu]
                    options: {steps: 1}
                    axes: {prefix-length: [1, 2]}
                    """,
            "lines.txt", "one line\nand another\n");

    @TempDir
    Path work;

    @Test
    void whateverIsBroughtOneLineSaysWhatIsWrong() throws Exception {
        List<String> failures = new ArrayList<>();
        for (long seed = FIRST_SEED; seed < FIRST_SEED + VARIANTS; seed++) {
            Path folder = Files.createDirectory(work.resolve("v" + seed));
            failures.addAll(new FuzzTest().variant(seed, folder));
            delete(folder);
        }
        assertEquals("", String.join("\n", failures));
    }

    /** For {@code scripts/fuzz}: from a seed on, until the time is over; prints what fails. */
    public static void main(String[] args) throws Exception {
        long seed = Long.parseLong(args[0]);
        long end = System.nanoTime() + (long) (60e9 * Double.parseDouble(args[1]));
        int variants = 0;
        int failed = 0;
        do {
            System.err.print("\rseed " + seed);
            Path work = Files.createTempDirectory("prefix4j-fuzz");
            List<String> failures = new FuzzTest().variant(seed, work);
            delete(work);
            failures.forEach(System.out::println);
            failed += failures.isEmpty() ? 0 : 1;
            variants++;
            seed++;
        } while (System.nanoTime() < end);
        System.err.println();
        System.out.printf("%d passed, %d failed%n", variants - failed, failed);
        System.exit(failed == 0 ? 0 : 1);
    }

    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** @return what was wrong with what the command did */
    private List<String> variant(long seed, Path folder) throws Exception {
        Random random = new Random(seed * 0x9E3779B97F4A7C15L);
        HostileInput hostile = new HostileInput(random);
        List<String> command = prepare(random, hostile, folder);
        Map<String, Long> before = tree(folder);
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        AtomicInteger code = new AtomicInteger(-1);
        Thread thread = Thread.ofPlatform()
                .daemon()
                .name("variant " + seed)
                .start(() -> code.set(Main.run(
                        command.toArray(String[]::new),
                        new ByteArrayInputStream("a source\n".getBytes(StandardCharsets.UTF_8)),
                        new PrintStream(out, true, StandardCharsets.UTF_8),
                        new PrintStream(err, true, StandardCharsets.UTF_8),
                        Map.of(
                                "HF_HUB_OFFLINE",
                                "1",
                                "HF_HOME",
                                folder.resolve("hub").toString()))));
        thread.join(TIMEOUT_S * 1000L);
        String words = "seed %d: %s".formatted(seed, String.join(" ", command).replace(folder.toString(), "T"));
        if (thread.isAlive()) {
            StringBuilder stack = new StringBuilder();
            for (StackTraceElement element : thread.getStackTrace()) {
                stack.append("\n    at ").append(element);
            }
            return List.of(words + ": no end within " + TIMEOUT_S + " s" + stack);
        }
        List<String> wrong = new ArrayList<>();
        String text = err.toString(StandardCharsets.UTF_8);
        if (code.get() < 0 || code.get() > 2) {
            wrong.add("exit code " + code.get());
        }
        if (code.get() != 0) {
            wrong.addAll(ofFailure(text, out.toString(StandardCharsets.UTF_8), before, tree(folder)));
        }
        wrong.addAll(ofMessage(text));
        return wrong.stream()
                .map(w -> "%s: %s: %s"
                        .formatted(
                                words.length() > 300 ? words.substring(0, 300) : words,
                                w,
                                text.substring(0, Math.min(400, text.length())).strip()))
                .toList();
    }

    /** What is wrong with what a failed command has left. */
    private static List<String> ofFailure(
            String errors, String results, Map<String, Long> before, Map<String, Long> after) {
        List<String> wrong = new ArrayList<>();
        List<String> lines = errors.lines().toList();
        if (lines.stream().filter(line -> line.startsWith("prefix4j: ")).count() != 1
                || !lines.getLast().startsWith("prefix4j: ")) {
            wrong.add("expected one line as the last");
        }
        if (!results.isEmpty()) {
            wrong.add("results of a command that failed: " + results);
        }
        if (!after.equals(before)) {
            after.keySet().removeAll(before.keySet());
            wrong.add("left behind or changed: " + after.keySet());
        }
        return wrong;
    }

    /** What is wrong with what a command has said. */
    private static List<String> ofMessage(String text) {
        List<String> wrong = new ArrayList<>();
        if (text.length() > MOST_CHARACTERS) {
            wrong.add("a message of " + text.length() + " characters");
        }
        if (text.codePoints().anyMatch(c -> c != '\n' && Character.isISOControl(c))) {
            wrong.add("control characters");
        }
        if (INTERNALS.matcher(text).find()) {
            wrong.add("internals");
        }
        return wrong;
    }

    /** Everything in a folder with its size; folders and links count too. */
    private static Map<String, Long> tree(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            Map<String, Long> tree = new TreeMap<>();
            for (Path file : files.toList()) {
                tree.put(
                        folder.relativize(file).toString(),
                        Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS) ? Files.size(file) : -1);
            }
            return tree;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void copy(Path from, Path to) throws IOException {
        Files.createDirectories(to);
        try (Stream<Path> files = Files.list(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Files.copy(file, to.resolve(file.getFileName()));
            }
        }
    }

    private static List<String> words(String command, Path folder) {
        List<String> words = new ArrayList<>();
        for (String word : command.split(" ")) {
            words.add(word.startsWith("T/") ? folder.resolve(word.substring(2)).toString() : word);
        }
        return words;
    }

    /** Damages something at random. */
    private static List<String> prepare(Random random, HostileInput hostile, Path folder) throws IOException {
        for (Map.Entry<String, String> file : DATA.entrySet()) {
            Files.writeString(folder.resolve(file.getKey()), file.getValue());
        }
        return switch (random.nextInt(10)) {
            case 0, 1, 2 -> damageModel(random, hostile, folder);
            case 3, 4 -> damageAdapter(hostile, folder);
            case 5, 6 -> damageData(hostile, folder);
            case 7 -> damageOutputs(hostile, folder);
            case 8 -> damageRun(hostile, folder);
            default -> damageOptions(random, hostile, folder);
        };
    }

    private static List<String> damageModel(Random random, HostileInput hostile, Path folder) throws IOException {
        copy(RESOURCES.resolve("model"), folder.resolve("model"));
        if (random.nextInt(4) == 0) {
            Files.delete(folder.resolve("model/tokenizer.json"));
        }
        hostile.damage(folder.resolve("model")
                .resolve(hostile.any(List.of(
                        "config.json",
                        "model.safetensors",
                        "tokenizer.json",
                        "vocab.json",
                        "merges.txt",
                        "generation_config.json",
                        "tokenizer_config.json",
                        "special_tokens_map.json",
                        "added_tokens.json"))));
        return words(
                hostile.any(List.of(
                        "generate --model T/model --prompt abc --max-new-tokens 2 --threads 1",
                        "score --model T/model --data T/good.tsv --threads 1",
                        "train --model T/model --data T/good.tsv --steps 1 --prefix-length 1 --threads"
                                + " 1 --out T/run")),
                folder);
    }

    private static List<String> damageAdapter(HostileInput hostile, Path folder) throws IOException {
        Path peft = RESOURCES.resolve("peft");
        copy(peft.resolve("model"), folder.resolve("model"));
        copy(
                peft.resolve(hostile.any(List.of(
                        "all",
                        "both_patterns",
                        "cartridge",
                        "dora",
                        "embeddings",
                        "lora_only_bias",
                        "p_tuning",
                        "token_indices"))),
                folder.resolve("adapter"));
        hostile.damage(folder.resolve("adapter")
                .resolve(hostile.any(List.of("adapter_config.json", "adapter_model.safetensors", "prefix4j.json"))));
        return words(
                hostile.any(List.of(
                        "generate --model T/model --adapter T/adapter --prompt abc --max-new-tokens 2" + " --threads 1",
                        "inspect T/adapter --model T/model --threads 1")),
                folder);
    }

    private static List<String> damageData(HostileInput hostile, Path folder) throws IOException {
        String file = hostile.any(List.of("good.csv", "good.tsv", "good.jsonl", "good.xml", "good.json"));
        hostile.damage(folder.resolve(file));
        return words("data --data T/" + file + " --out T/out.jsonl", folder);
    }

    private static List<String> damageOutputs(HostileInput hostile, Path folder) throws IOException {
        String file = hostile.any(List.of("lines.txt", "good.jsonl", "plan.yaml"));
        Files.copy(folder.resolve("lines.txt"), folder.resolve("hyps.txt"));
        hostile.damage(folder.resolve(file));
        return words(
                switch (file) {
                    case "lines.txt" -> "evaluate --hyps T/hyps.txt --refs T/lines.txt --metrics bleu,chrf";
                    case "good.jsonl" -> "evaluate --hyps T/hyps.txt --data T/good.jsonl --metrics bleu";
                    default -> "sweep T/plan.yaml --out T/sweep --list";
                },
                folder);
    }

    private static List<String> damageRun(HostileInput hostile, Path folder) throws IOException {
        Path run = Files.createDirectory(folder.resolve("run"));
        Files.writeString(run.resolve("config.json"), "{\"model\": \"builtin:tiny\", \"steps\": 2, \"lr\": 5e-5}");
        Files.writeString(run.resolve("metrics.jsonl"), """
            {"step":1,"loss":3.5,"lr":5.0E-5,"grad_norm":0.5,"tokens_per_s":100.0}
            {"step":2,"loss":3.4,"lr":4.0E-5,"grad_norm":0.5,"tokens_per_s":100.0}
            """);
        hostile.damage(
                run.resolve(hostile.any(List.of("config.json", "metrics.jsonl", "samples.jsonl", "session.json"))));
        return words(hostile.any(List.of("report --run T/run", "train --resume --out T/run --threads 1")), folder);
    }

    private static List<String> damageOptions(Random random, HostileInput hostile, Path folder) {
        boolean train = random.nextBoolean();
        List<String> words = words(
                train
                        ? "train --model tests/resources/model --data T/good.tsv --steps 1 --prefix-length 1"
                                + " --threads 1 --out T/run"
                        : "generate --model tests/resources/model --prompt abc --max-new-tokens 2 --threads 1",
                folder);
        String option = hostile.any(train ? TRAIN_OPTIONS : GENERATE_OPTIONS);
        int at = words.indexOf(option);
        if (at >= 0) {
            words.set(at + 1, hostile.any(NUMBERS));
        } else {
            words.add(option);
            words.add(hostile.any(NUMBERS));
        }
        return words;
    }
}
