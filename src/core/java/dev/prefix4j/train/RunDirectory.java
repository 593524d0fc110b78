package dev.prefix4j.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.model.ConfigFile;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.stream.Stream;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Tensor;

/**
 * What a run leaves on disk:
 *
 * <pre>
 * config.json      the configuration
 * metrics.jsonl    a line for each step and each validation
 * samples.jsonl    texts generated from a few sources, after each validation
 * adapter/         what was trained: the best by validation loss, or else the last
 * state/           one file to resume from, replaced atomically
 * </pre>
 *
 * <p>A run may be killed at any moment: files are replaced atomically, and resuming drops the lines of the two logs that
 * are newer than the state, because those steps are taken again. One process at a time works in the folder.
 */
public final class RunDirectory implements RunStore, AutoCloseable {
    /** The configuration. */
    public static final String CONFIG = "config.json";

    /** Key of the configuration: names of the options that are not left at their defaults. */
    public static final String CHOSEN = "chosen";

    /** A line for each step and each validation. */
    public static final String METRICS = "metrics.jsonl";

    /** A line for each text that was generated during training. */
    public static final String SAMPLES = "samples.jsonl";

    private static final String STATE = "state/trainer.safetensors";
    private static final String LOCK = ".lock";
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path folder;
    private final FileChannel lockFile;
    private final StepLog metrics;
    private final StepLog samples;
    private Totals totals = new Totals();

    private RunDirectory(Path folder, FileChannel lockFile) {
        this.folder = folder;
        this.lockFile = lockFile;
        this.metrics = new StepLog(folder.resolve(METRICS));
        this.samples = new StepLog(folder.resolve(SAMPLES));
    }

    /**
     * Starts a run.
     *
     * @param config its configuration
     * @throws InputException if the folder holds something already, or cannot be written
     */
    public static RunDirectory create(Path folder, ObjectNode config) {
        requireNew(folder);
        RunDirectory run = lock(folder);
        try {
            AtomicFile.write(folder.resolve(CONFIG), config.toPrettyString() + "\n");
            return run;
        } catch (RuntimeException e) {
            run.close();
            throw e;
        }
    }

    /**
     * Checks that a run can begin in a folder, without touching it.
     *
     * @throws InputException if the folder holds something already
     */
    public static void requireNew(Path folder) {
        requireNew(folder, "--resume");
    }

    /**
     * Checks that a run can begin in a folder, without touching it.
     *
     * @param resume how to resume the run that may be there, for the message
     * @throws InputException if the folder holds something already
     */
    public static void requireNew(Path folder, String resume) {
        if (!Files.exists(folder)) {
            return;
        }
        try (Stream<Path> files = Files.list(folder)) {
            if (files.anyMatch(file -> !file.getFileName().toString().equals(LOCK))) {
                throw new InputException(folder + ": expected a new or empty folder, found "
                        + (Files.exists(folder.resolve(CONFIG))
                                ? "a run: continue it with " + resume + ", or choose"
                                : "files: choose")
                        + " another --out");
            }
        } catch (java.nio.file.NotDirectoryException e) {
            throw new InputException(folder + ": expected a folder, found a file", e);
        } catch (IOException e) {
            throw AtomicFile.cannotRead(folder, e);
        }
    }

    /**
     * Opens a run to resume it.
     *
     * @throws InputException if there is none
     */
    public static RunDirectory open(Path folder) {
        readConfig(folder);
        return lock(folder);
    }

    /**
     * The configuration of a run.
     *
     * @throws InputException if there is no run in the folder
     */
    public static ConfigFile readConfig(Path folder) {
        if (!Files.isDirectory(folder)) {
            throw new InputException(folder + ": expected the folder of a run to resume, found "
                    + (Files.exists(folder) ? "a file" : "nothing"));
        }
        return ConfigFile.read(folder.resolve(CONFIG), "the configuration of a run to resume");
    }

    private static RunDirectory lock(Path folder) {
        FileChannel channel = hold(folder);
        try {
            removeUnfinishedWrites(folder);
            return new RunDirectory(folder, channel);
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(folder, e);
        }
    }

