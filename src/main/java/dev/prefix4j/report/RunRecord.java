package dev.prefix4j.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.TrainResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** What a run has left in its folder; long ones are thinned while they are read. */
final class RunRecord {
    /** Steps whose samples are shown: the first, the newest, and some between them. */
    static final int MAX_SAMPLED_STEPS = 10;

    private static final long MAX_CONFIG_BYTES = 4 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    /** The validation loss after a step. */
    record Validation(int step, double loss) {}

    /** What was written after a step. */
    record Samples(int step, List<Sample> samples) {}

    final Path folder;
    final Map<String, String> config = new LinkedHashMap<>();
    final Session session;
    final Curve loss = new Curve();
    final Curve learningRate = new Curve();
    final Curve gradientNorm = new Curve();
    final Curve speed = new Curve();

    private final Deque<Double> lastLosses = new ArrayDeque<>();
    private final List<Validation> validations = new ArrayList<>();
    private final List<Samples> samples = new ArrayList<>();
    private Optional<Samples> newest = Optional.empty();
    private int samplesKept = 1;
    private int samplesSeen;
    private int steps;
    private double tokens;
    private double seconds;

    private RunRecord(Path folder) {
        this.folder = folder;
        JsonFile.readObject(folder.resolve(RunDirectory.CONFIG), "the configuration of a run", MAX_CONFIG_BYTES)
                .properties()
                .forEach(option -> config.put(option.getKey(), text(option.getValue())));
        this.session = Session.read(folder);
    }

    private static String text(JsonNode value) {
        return value.isArray()
                ? String.join(", ", StreamSupport.stream(value.spliterator(), false).map(RunRecord::text).toList())
                : value.isValueNode() ? value.asText() : value.toString();
    }

    /**
     * Reads a folder; another process may be writing to it.
     *
     * @throws InputException if it is no run, has taken no step, or a line is damaged
     */
    static RunRecord read(Path folder) {
        RunRecord run = new RunRecord(folder);
        Path metrics = folder.resolve(RunDirectory.METRICS);
        if (!Files.isRegularFile(metrics)) {
            throw new InputException(metrics + ": expected the steps of a run, found no such file");
        }
        readLines(metrics, run::addMetrics);
        if (run.loss.isEmpty()) {
            throw new InputException(metrics + ": expected at least one step, found none");
        }
        Path samples = folder.resolve(RunDirectory.SAMPLES);
        if (Files.exists(samples)) {
            readLines(samples, run::addSample);
        }
        return run;
    }

    /** A line and where it is. */
    @FunctionalInterface
    private interface LineReader {
        void read(JsonNode line, String location);
    }

    private static void readLines(Path file, LineReader reader) {
        try (BufferedReader lines = Files.newBufferedReader(file)) {
            int number = 0;
            for (String line = lines.readLine(), next; line != null; line = next) {
                next = lines.readLine();
                number++;
                String location = file + ":" + number;
                JsonNode json;
                try {
                    json = JSON.readTree(line);
                } catch (JsonProcessingException e) {
                    if (next == null && !endsWithNewline(file)) {
                        return; // being written, or cut off when the process died
                    }
                    throw damaged(location, e);
                }
                if (!json.path("step").isInt()) {
                    throw damaged(location, null);
                }
                reader.read(json, location);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    private static InputException damaged(String location, JsonProcessingException cause) {
        return new InputException(location + ": expected a JSON object with a 'step', found other text", cause);
    }

    private static boolean endsWithNewline(Path file) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "r")) {
            bytes.seek(Math.max(0, bytes.length() - 1));
            return bytes.read() == '\n';
        }
    }

