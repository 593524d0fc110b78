package dev.prefix4j.report;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.train.Step;
import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Event files, read back by a parser that shares nothing with the writer. */
class TensorBoardTest {
    @TempDir
    Path run;

    /** CRC-32C bit by bit, from its polynomial. */
    private static int crc32c(byte[] data) {
        int crc = ~0;
        for (byte b : data) {
            crc ^= b & 0xff;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0x82f63b78;
            }
        }
        return ~crc;
    }

    private static int masked(byte[] data) {
        int crc = crc32c(data);
        return (crc >>> 15 | crc << 17) + 0xa282ead8;
    }

    private static List<byte[]> records(Path file) throws IOException {
        List<byte[]> records = new ArrayList<>();
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(Files.readAllBytes(file)));
        while (in.available() > 0) {
            byte[] length = in.readNBytes(8);
            assertEquals(masked(length), Integer.reverseBytes(in.readInt()));
            byte[] data = new byte[length[0] & 0xff | (length[1] & 0xff) << 8];
            in.readFully(data);
            assertEquals(masked(data), Integer.reverseBytes(in.readInt()));
            records.add(data);
        }
        return records;
    }

    /** The fields of a message by number: Long for numbers, byte[] for the rest; repeated ones in a list. */
    private static Map<Integer, List<Object>> fields(byte[] message) throws IOException {
        Map<Integer, List<Object>> fields = new TreeMap<>();
        DataInputStream in = new DataInputStream(new ByteArrayInputStream(message));
        while (in.available() > 0) {
            long key = varint(in);
            Object value = switch ((int) (key & 7)) {
                case 0 -> varint(in);
                case 1 -> Long.reverseBytes(in.readLong());
                case 2 -> in.readNBytes((int) varint(in));
                case 5 -> (long) Integer.reverseBytes(in.readInt());
                default -> throw new IOException("wire type " + (key & 7));
            };
            fields.computeIfAbsent((int) (key >>> 3), _ -> new ArrayList<>()).add(value);
        }
        return fields;
    }

    private static long varint(DataInputStream in) throws IOException {
        long value = 0;
        for (int shift = 0; ; shift += 7) {
            int b = in.readUnsignedByte();
            value |= (long) (b & 0x7f) << shift;
            if (b < 0x80) {
                return value;
            }
        }
    }

    /** Step, tag and value of every scalar. */
    private static List<String> scalars(Path file) throws IOException {
        List<String> scalars = new ArrayList<>();
        for (byte[] record : records(file)) {
            Map<Integer, List<Object>> event = fields(record);
            double time = Double.longBitsToDouble((Long) event.get(1).getFirst());
            assertTrue(Math.abs(time - System.currentTimeMillis() / 1e3) < 600, "wall time " + time);
            if (event.containsKey(5)) {
                for (Object value : fields((byte[]) event.get(5).getFirst()).get(1)) {
                    Map<Integer, List<Object>> scalar = fields((byte[]) value);
                    scalars.add(event.get(2).getFirst() + " "
                            + new String((byte[]) scalar.get(1).getFirst(), StandardCharsets.UTF_8) + " "
                            + Float.intBitsToFloat(((Long) scalar.get(2).getFirst()).intValue()));
                }
            }
        }
        return scalars;
    }

    private List<Path> files() throws IOException {
        try (Stream<Path> files = Files.list(run.resolve("tensorboard"))) {
            return files.sorted().toList();
        }
    }

    @Test
    void scalarsAreReadBack() throws IOException {
        try (TensorBoard events = TensorBoard.open(run)) {
            events.started(0, 300);
            events.stepped(new Step(1, 300, 2.5, 1e-3, 0.75, 100, 0.25));
            events.stepped(new Step(300, 300, 1.5, 0, Double.POSITIVE_INFINITY, 10, 1));
            events.validated(300, new Likelihood(1.25, 7), true);
        }
        Path file = files().getFirst();
        assertTrue(
                file.getFileName().toString().matches("events\\.out\\.tfevents\\.\\d{10}\\.[A-Za-z0-9._-]+"),
                file.toString());
        assertEquals(
                List.of(
                        "1 train/loss 2.5",
                        "1 train/lr 0.001",
                        "1 train/grad_norm 0.75",
                        "1 train/tokens_per_s 400.0",
                        "300 train/loss 1.5",
                        "300 train/lr 0.0",
                        "300 train/grad_norm Infinity",
                        "300 train/tokens_per_s 10.0",
                        "300 valid/loss 1.25"),
                scalars(file));
    }

    @Test
    void theFileBeginsWithItsVersion() throws IOException {
        TensorBoard.open(run).close();
        byte[] file = Files.readAllBytes(files().getFirst());
        // The same in every event file: 24 bytes follow, and the masked checksum of that number.
        assertArrayEquals(HexFormat.of().parseHex("1800000000000000a37f4b22"), Arrays.copyOf(file, 12));
        Map<Integer, List<Object>> event = fields(records(files().getFirst()).getFirst());
        assertEquals(List.of(1, 3), List.copyOf(event.keySet()));
        assertEquals("brain.Event:2", new String((byte[]) event.get(3).getFirst(), StandardCharsets.UTF_8));
    }

    @Test
    void aResumedRunHasANewFileThatOverrulesTheOld() throws IOException {
        for (int stepsDone : new int[] {0, 7}) {
            try (TensorBoard events = TensorBoard.open(run)) { // in the same second
                events.started(stepsDone, 10);
                events.stepped(new Step(stepsDone + 1, 10, 2, 0, 1, 1, 1));
            }
        }
        assertEquals(2, files().size());
        assertEquals(2, records(files().getFirst()).size());
        Map<Integer, List<Object>> start = fields(records(files().get(1)).get(1));
        assertEquals(8L, start.get(2).getFirst()); // from this step on
        assertEquals(List.of(1L), fields((byte[]) start.get(7).getFirst()).get(1)); // SessionLog.START
        assertTrue(TensorBoard.isIn(run));
    }
}
