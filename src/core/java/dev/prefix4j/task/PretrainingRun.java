package dev.prefix4j.task;

import dev.prefix4j.AtomicFile;
import dev.prefix4j.eval.Likelihood;
import dev.prefix4j.model.BaseModel;
import dev.prefix4j.model.Dtype;
import dev.prefix4j.pretrain.Gpt2Models;
import dev.prefix4j.pretrain.Mixture;
import dev.prefix4j.pretrain.PretrainConfig;
import dev.prefix4j.pretrain.Pretrainer;
import dev.prefix4j.pretrain.TokenCorpus;
import dev.prefix4j.text.BpeTrainer;
import dev.prefix4j.text.Documents;
import dev.prefix4j.text.RunningText;
import dev.prefix4j.text.Tokenizer;
import dev.prefix4j.torch.TensorScope;
import dev.prefix4j.torch.TorchRuntime;
import dev.prefix4j.train.RunDirectory;
import dev.prefix4j.train.Sample;
import dev.prefix4j.train.Step;
import dev.prefix4j.train.TrainListener;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.bytedeco.pytorch.Device;

/** Trains a small GPT-2 on plain text in a run directory: tokenizer, tokens, model. */
public final class PretrainingRun implements AutoCloseable {
    private final Setup setup;
    private final RunDirectory run;
    private final Consumer<String> remarks;
    private final TensorScope scope = new TensorScope();
    private final Tokenizer tokenizer;
    private final TokenCorpus corpus;
    private final BaseModel model;
    private final RunningText validation;

    /**
     * The model, the data and how to train.
     *
     * @param data text files; a line {@code <|endoftext|>} separates documents
     * @param valid text to validate on
     * @param dtype of the stored weights
     * @param prompts that samples begin with, after each validation; an empty one starts a document
     * @param device {@code cpu}, {@code cuda} or {@code cuda:N}
     */
    public record Setup(
            List<Path> data,
            Optional<Path> valid,
            Start start,
            PretrainConfig config,
            Dtype dtype,
            List<String> prompts,
            String device) {}

    /** The model that a run starts from. */
    public sealed interface Start {
        /** The context length, in tokens. */
        int positions();
    }

    /** An existing GPT-2, with its geometry and its tokenizer. */
    public record FromModel(Path folder) implements Start {
        @Override
        public int positions() {
            return Gpt2Models.read(folder).positions();
        }
    }

    /**
     * New weights.
     *
     * @param tokenizer folder of the tokenizer; absent: one is learned from the data
     * @param vocabulary size of a learned tokenizer, in tokens
     * @param copying whether the initial weights include attention heads that repeat what has been read
     */
    public record FromScratch(
            Optional<Path> tokenizer, int vocabulary, int layers, int heads, int width, int positions, boolean copying)
            implements Start {
        /** @throws dev.prefix4j.InputException if no model can have this geometry */
        public void require() {
            geometry(1, 0).require();
        }

        private Gpt2Models.Geometry geometry(int tokens, int end) {
            return new Gpt2Models.Geometry(layers, heads, width, positions, tokens, end);
        }
    }

    /**
     * Makes the tokenizer and the tokens, unless the folder has them, and the model. If making the tokenizer or the tokens fails,
     * nothing is left in a new run's folder.
     *
     * @param isNew whether the run has just been created
     * @param remarks is told what takes long, one line each
     */
    public PretrainingRun(Setup setup, RunDirectory run, boolean isNew, Consumer<String> remarks) {
        this.setup = setup;
        this.run = run;
        this.remarks = remarks;
        Tokenizer words = null;
        TokenCorpus text = null;
        try {
            prepare(isNew);
            words = Tokenizer.load(modelFolder());
            text = TokenCorpus.open(tokens());
            this.tokenizer = words;
            this.corpus = text;
            TorchRuntime.seed(setup.config().seed());
            this.model = firstModel();
            this.validation = setup.valid().isEmpty()
                    ? new RunningText(new int[0], 0)
                    : RunningText.encode(setup.valid().get(), tokenizer, end());
        } catch (RuntimeException e) {
            if (text != null) {
                text.close();
            }
            if (words != null) {
                words.close();
            }
            scope.close();
            throw e;
        }
    }

    /** The model's folder within the run's. */
    public Path modelFolder() {
        return run.folder().resolve("model");
    }

