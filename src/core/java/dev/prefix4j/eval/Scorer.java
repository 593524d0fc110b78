package dev.prefix4j.eval;

import java.util.List;

/**
 * A metric for the references of a corpus. Each output gives a row of statistics for its segment; the score of a corpus,
 * or of any sample of its segments, is a function of the sum of their rows. Statistics over all references,
 * such as document frequencies, stay those of the whole corpus.
 */
public sealed interface Scorer
        permits BleuScorer, ChrF, Cider, CocoRougeL, Meteor, MtevalBleu, MtevalNist, Rouge, RougeLsum, Ter {
    /** Statistics of how an output matches the references of a segment. */
    double[] statistics(int segment, String output);

    /** The score of segments from the sum of their statistics. */
    double score(double[] sum);

    /**
     * A row for each output.
     *
     * @param outputs one for each segment
     */
    default double[][] statistics(List<String> outputs) {
        double[][] rows = new double[outputs.size()][];
        for (int i = 0; i < rows.length; i++) {
            rows[i] = statistics(i, outputs.get(i));
        }
        return rows;
    }

    /** The score of all segments. */
    default double corpus(double[][] rows) {
        return score(sum(rows));
    }

    /** The sum of the rows. */
    static double[] sum(double[][] rows) {
        double[] sum = new double[rows[0].length];
        for (double[] row : rows) {
            for (int i = 0; i < sum.length; i++) {
                sum[i] += row[i];
            }
        }
        return sum;
    }
}
