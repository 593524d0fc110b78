package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import picocli.CommandLine.Command;

@Command(
        name = "bench",
        description = "Times training or decoding on this machine, with batches in the order of the data file.",
        synopsisSubcommandLabel = "WORK",
        subcommands = {BenchTrain.class, BenchGenerate.class})
final class BenchCommand extends ConsoleCommand {
    BenchCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        throw new InputException("bench: expected train or generate, found neither");
    }
}
