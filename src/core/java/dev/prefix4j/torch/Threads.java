package dev.prefix4j.torch;

import dev.prefix4j.SettingException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;

/** A number of threads, and in a few words who asked for it. */
record Threads(int count, String from) {
    /**
     * What is asked for, the strongest first: {@code options}, a variable of the environment, the machine.
     *
     * @throws SettingException if a variable is not a number of threads
     */
    static Threads choose(OptionalInt asked, Map<String, String> environment, int processors) {
        if (asked.isPresent()) {
            return new Threads(asked.getAsInt(), "as asked for");
        }
        for (String variable : List.of("OMP_NUM_THREADS", TorchRuntime.MKL_THREADS)) {
            String value = environment.getOrDefault(variable, "").strip();
            if (!value.isEmpty()) {
                return new Threads(parse(variable, value), "as " + variable + " says");
            }
        }
        return new Threads(processors, "one for each processor");
    }

    /** OpenMP takes a list, one number for each level of nesting; libtorch has one level. */
    private static int parse(String variable, String value) {
        String first = value.split(",", 2)[0].strip();
        if (!first.matches("[1-9][0-9]{0,4}")) {
            throw new SettingException(variable + ": expected a number of threads, found '" + value + "'");
        }
        return Integer.parseInt(first);
    }
}
