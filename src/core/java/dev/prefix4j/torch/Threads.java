package dev.prefix4j.torch;

import dev.prefix4j.SettingException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** A number of threads, and a short description of where it comes from. */
record Threads(int count, String from) {
    /**
     * Chooses the number of threads: from the options, else from an environment variable, else one per processor.
     *
     * @throws SettingException if a variable is not a number of threads
     */
    static Threads choose(OptionalInt asked, Map<String, String> environment, int processors) {
        if (asked.isPresent()) {
            return new Threads(asked.getAsInt(), "as requested");
        }
        for (String variable : List.of("OMP_NUM_THREADS", TorchRuntime.MKL_THREADS)) {
            String value = environment.getOrDefault(variable, "").strip();
            if (!value.isEmpty()) {
                return new Threads(parse(variable, value), "from " + variable);
            }
        }
        return new Threads(processors, "one for each processor");
    }

    /** OpenMP accepts a list, with one number for each nesting level; libtorch has one level. */
    private static int parse(String variable, String value) {
        String first = value.split(",", 2)[0].strip();
        if (!first.matches("[1-9][0-9]{0,4}")) {
            throw new SettingException(variable + ": expected a number of threads, found '" + value + "'");
        }
        return Integer.parseInt(first);
    }
}
