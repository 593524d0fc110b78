package dev.prefix4j.pretrain;

import dev.prefix4j.InputException;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.Safetensors;
import dev.prefix4j.torch.SafetensorsWriter;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;

/**
 * Documents as tokens, in a file that is mapped into memory: they are tokenized once per run, and a corpus may be larger
 * than the Java heap. Each document ends with the end token.
 */
public final class TokenCorpus implements AutoCloseable {
    private static final int BATCH_CHARACTERS = 4 << 20;

    private static final int COUNTED_AT_ONCE = 1 << 20;

    private final Safetensors file;
    private final IntPointer ids;
    private final long[] ends; // of each document, after its end token
    private final long bytes;

    private TokenCorpus(Safetensors file, Path path) {
        this.file = file;
        if (!file.names().contains("ids") || !file.names().contains("ends")) {
            throw new InputException(path + ": expected the tensors ids and ends, found " + file.names());
        }
        try (TensorScope scope = new TensorScope()) {
            this.ids = scope.keep(file.tensor("ids").data_ptr_int());
            Tensor endTensor = file.tensor("ends");
            this.ends = new long[(int) endTensor.numel()];
            endTensor.data_ptr_long().get(ends);
        }
        if (ends.length == 0
                || ends[ends.length - 1] != file.info("ids").shape().getFirst()) {
            throw new InputException(path + ": expected the last document to end at the last token, found another end");
        }
        this.bytes = Long.parseLong(file.metadata().getOrDefault("bytes", "0"));
    }

    /**
     * Tokenizes text files and opens the result.
     *
     * @param target file for the tokens
     * @param eos appended to each document
     */
    public static TokenCorpus encode(List<Path> texts, Tokenizer tokenizer, int eos, Path target) {
        try (TensorScope _ = new TensorScope()) {
            Encoder encoder = new Encoder(tokenizer, eos);
            for (Path text : texts) {
                Documents.read(text, encoder::add);
            }
            encoder.flush();
            long[] ends = encoder.ends.stream().mapToLong(Long::longValue).toArray();
            SafetensorsWriter.write(
                    target,
                    Map.of(
                            "ids",
                            torch.cat(new TensorVector(encoder.parts.toArray(Tensor[]::new)), 0),
                            "ends",
                            torch.tensor(ends)),
                    Map.of("bytes", Long.toString(encoder.bytes)));
        }
        return open(target);
    }

    private static final class Encoder {
        private final Tokenizer tokenizer;
        private final int eos;
        private final List<String> waiting = new ArrayList<>();
        private final List<Tensor> parts = new ArrayList<>();
        private final List<Long> ends = new ArrayList<>();
        private int characters;
        private long tokens;
        private long bytes;

        Encoder(Tokenizer tokenizer, int eos) {
            this.tokenizer = tokenizer;
            this.eos = eos;
        }

        void add(String document) {
            waiting.add(document);
            characters += document.length();
            if (characters > BATCH_CHARACTERS) {
                flush();
            }
        }

        void flush() {
            for (String text : waiting) {
                bytes += text.getBytes(java.nio.charset.StandardCharsets.UTF_8).length;
            }
            for (int[] ids : tokenizer.encode(waiting)) {
                int[] document = java.util.Arrays.copyOf(ids, ids.length + 1);
                document[ids.length] = eos;
                parts.add(torch.tensor(document));
                tokens += document.length;
                ends.add(tokens);
            }
            waiting.clear();
            characters = 0;
        }
    }

    /** Opens what {@link #encode} has written. */
    public static TokenCorpus open(Path file) {
        Safetensors opened = Safetensors.open(file);
        try {
            return new TokenCorpus(opened, file);
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    /** Number of documents. */
    public int documents() {
        return ends.length;
    }

    /** Number of tokens of all documents, including end tokens. */
    public long tokens() {
        return ends[ends.length - 1];
    }

    /** UTF-8 bytes of the text of all documents. */
    public long bytes() {
        return bytes;
    }

    /** Where a document begins. */
    long start(int document) {
        return document == 0 ? 0 : ends[document - 1];
    }

    /** The position after the end token of a document. */
    long end(int document) {
        return ends[document];
    }

    /** Copies tokens. */
    void copy(long from, int[] into, int at, int count) {
        new IntPointer(ids).position(from).get(into, at, count);
    }

    /** A range of tokens. */
    int[] slice(long from, int count) {
        int[] slice = new int[(int) Math.min(count, tokens() - from)];
        copy(from, slice, 0, slice.length);
        return slice;
    }

    /** How often each token occurs. */
    long[] counts(int vocabulary) {
        long[] counts = new long[vocabulary];
        for (long from = 0; from < tokens(); from += COUNTED_AT_ONCE) {
            for (int id : slice(from, COUNTED_AT_ONCE)) {
                counts[id]++;
            }
        }
        return counts;
    }

    @Override
    public void close() {
        file.close();
    }
}
