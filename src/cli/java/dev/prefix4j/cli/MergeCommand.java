package dev.prefix4j.cli;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import java.nio.file.Path;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.global.torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

@Command(
        name = "merge",
        description =
                "Writes a model with the weights of an adapter in it (lora, fine-tune, fine-tune-top), as a folder that"
                        + " Transformers loads.")
final class MergeCommand extends ConsoleCommand {
    @Option(names = "--model", paramLabel = "MODEL", required = true, description = ModelOptions.DESCRIPTION)
    String model;

    @Option(names = "--adapter", paramLabel = "DIR", required = true, description = AdapterName.DESCRIPTION + ".")
    Path adapter;

    @Option(names = "--out", paramLabel = "DIR", required = true, description = "Model folder to write; new or empty.")
    Path out;

    @Mixin
    DtypeOption dtype;

    @Option(names = "--strict-base", description = ModelOptions.STRICT_BASE)
    boolean strictBase;

    @Mixin
    RuntimeOptions runtimeOptions;

    MergeCommand(Console console) {
        super(console);
    }

    @Override
    public Integer call() {
        torch.ScalarType type = dtype.parse();
        AtomicFile.requireEmpty(out);
        Device device = runtimeOptions.start();
        ModelOptions modelOptions = new ModelOptions();
        modelOptions.name = model;
        modelOptions.strictBase = strictBase;
        try (TensorScope _ = new TensorScope()) {
            BaseModel gpt2 = modelOptions.load(device, console);
            Path folder = modelOptions.adapter(adapter, console);
            try (Tokenizer tokenizer = modelOptions.tokenizer(gpt2)) {
                modelOptions.checkBase(folder, gpt2, tokenizer, console);
            }
            BaseModel merged = AdapterFolder.merge(folder, gpt2);
            AtomicFile.writeFolder(out, written -> {
                Checkpoint.export(modelOptions.folder(), merged, written, type);
                Tokenizer.copyFiles(modelOptions.folder(), written);
            });
            long parameters = merged.parameterCount();
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
