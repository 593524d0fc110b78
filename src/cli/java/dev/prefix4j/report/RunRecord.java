package dev.prefix4j.report;

import com.fasterxml.jackson.databind.JsonNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.JsonFile;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.StepReader;
import dev.prefix4j.train.TrainResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/**
 * The logs in a run's folder. They are downsampled while being read, and {@link #update} reads only new lines: a
 * record of a million steps takes no more memory than one of ten thousand, and each update costs the same.
 */
final class RunRecord {
    /** Steps whose samples are shown: the first, the newest, and some between them. */
    static final int MAX_SAMPLED_STEPS = 10;

    private static final long MAX_CONFIG_BYTES = 4 << 20;

    /** Samples shown of one step; the file has all of them. */
    private static final int MAX_SAMPLES = 20;

    /** Characters shown of a source, an output or a reference. */
    private static final int MAX_SAMPLE_CHARACTERS = 10_000;

    /** The validation loss after a step. */
    record Validation(int step, double loss) {}

    /** The samples generated after a step. */
    record Samples(int step, List<Sample> samples) {}

    final Path folder;
    final Map<String, String> config = new LinkedHashMap<>();
    /** Names of options that differ from their defaults; empty: not known. */
    final Set<String> chosen = new LinkedHashSet<>();

    Session session;
    final Curve loss = new Curve();
    final Curve learningRate = new Curve();
    final Curve gradientNorm = new Curve();
    final Curve speed = new Curve();

    private final StepReader metricsReader;
    private final StepReader samplesReader;
    private final Deque<Double> lastLosses = new ArrayDeque<>();
    private final List<Validation> validations = new ArrayList<>(); // each the lowest of an equal number
    private Optional<Validation> best = Optional.empty();
    private int validationsPerPoint = 1;
    private int validationsInLast;
    private final List<Samples> samples = new ArrayList<>();
    private Optional<Samples> newest = Optional.empty();
    private int samplesKept = 1;
    private int samplesSeen;
    private int steps;
    private double tokens;
    private double seconds;

