package dev.prefix4j.pretrain;

import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Collectors;

/** Formats of a record as a line of text. */
enum RecordStyle {
    /** {@code name : Alba | type : ship}, prefix4j's own table format. */
    BARS(" : ", "", " | "),
    /** {@code name: Alba; type: ship} */
    COLONS(": ", "", "; "),
    /** {@code name[Alba], type[ship]} */
    BRACKETS("[", "]", ", "),
    /** {@code name = Alba, type = ship} */
    EQUALS(" = ", "", ", ");

    private static final double SHARE_OF_BARS = 0.75;

    /** One entry of a record. */
    record Field(String key, String value) {}

    private final String before;
    private final String after;
    private final String separator;

    RecordStyle(String before, String after, String separator) {
        this.before = before;
        this.after = after;
        this.separator = separator;
    }

    static RecordStyle random(SplittableRandom random) {
        return random.nextDouble() < SHARE_OF_BARS ? BARS : values()[random.nextInt(values().length)];
    }

    String write(List<Field> fields) {
        return fields.stream()
                .map(field -> field.key() + before + field.value() + after)
                .collect(Collectors.joining(separator));
    }
}