    private void addMetrics(JsonNode line, String location) {
        int step = line.path("step").intValue();
        if (line.has("valid_loss")) {
            validations.add(new Validation(step, finite(line, "valid_loss", location)));
        }
        if (!line.has("loss")) {
            return;
        }
        double value = finite(line, "loss", location);
        double took = line.path("seconds").asDouble();
        double read = line.path("tokens").asDouble();
        steps = Math.max(steps, step);
        loss.add(step, value, 1);
        learningRate.add(step, number(line, "lr"), 1);
        gradientNorm.add(step, number(line, "grad_norm"), 1);
        speed.add(step, read / took, took);
        tokens += read;
        seconds += took;
        lastLosses.addLast(value);
        if (lastLosses.size() > TrainResult.LAST) {
            lastLosses.removeFirst();
        }
    }

    private static double finite(JsonNode line, String key, String location) {
        double value = number(line, key);
        if (!Double.isFinite(value)) {
            throw new InputException("%s: key '%s': expected a finite number".formatted(location, key));
        }
        return value;
    }

    private static double number(JsonNode line, String key) {
        return line.path(key).isNumber() ? line.path(key).doubleValue() : Double.NaN;
    }

    private void addSample(JsonNode line, String location) {
        int step = line.path("step").intValue();
        Sample sample = new Sample(
                line.path("source").asText(),
                line.path("output").asText(),
                Optional.ofNullable(line.path("reference").textValue()));
        if (newest.isEmpty() || newest.get().step() != step) {
            startSamples(step);
        }
        newest.orElseThrow().samples().add(sample);
    }

    /** Keeps those of each step, then of every second, and so on: what is kept stays evenly spread. */
    private void startSamples(int step) {
        newest = Optional.of(new Samples(step, new ArrayList<>()));
        if (samplesSeen++ % samplesKept != 0) {
            return;
        }
        if (samples.size() == MAX_SAMPLED_STEPS - 1) {
            for (int i = 1; i < samples.size(); i++) {
                samples.remove(i);
            }
            samplesKept *= 2;
        }
        if ((samplesSeen - 1) % samplesKept == 0) {
            samples.add(newest.get());
        }
    }

    /** What the user calls the run: its folder. */
    String name() {
        Path last = folder.toAbsolutePath().normalize().getFileName();
        return last == null ? folder.toString() : last.toString();
    }

    /** Steps that were taken. */
    int steps() {
        return steps;
    }

    /** Tokens that are no padding. */
    double tokens() {
        return tokens;
    }

    /** Time in steps. */
    double seconds() {
        return seconds;
    }

    /** Mean over the last steps, as {@link TrainResult} has it. */
    double lastLoss() {
        return lastLosses.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }

    Optional<Validation> best() {
        return validations.stream().min(Comparator.comparingDouble(Validation::loss));
    }

    /** In order; of very many only some, each at its own step: the lowest of those around it. */
    List<Validation> validations() {
        int together = Math.ceilDiv(validations.size(), Curve.MAX_POINTS);
        List<Validation> thinned = new ArrayList<>();
        for (int from = 0; from < validations.size(); from += together) {
            thinned.add(validations.subList(from, Math.min(from + together, validations.size())).stream()
                    .min(Comparator.comparingDouble(Validation::loss))
                    .orElseThrow());
        }
        return thinned;
    }

    /** In order, at most {@link #MAX_SAMPLED_STEPS}, the newest among them. */
    List<Samples> samples() {
        List<Samples> shown = new ArrayList<>(samples);
        newest.filter(last -> !shown.contains(last)).ifPresent(shown::add);
        return shown;
    }

    /** Whether the whole model is what is learned. */
    boolean isPretraining() {
        return !Files.isDirectory(folder.resolve("adapter")) && Files.isDirectory(folder.resolve("model"));
    }

    /** Bytes of the weights that were learned; 0: none were saved yet. */
    long savedBytes() {
        Path place = folder.resolve(isPretraining() ? "model" : "adapter");
        if (!Files.isDirectory(place)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(place)) {
            long bytes = 0;
            for (Path file : files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw AtomicFile.cannotRead(place, e);
        }
    }
}