    private RunRecord(Path folder) {
        this.folder = folder;
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + ": expected the folder of a run, found "
                    + (Files.exists(folder) ? "a file" : "no such folder"));
        }
        if (Files.exists(folder.resolve("adapter_config.json"))) {
            throw new InputException(folder
                    + ": expected the folder of a run, found an adapter: if a run made it, name the folder above");
        }
        JsonFile.readObject(folder.resolve(RunDirectory.CONFIG), "the configuration of a run", MAX_CONFIG_BYTES)
                .properties()
                .forEach(option -> {
                    if (option.getKey().equals(RunDirectory.CHOSEN)) {
                        option.getValue().forEach(name -> chosen.add(name.asText()));
                    } else {
                        config.put(option.getKey(), text(option.getValue()));
                    }
                });
        this.session = Session.read(folder);
        this.metricsReader = new StepReader(folder.resolve(RunDirectory.METRICS));
        this.samplesReader = new StepReader(folder.resolve(RunDirectory.SAMPLES));
    }

    private static String text(JsonNode value) {
        return value.isArray()
                ? String.join(
                        ", ",
                        StreamSupport.stream(value.spliterator(), false)
                                .map(RunRecord::text)
                                .toList())
                : value.isValueNode() ? value.asText() : value.toString();
    }

    /**
     * Reads a folder; another process may be writing to it.
     *
     * @throws InputException if it is not a run, has no step, or a line is corrupt
     */
    static RunRecord read(Path folder) {
        RunRecord run = new RunRecord(folder);
        Path metrics = folder.resolve(RunDirectory.METRICS);
        if (!Files.isRegularFile(metrics)) {
            throw new InputException(metrics + ": expected the steps of a run, found no such file");
        }
        run.update();
        if (run.loss.isEmpty()) {
            throw new InputException(metrics + ": expected at least one step, found none");
        }
        return run;
    }

    /**
     * Reads a folder that may have no steps.
     *
     * @throws InputException if it is not a run, or a line is corrupt
     */
    static RunRecord open(Path folder) {
        RunRecord run = new RunRecord(folder);
        run.update();
        return run;
    }

    /**
     * Reads what has been added to the folder.
     *
     * @throws InputException if a line is corrupt; this record must not be used afterwards
     */
    void update() {
        session = Session.read(folder);
        metricsReader.read(this::addMetrics);
        samplesReader.read(this::addSample);
    }

    /** Whether the logs have been replaced since they were read, such as after returning to an earlier state. */
    boolean isReplaced() {
        return metricsReader.isReplaced() || samplesReader.isReplaced();
    }

    private void addMetrics(JsonNode line) {
        int step = line.path(Step.STEP).intValue();
        if (line.has(dev.prefix4j.train.Validation.LOSS)) {
            add(new Validation(step, finite(line, dev.prefix4j.train.Validation.LOSS)));
        }
        if (!line.has(Step.LOSS)) {
            return;
        }
        double value = finite(line, Step.LOSS);
        double took = line.path(Step.SECONDS).asDouble();
        double read = line.path(Step.TOKENS).asDouble();
        steps = Math.max(steps, step);
        loss.add(step, value, 1);
        learningRate.add(step, number(line, Step.LEARNING_RATE), 1);
        gradientNorm.add(step, number(line, Step.GRADIENT_NORM), 1);
        speed.add(step, read / took, took);
        tokens += read;
        seconds += took;
        lastLosses.addLast(value);
        if (lastLosses.size() > TrainResult.LAST) {
            lastLosses.removeFirst();
        }
    }

    /** Validations at their own steps; of very many, only the lowest in each neighbourhood. */
    private void add(Validation validation) {
        if (best.isEmpty() || validation.loss() < best.get().loss()) {
            best = Optional.of(validation);
        }
        if (validations.isEmpty() || validationsInLast == validationsPerPoint) {
            if (validations.size() == Curve.MAX_POINTS) {
                for (int i = 0; i < Curve.MAX_POINTS / 2; i++) {
                    validations.set(i, lower(validations.get(2 * i), validations.get(2 * i + 1)));
                }
                validations.subList(Curve.MAX_POINTS / 2, Curve.MAX_POINTS).clear();
                validationsPerPoint *= 2;
            }
            validations.add(validation);
            validationsInLast = 1;
        } else {
            validations.set(validations.size() - 1, lower(validations.getLast(), validation));
            validationsInLast++;
        }
    }

    private static Validation lower(Validation a, Validation b) {
        return b.loss() < a.loss() ? b : a;
    }

    private double finite(JsonNode line, String key) {
        double value = number(line, key);
        if (!Double.isFinite(value)) {
            throw new InputException("%s: key '%s': expected a finite number".formatted(metricsReader.location(), key));
        }
        return value;
    }

    private static double number(JsonNode line, String key) {
        return line.path(key).isNumber() ? line.path(key).doubleValue() : Double.NaN;
    }

    private void addSample(JsonNode line) {
        int step = line.path("step").intValue();
        Sample sample = new Sample(
                shown(line.path("source").asText()),
                shown(line.path("output").asText()),
                Optional.ofNullable(line.path("reference").textValue()).map(RunRecord::shown));
        if (newest.isEmpty() || newest.get().step() != step) {
            startSamples(step);
        }
        List<Sample> written = newest.orElseThrow().samples();
        if (written.size() < MAX_SAMPLES) {
            written.add(sample);
        }
    }

    private static String shown(String text) {
        return text.length() > MAX_SAMPLE_CHARACTERS ? text.substring(0, MAX_SAMPLE_CHARACTERS) + "…" : text;
    }

    /** Keeps the samples of every step, then of every second, and so on, so that they stay evenly spaced. */
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

    /** The name of the run: its folder. */
    String name() {
        Path last = folder.toAbsolutePath().normalize().getFileName();
        return last == null ? folder.toString() : last.toString();
    }

    /** Steps taken. */
    int steps() {
        return steps;
    }

    /** Tokens without padding. */
    double tokens() {
        return tokens;
    }

    /** Time in steps. */
    double seconds() {
        return seconds;
    }

    /** Mean over the last steps, as in {@link TrainResult}. */
    double lastLoss() {
        return lastLosses.stream().mapToDouble(Double::doubleValue).average().orElseThrow();
    }

    /** The lowest validation loss. */
    Optional<Validation> best() {
        return best;
    }

    /** In order, at most {@link Curve#MAX_POINTS}; of more, only the lowest in each neighbourhood, at its own step. */
    List<Validation> validations() {
        return List.copyOf(validations);
    }

    /** In order, at most {@link #MAX_SAMPLED_STEPS}, including the newest. */
    List<Samples> samples() {
        List<Samples> shown = new ArrayList<>(samples);
        newest.filter(last -> !shown.contains(last)).ifPresent(shown::add);
        return shown;
    }

    /** Whether the whole model is trained. */
    boolean isPretraining() {
        return !Files.isDirectory(folder.resolve("adapter")) && Files.isDirectory(folder.resolve("model"));
    }

    /** Bytes of the trained weights; 0: none saved yet. */
    long savedBytes() {
        Path place = folder.resolve(isPretraining() ? "model" : "adapter");
        if (!Files.isDirectory(place)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(place)) {
            long bytes = 0;
            for (Path file :
                    files.filter(f -> f.toString().endsWith(".safetensors")).toList()) {
                bytes += Files.size(file);
            }
            return bytes;
        } catch (IOException e) {
            throw AtomicFile.cannotRead(place, e);
        }
    }
}