    private Path tokens() {
        return run.folder().resolve("tokens.safetensors");
    }

    private Path tokenizerFile() {
        return modelFolder().resolve("tokenizer.json");
    }

    private int end() {
        return tokenizer.id(Documents.SEPARATOR);
    }

    private void prepare(boolean isNew) {
        try {
            AtomicFile.createFolder(modelFolder());
            if (!Files.exists(tokenizerFile())) {
                makeTokenizer();
            }
            if (!Files.exists(tokens())) {
                remarks.accept("encoding the text, once for this run");
                try (Tokenizer made = Tokenizer.load(modelFolder())) {
                    TokenCorpus.encode(setup.data(), made, made.id(Documents.SEPARATOR), tokens())
                            .close();
                }
            }
        } catch (RuntimeException e) {
            if (isNew) {
                run.discard(tokenizerFile(), modelFolder(), tokens());
            }
            throw e;
        }
    }

    private void makeTokenizer() {
        switch (setup.start()) {
            case FromModel(Path folder) -> copyTokenizer(folder);
            case FromScratch scratch
            when scratch.tokenizer().isPresent() ->
                copyTokenizer(scratch.tokenizer().get());
            case FromScratch scratch -> {
                remarks.accept("learning a vocabulary of %,d tokens".formatted(scratch.vocabulary()));
                BpeTrainer trainer = new BpeTrainer();
                setup.data().forEach(text -> Documents.read(text, trainer::add));
                trainer.write(tokenizerFile(), scratch.vocabulary());
            }
        }
    }

    private void copyTokenizer(Path folder) {
        Path source = folder.resolve("tokenizer.json");
        try (Tokenizer _ = Tokenizer.load(folder)) {
            AtomicFile.write(tokenizerFile(), Files.readString(source));
        } catch (IOException e) {
            throw AtomicFile.cannotRead(source, e);
        }
    }

    private BaseModel firstModel() {
        Device device = TorchRuntime.device(setup.device());
        return switch (setup.start()) {
            case FromModel(Path folder) -> Gpt2Models.load(folder, device);
            case FromScratch scratch -> {
                BaseModel made = Gpt2Models.create(scratch.geometry(tokenizer.vocabularySize(), end()), device);
                if (scratch.copying()) {
                    Pretrainer.startCopying(made, corpus);
                }
                yield made;
            }
        };
    }

    /**
     * Trains from the run's current step to its end.
     *
     * @param stop asked after each step; if true, the run is saved and can be resumed
     */
    public Pretrainer.Result train(TrainListener listener, BooleanSupplier stop) {
        PretrainConfig config = setup.config();
        Mixture rows = new Mixture(
                corpus, tokenizer, end(), config.mixture(), setup.start().positions(), config.seed());
        Pretrainer pretrainer = new Pretrainer(
                model,
                config,
                rows,
                validation,
                run,
                () -> Gpt2Models.save(model, modelFolder(), setup.dtype().scalar()));
        return pretrainer.train(new Sampling(listener), stop);
    }

    /** The data and the model, in one line. */
    public String description() {
        return "%,d documents, %,d tokens (%.2f bytes each); %,d parameters; %s"
                .formatted(
                        corpus.documents(),
                        corpus.tokens(),
                        (double) corpus.bytes() / corpus.tokens(),
                        model.parameterCount(),
                        Mixture.format(setup.config().mixture()));
    }

    /** Logs samples at each validation and passes them to the listener. */
    private final class Sampling implements TrainListener {
        private final TrainListener listener;

        Sampling(TrainListener listener) {
            this.listener = listener;
        }

        @Override
        public void started(int stepsDone, int total) {
            listener.started(stepsDone, total);
        }

        @Override
        public void stepped(Step step) {
            listener.stepped(step);
        }

        @Override
        public void validating(int sequences) {
            listener.validating(sequences);
        }

        @Override
        public void validated(int step, Likelihood likelihood, boolean best) {
            List<Sample> samples = TextSamples.write(model, tokenizer, setup.prompts());
            run.log(step, samples);
            listener.sampled(step, samples);
            listener.validated(step, likelihood, best);
        }
    }

    @Override
    public void close() {
        corpus.close();
        tokenizer.close();
        scope.close();
    }
}
