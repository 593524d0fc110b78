package dev.prefix4j.cli;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** What every command has. */
@Command(
        mixinStandardHelpOptions = true,
        showDefaultValues = true,
        sortOptions = false,
        usageHelpAutoWidth = true,
        synopsisHeading = "Usage: ",
        optionListHeading = "%nOptions:%n")
abstract class ConsoleCommand implements Callable<Integer> {
    static final ObjectMapper JSON = new ObjectMapper();

    final Console console;

    @Option(names = OptionNames.JSON, description = "Print results as JSON, one object per line.")
    boolean json;

    @Option(names = OptionNames.VERBOSE, description = "Log what is done, and show the stack trace of an error.")
    boolean verbose;

    ConsoleCommand(Console console) {
        this.console = console;
    }

    /**
     * Fills in what the given options imply, such as those of a recipe, and checks all that can be checked without files and models.
     *
     * @throws picocli.CommandLine.ParameterException if options are in conflict
     * @throws dev.prefix4j.InputException if a value is wrong
     */
    void settle() {}
}
