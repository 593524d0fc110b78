package dev.prefix4j.report;

import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.TrainResult;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A run as one self-contained HTML file: style, script and images are embedded, and its content policy forbids the rest.
 *
 * <p>Every text passes through {@link #text} or {@link Html#escape}; {@link #markup} is for our own tags.
 */
final class Page {
    private static final DateTimeFormatter TIME = DateTimeFormatter.ofPattern("yyyy-MM-dd HH:mm XXX", Locale.ROOT);

    private final StringBuilder html = new StringBuilder();
    private final RunRecord run;
    private final ZonedDateTime now;

    private Page(RunRecord run, ZonedDateTime now) {
        this.run = run;
        this.now = now;
    }

    /**
     * Writes a page.
     *
     * @param figures as HTML
     */
    static String of(RunRecord run, ZonedDateTime now, String figures) {
        Page page = new Page(run, now);
        page.head();
        page.summary();
        page.markup(figures);
        page.samples();
        page.tables();
        page.foot();
        return page.html.toString();
    }

    private Page markup(String ours) {
        html.append(ours);
        return this;
    }

    private Page text(String anybodys) {
        html.append(Html.escape(anybodys));
        return this;
    }

    private void head() {
        String script = Html.resource("report.js");
        markup("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        markup("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        markup("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; ")
                .markup("style-src 'unsafe-inline'; script-src 'sha256-%s'\">\n".formatted(sha256(script)));
        markup("<title>").text(run.name() + " – prefix4j").markup("</title>\n");
        markup("<style>\n").markup(Html.resource("report.css")).markup("</style>\n</head>\n<body>\n");
    }

    private void summary() {
        markup("<header>\n<h1>").text(run.name()).markup("</h1>\n");
        markup("<p>").text(run.isPretraining() ? "Pretraining of a GPT-2" : tuning() + " of a language model");
        for (String key : List.of("model", "data")) {
            if (run.config.containsKey(key)) {
                text(key.equals("model") ? ", model " : ", data ").markup("<span dir=\"auto\">");
                text(run.config.get(key)).markup("</span>");
            }
        }
        markup("</p>\n<p>").text("Written " + TIME.format(now)).markup("</p>\n");
        int total = run.session.steps();
        if (total > run.steps()) {
            markup("<progress max=\"%d\" value=\"%d\"></progress>\n".formatted(total, run.steps()));
        }
        markup("</header>\n<dl class=\"cards\">\n");
        card(
                "Loss",
                number("%.4f", run.lastLoss()),
                run.steps() == 1
                        ? "of the one step"
                        : "mean of the last %d steps".formatted(Math.min(run.steps(), TrainResult.LAST)));
        run.best()
                .ifPresent(best ->
                        card("Best validation loss", number("%.4f", best.loss()), number("at step %,d", best.step())));
        card(
                "Steps",
                number("%,d", run.steps()),
                total > 0 ? number("of %,d (%.0f %%)", total, 100.0 * run.steps() / total) : "");
        double seconds = run.seconds();
        if (seconds > 0) {
            card(
                    "Tokens per second",
                    number("%,.0f", run.tokens() / seconds),
                    number("%,.0f tokens in total", run.tokens()));
            card("Time in steps", duration(seconds), number("%.3g s per step", seconds / run.steps()));
        }
        long bytes = run.savedBytes();
        if (bytes > 0) {
            card(run.isPretraining() ? "Model" : "Adapter", size(bytes), "on disk");
        }
        markup("</dl>\n");
    }

    private String tuning() {
        String method = run.config.getOrDefault("method", "prefix");
        return method.equals("prefix") ? "Prefix-tuning" : "Tuning (" + method + ")";
    }

    private void card(String name, String value, String remark) {
        markup("<div><dt>")
                .text(name)
                .markup("</dt><dd>")
                .text(value)
                .markup("</dd><small>")
                .text(remark);
        markup("</small></div>\n");
    }

    /** The outputs for each source over time. */
    private void samples() {
        Map<String, List<Map.Entry<Integer, Sample>>> bySource = new LinkedHashMap<>();
        for (RunRecord.Samples at : run.samples()) {
            for (Sample sample : at.samples()) {
                bySource.computeIfAbsent(sample.source(), _ -> new ArrayList<>())
                        .add(Map.entry(at.step(), sample));
            }
        }
        if (bySource.isEmpty()) {
            return;
        }
        markup("<h2>Samples</h2>\n<p class=\"note\">")
                .text(
                        run.isPretraining()
                                ? "What the model generated after some of the validations."
                                : "What the model generated for the same sources during training (greedy decoding).");
        text(" All are in " + RunDirectory.SAMPLES + ".").markup("</p>\n");
        bySource.forEach((source, written) -> {
            markup("<section class=\"sample\">\n<dl><dt>Source</dt><dd dir=\"auto\">");
            text(source.isEmpty() ? "(nothing)" : source).markup("</dd>");
            written.getFirst()
                    .getValue()
                    .reference()
                    .ifPresent(reference -> markup("<dt>Reference</dt><dd dir=\"auto\">")
                            .text(reference)
                            .markup("</dd>"));
            markup("</dl>\n<table>\n<thead><tr><th>Step</th><th>Output</th></tr></thead>\n<tbody>\n");
            for (Map.Entry<Integer, Sample> entry : written) {
                markup("<tr><th>").text(number("%,d", entry.getKey())).markup("</th><td dir=\"auto\">");
                text(oneParagraph(entry.getValue().output())).markup("</td></tr>\n");
            }
            markup("</tbody>\n</table>\n</section>\n");
        });
    }

    private static String oneParagraph(String text) {
        return text.lines().map(String::strip).filter(line -> !line.isEmpty()).collect(Collectors.joining(" ¶ "));
    }

    private void tables() {
        markup("<div class=\"tables\">\n<section>\n<h2>Configuration</h2>\n");
        configuration();
        markup("</section>\n<section>\n<h2>Environment</h2>\n");
        if (run.session.environment().isEmpty()) {
            markup("<p class=\"note\">").text("Not recorded.").markup("</p>\n");
        } else {
            table(run.session.environment());
        }
        markup("</section>\n</div>\n");
    }

    /** Chosen options, and defaults. */
    private void configuration() {
        Map<String, String> chosen = new LinkedHashMap<>();
        Map<String, String> defaults = new LinkedHashMap<>();
        run.config.forEach((name, value) -> (run.chosen.contains(name) ? chosen : defaults).put(name, value));
        if (chosen.isEmpty()) {
            table(run.config);
            return;
        }
        table(chosen);
        if (!defaults.isEmpty()) {
            markup("<h3>Defaults</h3>\n<div class=\"defaults\">\n");
            table(defaults);
            markup("</div>\n");
        }
    }

    private void table(Map<String, String> facts) {
        markup("<div class=\"table\"><table>\n");
        facts.forEach((name, value) -> markup("<tr><th>")
                .text(name)
                .markup("</th><td dir=\"auto\">")
                .text(value)
                .markup("</td></tr>\n"));
        markup("</table></div>\n");
    }

    private void foot() {
        markup("<footer>")
                .text("Bold lines are exponential moving averages of the faint ones; rare values beyond a chart's range"
                        + " are cut off. Losses are in nats per token; times are for the steps, without"
                        + " validation. Folder: " + run.folder.toAbsolutePath().normalize())
                .markup("</footer>\n");
        markup("<script>").markup(Html.resource("report.js")).markup("</script>\n</body>\n</html>\n");
    }

    @SuppressWarnings("AnnotateFormatMethod") // its annotation is no dependency of ours
    private static String number(String format, Object... values) {
        return String.format(Locale.ROOT, format, values);
    }

    private static String duration(double seconds) {
        long s = Math.round(seconds);
        return s >= 3600
                ? "%d h %d min".formatted(s / 3600, s % 3600 / 60)
                : s >= 60 ? "%d min %d s".formatted(s / 60, s % 60) : number("%.3g s", seconds);
    }

    private static String size(long bytes) {
        return bytes >= 1 << 20 ? number("%.1f MiB", bytes / 1048576.0) : number("%.1f KiB", bytes / 1024.0);
    }

    private static String sha256(String script) {
        try {
            return Base64.getEncoder()
                    .encodeToString(
                            MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8)));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError(e);
        }
    }
}
