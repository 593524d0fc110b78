package dev.prefix4j.eval;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * How much of a table an output states: the share of the slot values of {@code key : value | key : value} sources that
 * occur in it verbatim, ignoring case. The values {@code yes} and {@code no} are left out: texts state them in
 * other words.
 *
 * @param coverage of the outputs' own sources
 * @param shuffled coverage of other sources: the baseline of chance and habit
 * @param slots number of slots that were looked for
 */
public record SlotCoverage(double coverage, double shuffled, int slots) {
    /**
     * Measures the outputs for sources.
     *
     * @param sources linearized tables
     * @param outputs one for each
     */
    public static SlotCoverage of(List<String> sources, List<String> outputs) {
        if (sources.size() != outputs.size()) {
            throw new IllegalArgumentException(
                    "coverage: expected %d outputs, got %d".formatted(sources.size(), outputs.size()));
        }
        int n = sources.size();
        int found = 0;
        int foundInOthers = 0;
        int slots = 0;
        for (int i = 0; i < n; i++) {
            String own = outputs.get(i).toLowerCase(Locale.ROOT);
            String other = outputs.get((i + n / 2) % n).toLowerCase(Locale.ROOT); // neighbours are often similar
            for (String value : values(sources.get(i))) {
                slots++;
                found += own.contains(value) ? 1 : 0;
                foundInOthers += other.contains(value) ? 1 : 0;
            }
        }
        return new SlotCoverage(
                (double) found / Math.max(1, slots), (double) foundInOthers / Math.max(1, slots), slots);
    }

    /** The values of a source in lower case. */
    private static List<String> values(String source) {
        List<String> values = new ArrayList<>();
        for (String slot : source.split(" \\| ", -1)) {
            int colon = slot.indexOf(" : ");
            String value = slot.substring(colon < 0 ? 0 : colon + 3).strip().toLowerCase(Locale.ROOT);
            if (colon >= 0 && !value.isEmpty() && !value.equals("yes") && !value.equals("no")) {
                values.add(value);
            }
        }
        return values;
    }
}
