package dev.prefix4j.task;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.model.Dtype;
import dev.prefix4j.text.Tokenizer;
import java.nio.file.Path;

/** Merges an adapter into its model. */
public final class Merging {
    private Merging() {}

    /**
     * Writes the merged model as a folder that Transformers loads.
     *
     * @param adapter folder of an adapter that changes weights: LoRA or fine-tuning
     * @param out new or empty
     * @return the number of parameters of the model
     * @throws dev.prefix4j.InputException if the adapter changes no weights, or the folder cannot be written
     */
    public static long write(LanguageModel model, Path adapter, Path out, Dtype type) {
        BaseModel merged = AdapterFolder.merge(adapter, model.base());
        AtomicFile.writeFolder(out, written -> {
            Checkpoint.export(model.folder(), merged, written, type.scalar());
            Tokenizer.copyFiles(model.folder(), written);
        });
        return merged.parameterCount();
    }
}
