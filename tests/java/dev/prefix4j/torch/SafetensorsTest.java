package dev.prefix4j.torch;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.InputException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest extends ScopedTest {
    @TempDir
    Path temporary;

    private Path write(String header, int dataBytes) throws IOException {
        byte[] text = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + text.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        file.putLong(text.length).put(text);
        return Files.write(temporary.resolve("a.safetensors"), file.array());
    }

    private static long mapsOf(Path file) throws IOException {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(file.toString())).count();
        }
    }

    /** What the mappings of a file hold in memory: of the process as a whole, other threads change it. */
    private static long residentBytesOf(Path file) throws IOException {
        long bytes = 0;
        boolean of = false;
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
            if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
                of = line.contains(file.toString());
            } else if (of && line.startsWith("Rss:")) {
                bytes += Long.parseLong(line.replaceAll("\\D", "")) << 10;
            }
        }
        return bytes;
    }

    @Test
    void everyTypeComesBackAsItWas() {
        Path file = temporary.resolve("a.safetensors");
        Map<String, Tensor> tensors = new LinkedHashMap<>();
        for (Safetensors.Dtype dtype : Safetensors.Dtype.values()) {
            torch.ScalarType type = torch.ScalarType.valueOf(
                    switch (dtype) {
                        case F64 -> "Double";
                        case F32 -> "Float";
                        case F16 -> "Half";
                        case BF16 -> "BFloat16";
                        case I64 -> "Long";
                        case I32 -> "Int";
                        case I16 -> "Short";
                        case I8 -> "Char";
                        case U8 -> "Byte";
                        case BOOL -> "Bool";
                    });
            tensors.put(
                    "t." + dtype,
                    torch.tensor(0f, 1.5f, 100f, 3f, 2f, 1f).view(2, 3).t().to(type)); // not contiguous
        }
        tensors.put("scalar", torch.tensor(2.5f));
        tensors.put("empty", torch.empty(0, 4));
        SafetensorsWriter.write(file, tensors, Map.of("made", "here"));
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(tensors.keySet(), read.names());
            assertEquals(Map.of("made", "here"), read.metadata());
            tensors.forEach((name, tensor) -> {
                assertArrayEquals(
                        tensor.sizes().vec().get(),
                        read.tensor(name).sizes().vec().get());
                assertTrue(read.tensor(name).equal(tensor), name);
            });
        }
    }

    @Test
    void sameTensorsGiveTheSameBytes() throws IOException {
        Path a = temporary.resolve("a");
        Path b = temporary.resolve("b");
        SafetensorsWriter.write(a, Map.of("x", torch.ones(3), "y", torch.zeros(2)), Map.of("k", "v"));
        SafetensorsWriter.write(
                b, new LinkedHashMap<>(Map.of("y", torch.zeros(2), "x", torch.ones(3))), Map.of("k", "v"));
        assertArrayEquals(Files.readAllBytes(a), Files.readAllBytes(b));
    }

    @Test
    void tensorsOutliveTheirFileAndThenUnmapIt() throws IOException {
        Path file = temporary.resolve("mapped.safetensors");
        SafetensorsWriter.write(file, Map.of("x", torch.ones(1000)), Map.of());
        Tensor first;
        Tensor again;
        try (Safetensors read = Safetensors.open(file);
                TensorScope inner = new TensorScope()) {
            first = inner.keep(read.tensor("x"));
            again = inner.keep(read.tensor("x"));
        }
        assertEquals(1, mapsOf(file));
        first.close();
        assertEquals(1000, torch.sum(again).item_double());
        again.mul_(new Scalar(2.0)); // on a private copy of the page
        assertEquals(2000, torch.sum(again).item_double());
        again.close();
        assertEquals(0, mapsOf(file));
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(1000, torch.sum(read.tensor("x")).item_double());
        }
    }

    @Test
    void openingAndClosingLeavesNoMaps() throws IOException {
        Path file = temporary.resolve("many.safetensors");
        SafetensorsWriter.write(file, Map.of("x", torch.ones(10), "y", torch.ones(20)), Map.of());
        for (int i = 0; i < 2_000; i++) {
            try (TensorScope _ = new TensorScope();
                    Safetensors read = Safetensors.open(file)) {
                assertEquals(10, read.tensor("x").numel());
                assertEquals(20, read.tensor("y").numel());
            }
        }
        assertEquals(0, mapsOf(file));
    }

    @Test
    void unalignedTensorsAreCopied() throws IOException {
        Path file = write(
                "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                        + "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}} ",
                5);
        try (Safetensors read = Safetensors.open(file)) {
            assertEquals(0, read.tensor("b").item_float());
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiterString = " => ",
            quoteCharacter = '`',
            value = {
                "[] => header: expected a JSON object",
                "nonsense => header: expected a JSON object",
                "{ => header: invalid JSON",
                "{\"a\":1} => 'a': expected an object, found 1",
                "{} {} => expected its end after the object",
                "{\"a\":{}} => 'a': expected dtype, shape and data_offsets, found no dtype",
                "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}} => found no shape",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}} => found no data_offsets",
                "{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}} => 'a.dtype': expected one of",
                "{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}} => 'a.dtype': expected a string, found 4",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}} => 'a.shape': expected a list of"
                        + " numbers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.5],\"data_offsets\":[0,4]}} => 'a.shape': expected a whole"
                        + " number",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}} => 'a.shape': expected a number"
                        + " from 0",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[99999999999999999999],\"data_offsets\":[0,4]}} => 'a.shape':"
                        + " expected a number from 0",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,4]}} => 'a.shape':"
                        + " expected a size that 63 bits can hold",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}} => 'a.data_offsets': expected 8"
                        + " bytes for F32[2], found 4 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}} => 'a.data_offsets': expected two"
                        + " numbers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}} => 'a.data_offsets': expected at"
                        + " most 2 numbers",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}} => 'a.data_offsets': expected a"
                        + " range within the 8 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,12]}} => 'a.data_offsets': expected a"
                        + " range within the 8 bytes",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} => expected 4 bytes of data, as the"
                        + " header says, found 8",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}} => 'a.data_offsets': expected to"
                        + " begin at byte 0",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}"
                    + " => 'b.data_offsets': expected to begin at byte 8",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}"
                    + " => invalid JSON: Duplicate field 'a'",
                "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"x\":1}} => 'a': expected dtype,"
                        + " shape and data_offsets, found x",
                "{\"__metadata__\":{\"a\":1}} => '__metadata__.a': expected a string, found 1",
                "{\"__metadata__\":[]} => '__metadata__': expected an object",
            })
    void refusesMalformedHeaders(String header, String message) throws IOException {
        Path file = write(header, 8);
        InputException e = assertThrows(InputException.class, () -> Safetensors.open(file));
        assertTrue(e.getMessage().startsWith(file + ": "), e.getMessage());
        assertTrue(e.getMessage().contains(message), e.getMessage());
        assertFalse(e.getMessage().contains("\n"), e.getMessage());
        assertEquals(0, mapsOf(file));
    }

    @Test
    void refusesLengthsThatTheFileDoesNotBearOut() throws IOException {
        Path file = temporary.resolve("a.safetensors");
        assertThrows(InputException.class, () -> Safetensors.open(file));
        assertThrows(InputException.class, () -> Safetensors.open(temporary));
        for (long length : new long[] {100, 100_000_001, -1, Long.MIN_VALUE, Long.MAX_VALUE}) {
            Files.write(
                    file,
                    ByteBuffer.allocate(20)
                            .order(ByteOrder.LITTLE_ENDIAN)
                            .putLong(length)
                            .array());
            assertThrows(InputException.class, () -> Safetensors.open(file), Long.toString(length));
        }
        Files.write(file, new byte[7]);
        assertThrows(InputException.class, () -> Safetensors.open(file));
    }

    @Test
    void damagedFilesReadWellOrAreRefused() throws IOException {
        Path good = temporary.resolve("good.safetensors");
        SafetensorsWriter.write(good, Map.of("x", torch.ones(2, 3), "y", torch.ones(5)), Map.of("k", "v"));
        byte[] original = Files.readAllBytes(good);
        Random random = new Random(3);
        Path file = temporary.resolve("bad.safetensors");
        int refused = 0;
        for (int i = 0; i < 2_000; i++) {
            byte[] bytes =
                    Arrays.copyOf(original, random.nextInt(3) > 0 ? original.length : random.nextInt(original.length));
            for (int n = random.nextInt(3); n > 0 && bytes.length > 0; n--) {
                bytes[random.nextInt(Math.min(bytes.length, 200))] = (byte) random.nextInt(256);
            }
            Files.write(file, bytes);
            try (TensorScope _ = new TensorScope();
                    Safetensors read = Safetensors.open(file)) {
                read.names()
                        .forEach(name -> read.tensor(name)
                                .to(torch.ScalarType.Double)
                                .sum()
                                .item_double());
            } catch (InputException e) {
                refused++;
            }
        }
        assertTrue(refused > 500 && refused < 2_000, refused + " refused");
    }

    @Test
    void readsShardsByTheirIndex() throws IOException {
        SafetensorsWriter.write(temporary.resolve("m-1.safetensors"), Map.of("x", torch.ones(2)), Map.of());
        SafetensorsWriter.write(temporary.resolve("m-2.safetensors"), Map.of("y", torch.zeros(3)), Map.of());
        Path index = temporary.resolve("m.safetensors.index.json");
        Files.writeString(index, "{\"weight_map\": {\"x\": \"m-1.safetensors\", \"y\": \"m-2.safetensors\"}}");
        try (SafetensorsSet set = SafetensorsSet.open(temporary, "m")) {
            assertEquals(2, set.tensor("x").numel());
            assertEquals(List.of(3L), set.info("y").shape());
        }
        for (String map : List.of(
                "{\"x\": \"m-1.safetensors\", \"y\": \"../m-2.safetensors\"}",
                "{\"x\": \"m-1.safetensors\", \"y\": \"/etc/passwd\"}",
                "{\"x\": \"m-1.safetensors\", \"y\": \"m-1.safetensors\"}",
                "{\"x\": \"m-1.safetensors\", \"y\": 3}",
                "{\"x\": \"m-3.safetensors\"}",
                "{}")) {
            Files.writeString(index, "{\"weight_map\": " + map + "}");
            InputException e = assertThrows(InputException.class, () -> SafetensorsSet.open(temporary, "m"), map);
            assertTrue(e.getMessage().startsWith(index + ": "), e.getMessage());
            assertEquals(1, e.getMessage().lines().count());
        }
    }

    @Test
    void saysWhichShardIsMissingOrHasATensorTwice() throws IOException {
        Path index = temporary.resolve("m.safetensors.index.json");
        SafetensorsWriter.write(temporary.resolve("m-1.safetensors"), Map.of("x", torch.ones(2)), Map.of());
        SafetensorsWriter.write(
                temporary.resolve("m-2.safetensors"), Map.of("x", torch.ones(2), "y", torch.zeros(3)), Map.of());
        Files.writeString(index, "{\"weight_map\": {\"x\": \"m-3.safetensors\"}}");
        assertEquals(
                index + ": tensor 'x': expected it in m-3.safetensors, found no such file",
                assertThrows(InputException.class, () -> SafetensorsSet.open(temporary, "m"))
                        .getMessage());
        Files.writeString(index, "{\"weight_map\": {\"x\": \"m-1.safetensors\", \"y\": \"m-2.safetensors\"}}");
        assertEquals(
                index + ": expected every tensor of m-2.safetensors to be named, found 'x' unnamed",
                assertThrows(InputException.class, () -> SafetensorsSet.open(temporary, "m"))
                        .getMessage());
    }

    @Test
    void failedWritesLeaveNothingBehind() throws IOException {
        Path file = temporary.resolve("no/folder/a.safetensors");
        assertThrows(InputException.class, () -> SafetensorsWriter.write(file, Map.of("x", torch.ones(2)), Map.of()));
        try (Stream<Path> files = Files.list(temporary)) {
            assertEquals(0, files.count());
        }
    }

    @Test
    void evictedTensorsAreReadAgainAndChangedOnesAreKept() throws IOException {
        Path file = temporary.resolve("large.safetensors");
        long bytes = 32 << 20;
        SafetensorsWriter.write(file, Map.of("x", torch.randn(bytes / 4)), Map.of());
        try (TensorScope _ = new TensorScope();
                Safetensors read = Safetensors.open(file)) {
            Tensor x = read.tensor("x");
            double sum = x.sum().item_double();
            assertTrue(residentBytesOf(file) >= bytes, "the sum has read all of it");
            assertTrue(Safetensors.evict(x));
            assertTrue(residentBytesOf(file) < bytes / 16, "the memory is given back");
            assertEquals(sum, x.sum().item_double());
            assertTrue(Safetensors.evict(x.view(-1, 1024).t()), "a transposed view is in one piece too");
            assertTrue(residentBytesOf(file) < bytes / 16, "the memory is given back");
            assertFalse(Safetensors.evict(x.view(-1, 1024).narrow(1, 0, 512)), "pages of others are between");
            x.narrow(0, 1_000_000, 1).fill_(new Scalar(7.0));
            assertFalse(Safetensors.evict(x));
            assertEquals(7, x.get(1_000_000).item_double());
            assertFalse(Safetensors.evict(torch.randn(bytes / 4)));
        }
    }
}
