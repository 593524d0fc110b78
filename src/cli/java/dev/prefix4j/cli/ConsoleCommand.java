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

    @Option(names = OptionNames.JSON, description = "Results as JSON, one object a line.")
    boolean json;

    @Option(names = OptionNames.VERBOSE, description = "Log what is done, and show where an error came from.")
    boolean verbose;

    ConsoleCommand(Console console) {
        this.console = console;
    }

    /**
     * Fills in what given options imply, such as those of a recipe, and checks them all, as far as that goes without files and models.
     *
     * @throws picocli.CommandLine.ParameterException if options do not go together
     * @throws dev.prefix4j.InputException if a value is wrong
     */
    void settle() {}
}
