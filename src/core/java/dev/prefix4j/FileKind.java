package dev.prefix4j;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/**
 * The kind of a file by its first bytes, whatever its name: for the message when a file is not of the expected kind.
 *
 * <p>{@code model.safetensors: expected safetensors, found a Git LFS pointer, not the file itself: fetch it with 'git lfs
 * pull'}.
 */
public enum FileKind {
    EMPTY("an empty file", ""),
    LFS_POINTER("a Git LFS pointer, not the file itself", "fetch it with 'git lfs pull'"),
    HTML("an HTML page, perhaps the error page of a download", "download the file again"),
    TORCH(
            "a PyTorch file (pickle), which can run code when it is loaded",
            "save it as safetensors, with save_pretrained or safetensors.torch.save_file"),
    PICKLE("a Python pickle, which can run code when it is loaded", "save it as safetensors, or as text"),
    XLSX("an Excel workbook", "save it as CSV (UTF-8)"),
    ZIP("a zip archive", "unpack it and give the file inside"),
    TAR("a tar archive", "unpack it and give the file inside"),
    GZIP("gzip data", "unpack it with gunzip"),
    BZIP2("bzip2 data", "unpack it with bunzip2"),
    XZ("xz data", "unpack it with unxz"),
    ZSTD("Zstandard data", "unpack it with unzstd"),
    PARQUET(
            "a Parquet file",
            "convert it with Python: pandas.read_parquet(FILE).to_json(OUT, orient='records', lines=True)"),
    ARROW("an Arrow file", "convert it with Python: datasets.Dataset.from_file(FILE).to_json(OUT)"),
    GGUF("a GGUF model", ""),
    SAFETENSORS("safetensors", ""),
    HDF5("an HDF5 file", ""),
    PDF("a PDF document", ""),
    UTF16("UTF-16 text", "convert it with iconv -f UTF-16 -t UTF-8"),
    XML("XML", ""),
    JSON("JSON", ""),
    TEXT("text", ""),
    OTHER_TEXT("text that is not UTF-8", "convert it with iconv -f LATIN1 -t UTF-8, or from its actual encoding"),
    BINARY("binary data", "");

    /** How many bytes of a file are examined. */
    private static final int LOOK_BYTES = 4096;

    private static final int TAR_MAGIC_AT = 257;
    private static final long MAX_SAFETENSORS_HEADER = 100 << 20;

    private final String words;
    private final String advice;

    FileKind(String words, String advice) {
        this.words = words;
        this.advice = advice;
    }

    /** The kind and what to do about it, for the end of a message: {@code bzip2 data: unpack it with bunzip2}. */
    public String found() {
        return advice.isEmpty() ? words : words + ": " + advice;
    }

    /** Whether it may be readable as UTF-8 text. */
    public boolean isText() {
        return switch (this) {
            case XML, JSON, TEXT, LFS_POINTER, HTML -> true;
            case EMPTY,
                    TORCH,
                    PICKLE,
                    XLSX,
                    ZIP,
                    TAR,
                    GZIP,
                    BZIP2,
                    XZ,
                    ZSTD,
                    PARQUET,
                    ARROW,
                    GGUF,
                    SAFETENSORS,
                    HDF5,
                    PDF,
                    UTF16,
                    OTHER_TEXT,
                    BINARY -> false;
        };
    }

    /**
     * Examines the beginning of a file.
     *
     * @throws InputException if it is not a regular file or cannot be read
     */
    public static FileKind of(Path file) {
        try (InputStream in = InputFile.open(file, "a file")) {
            return of(in.readNBytes(LOOK_BYTES));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(file, e);
        }
    }

