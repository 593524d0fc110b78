package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DownloadProgressTest {
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();

    @AfterEach
    void nobodyWatches() {
        System.clearProperty("prefix4j.terminal");
    }

    private String download() {
        PrintStream stream = new PrintStream(err, true, StandardCharsets.UTF_8);
        DownloadProgress progress =
                new DownloadProgress(new Console(InputStream.nullInputStream(), stream, stream, Map.of()));
        progress.started("config.json", 0, 700);
        progress.received(700);
        progress.ended();
        progress.started("model.safetensors", 0, 5_000_000);
        progress.received(2_000_000);
        progress.remark("HTTP 503; try 2 of 3");
        progress.received(5_000_000);
        progress.ended();
        return err.toString(StandardCharsets.UTF_8);
    }

    @Test
    void elsewhereThanOnATerminalThereAreLines() {
        assertEquals("downloading model.safetensors: 5 MB\nHTTP 503; try 2 of 3\n", download());
    }

    @Test
    void onATerminalThereIsABar() {
        System.setProperty("prefix4j.terminal", "true");
        String text = download();
        assertTrue(text.contains("model.safetensors 100% [="), text);
        assertTrue(text.contains("5/5 MB"), text);
        assertTrue(text.contains("HTTP 503; try 2 of 3\n"), text);
    }
}
