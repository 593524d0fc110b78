package dev.prefix4j.cli;

import picocli.AutoComplete;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "completion",
        description =
                "Prints a script that completes commands and options in bash, and in zsh after bashcompinit: source"
                        + " <(prefix4j completion).")
final class CompletionCommand extends ConsoleCommand {
    @Spec
    CommandSpec spec;

    CompletionCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        console.out().print(AutoComplete.bash("prefix4j", spec.root().commandLine()));
        return Main.OK;
    }
}
