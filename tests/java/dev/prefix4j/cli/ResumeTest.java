package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.train.RunDirectory;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that has ended can be continued; one that is damaged, or never began, is reported in one line. */
class ResumeTest {
    @TempDir
    Path t;

    private String errors = "";

    private int run(String line) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        int code = Main.run(
                line.replace("T/", t + "/").split(" "),
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(new ByteArrayOutputStream(), true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        errors = err.toString(StandardCharsets.UTF_8);
        return code;
    }

    private void begin(String options) throws IOException {
        Files.writeString(t.resolve("d.tsv"), "name : The Mill\tThe Mill is cheap.\nname : Ox\tOx is old.\n");
        assertEquals(
                0,
                run("train --model tests/resources/model --data T/d.tsv --batch-size 1 --lr 1e-3 --out T/run "
                        + options),
                errors);
    }

    private List<Double> rates() throws IOException {
        ObjectMapper json = new ObjectMapper();
        return Files.readAllLines(t.resolve("run/metrics.jsonl")).stream()
                .map(line -> {
                    try {
                        return json.readTree(line).path("lr").asDouble();
                    } catch (IOException e) {
                        throw new AssertionError(e);
                    }
                })
                .toList();
    }

    @Test
    void aLongerRunFallsToZeroAtItsNewEnd() throws IOException {
        begin("--steps 2");
        assertEquals(0, run("train --resume --out T/run --steps 4 --save-every 7"), errors);
        assertTrue(errors.contains("the learning rate now falls to 0 at step 4"), errors);
        List<Double> rates = rates();
        double[] expected = {1e-3, 0.5e-3, 0.5e-3, 0.25e-3}; // of 2 steps, then of 4
        assertEquals(4, rates.size());
        for (int i = 0; i < 4; i++) {
            assertEquals(expected[i], rates.get(i), 1e-12);
        }
        assertTrue(Files.readString(t.resolve("run/config.json")).contains("\"save-every\" : 7"));
        assertEquals(0, run("train --resume --out T/run"), errors);
        assertFalse(errors.contains("learning rate"), errors);
        assertTrue(errors.contains("all 4 steps are done: more --steps or --epochs continue the run"), errors);
        assertEquals(0, run("train --resume --out T/run --epochs 3"), errors); // 2 steps each
        assertEquals(6, rates().size());
        assertFalse(Files.readString(t.resolve("run/config.json")).contains("\"steps\""));
    }

    @Test
    void aShorterRunAndAnotherRateAreRefused() throws IOException {
        begin("--steps 3");
        String config = Files.readString(t.resolve("run/config.json"));
        assertEquals(1, run("train --resume --out T/run --steps 2"));
        assertTrue(errors.contains("the run has taken 3 steps already"), errors);
        assertEquals(1, errors.lines().count(), errors);
        assertEquals(1, run("train --resume --out T/run --lr 2e-3"));
        assertEquals(config, Files.readString(t.resolve("run/config.json")));
    }

    @Test
    void damagedFoldersGiveOneLine() throws IOException {
        begin("--steps 2");
        Path state = t.resolve("run/state/trainer.safetensors");
        byte[] good = Files.readAllBytes(state);
        for (String step : List.of("x", "-", "9")) {
            String text = new String(good, StandardCharsets.ISO_8859_1);
            assertTrue(text.contains("\"step\":\"2\""));
            Files.writeString(
                    state, text.replace("\"step\":\"2\"", "\"step\":\"" + step + "\""), StandardCharsets.ISO_8859_1);
            assertEquals(1, run("train --resume --out T/run"));
            assertEquals(1, errors.lines().count(), errors);
            assertFalse(errors.contains("unexpected"), errors);
        }
        Files.write(state, good);
        String config = Files.readString(t.resolve("run/config.json"));
        for (String wrong : List.of("1e1000000000", "\"\\u0000\"", "-1", "null", "[]", "99999999999999999999")) {
            for (String key : List.of("steps", "batch-size", "data", "lr", "model", "seed")) {
                Files.writeString(
                        t.resolve("run/config.json"),
                        config.replaceAll(
                                "\"" + key + "\" : [^\\n,]+", ("\"" + key + "\" : " + wrong).replace("\\", "\\\\")));
                assertTrue(run("train --resume --out T/run") <= 2);
                assertFalse(errors.contains("unexpected"), key + " " + wrong + ": " + errors);
            }
        }
        Files.writeString(t.resolve("run/config.json"), config);
        Files.writeString(t.resolve("run/metrics.jsonl"), "{\"step\": 1e1000000000}\n");
        assertEquals(1, run("train --resume --out T/run"));
        assertEquals(1, errors.lines().count(), errors);
        assertFalse(errors.contains("unexpected"), errors);
    }

    @Test
    void aRunThatFailsBeforeItsFirstStateLeavesNothingBehind() throws IOException {
        Files.writeString(t.resolve("d.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        String train = "train --model tests/resources/model --data T/d.tsv --reparam direct --lr 1 --steps 50 --clip 0"
                + " --objective sentence --init adapter --init-adapter T/none --out T/new";
        assertEquals(1, run(train));
        assertFalse(Files.exists(t.resolve("new")));
        Files.createDirectories(t.resolve("empty"));
        overflow("T/fresh");
        assertFalse(Files.exists(t.resolve("fresh")), this::left);
        overflow("T/empty");
        assertTrue(Files.isDirectory(t.resolve("empty")));
        try (var files = Files.list(t.resolve("empty"))) {
            assertEquals(0, files.count());
        }
    }

    @Test
    void whatOthersPutIntoAFailedRunStays() throws IOException {
        RunDirectory run = RunDirectory.create(t.resolve("run"), new ObjectMapper().createObjectNode());
        Files.createDirectories(t.resolve("run/tensorboard"));
        Files.writeString(t.resolve("run/tensorboard/events.out.tfevents.1.host"), "ours");
        Files.writeString(t.resolve("run/tensorboard/notes.txt"), "theirs");
        Files.writeString(t.resolve("run/notes.txt"), "theirs");
        run.discardAll(false);
        try (var files = Files.walk(t.resolve("run"))) {
            List<String> left = files.filter(Files::isRegularFile)
                    .map(file -> t.relativize(file).toString())
                    .sorted()
                    .toList();
            assertTrue(left.containsAll(List.of("run/notes.txt", "run/tensorboard/notes.txt")), left.toString());
            assertFalse(left.contains("run/tensorboard/events.out.tfevents.1.host"), left.toString());
        }
    }

    private String left() {
        try (var files = Files.walk(t.resolve("fresh"))) {
            return files.toList().toString();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /** Weight decay of 10 at a rate of 1 multiplies the weights by -9 at each step. */
    private void overflow(String out) {
        assertEquals(
                1,
                run("train --model tests/resources/model --data T/d.tsv --method fine-tune --lr 1 --weight-decay"
                        + " 10 --steps 90 --clip 0 --out " + out));
        assertTrue(errors.contains("the loss became"), errors);
    }
}
