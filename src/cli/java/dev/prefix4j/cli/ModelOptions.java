package dev.prefix4j.cli;

import dev.prefix4j.InputException;
import dev.prefix4j.frozen.Conditioned;
import dev.prefix4j.frozen.FrozenModel;
import dev.prefix4j.frozen.Precision;
import dev.prefix4j.method.AdapterFolder;
import dev.prefix4j.method.Fingerprint;
import dev.prefix4j.method.Freezer;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Checkpoint;
import dev.prefix4j.text.Example;
import dev.prefix4j.text.Layout;
import dev.prefix4j.text.Sequence;
import dev.prefix4j.text.Sequences;
import dev.prefix4j.text.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.pytorch.Device;
import picocli.CommandLine.Option;

/** The model, and sources cut to fit it. */
final class ModelOptions {
    static final String DESCRIPTION =
            "A Hugging Face model (gpt2, llama, mistral, qwen2, qwen3): a folder (config.json, model.safetensors,"
                    + " tokenizer.json), or a name on the hub: gpt2, owner/name, owner/name@revision; or builtin:tiny.";

    static final String STRICT_BASE = "Refuse an adapter that was made for another model; otherwise one line says so.";

    @Option(names = "--model", paramLabel = "MODEL", required = true, description = DESCRIPTION)
    String name;

    @Option(
            names = "--max-source-tokens",
            paramLabel = "N",
            description = "Keep only the first N tokens of each source.")
    Integer maxSourceTokens;

    @Option(names = "--strict-base", description = STRICT_BASE)
    boolean strictBase;

    /** Where the loaded model is. */
    private Path folder;

    /** As it was named; null: none. */
    private Path adapter;

    /** @return a model in float32 that belongs to the open scope; it is downloaded where that is needed */
    BaseModel load(Device device, Console console) {
        return load(device, console, Precision.FP32);
    }

    /**
     * As {@link #load(Device, Console)}.
     *
     * @param precision what is to be made of it: for 8 bits its matrices stay as the file has them
     */
    BaseModel load(Device device, Console console, Precision precision) {
        if (maxSourceTokens != null && maxSourceTokens < 1) {
            throw new InputException("max-source-tokens must be at least 1, was " + maxSourceTokens);
        }
        folder = ModelName.resolve(name, console);
        return switch (precision) {
            case FP32 -> Checkpoint.load(folder, device);
            case INT8 -> Checkpoint.open(folder, device);
        };
    }

    /** @return where the loaded model is */
    Path folder() {
        return folder;
    }

    /**
     * The folder of an adapter that goes with the model.
     *
     * @param name null: none
     * @return null for none
     */
    Path adapter(Path name, Console console) {
        adapter = name;
        return AdapterName.resolve(name, console);
    }

    /** @return a tokenizer that refuses a text with tokens that the model does not know */
    Tokenizer tokenizer(BaseModel model) {
        Tokenizer tokenizer = Tokenizer.load(folder);
        tokenizer.requireBelow(model.config().vocabulary());
        return tokenizer;
    }

    /**
     * Says so where an adapter was made for another model.
     *
     * @param adapter null: none
     * @throws InputException where that is to be refused
     */
    void checkBase(Path adapter, BaseModel model, Tokenizer tokenizer, Console console) {
        if (adapter == null) {
            return;
        }
        Fingerprint.of(model, tokenizer)
                .difference(adapter, ModelName.base(name))
                .ifPresent(difference -> {
                    if (strictBase) {
                        throw new InputException("%s: %s (--strict-base refuses it)".formatted(adapter, difference));
                    }
                    console.say(
                            "note: %s: %s; results may mean nothing (--strict-base refuses it)", adapter, difference);
                });
    }

    /** @return the model with an adapter, in the open scope; alone if there is no folder */
    static Conditioned conditioned(Path adapter, BaseModel model, Freezer freezer) {
        if (adapter == null) {
            return Conditioned.plain(freezer.freeze(model, FrozenModel.Changes.NONE));
        }
        AdapterFolder.Contents contents = AdapterFolder.load(adapter, model.config(), model.device());
        return contents.method().apply(model, freezer, contents.tensors());
    }

    /** In the clean layout. */
    List<Sequence> encode(List<Example> examples, Tokenizer tokenizer, BaseModel model, int past) {
        return encode(examples, tokenizer, model, past, Layout.CLEAN);
    }

    /**
     * Encodes every pair of a source and one of its targets.
     *
     * @param past positions that are taken before a sequence begins
     * @param layout of the targets
     * @throws InputException naming the row, if a sequence is too long for the model
     */
    List<Sequence> encode(List<Example> examples, Tokenizer tokenizer, BaseModel model, int past, Layout layout) {
        List<Example> pairs = Example.pairs(examples);
        List<Sequence> sequences = new ArrayList<>(Sequences.encode(
                pairs, tokenizer, model.config().bos(), model.config().eos(), layout));
        for (int i = 0; i < sequences.size(); i++) {
            Sequence sequence = cut(sequences.get(i), tokenizer.beginningLength());
            sequences.set(i, sequence);
            requireRoom(model, pairs.get(i), past, sequence.ids().length, 0);
        }
        return sequences;
    }

    /**
     * Leaves out what is beyond the first tokens of the source.
     *
     * @param before tokens before the source
     */
    private Sequence cut(Sequence sequence, int before) {
        int source = sequence.sourceLength() - 1 - before; // without BOS
        if (maxSourceTokens == null || source <= maxSourceTokens) {
            return sequence;
        }
        int dropped = source - maxSourceTokens;
        int kept = before + maxSourceTokens;
        int[] ids = new int[sequence.ids().length - dropped];
        System.arraycopy(sequence.ids(), 0, ids, 0, kept);
        System.arraycopy(sequence.ids(), kept + dropped, ids, kept, ids.length - kept);
        return new Sequence(ids, sequence.sourceLength() - dropped);
    }

    /** Leaves out what is beyond the first tokens of a source, behind what the tokenizer puts before it; it may end with BOS. */
    int[] cutPrompt(int[] prompt, Tokenizer tokenizer, boolean endsWithBos) {
        int before = tokenizer.beginningLength();
        int source = prompt.length - before - (endsWithBos ? 1 : 0);
        if (maxSourceTokens == null || source <= maxSourceTokens) {
            return prompt;
        }
        int[] cut = Arrays.copyOf(prompt, prompt.length - source + maxSourceTokens);
        if (endsWithBos) {
            cut[cut.length - 1] = prompt[prompt.length - 1];
        }
        return cut;
    }

    /** As {@link BaseModel#requireRoom}, naming the row. */
    void requireRoom(BaseModel model, Example example, int past, int tokens, int toGenerate) {
        try {
            model.requireRoom(past, tokens, toGenerate);
        } catch (InputException e) {
            boolean helps = past + toGenerate + 2 < model.config().positions();
            throw new InputException(
                    "%s: %s%s%s"
                            .formatted(
                                    example.location(),
                                    e.getMessage(),
                                    adapter != null && past > 0
                                            ? "; the adapter %s takes %,d".formatted(adapter, past)
                                            : "",
                                    helps ? " (--max-source-tokens shortens sources)" : ""),
                    e);
        }
    }
}
