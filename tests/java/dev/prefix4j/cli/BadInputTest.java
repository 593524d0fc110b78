package dev.prefix4j.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the user sees when the input is wrong: one line that helps, and no half-written file. */
class BadInputTest {
    private static final Path MODEL = Path.of("tests/resources/model");

    @TempDir
    Path t;

    /** Changes a good model folder. */
    @FunctionalInterface
    private interface Damage {
        void to(Path model) throws IOException;
    }

    private record Case(int code, String message, String command) {}

    @BeforeEach
    void files() throws IOException {
        Files.writeString(t.resolve("good.tsv"), "name : The Mill\tThe Mill is cheap.\n");
        Files.writeString(t.resolve("empty.tsv"), "");
        Files.writeString(t.resolve("columns.csv"), "meaning,text\na,b\n");
        Files.writeString(t.resolve("long.tsv"), "a\tb\nname : " + "x ".repeat(200) + "\ttarget\n");
        Files.writeString(t.resolve("row.jsonl"), "{\"source\": \"a\", \"target\": \"b\"}\n{\"source\": \n");
        Files.writeString(t.resolve("sources.jsonl"), "{\"source\": \"a\"}\n");
        Files.writeString(t.resolve("one.txt"), "one\n");
        Files.writeString(t.resolve("two.txt"), "one\ntwo\n");
        Files.writeString(t.resolve("own.csv"), "input,output\na,b\n");
        Files.write(t.resolve("bytes.txt"), new byte[] {(byte) 0xff, 10});
        Files.createDirectories(t.resolve("folder"));
        Files.writeString(t.resolve("folder/something"), "precious");
        Path peft = Files.createDirectories(t.resolve("lora"));
        Files.writeString(peft.resolve("adapter_config.json"), "{\"peft_type\": \"IA3\"}");
        Files.writeString(t.resolve("sweep.yaml"), "test: T\nmetrics: [blue]\n");
        damaged("no-config", m -> Files.delete(m.resolve("config.json")));
        damaged("bad-json", m -> Files.writeString(m.resolve("config.json"), "{\"n_layer\": 2,\n oops}"));
        damaged("bert", m -> Files.writeString(m.resolve("config.json"), "{\"model_type\": \"bert\"}"));
        damaged("heads", m -> replace(m, "\"n_head\": 2", "\"n_head\": 3"));
        damaged("layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": 3"));
        damaged("fewer-layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": 1"));
        damaged("text-layers", m -> replace(m, "\"n_layer\": 2", "\"n_layer\": \"two\""));
        damaged("activation", m -> replace(m, "gelu_new", "swiglu"));
        damaged("shape", m -> replace(m, "\"n_positions\": 160", "\"n_positions\": 128"));
        damaged("truncated", m -> {
            byte[] bytes = Files.readAllBytes(m.resolve("model.safetensors"));
            Files.write(m.resolve("model.safetensors"), Arrays.copyOf(bytes, bytes.length / 2));
        });
        damaged("no-weights", m -> Files.delete(m.resolve("model.safetensors")));
        damaged("pickle", m -> Files.move(m.resolve("model.safetensors"), m.resolve("pytorch_model.bin")));
        damaged("no-tokenizer", m -> {
            Files.delete(m.resolve("tokenizer.json"));
            Files.delete(m.resolve("vocab.json"));
        });
        damaged("bad-tokenizer", m -> Files.writeString(m.resolve("tokenizer.json"), "{}"));
    }

    private void damaged(String name, Damage damage) throws IOException {
        Path folder = Files.createDirectories(t.resolve(name));
        for (String file : List.of("config.json", "model.safetensors", "tokenizer.json", "vocab.json", "merges.txt")) {
            Files.copy(MODEL.resolve(file), folder.resolve(file));
        }
        damage.to(folder);
    }

    private static void replace(Path model, String from, String to) throws IOException {
        Path file = model.resolve("config.json");
        String text = Files.readString(file);
        assertTrue(text.contains(from));
        Files.writeString(file, text.replace(from, to));
    }

    /** T stands for the temporary folder, M for a good model. */
    static Stream<Arguments> cases() {
        String train = "train --model M --data T/good.tsv --out T/run";
        return Stream.of(
                        new Case(2, "Missing required option: '--model=MODEL'", "score --data T/good.tsv"),
                        new Case(2, "Unknown option: '--modle=9'", "score --modle=9 --model M --data T/good.tsv"),
                        new Case(2, "Unknown command: 'frobnicate'", "frobnicate"),
                        new Case(2, "Unknown command: 'trian'; did you mean train or pretrain?", "trian --help"),
                        new Case(2, "Unknown option: '--learning-rate'", train + " --learning-rate 1"),
                        new Case(2, "Unknown option: '--step'; did you mean --steps", train + " --step 5"),
                        new Case(2, "Unknown argument: 'more'", "score --model M --data T/good.tsv more"),
                        new Case(2, "Invalid value for option '--steps'", train + " --steps many"),
                        new Case(2, "Missing required option: '--data'", "train --model M --out T/run"),
                        new Case(2, "expected --steps or --epochs, found both", train + " --steps 3 --epochs 1"),
                        new Case(
                                2,
                                "expected --data or --prompt, found both",
                                "generate --model M --data T/good.tsv --prompt a"),
                        new Case(2, "found both", "generate --model M --prompt a --beams 5 --temperature 0.5"),
                        new Case(2, "specify one of these", "score --model M"),
                        new Case(
                                2,
                                "--prefix: expected --data with it, found none",
                                "score --model M --text T/good.tsv --prefix T/x"),
                        new Case(2, "--slots: expected --data", "evaluate --hyps T/one.txt --refs T/one.txt --slots"),
                        new Case(2, "Missing required option: '--data'", "pretrain --out T/run --steps 1"),
                        new Case(
                                2,
                                "expected --tokenizer or --vocab-size, found both",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --tokenizer M --vocab-size 300"),
                        new Case(1, "precision: expected fp32 or int8, found 'int4'", train + " --precision int4"),
                        new Case(
                                1,
                                "precision: expected fp32 or int8, found 'fp16'",
                                "generate --model M --prompt a --precision fp16"),
                        new Case(
                                1,
                                "no-repeat-ngram must be at least 0, was -1",
                                "generate --model M --prompt a --no-repeat-ngram -1"),
                        new Case(
                                1,
                                "min-new-tokens must be between 0 and max-new-tokens 5, was 6",
                                "generate --model M --prompt a --max-new-tokens 5 --min-new-tokens 6"),
                        new Case(
                                2,
                                "--precision int8: expected --data with it, found none",
                                "score --model M --text T/good.tsv --precision int8"),
                        new Case(1, "bench: expected train or generate, found neither", "bench"),
                        new Case(
                                1,
                                "steps must be at least 1, was 0",
                                "bench train --model M --data T/good.tsv --steps 0"),
                        new Case(
                                2,
                                "expected no --layers with --from, which determines it",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --from M --layers 2"),
                        new Case(
                                1,
                                "T/nowhere: expected a model folder, found nothing",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --from T/nowhere"),
                        new Case(
                                1,
                                "expected steps or minutes, found neither",
                                "pretrain --data T/good.tsv --out T/run"),
                        new Case(
                                1,
                                "T/nowhere: expected a text file, found no such file",
                                "pretrain --data T/nowhere --out T/run --steps 1 --tokenizer M"),
                        new Case(
                                1,
                                "T/nowhere: expected a text file, found no such file",
                                "score --model M --text T/nowhere"),
                        new Case(
                                1,
                                "mixture: expected shares that sum to 1, found 0.5",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --mixture prose=0.5"),
                        new Case(
                                1,
                                "dtype: expected float32, float16 or bfloat16, found 'int4'",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --dtype int4"),
                        new Case(
                                1,
                                "matmul precision: expected highest, high or medium, found 'low'",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --matmul-precision low"),
                        new Case(
                                1,
                                "n_embd must be a multiple of n_head, was 10 with 3 heads",
                                "pretrain --data T/good.tsv --out T/run --steps 1 --tokenizer M --width 10 --heads 3"),
                        new Case(
                                1,
                                "builtin:huge: expected builtin:tiny",
                                "score --model builtin:huge --data T/good.tsv"),
                        new Case(1, "builtin:e2e/all: expected one of", "data --data builtin:e2e/all --out T/x.jsonl"),
                        new Case(2, "expected --refs or --data, found neither", "evaluate --hyps T/one.txt"),
                        new Case(
                                1,
                                "T/nowhere: expected a model folder, found nothing",
                                train.replace("M ", "T/nowhere ")),
                        new Case(
                                1,
                                "T/good.tsv: expected a model folder, found a file",
                                train.replace("M ", "T/good.tsv ")),
                        new Case(
                                1,
                                "T/no-config/config.json: expected a Hugging Face model configuration, found no such"
                                        + " file",
                                train.replace("M ", "T/no-config ")),
                        new Case(1, "T/bad-json/config.json: line 2: invalid JSON", train.replace("M ", "T/bad-json ")),
                        new Case(
                                1,
                                "T/bert/config.json: key 'model_type': expected one of gpt2, llama, mistral, qwen2,"
                                        + " qwen3, which prefix4j runs, found bert",
                                train.replace("M ", "T/bert ")),
                        new Case(
                                1,
                                "T/heads/config.json: key n_embd must be a multiple of n_head, was 16 with 3 heads",
                                train.replace("M ", "T/heads ")),
                        new Case(
                                1,
                                "T/text-layers/config.json: key 'n_layer': expected an integer, found \"two\"",
                                train.replace("M ", "T/text-layers ")),
                        new Case(
                                1,
                                "T/activation/config.json: key 'activation_function': expected gelu_new",
                                train.replace("M ", "T/activation ")),
                        new Case(
                                1,
                                "T/layers/model.safetensors: expected a tensor 'h.2.ln_1.weight' of shape [16], found"
                                        + " none",
                                train.replace("M ", "T/layers ")),
                        new Case(
                                1,
                                "T/fewer-layers/model.safetensors: found 12 tensors that no GPT-2 of this"
                                        + " configuration has: transformer.h.1.attn.c_attn.bias",
                                train.replace("M ", "T/fewer-layers ")),
                        new Case(
                                1,
                                "T/shape/model.safetensors: tensor 'transformer.wpe.weight': expected shape [128, 16],"
                                        + " found [160, 16]",
                                train.replace("M ", "T/shape ")),
                        new Case(1, "T/truncated/model.safetensors: header:", train.replace("M ", "T/truncated ")),
                        new Case(
                                1,
                                "T/no-weights/model.safetensors: expected a safetensors file, found no such file",
                                train.replace("M ", "T/no-weights ")),
                        new Case(
                                1,
                                "T/pickle: expected model.safetensors, found only pytorch_model.bin",
                                train.replace("M ", "T/pickle ")),
                        new Case(
                                1,
                                "T/no-tokenizer: expected tokenizer.json, or vocab.json and merges.txt",
                                train.replace("M ", "T/no-tokenizer ")),
                        new Case(
                                1,
                                "T/bad-tokenizer/tokenizer.json: key 'model.vocab'",
                                train.replace("M ", "T/bad-tokenizer ")),
                        new Case(
                                1,
                                "T/none.tsv: expected a data file, found no such file",
                                train.replace("good", "none")),
                        new Case(
                                1,
                                "T/empty.tsv: expected examples, found an empty file",
                                train.replace("good", "empty")),
                        new Case(
                                1,
                                "T/columns.csv: line 1: expected the header 'mr,ref'",
                                train.replace("good.tsv", "columns.csv")),
                        new Case(
                                1,
                                "T/columns.csv:1: expected the columns mr and ref, or meaning_representation and"
                                        + " human_reference, found meaning,text",
                                train.replace("good.tsv", "columns.csv") + " --format e2e"),
                        new Case(
                                1,
                                "T/row.jsonl:2: expected a JSON object, found invalid JSON",
                                train.replace("good.tsv", "row.jsonl")),
                        new Case(
                                1,
                                "T/sources.jsonl:1: expected a target, found none",
                                train.replace("good.tsv", "sources.jsonl")),
                        new Case(
                                1,
                                "T/long.tsv:2: too long for the model: 10 positions of prefix + ",
                                train.replace("good", "long")),
                        new Case(1, "to generate = ", "generate --model M --data T/long.tsv"),
                        new Case(
                                1,
                                "--prompt: too long for the model",
                                "generate --model M --prompt a --max-new-tokens 1000"),
                        new Case(
                                1,
                                "format: expected e2e, webnlg, dart, jsonl or tsv, found 'xls'",
                                train + " --format xls"),
                        new Case(
                                1,
                                "T/folder: expected a new or empty folder, found files",
                                train.replace("T/run", "T/folder")),
                        new Case(
                                1, "T/good.tsv: expected a folder, found a file", train.replace("T/run", "T/good.tsv")),
                        new Case(1, "/proc/run: the folder cannot be created", train.replace("T/run", "/proc/run")),
                        new Case(
                                1,
                                "T/run: expected the folder of a run to resume, found nothing",
                                "train --resume --out T/run"),
                        new Case(
                                1,
                                "T/folder/config.json: expected the configuration of a run to resume",
                                "train --resume --out T/folder"),
                        new Case(
                                1,
                                "T/folder/config.json: expected the configuration of a run, found no such file",
                                "report --run T/folder"),
                        new Case(2, "'abc' is not a number", train + " --lr abc"),
                        new Case(
                                1, "T/none: expected the folder of a run, found no such folder", "report --run T/none"),
                        new Case(
                                1,
                                "T/lora: expected the folder of a run, found an adapter: if a run made it, name the"
                                        + " folder above",
                                "report --run T/lora"),
                        new Case(
                                1,
                                "T/folder: expected a data file or a folder of WebNLG files (*.xml), found a folder"
                                        + " without one",
                                train.replace("T/good.tsv", "T/folder")),
                        new Case(
                                1,
                                "found 'input,output' (other CSV becomes TSV or JSONL; --format names a format)",
                                train.replace("T/good.tsv", "T/own.csv")),
                        new Case(2, "device: expected cpu, cuda or cuda:N, found 'tpu'", train + " --device tpu"),
                        new Case(2, "device 'cuda': this libtorch is built for CPUs", train + " --device cuda"),
                        new Case(1, "threads must be at least 1, was 0", train + " --threads 0"),
                        new Case(1, "prefix.length must be at least 1, was 0", train + " --prefix-length 0"),
                        new Case(1, "prefix.hidden must be at least 1, was -1", train + " --hidden -1"),
                        new Case(1, "batch-size must be at least 1, was 0", train + " --batch-size 0"),
                        new Case(2, "--lr: expected a finite number, found NaN", train + " --lr NaN"),
                        new Case(2, "--lr: expected a finite number, found Infinity", train + " --lr 1e1000000000"),
                        new Case(1, "lr must be between 0.0 and 10.0, was 11.0", train + " --lr 11"),
                        new Case(
                                2,
                                "--alpha: expected at most 1,000,000, found 1.0E300",
                                train + " --method lora --alpha 1e300"),
                        new Case(
                                2,
                                "--prefix-length: expected at most 65,536, found 2,000,000,000",
                                train + " --prefix-length 2000000000"),
                        new Case(
                                2,
                                "--hidden: expected at most 1,048,576, found 2,147,483,647",
                                train + " --hidden 2147483647"),
                        new Case(
                                2,
                                "--rank: expected at most 65,536, found 2,147,483,647",
                                train + " --method lora --rank 2147483647"),
                        new Case(
                                2,
                                "--bottleneck: expected at most 1,048,576, found 2,147,483,647",
                                train + " --method adapter --bottleneck 2147483647"),
                        new Case(
                                2,
                                "--batch-size: expected at most 65,536, found 2,147,483,647",
                                train + " --batch-size 2147483647"),
                        new Case(
                                2,
                                "'99999999999' is not a whole number up to 2,147,483,647",
                                train + " --batch-size 99999999999"),
                        new Case(
                                2,
                                "--accumulate: expected at most 1,000,000, found 2,147,483,647",
                                train + " --accumulate 2147483647"),
                        new Case(
                                2,
                                "--epochs: expected at most 1,000,000, found 2,147,483,647",
                                train + " --epochs 2147483647"),
                        new Case(2, "--threads: expected at most 1,024, found 1,000,000", train + " --threads 1000000"),
                        new Case(
                                2,
                                "--beams: expected at most 1,024, found 2,147,483,647",
                                "generate --model M --prompt a --beams 2147483647"),
                        new Case(
                                2,
                                "--max-new-tokens: expected at most 1,000,000, found 2,147,483,647",
                                "generate --model M --prompt a --max-new-tokens 2147483647"),
                        new Case(
                                2,
                                "--top-k: expected at most 10,000,000, found 2,147,483,647",
                                "generate --model M --prompt a --top-k 2147483647"),
                        new Case(
                                2,
                                "--induction: expected at most 1,000,000, found 2,147,483,647",
                                "score --model M --induction 2147483647"),
                        new Case(
                                1,
                                "--layers 10,000, --width 1,048,576, --positions 512: expected sizes that fit into"
                                        + " this machine's memory",
                                "pretrain --data T/one.txt --steps 1 --out T/p --layers 10000 --width 1048576"),
                        new Case(1, "reparam: expected mlp or direct, found 'gru'", train + " --reparam gru"),
                        new Case(1, "T/none: expected an adapter folder, found nothing", "inspect T/none --model M"),
                        new Case(
                                1,
                                "T/sweep.yaml: key 'metrics': expected some of [bleu,",
                                "sweep T/sweep.yaml --out T/s"),
                        new Case(
                                1,
                                "T/none.yaml: expected a plan in YAML, found no such file",
                                "sweep T/none.yaml --out T/s"),
                        new Case(
                                2,
                                "--out: expected --data with it, found none",
                                "inspect T/lora --model M --out T/h.html"),
                        new Case(1, "method: expected one of prefix, embedding, infix,", train + " --method soft"),
                        new Case(2, "--rank: expected --method lora with it, found prefix", train + " --rank 4"),
                        new Case(
                                2,
                                "--examples: expected --method in-context with it, found lora",
                                train + " --method lora --examples 2"),
                        new Case(1, "recipe: expected e2e, webnlg, dart or xsum, found 'cnn'", train + " --recipe cnn"),
                        new Case(
                                1,
                                "recipe: the paper has none for xsum and method fine-tune",
                                train + " --recipe xsum --method fine-tune"),
                        new Case(1, "compat: expected authors or none, found 'peft'", train + " --compat peft"),
                        new Case(1, "sample must be between 1 and the 1 there are, was 2", train + " --sample 2"),
                        new Case(2, "--sample-seed: expected --sample with it, found none", train + " --sample-seed 2"),
                        new Case(
                                2,
                                "--seed: expected --sample with it, found none",
                                "data --data T/good.jsonl --out T/o.jsonl --seed 2"),
                        new Case(
                                2,
                                "--compat authors: expected --data with it, found none",
                                "score --model M --text T/t --compat authors"),
                        new Case(1, "layers: expected --layers A-B, found none", train + " --method layers"),
                        new Case(
                                1,
                                "layers: expected two numbers such as 0-3, found 'a'",
                                train + " --method layers --layers a"),
                        new Case(1, "layers: expected --method layers with it, found prefix", train + " --layers 0-1"),
                        new Case(1, "layers: expected a range within 0 to", train + " --method layers --layers 0-99"),
                        new Case(
                                1,
                                "top-blocks must be at most the model's",
                                train + " --method fine-tune-top --top-blocks 99"),
                        new Case(1, "rank must be at least 1, was 0", train + " --method lora --rank 0"),
                        new Case(
                                1,
                                "adapter-share must be above 0 and at most 1, was 2.0",
                                train + " --method adapter --adapter-share 2"),
                        new Case(1, "objective: expected token or sentence, found 'word'", train + " --objective word"),
                        new Case(
                                1,
                                "label-smoothing must be at least 0 and below 1, was 1.0",
                                train + " --label-smoothing 1"),
                        new Case(
                                1,
                                "init: expected one of random, zero, words, text, adapter, found 'x'",
                                train + " --init x"),
                        new Case(
                                1,
                                "init zero: expected a method with virtual tokens",
                                train + " --init zero --method lora"),
                        new Case(1, "init words: expected --init-words", train + " --init words"),
                        new Case(
                                1,
                                "T/nowhere: expected an adapter folder, found nothing",
                                "generate --model M --prompt a --prefix T/nowhere"),
                        new Case(
                                1,
                                "T/lora/adapter_config.json: key 'peft_type': expected CARTRIDGE, LORA, PREFIX4J,"
                                        + " PREFIX_TUNING, PROMPT_TUNING, P_TUNING, found IA3",
                                "generate --model M --prompt a --prefix T/lora"),
                        new Case(
                                1,
                                "tests/resources/parity/tiny/adapter: an adapter of another model: expected 2 layers",
                                "score --model M --data T/good.tsv --prefix tests/resources/parity/tiny/adapter"),
                        new Case(1, "limit must be at least 1, was -1", "generate --model M --limit -1"),
                        new Case(
                                1,
                                "limit must be at least 1, was -2",
                                "generate --model M --data T/good.tsv --distinct --limit -2"),
                        new Case(
                                1,
                                "limit must be at least 1, was 0",
                                "evaluate --hyps T/one.txt --data T/good.tsv --limit 0"),
                        new Case(
                                1,
                                "/dev/null: expected a data file, found something other than a regular file",
                                "score --model M --data /dev/null"),
                        new Case(
                                1,
                                "temperature must be between 0.0001",
                                "generate --model M --prompt a --temperature 0"),
                        new Case(
                                1,
                                "temperature must be between 0.0001",
                                "generate --model M --prompt a --temperature 1e-320"),
                        new Case(
                                1,
                                "beams must be at most half the vocabulary",
                                "generate --model M --prompt a --beams 200"),
                        new Case(
                                1,
                                "T/no/out.txt: cannot be written",
                                "generate --model M --prompt a --out T/no/out.txt"),
                        new Case(
                                1,
                                "standard input: expected a source on each line, found nothing",
                                "generate --model M"),
                        new Case(
                                1,
                                "T/two.txt: expected 1 lines, as in T/one.txt, found 2",
                                "evaluate --hyps T/one.txt --refs T/two.txt"),
                        new Case(
                                1,
                                "T/two.txt: expected 1 lines, one for each distinct source of T/good.tsv (as generate"
                                        + " --distinct writes), found 2",
                                "evaluate --hyps T/two.txt --data T/good.tsv"),
                        new Case(
                                1,
                                "T/bytes.txt:1: expected UTF-8, found other bytes",
                                "evaluate --hyps T/bytes.txt --refs T/one.txt"),
                        new Case(
                                1,
                                "metrics: expected all or some of"
                                    + " bleu,e2e-bleu,nist,meteor,rouge-1,rouge-2,rouge-l,rouge-lsum,coco-rouge-l,cider,ter,chrf,"
                                    + " found 'blue'",
                                "evaluate --hyps T/one.txt --refs T/one.txt --metrics blue,ter"),
                        new Case(
                                1,
                                "T/two.txt: expected 1 lines, as in T/one.txt, found 2",
                                "evaluate --hyps T/one.txt --refs T/one.txt --against T/two.txt"),
                        new Case(
                                1,
                                "T/nowhere: expected a text file, found no such file",
                                "evaluate --hyps T/one.txt --refs T/one.txt --against T/nowhere"),
                        new Case(
                                2,
                                "Invalid value for option '--seed'",
                                "evaluate --hyps T/one.txt --refs T/one.txt --seed one"),
                        new Case(
                                1,
                                "T/no/out.jsonl: cannot be written: no such file or folder",
                                "data --data T/good.tsv --out T/no/out.jsonl"))
                .map(c -> Arguments.of(c.command(), c.code(), c.message()));
    }

    private List<String> tree() {
        try (Stream<Path> files = Files.walk(t)) {
            return files.sorted()
                    .map(f -> {
                        try {
                            return f + (Files.isRegularFile(f) ? " " + Files.size(f) : "");
                        } catch (IOException e) {
                            throw new UncheckedIOException(e);
                        }
                    })
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("cases")
    void oneLineSaysWhatIsWrongAndNothingIsLeftBehind(String command, int code, String message) {
        List<String> before = tree();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        String[] arguments = Arrays.stream(command.split(" "))
                .map(a -> a.equals("M") ? MODEL.toString() : a.replaceFirst("^T/", t + "/"))
                .toArray(String[]::new);
        int found = Main.run(
                arguments,
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8));
        String text = err.toString(StandardCharsets.UTF_8);
        assertEquals(code, found, text);
        assertTrue(text.contains(message.replace("T/", t + "/")), text);
        assertEquals(1, text.lines().count(), text);
        assertTrue(text.startsWith("prefix4j: "), text);
        assertFalse(text.contains("unexpected error"), text);
        assertEquals("", out.toString(StandardCharsets.UTF_8));
        assertEquals(before, tree());
    }

    @Test
    void helpIsThereForEveryCommand() {
        for (String command : List.of("train", "generate", "score", "evaluate", "report", "data", "doctor")) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            int code = Main.run(
                    new String[] {command, "--help"},
                    new ByteArrayInputStream(new byte[0]),
                    new PrintStream(out, true, StandardCharsets.UTF_8),
                    new PrintStream(new ByteArrayOutputStream()));
            assertEquals(0, code);
            assertTrue(out.toString(StandardCharsets.UTF_8).contains("--json"));
        }
    }
}
