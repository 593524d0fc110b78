package dev.prefix4j.torch;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadConstraints;
import dev.prefix4j.AtomicFile;
import dev.prefix4j.Excerpt;
import dev.prefix4j.FileKind;
import dev.prefix4j.InputException;
import dev.prefix4j.InputFile;
import dev.prefix4j.JsonFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A safetensors file (https://github.com/huggingface/safetensors, "Format"): eight bytes with the length of a JSON
 * header, little-endian; the header, with the type, shape and place of each tensor; the bytes of the tensors.
 *
 * <p>A file is not trusted until its header has been checked against the file's length. Tensors share the mapped file without
 * copying; they stay valid after {@link #close}.
 */
public final class Safetensors implements AutoCloseable {
    /** The limit of the reference implementation. */
    private static final long MAX_HEADER_BYTES = 100_000_000;

    private static final int MAX_DIMENSIONS = 64;

    private static final JsonFactory JSON = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder()
                    .maxNestingDepth(8)
                    .maxStringLength(1 << 20)
                    .build())
            .build()
            .enable(JsonParser.Feature.STRICT_DUPLICATE_DETECTION);

    /** Element types, named as in the files. */
    public enum Dtype {
        F64(8, torch.ScalarType.Double),
        F32(4, torch.ScalarType.Float),
        F16(2, torch.ScalarType.Half),
        BF16(2, torch.ScalarType.BFloat16),
        I64(8, torch.ScalarType.Long),
        I32(4, torch.ScalarType.Int),
        I16(2, torch.ScalarType.Short),
        I8(1, torch.ScalarType.Char),
        U8(1, torch.ScalarType.Byte),
        BOOL(1, torch.ScalarType.Bool);

        private final int bytes;
        private final torch.ScalarType scalarType;

        Dtype(int bytes, torch.ScalarType scalarType) {
            this.bytes = bytes;
            this.scalarType = scalarType;
        }

        /** Size of an element. */
        public int bytes() {
            return bytes;
        }

        static Dtype of(torch.ScalarType type) {
            torch.ScalarType wanted = type.intern();
            for (Dtype dtype : values()) {
                if (dtype.scalarType == wanted) {
                    return dtype;
                }
            }
            throw new IllegalArgumentException("safetensors: no type for tensors of " + wanted);
        }
    }

    /**
     * A tensor's entry in the header.
     *
     * @param shape sizes of the dimensions; empty for a scalar
     * @param begin first byte, counted from the end of the header
     * @param end byte after the last
     */
    public record TensorInfo(String name, Dtype dtype, List<Long> shape, long begin, long end) {
        public TensorInfo {
            shape = List.copyOf(shape);
        }
    }

    private final MappedFile mapped;
    private final long dataStart;
    private final Map<String, TensorInfo> tensors;
    private final Map<String, String> metadata;

    private Safetensors(MappedFile mapped, long dataStart, Header header) {
        this.mapped = mapped;
        this.dataStart = dataStart;
        this.tensors = Collections.unmodifiableMap(header.tensors);
        this.metadata = Collections.unmodifiableMap(header.metadata);
    }

    /**
     * Maps a file and checks its header.
     *
     * @throws InputException if the file is missing, cut off, or malformed in any way
     */
    public static Safetensors open(Path file) {
        InputFile.require(file, "a safetensors file");
        FileKind kind = FileKind.of(file);
        if (kind != FileKind.SAFETENSORS && kind != FileKind.BINARY) { // for a broken file, the header says more
            throw new InputException("%s: expected a safetensors file, found %s".formatted(file, kind.found()));
        }
        try {
            long size = Files.size(file);
            if (size < 8) {
                throw new InputException(
                        "%s: expected a safetensors file of at least 8 bytes, found %d".formatted(file, size));
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
        TorchRuntime.require();
        MappedFile mapped = MappedFile.open(file);
        try {
            MemorySegment bytes = mapped.bytes();
            long length = bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 0);
            if (length < 0 || length > MAX_HEADER_BYTES) {
                throw new InputException("%s: header: expected at most %d bytes, found a length of %s"
                        .formatted(file, MAX_HEADER_BYTES, Long.toUnsignedString(length)));
            }
            if (length > bytes.byteSize() - 8) {
                throw new InputException("%s: cut off: expected a header of %d bytes, found %d"
                        .formatted(file, length, bytes.byteSize() - 8));
            }
            String text = utf8(file, bytes.asSlice(8, length).toArray(ValueLayout.JAVA_BYTE));
            Header header = new Header(file, bytes.byteSize() - 8 - length);
            header.parse(text);
            return new Safetensors(mapped, 8 + length, header);
        } catch (RuntimeException e) {
            mapped.close();
            throw e;
        }
    }

    private static String utf8(Path file, byte[] bytes) {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .onMalformedInput(CodingErrorAction.REPORT)
                    .onUnmappableCharacter(CodingErrorAction.REPORT)
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new InputException(file + ": header: expected UTF-8, found other bytes", e);
        }
    }

    /** Names of the tensors, in the order of the header. */
    public Set<String> names() {
        return tensors.keySet();
    }

    /** The file's metadata. */
    public Map<String, String> metadata() {
        return metadata;
    }

    /** @throws IllegalArgumentException if there is no such tensor */
    public TensorInfo info(String name) {
        TensorInfo info = tensors.get(name);
        if (info == null) {
            throw new IllegalArgumentException("no tensor '" + name + "'");
        }
        return info;
    }

    /**
     * A tensor, on the CPU, over the mapped file; copied only where its bytes are not aligned to its type.
     *
     * @return owned by the open {@link TensorScope}, or by the caller
     */
    public Tensor tensor(String name) {
        TensorInfo info = info(name);
        long[] shape = info.shape().stream().mapToLong(Long::longValue).toArray();
        if (info.begin() == info.end()) {
            return torch.empty(shape, new TensorOptions(info.dtype().scalarType), null);
        }
        long offset = dataStart + info.begin();
        if (offset % info.dtype().bytes() == 0) {
            return mapped.tensor(offset, shape, info.dtype().scalarType);
        }
        Tensor copy = torch.empty(shape, new TensorOptions(info.dtype().scalarType), null);
        long size = info.end() - info.begin();
        MemorySegment.ofAddress(copy.data_ptr().address())
                .reinterpret(size)
                .copyFrom(mapped.bytes().asSlice(offset, size));
        return copy;
    }

    /**
     * Releases the memory of a tensor over a mapped file to the system; the tensor is read from the file again when it is next
     * used. For weights that have been copied into another form. Does nothing for other tensors and for those that have been
     * written to.
     *
     * @return whether the memory was released
     */
    public static boolean evict(Tensor tensor) {
        return MappedFile.evict(tensor);
    }

    @Override
    public void close() {
        mapped.close();
    }

    /** Reads and checks the header. */
    private static final class Header {
        private final Path file;
        private final long dataBytes;
        private final Map<String, TensorInfo> tensors = new LinkedHashMap<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();

        Header(Path file, long dataBytes) {
            this.file = file;
            this.dataBytes = dataBytes;
        }

        void parse(String text) {
            if (!text.startsWith("{")) {
                throw new InputException(file + ": header: expected a JSON object, found other text");
            }
            try (JsonParser json = JSON.createParser(text)) {
                json.nextToken();
                while (json.nextToken() == JsonToken.FIELD_NAME) {
                    String name = json.currentName();
                    json.nextToken();
                    if (name.equals("__metadata__")) {
                        readMetadata(json);
                    } else {
                        tensors.put(name, readTensor(name, json));
                    }
                }
                if (json.nextToken() != null) {
                    throw new InputException(file + ": header: expected its end after the object, found more");
                }
            } catch (JsonProcessingException e) {
                throw new InputException(file + ": header: invalid JSON: " + JsonFile.reason(e), e);
            } catch (IOException e) {
                throw AtomicFile.cannotRead(file, e);
            }
            checkLayout();
        }

        private void readMetadata(JsonParser json) throws IOException {
            expect(json.currentToken() == JsonToken.START_OBJECT, "__metadata__", "an object", json);
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String key = json.currentName();
                expect(json.nextToken() == JsonToken.VALUE_STRING, "__metadata__." + key, "a string", json);
                metadata.put(key, json.getText());
            }
        }

        private TensorInfo readTensor(String name, JsonParser json) throws IOException {
            expect(json.currentToken() == JsonToken.START_OBJECT, name, "an object", json);
            Dtype dtype = null;
            List<Long> shape = null;
            List<Long> offsets = null;
            while (json.nextToken() == JsonToken.FIELD_NAME) {
                String key = json.currentName();
                json.nextToken();
                switch (key) {
                    case "dtype" -> dtype = readDtype(name, json);
                    case "shape" -> shape = readNumbers(name + ".shape", MAX_DIMENSIONS, json);
                    case "data_offsets" -> {
                        offsets = readNumbers(name + ".data_offsets", 2, json);
                        if (offsets.size() != 2) {
                            throw wrong(name + ".data_offsets", "two numbers", offsets.size());
                        }
                    }
                    default -> throw wrong(name, "dtype, shape and data_offsets", key);
                }
            }
            if (dtype == null || shape == null || offsets == null) {
                throw wrong(
                        name,
                        "dtype, shape and data_offsets",
                        dtype == null ? "no dtype" : shape == null ? "no shape" : "no data_offsets");
            }
            long begin = offsets.get(0);
            long end = offsets.get(1);
            if (begin > end || end > dataBytes) {
                throw wrong(name + ".data_offsets", "a range within the " + dataBytes + " bytes of data", offsets);
            }
            long size;
            try {
                size = dtype.bytes();
                for (long dimension : shape) {
                    size = Math.multiplyExact(size, dimension);
                }
            } catch (ArithmeticException e) {
                throw wrong(name + ".shape", "a size that 63 bits can hold", shape);
            }
            if (size != end - begin) {
                throw wrong(name + ".data_offsets", size + " bytes for " + dtype + shape, (end - begin) + " bytes");
            }
            return new TensorInfo(name, dtype, shape, begin, end);
        }

        private Dtype readDtype(String name, JsonParser json) throws IOException {
            expect(json.currentToken() == JsonToken.VALUE_STRING, name + ".dtype", "a string", json);
            String text = json.getText();
            for (Dtype dtype : Dtype.values()) {
                if (dtype.name().equals(text)) {
                    return dtype;
                }
            }
            throw wrong(name + ".dtype", "one of " + List.of(Dtype.values()), text);
        }

        private List<Long> readNumbers(String what, int most, JsonParser json) throws IOException {
            expect(json.currentToken() == JsonToken.START_ARRAY, what, "a list of numbers", json);
            List<Long> numbers = new ArrayList<>();
            while (json.nextToken() != JsonToken.END_ARRAY) {
                expect(json.currentToken() == JsonToken.VALUE_NUMBER_INT, what, "a whole number", json);
                if (json.getNumberType() == JsonParser.NumberType.BIG_INTEGER || json.getLongValue() < 0) {
                    throw wrong(what, "a number from 0 to 2^63 - 1", json.getText());
                }
                numbers.add(json.getLongValue());
                if (numbers.size() > most) {
                    throw wrong(what, "at most " + most + " numbers", "more");
                }
            }
            return numbers;
        }

        /** The tensors must fill the data without gaps or overlaps, as the reference implementation requires. */
        private void checkLayout() {
            List<TensorInfo> byPlace = new ArrayList<>(tensors.values());
            byPlace.sort(Comparator.comparingLong(TensorInfo::begin).thenComparingLong(TensorInfo::end));
            long position = 0;
            for (TensorInfo tensor : byPlace) {
                if (tensor.begin() != position) {
                    throw wrong(
                            tensor.name() + ".data_offsets",
                            "to begin at byte " + position + " (no gap, no overlap)",
                            tensor.begin());
                }
                position = tensor.end();
            }
            if (position != dataBytes) {
                throw new InputException("%s: expected %d bytes of data, as the header says, found %d"
                        .formatted(file, position, dataBytes));
            }
        }

        private void expect(boolean holds, String what, String expected, JsonParser json) throws IOException {
            if (!holds) {
                throw wrong(what, expected, json.currentToken() == null ? "the end" : json.getText());
            }
        }

        private InputException wrong(String what, String expected, Object found) {
            return new InputException("%s: header: '%s': expected %s, found %s"
                    .formatted(file, Excerpt.ofReason(what), expected, Excerpt.ofReason(String.valueOf(found))));
        }
    }
}