    /** @param start the first bytes of a file, up to 4,096 */
    public static FileKind of(byte[] start) {
        if (start.length == 0) {
            return EMPTY;
        }
        // Checked first, because a header's length may look like the start of a pickle or of gzip data.
        if (start.length > 8 && start[8] == '{') {
            long header = ByteBuffer.wrap(start).order(ByteOrder.LITTLE_ENDIAN).getLong();
            if (header > 0 && header <= MAX_SAFETENSORS_HEADER) {
                return SAFETENSORS;
            }
        }
        String latin = new String(start, StandardCharsets.ISO_8859_1);
        if (latin.startsWith("PK\3\4") || latin.startsWith("PK\5\6")) {
            return latin.contains("data.pkl") ? TORCH : latin.contains("[Content_Types].xml") ? XLSX : ZIP;
        }
        if (latin.startsWith("\u0080") && start.length > 1 && start[1] >= 2 && start[1] <= 5) {
            // PyTorch's old format begins with the pickle of a magic number.
            return start.length > 12 && latin.startsWith("\u008a\nl\u00fc\u009cF\u00f9 j\u00a8P\u0019", 2)
                    ? TORCH
                    : PICKLE;
        }
        for (Magic magic : MAGIC) {
            if (latin.startsWith(magic.start)) {
                return magic.kind;
            }
        }
        if (latin.startsWith("ustar", TAR_MAGIC_AT)) {
            return TAR;
        }
        return ofText(start, latin);
    }

    /**
     * Rejects a file that cannot hold the expected text.
     *
     * @param file for the message
     * @param expected such as {@code rows of text}
     * @param start the first few thousand bytes of its content
     * @throws InputException if it is not text
     */
    public static void requireText(Path file, String expected, byte[] start) {
        FileKind kind = of(start);
        switch (kind) {
            case LFS_POINTER,
                    HTML,
                    TORCH,
                    PICKLE,
                    XLSX,
                    ZIP,
                    TAR,
                    GZIP,
                    BZIP2,
                    XZ,
                    ZSTD,
                    PARQUET,
                    ARROW,
                    GGUF,
                    SAFETENSORS,
                    HDF5,
                    PDF,
                    UTF16,
                    BINARY ->
                throw new InputException("%s: expected %s, found %s".formatted(file, expected, kind.found()));
            case EMPTY, XML, JSON, TEXT, OTHER_TEXT -> { // bytes that are not UTF-8 are rejected later, with their row
            }
        }
    }

    private static FileKind ofText(byte[] start, String latin) {
        if (latin.startsWith("\u00ff\u00fe") || latin.startsWith("\u00fe\u00ff")) {
            return UTF16;
        }
        if (latin.indexOf(0) >= 0) {
            return alternatingZeros(start) ? UTF16 : BINARY;
        }
        if (!isUtf8(start)) {
            boolean controls = latin.chars().anyMatch(c -> c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != '\f');
            return controls ? BINARY : OTHER_TEXT;
        }
        String text = new String(start, StandardCharsets.UTF_8);
        String trimmed = (text.startsWith("\uFEFF") ? text.substring(1) : text).stripLeading();
        String lower = trimmed.substring(0, Math.min(200, trimmed.length())).toLowerCase(Locale.ROOT);
        if (trimmed.startsWith("version https://git-lfs")) {
            return LFS_POINTER;
        }
        if (lower.startsWith("<!doctype html") || lower.startsWith("<html")) {
            return HTML;
        }
        return lower.startsWith("<") ? XML : lower.startsWith("{") || lower.startsWith("[") ? JSON : TEXT;
    }

    private static boolean alternatingZeros(byte[] bytes) {
        int length = Math.min(bytes.length, 64) & ~1;
        int even = 0;
        int odd = 0;
        for (int i = 0; i < length; i += 2) {
            even += bytes[i] == 0 ? 1 : 0;
            odd += bytes[i + 1] == 0 ? 1 : 0;
        }
        return length >= 4 && Math.max(even, odd) > length / 2 * 3 / 4 && Math.min(even, odd) == 0;
    }

    /** A character truncated at the end of the bytes is accepted. */
    private static boolean isUtf8(byte[] bytes) {
        CoderResult result = StandardCharsets.UTF_8
                .newDecoder()
                .decode(ByteBuffer.wrap(bytes), CharBuffer.allocate(bytes.length), false);
        return !result.isError();
    }

    private record Magic(String start, FileKind kind) {}

    private static final Magic[] MAGIC = {
        new Magic("\u001f\u008b", GZIP),
        new Magic("BZh", BZIP2),
        new Magic("\u00fd7zXZ\0", XZ),
        new Magic("(\u00b5/\u00fd", ZSTD),
        new Magic("PAR1", PARQUET),
        new Magic("ARROW1", ARROW),
        new Magic("\u00ff\u00ff\u00ff\u00ff", ARROW), // the stream format's continuation mark
        new Magic("GGUF", GGUF),
        new Magic("\u0089HDF", HDF5),
        new Magic("%PDF", PDF),
    };
}
