package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.generate.Decoding;
import dev.prefix4j.generate.Generation;
import dev.prefix4j.generate.Generator;
import dev.prefix4j.generate.OutputRules;
import dev.prefix4j.text.Example;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Generates outputs for sources.
 *
 * @param decoding how tokens are chosen
 * @param rules that every output obeys
 * @param outputs per source; more than one only with beams or sampling
 * @param batchSize sources in a batch; none changes the output of another
 */
public record GenerationJob(AdaptedModel model, Decoding decoding, OutputRules rules, int outputs, int batchSize) {
    /** @throws InputException if the decoding cannot give that many outputs, or the batch size is below 1 */
    public GenerationJob {
        decoding.requireOutputs(outputs);
        requireBatch(batchSize);
    }

    /** One output per source, in batches of 16 sources. */
    public GenerationJob(AdaptedModel model, Decoding decoding, OutputRules rules) {
        this(model, decoding, rules, 1, 16);
    }

    /** @throws InputException if the size is below 1 */
    public static void requireBatch(int batchSize) {
        if (batchSize < 1) {
            throw new InputException("batch-size must be at least 1, was " + batchSize);
        }
    }

    /**
     * A generated text.
     *
     * @param ids of the new tokens, without the end token
     * @param text as the model wrote it
     * @param finished whether the end token came before the limit
     * @param score see {@link Generation#score}
     */
    public record Output(int[] ids, String text, boolean finished, double score) {
        /** The text on one line: line ends and other control characters become spaces. */
        public String line() {
            return text.strip().replaceAll("\\p{Cntrl}+", " ");
        }
    }

    /** Receives the outputs of each prompt, best first, in the order of the prompts. */
    @FunctionalInterface
    public interface Taker {
        void take(int prompt, List<Output> outputs);
    }

    /**
     * The best output for each source, as text without surrounding whitespace.
     *
     * @throws InputException naming the source that leaves no room for new tokens
     */
    public List<String> write(List<String> sources) {
        List<Example> examples = IntStream.range(0, sources.size())
                .mapToObj(i -> Example.ofSource(sources.get(i), "source " + (i + 1)))
                .toList();
        List<String> texts = new ArrayList<>();
        write(
                Encoding.CLEAN.prompts(examples, model.model(), model.taken(), rules.maxNewTokens()),
                (_, written) -> texts.add(written.getFirst().text().strip()));
        return texts;
    }

    /**
     * Generates outputs for prompts, batch by batch.
     *
     * @param prompts from {@link Encoding}
     * @param taker called once for each prompt
     * @throws InputException before anything is allocated, if a batch cannot fit into memory
     */
    public void write(List<int[]> prompts, Taker taker) {
        requireMemory(prompts);
        Generator generator = new Generator(model.conditioned());
        for (int from = 0; from < prompts.size(); from += batchSize) {
            int to = Math.min(from + batchSize, prompts.size());
            List<List<Generation>> results = generator.generate(prompts.subList(from, to), decoding, rules, outputs);
            for (int i = from; i < to; i++) {
                taker.take(i, results.get(i - from).stream().map(this::output).toList());
            }
        }
    }

    private Output output(Generation generation) {
        return new Output(
                generation.ids(),
                model.model().tokenizer().decode(generation.ids()),
                generation.finished(),
                generation.score());
    }

    /** Refuses keys and values that cannot fit into memory; every row of a batch counts as long as the longest. */
    private void requireMemory(List<int[]> prompts) {
        int beams = decoding instanceof Decoding.BeamSearch search ? search.beams() : 1;
        double rows = (double) Math.min(batchSize, prompts.size()) * Math.max(beams, outputs);
        int tokens = model.taken().positions()
                + rules.maxNewTokens()
                + prompts.stream().mapToInt(ids -> ids.length).max().orElse(0);
        var config = model.model().config();
        double values = tokens * 2.0 * config.layers() * config.attention().keyColumns() + config.vocabulary();
        MachineMemory.require(
                Float.BYTES * rows * values,
                "--batch-size %,d, --beams %,d, --max-new-tokens %,d".formatted(batchSize, beams, rules.maxNewTokens()),
                "the keys and values of a batch");
    }
}
