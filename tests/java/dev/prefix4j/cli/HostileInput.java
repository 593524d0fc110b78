package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ContainerNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.POJONode;
import com.fasterxml.jackson.databind.util.RawValue;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;

/** Turns a good file into one that a stranger might bring: cut, flipped, of another kind, or with a value nobody expects. */
final class HostileInput {
    private static final ObjectMapper JSON = new ObjectMapper();

    /** JSON values, as text. */
    private static final List<String> VALUES = List.of(
            "1e1000000000",
            "-1e1000000000",
            "-1",
            "0",
            "-0.0",
            "3.5",
            "1e308",
            "1e-400",
            "2147483647",
            "-2147483648",
            "4294967296",
            "9223372036854775808",
            "99999999999999999999999999",
            "16777216",
            "NaN",
            "null",
            "true",
            "[]",
            "{}",
            "[[[]]]",
            "[1e400]",
            "[-1, null]",
            "\"\"",
            "\" \"",
            "\"\\u0000\\u001b[31m\\u2028\"",
            "\"\\ud800\"",
            "\"../../../etc/passwd\"",
            "\"/dev/zero\"",
            "\"(((a+)+)+)+$\"",
            "\"\\\\p{\"",
            "\"" + "long ".repeat(1 << 17) + "\"",
            "[".repeat(5000) + "]".repeat(5000));

    /** Beginnings of files of another kind. */
    private static final List<byte[]> KINDS = List.of(
            bytes("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"),
            bytes("<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"),
            bytes("PK\3\4\24\0\0\0\0\0"),
            bytes("PAR1\25\4\25\0"),
            new byte[] {(byte) 0x80, 2, '}', 'q', 0, '.'},
            new byte[] {(byte) 0x1f, (byte) 0x8b, 8, 0, 0, 0, 0, 0, 0, 3},
            new byte[] {(byte) 0xfd, '7', 'z', 'X', 'Z', 0, 0},
            new byte[] {(byte) 0xff, (byte) 0xfe, 'a', 0},
            bytes("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>"),
            bytes("<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;&c;&c;</a>"),
            new byte[0],
            bytes("\n"),
            bytes("\uFEFF"));

    private final Random random;

