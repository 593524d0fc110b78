package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;

class VersionTest {
    private static Properties properties(Map<String, String> values) {
        Properties properties = new Properties();
        properties.putAll(values);
        return properties;
    }

    @Test
    void namesVersionCommitJavaAndLibtorch() {
        assertArrayEquals(
                new String[] {"prefix4j 1.2.3 (commit 0123456789ab-dirty)", "Java 25.0.1+8, libtorch 2.10.0"},
                Main.Version.lines(
                        properties(Map.of("version", "1.2.3", "commit", "0123456789ab-dirty")),
                        "25.0.1+8",
                        properties(Map.of("version", "2.10.0-1.5.13"))));
    }

    @Test
    void doesWithoutACommitAndWithoutABuild() {
        Properties none = new Properties();
        assertEquals(
                "prefix4j 1.2.3",
                Main.Version.lines(properties(Map.of("version", "1.2.3", "commit", "")), "25", none)[0]);
        assertArrayEquals(
                new String[] {"prefix4j (development)", "Java 25, libtorch (not found)"},
                Main.Version.lines(none, "25", none));
    }

    @Test
    void findsTheLibtorchOfTheClassPath() throws Exception {
        String line = new Main.Version().getVersion()[1];
        assertTrue(
                line.matches("Java "
                        + java.util.regex.Pattern.quote(Runtime.version().toString())
                        + ", libtorch \\d+\\.\\d+\\.\\d+"),
                line);
    }
}
