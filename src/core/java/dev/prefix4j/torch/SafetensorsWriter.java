package dev.prefix4j.torch;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.AtomicFile;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Tensor;

/** Writes safetensors files atomically; the same tensors give the same bytes. */
public final class SafetensorsWriter {
    private static final int CHUNK_BYTES = 1 << 20;
    private static final ObjectMapper JSON = new ObjectMapper();

    private SafetensorsWriter() {}

    private record Entry(String name, Tensor tensor, Safetensors.Dtype dtype, long bytes) {}

    /**
     * Writes or replaces a file; its folder must exist.
     *
     * @param tensors by name, with any layout and on any device
     * @param metadata of the file
     * @throws dev.prefix4j.InputException if the file cannot be written; an earlier one stays as it was
     */
    public static void write(Path file, Map<String, Tensor> tensors, Map<String, String> metadata) {
        List<Entry> entries = new ArrayList<>();
        tensors.forEach((name, tensor) -> {
            Safetensors.Dtype dtype = Safetensors.Dtype.of(tensor.scalar_type());
            entries.add(new Entry(name, tensor, dtype, tensor.numel() * dtype.bytes()));
        });
        // In the order of the reference implementation: wide types first, so that all are aligned.
        entries.sort(Comparator.comparingInt((Entry e) -> e.dtype().bytes())
                .reversed()
                .thenComparing(Entry::name));
        byte[] header = header(entries, metadata);
        AtomicFile.write(file, out -> {
            out.write(ByteBuffer.allocate(8)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length)
                    .array());
            out.write(header);
            for (Entry entry : entries) {
                writeData(entry, out);
            }
        });
    }

    private static byte[] header(List<Entry> entries, Map<String, String> metadata) {
        ObjectNode header = JSON.createObjectNode();
        if (!metadata.isEmpty()) {
            ObjectNode node = header.putObject("__metadata__");
            new TreeMap<>(metadata).forEach(node::put);
        }
        long position = 0;
        for (Entry entry : entries) {
            ObjectNode node = header.putObject(entry.name());
            node.put("dtype", entry.dtype().name());
            ArrayNode shape = node.putArray("shape");
            for (long size : entry.tensor().sizes().vec().get()) {
                shape.add(size);
            }
            node.putArray("data_offsets").add(position).add(position + entry.bytes());
            position += entry.bytes();
        }
        String text = header.toString();
        int length = text.getBytes(StandardCharsets.UTF_8).length;
        return (text + " ".repeat(Math.floorMod(-length, 8))).getBytes(StandardCharsets.UTF_8);
    }

    private static void writeData(Entry entry, OutputStream out) throws IOException {
        if (entry.bytes() == 0) {
            return;
        }
        try (TensorScope _ = new TensorScope()) {
            Tensor here = entry.tensor().detach().cpu().contiguous();
            MemorySegment bytes =
                    MemorySegment.ofAddress(here.data_ptr().address()).reinterpret(entry.bytes());
            byte[] chunk = new byte[(int) Math.min(CHUNK_BYTES, entry.bytes())];
            for (long from = 0; from < entry.bytes(); from += chunk.length) {
                int size = (int) Math.min(chunk.length, entry.bytes() - from);
                MemorySegment.copy(bytes, ValueLayout.JAVA_BYTE, from, chunk, 0, size);
                out.write(chunk, 0, size);
            }
        }
    }
}