    HostileInput(Random random) {
        this.random = random;
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    <T> T any(List<T> choices) {
        return choices.get(random.nextInt(choices.size()));
    }

    /** Damages a file in place; a file that is not there may come to be. */
    void damage(Path file) throws IOException {
        if (random.nextInt(16) == 0) {
            replaceByNoFile(file);
            return;
        }
        byte[] good = Files.exists(file) ? Files.readAllBytes(file) : bytes("{}");
        Files.write(file, random.nextInt(3) > 0 ? structured(good) : bytewise(good));
    }

    private void replaceByNoFile(Path file) throws IOException {
        Files.deleteIfExists(file);
        switch (random.nextInt(4)) {
            case 0 -> Files.createDirectory(file);
            case 1 -> Files.createSymbolicLink(file, Path.of("nowhere"));
            case 2 -> Files.createSymbolicLink(file, Path.of("/dev/zero"));
            default -> mkfifo(file);
        }
    }

    private static void mkfifo(Path file) throws IOException {
        try {
            new ProcessBuilder("mkfifo", file.toString()).start().waitFor();
        } catch (InterruptedException e) {
            throw new IOException(e);
        }
    }

    private byte[] structured(byte[] good) throws IOException {
        if (good.length > 8 && good[8] == '{') { // safetensors
            int length =
                    (int) ByteBuffer.wrap(good).order(ByteOrder.LITTLE_ENDIAN).getLong();
            byte[] header = json(Arrays.copyOfRange(good, 8, 8 + length));
            ByteBuffer file =
                    ByteBuffer.allocate(header.length + good.length - length).order(ByteOrder.LITTLE_ENDIAN);
            return file.putLong(header.length)
                    .put(header)
                    .put(good, 8 + length, good.length - 8 - length)
                    .array();
        }
        return good.length > 0 && (good[0] == '{' || good[0] == '[') ? json(good) : text(good);
    }

    /** Another value or name somewhere in a JSON tree, or in one of the lines of several. */
    private byte[] json(byte[] good) throws IOException {
        JsonNode tree;
        String rest = "";
        try {
            String text = new String(good, StandardCharsets.UTF_8);
            int end = text.startsWith("{") && text.contains("}\n{") ? text.indexOf('\n') : text.length();
            rest = text.substring(end);
            tree = JSON.readTree(text.substring(0, end));
        } catch (IOException e) {
            return bytewise(good);
        }
        List<ContainerNode<?>> containers = new ArrayList<>();
        collect(tree, containers);
        ContainerNode<?> container = any(containers);
        JsonNode value = new POJONode(new RawValue(any(VALUES)));
        switch (container) {
            case ObjectNode object
            when object.isEmpty() || random.nextInt(6) == 0 ->
                object.set(any(List.of("", "\u001b[2J", "x".repeat(100_000), "eos_token_id", "vocab")), value);
            case ObjectNode object -> {
                List<String> names = new ArrayList<>();
                object.fieldNames().forEachRemaining(names::add);
                String name = any(names);
                if (random.nextInt(6) == 0) {
                    object.remove(name);
                } else {
                    object.set(name, value);
                }
            }
            case ArrayNode array when array.isEmpty() -> array.add(value);
            case ArrayNode array -> array.set(random.nextInt(array.size()), value);
            default -> throw new AssertionError(container);
        }
        return bytes(JSON.writeValueAsString(tree) + rest);
    }

    private static void collect(JsonNode node, List<ContainerNode<?>> containers) {
        if (node instanceof ContainerNode<?> container) {
            containers.add(container);
            container.forEach(child -> collect(child, containers));
        }
    }

    /** A word, or a separator, is another. */
    private byte[] text(byte[] good) throws IOException {
        String text = new String(good, StandardCharsets.UTF_8);
        String token = any(List.of("\t", ",", "\"", "[", "]", "<", ">", "\n", ":", " ", "e", "1"));
        int at = text.indexOf(token, text.isEmpty() ? 0 : random.nextInt(text.length()));
        if (at < 0) {
            return bytewise(good);
        }
        String other = any(List.of(
                "",
                token.repeat(3),
                "\0",
                "\u001b[31m",
                "\"",
                "1e1000000000",
                "&xxe;",
                "]]>",
                "\r",
                "<".repeat(3000),
                "y".repeat(200_000),
                "- ".repeat(3000)));
        return bytes(text.substring(0, at) + other + text.substring(at + token.length()));
    }

    private byte[] bytewise(byte[] good) throws IOException {
        byte[] bytes = good.clone();
        switch (random.nextInt(6)) {
            case 0 -> {
                return any(KINDS);
            }
            case 1 -> {
                return Arrays.copyOf(bytes, random.nextInt(bytes.length + 1));
            }
            case 2 -> {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
                    gzip.write(bytes);
                }
                return Arrays.copyOf(out.toByteArray(), random.nextInt(out.size() + 1));
            }
            case 3 -> {
                byte[] twice = Arrays.copyOf(bytes, 2 * bytes.length);
                System.arraycopy(bytes, 0, twice, bytes.length, bytes.length);
                return twice;
            }
            case 4 -> {
                byte[] start = any(KINDS);
                System.arraycopy(start, 0, bytes, 0, Math.min(start.length, bytes.length));
                return bytes;
            }
            default -> {
                for (int i = 0, flips = 1 + random.nextInt(8); i < flips && bytes.length > 0; i++) {
                    bytes[random.nextInt(Math.min(bytes.length, random.nextBoolean() ? 200 : bytes.length))] =
                            (byte) random.nextInt(256);
                }
                return bytes;
            }
        }
    }
}
