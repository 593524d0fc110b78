package dev.prefix4j.report;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HeadlessTest {
    /** In a separate process: initializes a class of this package, then says what AWT will read. */
    public static void main(String[] arguments) throws ClassNotFoundException {
        Class.forName("dev.prefix4j.report." + arguments[0]);
        System.out.print(System.getProperty("java.awt.headless"));
    }

    @ParameterizedTest
    @CsvSource({
        "Charts,-Da=b,true",
        "SweepPage,-Da=b,true",
        "Charts,-Dprefix4j.process-settings=off,null",
        "SweepPage,-Dprefix4j.process-settings=off,null",
        "Charts,-Djava.awt.headless=false,false"
    })
    void aHostDecidesWhetherPlotsSetAwtHeadless(String type, String option, String headless) throws Exception {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                option,
                "-cp",
                System.getProperty("java.class.path"),
                HeadlessTest.class.getName(),
                type));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        assertEquals(headless, new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
        assertEquals(0, process.waitFor());
    }
}
