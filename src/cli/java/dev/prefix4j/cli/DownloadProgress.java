package dev.prefix4j.cli;

import dev.prefix4j.hub.DownloadListener;
import java.time.Duration;
import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** Shows a download: a progress bar on a terminal, an occasional line elsewhere; nothing for small files. */
final class DownloadProgress implements DownloadListener {
    private static final long LINE_NANOS = 10_000_000_000L;
    private static final long MEGABYTE = 1_000_000;

    private final Console console;
    private @Nullable ProgressBar bar; // null: not shown
    private String file = "";
    private long total;
    private long lastLine;

    DownloadProgress(Console console) {
        this.console = console;
    }

    @Override
    public void started(String name, long done, long bytes) {
        file = name;
        total = bytes;
        lastLine = System.nanoTime();
        if (total < MEGABYTE) {
            return;
        }
        if (console.isWatched()) {
            bar = new ProgressBarBuilder()
                    .setTaskName(file)
                    .setUnit(" MB", MEGABYTE)
                    .setInitialMax(total)
                    .startsFrom(done, Duration.ZERO)
                    .setStyle(ProgressBarStyle.ASCII)
                    .setUpdateIntervalMillis(250)
                    .showSpeed()
                    .setConsumer(new ConsoleProgressBarConsumer(console.err()))
                    .build();
        } else {
            console.say("downloading %s: %,d MB", file, total / MEGABYTE);
        }
    }

    @Override
    public void received(long done) {
        if (bar != null) {
            bar.stepTo(done);
        } else if (System.nanoTime() - lastLine > LINE_NANOS) {
            lastLine = System.nanoTime();
            console.say("downloading %s: %,d of %,d MB", file, done / MEGABYTE, total / MEGABYTE);
        }
    }

    @Override
    public void ended() {
        if (bar != null) {
            bar.close();
            bar = null;
        }
    }

    @Override
    public void remark(String text) {
        if (bar != null) {
            bar.pause();
            console.clearLine(); // clears the bar, which is drawn again below
        }
        console.say("%s", text);
        if (bar != null) {
            bar.resume();
        }
    }
}
