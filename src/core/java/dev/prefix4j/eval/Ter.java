package dev.prefix4j.eval;

import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Translation edit rate (Snover et al. 2006) in percent, as sacreBLEU computes it after Tercom: the insertions, deletions,
 * substitutions and shifts of blocks that turn an output into its nearest reference, divided by the mean reference length.
 * In lower case, words split at white space. Lower is better.
 */
final class Ter implements Scorer {
    private static final int MAX_SHIFT_SIZE = 10;
    private static final int MAX_SHIFT_DISTANCE = 50;
    private static final int MAX_SHIFTS_TRIED = 1000;
    private static final int BEAM_WIDTH = 25;
    private static final int UNREACHED = Integer.MAX_VALUE / 2;

    private final Map<String, Integer> ids = new HashMap<>();
    private final List<List<int[]>> references;

    Ter(List<List<String>> references) {
        this.references = references.stream()
                .map(texts -> texts.stream().map(this::words).toList())
                .toList();
    }

    /** Words as ids: equal words have equal ids. */
    private int[] words(String text) {
        return BleuTokenizer.NONE.words(text.toLowerCase(Locale.ROOT)).stream()
                .mapToInt(word -> ids.computeIfAbsent(word, _ -> ids.size()))
                .toArray();
    }

    /** The fewest edits, and the mean length of the references. */
    @Override
    public double[] statistics(int segment, String output) {
        int[] words = words(output);
        int fewest = Integer.MAX_VALUE;
        double length = 0;
        for (int[] reference : references.get(segment)) {
            fewest = Math.min(fewest, new Edits(reference).fewest(words));
            length += reference.length;
        }
        return new double[] {fewest, length / references.get(segment).size()};
    }

    @Override
    public double score(double[] sum) {
        if (sum[1] > 0) {
            return 100 * sum[0] / sum[1];
        }
        return sum[0] > 0 ? 100 : 0;
    }

    /** Edits that lead to one reference. */
    private static final class Edits {
        private final int[] reference;
        private int tried;

        Edits(int[] reference) {
            this.reference = reference;
        }

        /** Shifts blocks as long as each shift saves more than it costs, then counts single edits. */
        int fewest(int[] output) {
            if (reference.length == 0) {
                return output.length;
            }
            int[] words = output;
            int shifts = 0;
            while (true) {
                Shift best = bestShift(words);
                if (tried >= MAX_SHIFTS_TRIED || best == null || best.gain() <= 0) {
                    return shifts + Distance.edits(words, reference);
                }
                shifts++;
                words = best.words();
            }
        }

        /**
         * A block that moves.
         *
         * @param gain edits that it saves
         * @param length of the block
         * @param from its old position
         * @param to its new position
         * @param words after the shift
         */
        private record Shift(int gain, int length, int from, int to, int[] words) {
            /** Tercom's order: the highest gain, the longest block, the earliest block, the earliest target. */
            boolean isBetterThan(Shift other) {
                if (gain != other.gain) {
                    return gain > other.gain;
                }
                if (length != other.length) {
                    return length > other.length;
                }
                return from != other.from ? from < other.from : to < other.to;
            }
        }

        /** @return null if no block can move */
        private @Nullable Shift bestShift(int[] words) {
            Distance distance = new Distance(words, reference);
            Alignment alignment = distance.alignment();
            Shift best = null;
            for (int from = 0; from < words.length; from++) {
                for (int at = 0; at < reference.length; at++) {
                    if (Math.abs(at - from) > MAX_SHIFT_DISTANCE) {
                        continue;
                    }
                    int most = Math.min(MAX_SHIFT_SIZE, Math.min(words.length - from, reference.length - at));
                    for (int length = 1;
                            length <= most && words[from + length - 1] == reference[at + length - 1];
                            length++) {
                        if (alignment.canMove(from, at, length)) {
                            best = bestPlace(words, from, at, length, alignment, distance.edits(), best);
                        }
                        if (tried >= MAX_SHIFTS_TRIED) {
                            return best;
                        }
                    }
                }
            }
            return best;
        }

        /** Tries the positions before the block's counterpart in the reference, and after each of its words. */
        private @Nullable Shift bestPlace(
                int[] words, int from, int at, int length, Alignment alignment, int edits, @Nullable Shift before) {
            Shift best = before;
            int last = -1;
            for (int i = at - 1; i < at + length; i++) {
                int to = i == -1 ? 0 : alignment.outputOf()[i] + 1;
                if (to == last) {
                    continue;
                }
                last = to;
                int[] moved = move(words, from, length, to);
                Shift shift = new Shift(edits - Distance.edits(moved, reference), length, from, to, moved);
                tried++;
                if (best == null || shift.isBetterThan(best)) {
                    best = shift;
                }
            }
            return best;
        }

