package dev.prefix4j.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.prefix4j.train.Sample;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

class SweepPageTest {
    private static final String HOSTILE = "<script>alert(1)</script>\"'";

    private static String page() {
        SweepPage.Score bleu = new SweepPage.Score(
                "bleu",
                true,
                "prefix-length",
                List.of("1", "5"),
                new TreeMap<>(Map.of("a", List.of(9.5, 12.25), HOSTILE, List.of(8.0, Double.NaN))),
                Map.of("a", List.of(0.5, 1.0), HOSTILE, List.of(0.0, 0.0)),
                Map.of("a", 0, HOSTILE, 1));
        SweepPage.Score ter = new SweepPage.Score(
                "ter", false, null, List.of(""), Map.of("a", List.of(70.0)), Map.of("a", List.of(1.0)), Map.of("a", 0));
        SweepPage.Trained trained = new SweepPage.Trained(
                new double[] {1, 2}, new double[] {3, 2}, List.of(new Sample(HOSTILE, "out", Optional.of("ref"))));
        return SweepPage.page(
                new SweepPage.Sweep(
                        HOSTILE,
                        "a remark",
                        "1 of 2 runs.",
                        new TreeMap<>(Map.of("a", "method prefix", HOSTILE, "lr 0.01")),
                        List.of(
                                List.of("variant", "prefix-length", "runs", "valid loss", "bleu", "ter"),
                                List.of("a", "1", "2", "2.5000 ± 0.1000", "9.50 ± 0.50", "70.00"),
                                List.of(HOSTILE, "1", "1", "2.4000", "8.00", "71.00")),
                        2,
                        List.of(),
                        List.of(new SweepPage.Run(
                                "a", "prefix-length 1", Map.of("report", "runs/a/report.html"), Optional.of(trained)))),
                List.of(bleu, ter));
    }

    @Test
    void theBestMeanIsBoldAndArrowsSayWhichThatIs() {
        String page = page();
        for (String shown : List.of(
                "bleu ↑</th>",
                "ter ↓</th>",
                "valid loss ↓</th>",
                "<td class=\"number best\">2.4000</td><td class=\"deviation\"></td>",
                "<td class=\"number\">2.5000</td><td class=\"deviation\">± 0.1000</td>",
                "<td class=\"number best\">9.50</td>",
                "<td class=\"number best\">70.00</td>")) {
            assertTrue(page.contains(shown), shown);
        }
        assertEquals(3, page.split("number best", -1).length - 1);
    }

    @Test
    void showsOptionsCurvesSamplesAndLinksToRuns() {
        String page = page();
        assertTrue(page.contains("method prefix") && page.contains("<h3>Training loss, smoothed</h3>"));
        assertTrue(page.contains("<a href=\"runs/a/report.html\">report</a>"));
        assertTrue(page.contains("<dt>Reference</dt><dd dir=\"auto\">ref</dd>"));
        Matcher pictures =
                Pattern.compile("(?:src|srcset)=\"data:image/png;base64,").matcher(page);
        assertEquals(3 * 4, pictures.results().count()); // loss and two scores; light and dark, wide and narrow
    }

    @Test
    void textOfStrangersIsNotMarkup() {
        assertFalse(page().contains("<script"));
    }

    @Test
    void cellsOfAHeatMapCanBeRead() {
        String page =
                HeatMap.page("Attention", "builtin:<tiny>", "x", "layer", "head", new double[][] {{0, 0.5}, {0.75, 1}});
        assertTrue(page.contains("builtin:&lt;tiny&gt;") && page.contains("class=\"scale note\""));
        assertTrue(page.contains("background:#123a9c;color:#ffffff\">1.00"), page);
        assertTrue(page.contains("background:#eef3fe;color:#000000\">0.00"));
        for (int i = 0; i <= 1000; i++) {
            Matcher colours = Pattern.compile("#(\\w\\w)(\\w\\w)(\\w\\w);color:#(\\w\\w)(\\w\\w)(\\w\\w)")
                    .matcher(HeatMap.style(i / 1000.0));
            assertTrue(colours.find());
            int[] c = new int[6];
            for (int j = 0; j < 6; j++) {
                c[j] = Integer.parseInt(colours.group(j + 1), 16);
            }
            double contrast = HeatMap.contrast(new int[] {c[0], c[1], c[2]}, new int[] {c[3], c[4], c[5]});
            assertTrue(contrast >= 4.5, i + ": " + contrast);
        }
        assertEquals(21, HeatMap.contrast(new int[] {0, 0, 0}, new int[] {255, 255, 255}), 1e-9);
    }
}
