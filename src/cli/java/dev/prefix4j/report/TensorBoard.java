package dev.prefix4j.report;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainListener;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32C;

/**
 * Scalars for TensorBoard: TFRecords of {@code Event} messages, in one file for each session of a run.
 *
 * <p>A record is the length of its data (8 bytes), that number's masked CRC-32C (4), the data, the data's masked
 * CRC-32C (4), little-endian. Of {@code tensorflow/core/util/event.proto} and {@code framework/summary.proto} these
 * fields are written:
 *
 * <pre>
 * Event       1 wall_time double   2 step int64   3 file_version string   5 summary Summary   7 session_log SessionLog
 * Summary     1 value Value, repeated
 * Value       1 tag string   2 simple_value float
 * SessionLog  1 status enum (START is 1)
 * </pre>
 */
public final class TensorBoard implements TrainListener, AutoCloseable {
    private static final String FOLDER = "tensorboard";
    private static final int MASK_DELTA = 0xa282ead8;

    private static final int VARINT = 0;
    private static final int FIXED64 = 1;
    private static final int BYTES = 2;
    private static final int FIXED32 = 5;

    private final Path file;
    private final OutputStream out;

    private TensorBoard(Path file, OutputStream out) {
        this.file = file;
        this.out = out;
        append(event(0).bytes(3, "brain.Event:2".getBytes(StandardCharsets.UTF_8)));
    }

    /** Whether a run already has such files. */
    public static boolean isIn(Path run) {
        return Files.isDirectory(run.resolve(FOLDER));
    }

    /**
     * Starts a new file.
     *
     * @param run folder of the run
     * @throws dev.prefix4j.InputException if it cannot be written
     */
    public static TensorBoard open(Path run) {
        Path folder = run.resolve(FOLDER);
        AtomicFile.createFolder(folder);
        for (long second = System.currentTimeMillis() / 1000; ; second++) {
            Path file = folder.resolve("events.out.tfevents.%010d.%s".formatted(second, host()));
            try {
                return new TensorBoard(
                        file, Files.newOutputStream(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE));
            } catch (FileAlreadyExistsException e) {
                // A session started in the same second: try the next names.
            } catch (IOException e) {
                throw AtomicFile.cannotWrite(file, e);
            }
        }
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName().replaceAll("[^A-Za-z0-9.-]", "_");
        } catch (UnknownHostException e) {
            return "localhost";
        }
    }

    /** Tells TensorBoard to discard what an earlier session wrote about steps that are repeated. */
    @Override
    public void started(int stepsDone, int total) {
        if (stepsDone > 0) {
            append(event(stepsDone + 1).bytes(7, new Message().varint(1, 1).toByteArray()));
        }
    }

    @Override
    public void stepped(Step step) {
        Map<String, Double> scalars = new LinkedHashMap<>();
        scalars.put("train/loss", step.loss());
        scalars.put("train/lr", step.learningRate());
        scalars.put("train/grad_norm", step.gradientNorm());
        scalars.put("train/tokens_per_s", step.tokens() / step.seconds());
        scalars(step.step(), scalars);
    }

    @Override
    public void validated(int step, Likelihood likelihood, boolean best) {
        scalars(step, Map.of("valid/loss", likelihood.loss()));
    }

    private void scalars(int step, Map<String, Double> scalars) {
        Message summary = new Message();
        scalars.forEach((tag, value) -> summary.bytes(
                1,
                new Message()
                        .bytes(1, tag.getBytes(StandardCharsets.UTF_8))
                        .fixed32(2, Float.floatToIntBits(value.floatValue()))
                        .toByteArray()));
        append(event(step).bytes(5, summary.toByteArray()));
    }

    private static Message event(int step) {
        Message event = new Message().fixed64(1, Double.doubleToLongBits(System.currentTimeMillis() / 1e3));
        return step == 0 ? event : event.varint(2, step);
    }

    /** One record in one write, so that a reader or a kill rarely finds half a record. */
    private void append(Message event) {
        byte[] data = event.toByteArray();
        ByteBuffer record = ByteBuffer.allocate(8 + 4 + data.length + 4).order(ByteOrder.LITTLE_ENDIAN);
        record.putLong(data.length);
        record.putInt(maskedCrc(record.array(), 8));
        record.put(data);
        record.putInt(maskedCrc(data, data.length));
        try {
            out.write(record.array());
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    private static int maskedCrc(byte[] data, int length) {
        CRC32C crc = new CRC32C();
        crc.update(data, 0, length);
        return Integer.rotateRight((int) crc.getValue(), 15) + MASK_DELTA;
    }

    @Override
    public void close() {
        try {
            out.close();
        } catch (IOException e) {
            throw AtomicFile.cannotWrite(file, e);
        }
    }

    /** A protobuf message: fields one after the other, each a key and a value. */
    private static final class Message {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();

        Message varint(int field, long value) {
            key(field, VARINT);
            raw(value);
            return this;
        }

        Message fixed64(int field, long bits) {
            key(field, FIXED64);
            out.writeBytes(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(bits)
                    .array());
            return this;
        }

        Message fixed32(int field, int bits) {
            key(field, FIXED32);
            out.writeBytes(ByteBuffer.allocate(4)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putInt(bits)
                    .array());
            return this;
        }

        Message bytes(int field, byte[] value) {
            key(field, BYTES);
            raw(value.length);
            out.writeBytes(value);
            return this;
        }

        byte[] toByteArray() {
            return out.toByteArray();
        }

        private void key(int field, int wireType) {
            raw(field << 3 | wireType);
        }

        /** Seven bits per byte, lowest first. */
        private void raw(long value) {
            long rest = value;
            for (; (rest & ~0x7fL) != 0; rest >>>= 7) {
                out.write((int) ((rest & 0x7f) | 0x80));
            }
            out.write((int) rest);
        }
    }
}
