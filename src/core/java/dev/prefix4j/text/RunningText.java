package dev.prefix4j.text;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Documents as one sequence of tokens, to be scored unchanged.
 *
 * @param ids what the tokenizer puts before a text, then the documents, one after the other, each with an end token behind it
 * @param bytes UTF-8 bytes of their text; end tokens count none
 */
public record RunningText(int[] ids, long bytes) {
    /**
     * Encodes a file of {@link Documents}.
     *
     * @param eos appended to each document
     */
    public static RunningText encode(Path file, Tokenizer tokenizer, int eos) {
        List<String> documents = new ArrayList<>();
        Documents.read(file, documents::add);
        int[] ids = tokenizer.encode(documents).stream()
                .flatMapToInt(document -> IntStream.concat(Arrays.stream(document), IntStream.of(eos)))
                .toArray();
        return new RunningText(
                tokenizer.begin(ids),
                documents.stream().mapToLong(RunningText::bytes).sum());
    }

    private static long bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }
}
