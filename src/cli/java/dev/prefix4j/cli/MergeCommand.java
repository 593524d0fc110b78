package dev.prefix4j.cli;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.model.Dtype;
import dev.prefix4j.task.LanguageModel;
import dev.prefix4j.task.Merging;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "merge",
        description = "Merges an adapter (lora, fine-tune, fine-tune-top) into its model and writes a folder that"
                + " Transformers loads.")
final class MergeCommand extends ConsoleCommand {
    @Option(names = OptionNames.MODEL, paramLabel = "MODEL", required = true, description = ModelOptions.DESCRIPTION)
    String model;

    @Option(
            names = OptionNames.ADAPTER,
            paramLabel = "DIR",
            required = true,
            description = AdapterOption.DESCRIPTION + ".")
    Path adapter;

    @Option(
            names = OptionNames.OUT,
            paramLabel = "DIR",
            required = true,
            description = "Model folder to write; new or empty.")
    Path out;

    @Mixin
    DtypeOption dtype;

    @Option(names = OptionNames.STRICT_BASE, description = ModelOptions.STRICT_BASE)
    boolean strictBase;

    @Mixin
    RuntimeOptions runtimeOptions;

    MergeCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        Dtype type = dtype.parse();
        AtomicFile.requireEmpty(out);
        runtimeOptions.start();
        try (LanguageModel base = console.models().load(model, runtimeOptions.device)) {
            Path folder = console.models().adapterFolder(adapter);
            ModelOptions.checkBase(folder, base, strictBase, console);
            long parameters = Merging.write(base, folder, out, type);
            if (json) {
                console.out()
                        .println(JSON.createObjectNode()
                                .put("parameters", parameters)
                                .put("dtype", dtype.dtype)
                                .put("model", out.toString()));
            } else {
                console.out().printf("%,d parameters in %s, in %s%n", parameters, dtype.dtype, out);
            }
        }
        return Main.OK;
    }
}
