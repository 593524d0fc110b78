package dev.prefix4j.torch;

import dev.prefix4j.AtomicFile;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.PointerConsumer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;

/**
 * A file in memory that tensors share. It is unmapped when {@link #close} has been called and the last tensor over it
 * has been freed: a tensor can never outlive its bytes.
 *
 * <p>The mapping is private: writing to such a tensor changes a copy of the page, not the file. If the C library cannot
 * map files (Windows), Java maps it read-only instead.
 */
final class MappedFile implements AutoCloseable {
    /** Mappings by start address, to find the one that a storage was made over. */
    private static final NavigableMap<Long, MappedFile> LIVE = new ConcurrentSkipListMap<>();

    private static final PointerConsumer STORAGE_FREED = forever();

    private final MemorySegment bytes;
    private final Runnable unmap;
    private final AtomicInteger owners = new AtomicInteger(1); // this object, and each storage
    private boolean closed;

    private MappedFile(MemorySegment bytes, Runnable unmap) {
        this.bytes = bytes;
        this.unmap = unmap;
        LIVE.put(bytes.address(), this);
    }

    /** The function that libtorch calls when a storage over a mapping is freed; it belongs to no scope. */
    private static PointerConsumer forever() {
        try (PointerScope scope = new PointerScope()) {
            PointerConsumer consumer = new PointerConsumer() {
                @Override
                public void call(Pointer data) {
                    LIVE.floorEntry(data.address()).getValue().release();
                }
            };
            consumer.retainReference();
            scope.detach(consumer);
            return consumer;
        }
    }

    /** @throws dev.prefix4j.InputException if the file is empty or cannot be read */
    static MappedFile open(Path file) {
        try {
            long size = Files.size(file);
            Optional<MemorySegment> mapped = Libc.map(file, size);
            if (mapped.isPresent()) {
                MemorySegment segment = mapped.get();
                return new MappedFile(segment, () -> Libc.unmap(segment));
            }
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                @SuppressWarnings("MustBeClosedChecker") // the mapped file closes it
                Arena arena = Arena.ofShared();
                return new MappedFile(channel.map(FileChannel.MapMode.READ_ONLY, 0, size, arena), arena::close);
            }
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /** The content. Not to be read after {@link #close}. */
    MemorySegment bytes() {
        return bytes;
    }

    /**
     * A tensor over a part of the file.
     *
     * @param offset a multiple of the element size
     * @param shape of at least one element
     */
    Tensor tensor(long offset, long[] shape, torch.ScalarType type) {
        owners.incrementAndGet();
        return torch.from_blob(new Address(bytes.address() + offset), shape, STORAGE_FREED, new TensorOptions(type));
    }

    /**
     * Releases the memory of a tensor's bytes to the system.
     *
     * @return false if the tensor is not dense, not over a mapped file, or has been written to
     */
    static boolean evict(Tensor tensor) {
        if (!tensor.device().is_cpu() || !inOnePiece(tensor) || tensor.numel() == 0) {
            return false;
        }
        long start = tensor.data_ptr().address();
        long bytes = tensor.numel() * tensor.element_size();
        Map.Entry<Long, MappedFile> file = LIVE.floorEntry(start);
        return file != null
                && start + bytes <= file.getKey() + file.getValue().bytes.byteSize()
                && Libc.evict(start, bytes);
    }

    /** Whether its elements fill a contiguous range of memory, in row-major or column-major order. */
    private static boolean inOnePiece(Tensor tensor) {
        return tensor.is_contiguous()
                || (tensor.dim() == 2 && tensor.stride(0) == 1 && tensor.stride(1) == tensor.size(0));
    }

    private void release() {
        if (owners.decrementAndGet() == 0) {
            LIVE.remove(bytes.address());
            unmap.run();
        }
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            release();
        }
    }
}
