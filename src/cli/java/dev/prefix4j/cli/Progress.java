package dev.prefix4j.cli;

import me.tongfei.progressbar.ConsoleProgressBarConsumer;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;
import org.jspecify.annotations.Nullable;

/** A progress bar for counted work, shown on a terminal if there is enough to do. */
final class Progress implements AutoCloseable {
    private static final int FEW = 8;

    private final @Nullable ProgressBar bar; // null: none

    /** @param total how much there is to do; no bar if it is little or nothing */
    Progress(Console console, String name, int total) {
        this.bar = console.isWatched() && total > FEW
                ? builder(console, name).setInitialMax(total).build()
                : null;
    }

    /** How every bar looks. */
    static ProgressBarBuilder builder(Console console, String name) {
        return new ProgressBarBuilder()
                .setTaskName(name)
                .setStyle(ProgressBarStyle.ASCII)
                .setUpdateIntervalMillis(250)
                .setConsumer(new ConsoleProgressBarConsumer(console.err()));
    }

    /** Shows how much is done. */
    void to(int done) {
        if (bar != null) {
            bar.stepTo(done);
        }
    }

    @Override
    public void close() {
        if (bar != null) {
            bar.close();
        }
    }
}
