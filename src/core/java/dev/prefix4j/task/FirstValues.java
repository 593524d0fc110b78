package dev.prefix4j.task;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.SoftPromptTuner;
import dev.prefix4j.text.Documents;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.pytorch.Tensor;

/** Computes the vectors of an {@link Initialization}. */
final class FirstValues {
    private FirstValues() {}

    /** @return vectors that belong to the open scope */
    static Tensor of(Initialization first, SoftPromptTuner tuner, FrozenModel engine, LanguageModel model) {
        return switch (first) {
            case Initialization.Zeros _ -> tuner.zeros();
            case Initialization.Words(String words) ->
                tuner.ofWords(engine, model.tokenizer().encode(words));
            case Initialization.Text(Path file) ->
                tuner.ofWords(engine, model.tokenizer().encode(firstDocument(file)));
            case Initialization.Adapter adapter -> ofAdapter(adapter, tuner, model);
        };
    }

    private static String firstDocument(Path file) {
        List<String> documents = new ArrayList<>();
        Documents.read(file, document -> {
            if (documents.isEmpty()) {
                documents.add(document);
            }
        });
        return documents.getFirst();
    }

    private static Tensor ofAdapter(Initialization.Adapter adapter, SoftPromptTuner tuner, LanguageModel model) {
        AdapterFolder.Contents contents = AdapterFolder.load(
                adapter.folder(), model.config(), model.base().device());
        Tensor vectors = contents.tensors().get(SoftPromptTuner.VECTORS);
        if (vectors == null || vectors.size(1) != tuner.encoder().rowWidth()) {
            throw new InputException("%s: expected an adapter of the same method, found one of %s"
                    .formatted(adapter.name(), contents.method().name()));
        }
        return tuner.repeated(vectors);
    }
}
