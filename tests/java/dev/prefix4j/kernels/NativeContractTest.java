package dev.prefix4j.kernels;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Holds the Java side of the binding to the sources of the native one: names, types and order of everything. */
class NativeContractTest {
    private static final Pattern KERNEL =
            Pattern.compile("P4J_KERNEL\\((\\w+), (\\w+),\\s*\\(([^)]*)\\),\\s*\\(([^)]*)\\)\\)", Pattern.DOTALL);
    private static final Pattern DECLARATION =
            Pattern.compile("P4J_API (\\w+) p4j_(\\w+)\\(([^)]*)\\);", Pattern.DOTALL);
    private static final Pattern STRUCT = Pattern.compile("typedef struct \\{(.*?)\\} p4j_(\\w+);", Pattern.DOTALL);

    private static String read(String file) throws IOException {
        return Files.readString(Path.of("native", file)).replaceAll("//[^\n]*", "");
    }

    /** The letter of a C type. */
    private static String letter(String type) {
        return type.contains("*")
                ? "p"
                : switch (type.replace("const", "").strip()) {
                    case "int64_t" -> "l";
                    case "float" -> "f";
                    case "double" -> "d";
                    case "p4j_q8_rows" -> "q";
                    case "void" -> "v";
                    default -> throw new AssertionError("no letter for " + type);
                };
    }

    /** The letters of parameters such as {@code const float* x, int64_t n}. */
    private static String letters(String parameters) {
        return Stream.of(parameters.split(","))
                .map(parameter ->
                        letter(parameter.strip().replaceFirst("\\w+$", "").strip()))
                .collect(Collectors.joining());
    }

    private static Map<String, String> signatures(Pattern pattern, String text) {
        Map<String, String> signatures = new LinkedHashMap<>();
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            signatures.put(matcher.group(2), letter(matcher.group(1)) + letters(matcher.group(3)));
        }
        return signatures;
    }

    @Test
    void everyKernelIsBoundAsItIsDefined() throws IOException {
        Map<String, String> bound = new LinkedHashMap<>();
        for (Function function : Function.values()) {
            bound.put(function.nativeName(), function.signature());
        }
        assertEquals(signatures(KERNEL, read("src/kernels.def")), bound);
    }

    @Test
    void theHeaderDeclaresWhatIsDefined() throws IOException {
        Map<String, String> declared = signatures(
                DECLARATION, read("include/prefix4j.h").replaceAll("P4J_API (int32_t|const char\\*) [^;]*;", ""));
        assertEquals("lpp", declared.remove("layout")); // of the library itself, as what was left out before
        assertEquals(signatures(KERNEL, read("src/kernels.def")), declared);
    }

    @Test
    void everyKernelIsTestedAndDescribed() throws IOException {
        StringBuilder tests = new StringBuilder();
        try (Stream<Path> files = Files.list(Path.of("native/test"))) {
            for (Path file : (Iterable<Path>) files::iterator) {
                tests.append(Files.readString(file));
            }
        }
        String readme = Files.readString(Path.of("native/README.md"));
        for (Function function : Function.values()) {
            String name = "p4j_" + function.nativeName();
            assertTrue(tests.indexOf(name + "(") >= 0, name + ": expected a call in native/test");
            assertTrue(readme.contains("`" + name + "`"), name + ": expected a place in native/README.md");
        }
    }

    @Test
    void everyStructureHasTheFieldsOfTheHeader() throws IOException {
        Map<String, List<String>> declared = new LinkedHashMap<>();
        Matcher matcher = STRUCT.matcher(read("include/prefix4j.h"));
        while (matcher.find()) {
            List<String> fields = new ArrayList<>();
            for (String line : matcher.group(1).split(";")) {
                if (line.isBlank()) {
                    continue;
                }
                Matcher field = Pattern.compile("\\s*(.*?[\\s*])(\\w+(?:, \\w+)*)\\s*", Pattern.DOTALL)
                        .matcher(line);
                if (!field.matches()) {
                    throw new AssertionError("no field: " + line);
                }
                for (String name : field.group(2).split(", ")) {
                    String type = field.group(1).strip();
                    fields.add(name + ":" + (type.equals("int8_t*") || type.contains("*") ? "p" : letter(type)));
                }
            }
            declared.put(matcher.group(2), fields);
        }
        Map<String, List<String>> bound = new LinkedHashMap<>();
        for (Struct struct : Struct.values()) {
            bound.put(struct.nativeName(), struct.fields());
        }
        assertEquals(declared, bound);
        List<String> listed = Pattern.compile("P4J_(?:STRUCT|FIELD)\\(([^)]*)\\)")
                .matcher(read("src/structs.def"))
                .results()
                .map(result -> result.group(1))
                .toList();
        List<String> expected = new ArrayList<>();
        declared.forEach((name, fields) -> {
            expected.add(name);
            fields.forEach(field -> expected.add(name + ", " + field.substring(0, field.indexOf(':'))));
        });
        assertEquals(expected, listed);
    }
}
