package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.prefix4j.text.DataFile;
import dev.prefix4j.text.Example;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

@Command(name = "data", description = "Reads a data file of any format and writes it as JSONL.")
final class DataCommand extends ConsoleCommand {
    @Option(
            names = OptionNames.DATA,
            paramLabel = "FILE",
            required = true,
            description = "Sources and targets; - for standard input.")
    Path data;

    @Option(names = OptionNames.OUT, paramLabel = "FILE", required = true, description = "JSONL file to write.")
    Path out;

    @Option(names = OptionNames.LIMIT, paramLabel = "N", description = "Read only the first N rows.")
    @Nullable
    Integer limit;

    @Option(
            names = OptionNames.DISTINCT,
            description = "Merge equal sources, wherever they are in the file, into one with several targets.")
    boolean distinct;

    @Option(
            names = OptionNames.SAMPLE,
            paramLabel = "N",
            description = "Write only N examples, drawn at random from all that were read.")
    @Nullable
    Integer sample;

    @Option(names = OptionNames.SEED, paramLabel = "N", description = "Seed of --sample; 101 by default.")
    @Nullable
    Long seed;

    @Spec
    CommandSpec spec;

    @Mixin
    DataOptionsMixin dataOptions;

    DataCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        if (sample == null && seed != null) {
            throw new ParameterException(spec.commandLine(), "--seed: expected --sample with it, found none");
        }
        List<Example> read = dataOptions.read(data, limit);
        List<Example> grouped = distinct ? Example.distinct(read) : read;
        List<Example> examples = sample == null ? grouped : Example.sample(grouped, sample, seed == null ? 101 : seed);
        DataFile.writeJsonl(out, examples);
        long targets = examples.stream().mapToLong(e -> e.targets().size()).sum();
        if (json) {
            ObjectNode node = JSON.createObjectNode();
            node.put("examples", examples.size());
            node.put("targets", targets);
            node.put("file", out.toString());
            console.out().println(node);
        } else {
            console.out().printf("%,d examples with %,d targets in %s%n", examples.size(), targets, out);
        }
        return Main.OK;
    }
}