        private static int[] move(int[] words, int from, int length, int to) {
            // A position inside the block counts from the block's start in the remaining words.
            int place = to < from ? to : to > from + length ? to - length : Math.min(to, words.length - length);
            int[] moved = new int[words.length];
            int[] rest = new int[words.length - length];
            System.arraycopy(words, 0, rest, 0, from);
            System.arraycopy(words, from + length, rest, from, rest.length - from);
            System.arraycopy(rest, 0, moved, 0, place);
            System.arraycopy(words, from, moved, place, length);
            System.arraycopy(rest, place, moved, place + length, rest.length - place);
            return moved;
        }
    }

    /**
     * An alignment of the words of an output and a reference.
     *
     * @param outputOf for each word of the reference, its word of the output, or the one before it if it has none
     * @param outputErrors whether a word of the output is edited
     * @param referenceErrors whether a word of the reference is edited
     */
    private record Alignment(int[] outputOf, boolean[] outputErrors, boolean[] referenceErrors) {
        /** A block may move if it has an error on both sides, but not into itself. */
        boolean canMove(int from, int at, int length) {
            return any(outputErrors, from, length)
                    && any(referenceErrors, at, length)
                    && !(from <= outputOf[at] && outputOf[at] < from + length);
        }

        private static boolean any(boolean[] flags, int from, int length) {
            for (int i = from; i < from + length; i++) {
                if (flags[i]) {
                    return true;
                }
            }
            return false;
        }
    }

    /** The edit distance of an output to a reference, searched only near the diagonal. */
    private static final class Distance {
        private static final byte KEEP = 0;
        private static final byte SUBSTITUTE = 1;
        private static final byte DELETE = 2;
        private static final byte INSERT = 3;

        private final int outputs;
        private final int references;
        private final int edits;

        /** By words of the output, then words of the reference; null if not needed. */
        private final byte @Nullable [][] operations;

        Distance(int[] output, int[] reference) {
            this(output, reference, new byte[output.length + 1][reference.length + 1]);
        }

        static int edits(int[] output, int[] reference) {
            return new Distance(output, reference, null).edits();
        }

        private Distance(int[] output, int[] reference, byte @Nullable [][] operations) {
            outputs = output.length;
            references = reference.length;
            this.operations = operations;
            if (operations != null) {
                Arrays.fill(operations[0], INSERT);
            }
            int[] above = new int[references + 1];
            int[] row = new int[references + 1];
            for (int j = 0; j <= references; j++) {
                above[j] = j;
            }
            double ratio = outputs == 0 ? 1 : (double) references / outputs;
            int width = BEAM_WIDTH < ratio / 2 ? (int) Math.ceil(ratio / 2 + BEAM_WIDTH) : BEAM_WIDTH;
            for (int i = 1; i <= outputs; i++) {
                Arrays.fill(row, UNREACHED);
                int diagonal = (int) Math.floor(i * ratio);
                int first = Math.max(0, diagonal - width);
                int last = i == outputs ? references : Math.min(references, diagonal + width - 1);
                for (int j = first; j <= last; j++) {
                    // Ties go to the first in this order: Tercom's, seen from the reference.
                    int best = UNREACHED;
                    if (j > 0) {
                        boolean same = output[i - 1] == reference[j - 1];
                        best = take(i, j, best, above[j - 1] + (same ? 0 : 1), same ? KEEP : SUBSTITUTE);
                    }
                    best = take(i, j, best, above[j] + 1, DELETE);
                    if (j > 0) {
                        best = take(i, j, best, row[j - 1] + 1, INSERT);
                    }
                    row[j] = best;
                }
                int[] free = above;
                above = row;
                row = free;
            }
            edits = above[references];
        }

        private int take(int i, int j, int best, int cost, byte operation) {
            if (cost >= best) {
                return best;
            }
            if (operations != null) {
                operations[i][j] = operation;
            }
            return cost;
        }

        int edits() {
            return edits;
        }

        Alignment alignment() {
            byte[][] operations = Objects.requireNonNull(this.operations, "only edits were asked for");
            int[] outputOf = new int[references];
            boolean[] outputErrors = new boolean[outputs];
            boolean[] referenceErrors = new boolean[references];
            int i = outputs;
            int j = references;
            while (i > 0 || j > 0) {
                byte operation = operations[i][j];
                boolean error = operation != KEEP;
                if (operation != INSERT) {
                    outputErrors[i - 1] = error;
                }
                if (operation != DELETE) {
                    outputOf[j - 1] = i - 1;
                    referenceErrors[j - 1] = error;
                }
                i -= operation == INSERT ? 0 : 1;
                j -= operation == DELETE ? 0 : 1;
            }
            return new Alignment(outputOf, outputErrors, referenceErrors);
        }
    }
}
