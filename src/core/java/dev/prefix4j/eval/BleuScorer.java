package dev.prefix4j.eval;

import java.util.List;

/** sacreBLEU's BLEU, from 0 to 100. */
record BleuScorer(Bleu bleu, List<List<String>> references) implements Scorer {
    @Override
    public double[] statistics(int segment, String output) {
        return bleu.statistics(output, references.get(segment));
    }

    @Override
    public double score(double[] sum) {
        return bleu.score(sum).score();
    }
}