    /**
     * Keeps other processes out of a folder until the channel is closed; creates the folder if there is none.
     *
     * @throws InputException if another process is working in it
     */
    public static FileChannel hold(Path folder) {
        AtomicFile.createFolder(folder);
        Path file = folder.resolve(LOCK);
        if (Files.exists(file)) {
            InputFile.require(file, "a lock file"); // opening a pipe would wait for its other end
        }
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = null;
            try {
                lock = channel.tryLock();
            } catch (OverlappingFileLockException e) {
                // Held by this process.
            }
            if (lock == null) {
                channel.close();
                throw new InputException(folder + ": another process is working in this folder");
            }
            return channel;
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    /** Deletes what a killed process was writing: only in the folders of a run, and only while the lock is held. */
    private static void removeUnfinishedWrites(Path folder) throws IOException {
        for (Path place :
                List.of(folder, folder.resolve("state"), folder.resolve("adapter"), folder.resolve("model"))) {
            if (!Files.isDirectory(place)) {
                continue;
            }
            try (Stream<Path> files = Files.list(place)) {
                for (Path file : files.toList()) {
                    if (file.getFileName().toString().matches(AtomicFile.TEMPORARY)) {
                        Files.deleteIfExists(file);
                    }
                }
            }
        }
    }

    /**
     * Undoes a run that could not start: removes the given files and folders, in this order, the configuration, and the
     * folder if nothing else is in it.
     */
    public void discard(Path... made) {
        close();
        List<Path> all = new ArrayList<>(List.of(made));
        all.addAll(List.of(folder.resolve(CONFIG), folder.resolve(LOCK), folder));
        for (Path path : all) {
            try {
                Files.deleteIfExists(path);
            } catch (IOException e) {
                return; // somebody else's file is in it: it stays
            }
        }
    }

    /** Replaces the configuration: a resumed run may be longer than it was. */
    public void rewriteConfig(ObjectNode config) {
        AtomicFile.write(folder.resolve(CONFIG), config.toPrettyString() + "\n");
    }

    /** Whether there is something to resume from, or to use. */
    public boolean hasResults() {
        return Files.exists(folder.resolve(STATE)) || Files.isDirectory(adapter());
    }

    /**
     * Undoes a run that failed before it had results. Removes the files that runs write, by name, and folders only if
     * nothing else is in them; the lock is held until all are gone.
     *
     * @param keepFolder whether the folder was there, empty, before the run
     */
    public void discardAll(boolean keepFolder) {
        try {
            removeUnfinishedWrites(folder);
            Path events = folder.resolve("tensorboard");
            if (Files.isDirectory(events, LinkOption.NOFOLLOW_LINKS)) {
                try (DirectoryStream<Path> files = Files.newDirectoryStream(events, "events.out.tfevents.*")) {
                    for (Path file : files) {
                        Files.delete(file);
                    }
                }
            }
            for (String file : List.of(METRICS, SAMPLES, "report.html", "loss.png", "session.json")) {
                Files.deleteIfExists(folder.resolve(file));
            }
            for (String place : List.of("tensorboard", "state")) {
                Files.deleteIfExists(folder.resolve(place));
            }
            Files.deleteIfExists(folder.resolve(CONFIG));
            Files.deleteIfExists(folder.resolve(LOCK));
            if (!keepFolder) {
                Files.delete(folder);
            }
        } catch (IOException e) {
            // somebody else's file is in it, or the disk fails: what is left does no harm, and the run's own error
            // matters more
        } finally {
            close();
        }
    }

    @Override
    public InputException damagedProgress() {
        return new InputException(folder.resolve(STATE)
                + ": expected the progress of the run in its metadata, found other values: the state is damaged;"
                + " start again with another --out");
    }

    /** The folder of the adapter. */
    public Path adapter() {
        return adapterIn(folder);
    }

    /** The folder of the adapter of the run in a folder. */
    public static Path adapterIn(Path folder) {
        return folder.resolve("adapter");
    }

    /** The folder of the run. */
    public Path folder() {
        return folder;
    }

    @Override
    public void saveState(Map<String, Tensor> tensors, Map<String, String> progress) {
        Path file = folder.resolve(STATE);
        AtomicFile.createFolder(Objects.requireNonNull(file.getParent(), "a file in a folder"));
        SafetensorsWriter.write(file, tensors, progress);
    }

    @Override
    public Map<String, String> loadState(Map<String, Tensor> tensors) {
        Path file = folder.resolve(STATE);
        if (!Files.exists(file)) {
            return Map.of();
        }
        try (TensorScope _ = new TensorScope();
                NoGradGuard _ = new NoGradGuard();
                Safetensors saved = Safetensors.open(file)) {
            if (!saved.names().equals(tensors.keySet())) {
                throw new InputException(
                        "%s: expected the tensors %s, found %s".formatted(file, tensors.keySet(), saved.names()));
            }
            for (var entry : tensors.entrySet()) {
                List<Long> expected = Arrays.stream(
                                entry.getValue().sizes().vec().get())
                        .boxed()
                        .toList();
                List<Long> found = saved.info(entry.getKey()).shape();
                if (!found.equals(expected)) {
                    throw new InputException("%s: tensor '%s': expected shape %s, found %s"
                            .formatted(file, entry.getKey(), expected, found));
                }
            }
            for (var entry : tensors.entrySet()) {
                entry.getValue().copy_(saved.tensor(entry.getKey()));
            }
            return saved.metadata();
        }
    }

    /**
     * Drops the lines of {@code metrics.jsonl} and {@code samples.jsonl} that are newer than a step, whose steps will be
     * taken again, and a last line that was cut off.
     *
     * @throws InputException if another line is damaged; its file is then unchanged
     */
    @Override
    public void keepLinesUpTo(int step) {
        Totals kept = new Totals();
        metrics.keepUpTo(step, kept::add);
        samples.keepUpTo(step, _ -> {});
        totals = kept;
    }

    @Override
    public void log(Step step) {
        log(step.line());
    }

    @Override
    public void log(Validation validation) {
        log(validation.line());
    }

    private void log(ObjectNode line) {
        metrics.add(line);
        totals.add(line);
    }

    @Override
    public void log(int step, List<Sample> written) {
        for (Sample sample : written) {
            ObjectNode line = JSON.createObjectNode();
            line.put(Step.STEP, step).put("source", sample.source()).put("output", sample.output());
            line.put("reference", sample.reference().orElse(null));
            samples.add(line);
        }
    }

    /** All lines of {@code metrics.jsonl}; for a long run, {@link StepReader} reads one at a time. */
    public List<JsonNode> metrics() {
        return metrics.lines();
    }

    @Override
    public Optional<Path> place() {
        return Optional.of(folder);
    }

    @Override
    public OptionalDouble lastLoss() {
        return totals.lastLoss();
    }

    @Override
    public OptionalDouble tokensPerSecond() {
        return totals.tokensPerSecond();
    }

    @Override
    public void close() {
        try {
            metrics.close();
            samples.close();
            lockFile.close(); // the file stays: if it were deleted, two others could lock two files
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(folder, e);
        }
    }
}
