package dev.prefix4j.cli;

import java.util.List;
import java.util.stream.Stream;

/**
 * A command with something wrong, and what is said about it.
 *
 * @param code with which it exits
 * @param message part of the one line that it prints
 * @param command in which T stands for the temporary folder of {@link BadInputTest}, and M for a good model
 */
record BadInput(int code, String message, String command) {
    private static final String TRAIN = "train --model M --data T/good.tsv --out T/run";

    /** A command that is used wrongly. */
    private static BadInput usage(String message, String command) {
        return new BadInput(2, message, command);
    }

    /** A command whose input is wrong. */
    private static BadInput input(String message, String command) {
        return new BadInput(1, message, command);
    }

    private static String trainOn(String model) {
        return TRAIN.replace("M ", model + " ");
    }

    static Stream<BadInput> all() {
        return Stream.of(
                        options(),
                        pretraining(),
                        models(),
                        data(),
                        folders(),
                        numbers(),
                        bounds(),
                        methods(),
                        trainingOptions(),
                        adapters(),
                        plans(),
                        generation(),
                        evaluation())
                .flatMap(List::stream);
    }

    private static List<BadInput> options() {
        return List.of(
                usage("Missing required option: '--model=MODEL'", "score --data T/good.tsv"),
                usage("Unknown option: '--modle=9'", "score --modle=9 --model M --data T/good.tsv"),
                usage("Unknown command: 'frobnicate'", "frobnicate"),
                usage("Unknown command: 'trian'; did you mean train or pretrain?", "trian --help"),
                usage("Unknown option: '--learning-rate'", TRAIN + " --learning-rate 1"),
                usage("Unknown option: '--step'; did you mean --steps", TRAIN + " --step 5"),
                usage("Unknown argument: 'more'", "score --model M --data T/good.tsv more"),
                usage("Invalid value for option '--steps'", TRAIN + " --steps many"),
                usage("Missing required option: '--data'", "train --model M --out T/run"),
                usage("expected --steps or --epochs, found both", TRAIN + " --steps 3 --epochs 1"),
                usage("expected --data or --prompt, found both", "generate --model M --data T/good.tsv --prompt a"),
                usage("found both", "generate --model M --prompt a --beams 5 --temperature 0.5"),
                usage("specify one of these", "score --model M"),
                usage(
                        "--prefix: expected --data with it, found none",
                        "score --model M --text T/good.tsv --prefix T/x"),
                usage("--slots: expected --data", "evaluate --hyps T/one.txt --refs T/one.txt --slots"),
                usage("Missing required option: '--data'", "pretrain --out T/run --steps 1"),
                usage(
                        "expected --tokenizer or --vocab-size, found both",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --tokenizer M --vocab-size 300"),
                usage("expected --refs or --data, found neither", "evaluate --hyps T/one.txt"));
    }

    private static List<BadInput> pretraining() {
        return List.of(
                usage(
                        "expected no --layers with --from, which determines it",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --from M --layers 2"),
                input(
                        "T/nowhere: expected a model folder, found nothing",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --from T/nowhere"),
                input("expected steps or minutes, found neither", "pretrain --data T/good.tsv --out T/run"),
                input(
                        "T/nowhere: expected a text file, found no such file",
                        "pretrain --data T/nowhere --out T/run --steps 1 --tokenizer M"),
                input(
                        "mixture: expected shares that sum to 1, found 0.5",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --mixture prose=0.5"),
                input(
                        "dtype: expected float32, float16 or bfloat16, found 'int4'",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --dtype int4"),
                input(
                        "matmul precision: expected highest, high or medium, found 'low'",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --matmul-precision low"),
                input(
                        "n_embd must be a multiple of n_head, was 10 with 3 heads",
                        "pretrain --data T/good.tsv --out T/run --steps 1 --tokenizer M --width 10 --heads 3"),
                input(
                        "--layers 10,000, --width 1,048,576, --positions 512: expected sizes that fit into this"
                                + " machine's memory",
                        "pretrain --data T/one.txt --steps 1 --out T/p --layers 10000 --width 1048576"),
                input("bench: expected train or generate, found neither", "bench"),
                input("steps must be at least 1, was 0", "bench train --model M --data T/good.tsv --steps 0"));
    }

    private static List<BadInput> models() {
        return List.of(
                input("builtin:huge: expected builtin:tiny", "score --model builtin:huge --data T/good.tsv"),
                input("T/nowhere: expected a model folder, found nothing", trainOn("T/nowhere")),
                input("T/good.tsv: expected a model folder, found a file", trainOn("T/good.tsv")),
                input(
                        "T/no-config/config.json: expected a Hugging Face model configuration, found no such file",
                        trainOn("T/no-config")),
                input("T/bad-json/config.json: line 2: invalid JSON", trainOn("T/bad-json")),
                input(
                        "T/bert/config.json: key 'model_type': expected one of gpt2, llama, mistral, qwen2, qwen3,"
                                + " which prefix4j runs, found bert",
                        trainOn("T/bert")),
                input(
                        "T/heads/config.json: key n_embd must be a multiple of n_head, was 16 with 3 heads",
                        trainOn("T/heads")),
                input(
                        "T/text-layers/config.json: key 'n_layer': expected an integer, found \"two\"",
                        trainOn("T/text-layers")),
                input(
                        "T/activation/config.json: key 'activation_function': expected gelu_new",
                        trainOn("T/activation")),
                input(
                        "T/layers/model.safetensors: expected a tensor 'h.2.ln_1.weight' of shape [16], found none",
                        trainOn("T/layers")),
                input(
                        "T/fewer-layers/model.safetensors: found 12 tensors that no GPT-2 of this configuration has:"
                                + " transformer.h.1.attn.c_attn.bias",
                        trainOn("T/fewer-layers")),
                input(
                        "T/shape/model.safetensors: tensor 'transformer.wpe.weight': expected shape [128, 16], found"
                                + " [160, 16]",
                        trainOn("T/shape")),
                input("T/truncated/model.safetensors: header:", trainOn("T/truncated")),
                input(
                        "T/no-weights/model.safetensors: expected a safetensors file, found no such file",
                        trainOn("T/no-weights")),
                input("T/pickle: expected model.safetensors, found only pytorch_model.bin", trainOn("T/pickle")),
                input(
                        "T/no-tokenizer: expected tokenizer.json, or vocab.json and merges.txt",
                        trainOn("T/no-tokenizer")),
                input("T/bad-tokenizer/tokenizer.json: key 'model.vocab'", trainOn("T/bad-tokenizer")));
    }

    private static List<BadInput> data() {
        return List.of(
                input("builtin:e2e/all: expected one of", "data --data builtin:e2e/all --out T/x.jsonl"),
                input("T/none.tsv: expected a data file, found no such file", TRAIN.replace("good", "none")),
                input("T/empty.tsv: expected examples, found an empty file", TRAIN.replace("good", "empty")),
                input("T/columns.csv: line 1: expected the header 'mr,ref'", TRAIN.replace("good.tsv", "columns.csv")),
                input(
                        "T/columns.csv:1: expected the columns mr and ref, or meaning_representation and"
                                + " human_reference, found meaning,text",
                        TRAIN.replace("good.tsv", "columns.csv") + " --format e2e"),
                input(
                        "T/row.jsonl:2: expected a JSON object, found invalid JSON",
                        TRAIN.replace("good.tsv", "row.jsonl")),
                input("T/sources.jsonl:1: expected a target, found none", TRAIN.replace("good.tsv", "sources.jsonl")),
                input("T/long.tsv:2: too long for the model: 10 positions of prefix + ", TRAIN.replace("good", "long")),
                input("to generate = ", "generate --model M --data T/long.tsv"),
                input("--prompt: too long for the model", "generate --model M --prompt a --max-new-tokens 1000"),
                input("format: expected e2e, webnlg, dart, jsonl or tsv, found 'xls'", TRAIN + " --format xls"),
                input("T/nowhere: expected a text file, found no such file", "score --model M --text T/nowhere"),
                input(
                        "T/folder: expected a data file or a folder of WebNLG files (*.xml), found a folder without"
                                + " one",
                        TRAIN.replace("T/good.tsv", "T/folder")),
                input(
                        "found 'input,output' (other CSV becomes TSV or JSONL; --format names a format)",
                        TRAIN.replace("T/good.tsv", "T/own.csv")),
                input(
                        "/dev/null: expected a data file, found something other than a regular file",
                        "score --model M --data /dev/null"),
                input(
                        "T/no/out.jsonl: cannot be written: no such file or folder",
                        "data --data T/good.tsv --out T/no/out.jsonl"));
    }

    private static List<BadInput> folders() {
        return List.of(
                input("T/folder: expected a new or empty folder, found files", TRAIN.replace("T/run", "T/folder")),
                input("T/good.tsv: expected a folder, found a file", TRAIN.replace("T/run", "T/good.tsv")),
                input("/proc/run: the folder cannot be created", TRAIN.replace("T/run", "/proc/run")),
                input("T/run: expected the folder of a run to resume, found nothing", "train --resume --out T/run"),
                input(
                        "T/folder/config.json: expected the configuration of a run to resume",
                        "train --resume --out T/folder"),
                input(
                        "T/folder/config.json: expected the configuration of a run, found no such file",
                        "report --run T/folder"),
                input("T/none: expected the folder of a run, found no such folder", "report --run T/none"),
                input(
                        "T/lora: expected the folder of a run, found an adapter: if a run made it, name the folder"
                                + " above",
                        "report --run T/lora"));
    }

    private static List<BadInput> numbers() {
        return List.of(
                usage("'abc' is not a number", TRAIN + " --lr abc"),
                usage("device: expected cpu, cuda or cuda:N, found 'tpu'", TRAIN + " --device tpu"),
                usage("device 'cuda': this libtorch is built for CPUs", TRAIN + " --device cuda"),
                input("threads must be at least 1, was 0", TRAIN + " --threads 0"),
                input("prefix.length must be at least 1, was 0", TRAIN + " --prefix-length 0"),
                input("prefix.hidden must be at least 1, was -1", TRAIN + " --hidden -1"),
                input("batch-size must be at least 1, was 0", TRAIN + " --batch-size 0"),
                usage("--lr: expected a finite number, found NaN", TRAIN + " --lr NaN"),
                usage("--lr: expected a finite number, found Infinity", TRAIN + " --lr 1e1000000000"),
                input("lr must be between 0.0 and 10.0, was 11.0", TRAIN + " --lr 11"));
    }

    private static List<BadInput> bounds() {
        return List.of(
                usage("--alpha: expected at most 1,000,000, found 1.0E300", TRAIN + " --method lora --alpha 1e300"),
                usage(
                        "--prefix-length: expected at most 65,536, found 2,000,000,000",
                        TRAIN + " --prefix-length 2000000000"),
                usage("--hidden: expected at most 1,048,576, found 2,147,483,647", TRAIN + " --hidden 2147483647"),
                usage(
                        "--rank: expected at most 65,536, found 2,147,483,647",
                        TRAIN + " --method lora --rank 2147483647"),
                usage(
                        "--bottleneck: expected at most 1,048,576, found 2,147,483,647",
                        TRAIN + " --method adapter --bottleneck 2147483647"),
                usage("--batch-size: expected at most 65,536, found 2,147,483,647", TRAIN + " --batch-size 2147483647"),
                usage("'99999999999' is not a whole number up to 2,147,483,647", TRAIN + " --batch-size 99999999999"),
                usage(
                        "--accumulate: expected at most 1,000,000, found 2,147,483,647",
                        TRAIN + " --accumulate 2147483647"),
                usage("--epochs: expected at most 1,000,000, found 2,147,483,647", TRAIN + " --epochs 2147483647"),
                usage("--threads: expected at most 1,024, found 1,000,000", TRAIN + " --threads 1000000"),
                usage(
                        "--beams: expected at most 1,024, found 2,147,483,647",
                        "generate --model M --prompt a --beams 2147483647"),
                usage(
                        "--max-new-tokens: expected at most 1,000,000, found 2,147,483,647",
                        "generate --model M --prompt a --max-new-tokens 2147483647"),
                usage(
                        "--top-k: expected at most 10,000,000, found 2,147,483,647",
                        "generate --model M --prompt a --top-k 2147483647"),
                usage(
                        "--induction: expected at most 1,000,000, found 2,147,483,647",
                        "score --model M --induction 2147483647"));
    }

    private static List<BadInput> methods() {
        return List.of(
                input("reparam: expected mlp or direct, found 'gru'", TRAIN + " --reparam gru"),
                input("method: expected one of prefix, embedding, infix,", TRAIN + " --method soft"),
                usage("--rank: expected --method lora with it, found prefix", TRAIN + " --rank 4"),
                usage(
                        "--examples: expected --method in-context with it, found lora",
                        TRAIN + " --method lora --examples 2"),
                input("layers: expected --layers A-B, found none", TRAIN + " --method layers"),
                input("layers: expected two numbers such as 0-3, found 'a'", TRAIN + " --method layers --layers a"),
                input("layers: expected --method layers with it, found prefix", TRAIN + " --layers 0-1"),
                input("layers: expected a range within 0 to", TRAIN + " --method layers --layers 0-99"),
                input("top-blocks must be at most the model's", TRAIN + " --method fine-tune-top --top-blocks 99"),
                input("rank must be at least 1, was 0", TRAIN + " --method lora --rank 0"),
                input(
                        "adapter-share must be above 0 and at most 1, was 2.0",
                        TRAIN + " --method adapter --adapter-share 2"),
                input("objective: expected token or sentence, found 'word'", TRAIN + " --objective word"));
    }

    private static List<BadInput> trainingOptions() {
        return List.of(
                input("recipe: expected e2e, webnlg, dart or xsum, found 'cnn'", TRAIN + " --recipe cnn"),
                input(
                        "recipe: the paper has none for xsum and method fine-tune",
                        TRAIN + " --recipe xsum --method fine-tune"),
                input("compat: expected authors or none, found 'peft'", TRAIN + " --compat peft"),
                input("sample must be between 1 and the 1 there are, was 2", TRAIN + " --sample 2"),
                usage("--sample-seed: expected --sample with it, found none", TRAIN + " --sample-seed 2"),
                usage(
                        "--seed: expected --sample with it, found none",
                        "data --data T/good.jsonl --out T/o.jsonl --seed 2"),
                usage(
                        "--compat authors: expected --data with it, found none",
                        "score --model M --text T/t --compat authors"),
                input("label-smoothing must be at least 0 and below 1, was 1.0", TRAIN + " --label-smoothing 1"),
                input("init: expected one of random, zero, words, text, adapter, found 'x'", TRAIN + " --init x"),
                input("init zero: expected a method with virtual tokens", TRAIN + " --init zero --method lora"),
                input("init words: expected --init-words", TRAIN + " --init words"));
    }

    private static List<BadInput> adapters() {
        return List.of(
                input("T/none: expected an adapter folder, found nothing", "inspect T/none --model M"),
                usage("--out: expected --data with it, found none", "inspect T/lora --model M --out T/h.html"),
                input(
                        "T/nowhere: expected an adapter folder, found nothing",
                        "generate --model M --prompt a --prefix T/nowhere"),
                input(
                        "T/lora/adapter_config.json: key 'peft_type': expected CARTRIDGE, LORA, PREFIX4J,"
                                + " PREFIX_TUNING, PROMPT_TUNING, P_TUNING, found IA3",
                        "generate --model M --prompt a --prefix T/lora"),
                input(
                        "tests/resources/parity/tiny/adapter: an adapter of another model: expected 2 layers",
                        "score --model M --data T/good.tsv --prefix tests/resources/parity/tiny/adapter"));
    }

    private static List<BadInput> plans() {
        return List.of(
                input("T/sweep.yaml: key 'metrics': expected some of [bleu,", "sweep T/sweep.yaml --out T/s"),
                input("T/none.yaml: expected a plan in YAML, found no such file", "sweep T/none.yaml --out T/s"));
    }

    private static List<BadInput> generation() {
        return List.of(
                input("precision: expected fp32 or int8, found 'int4'", TRAIN + " --precision int4"),
                input(
                        "precision: expected fp32 or int8, found 'fp16'",
                        "generate --model M --prompt a --precision fp16"),
                input(
                        "no-repeat-ngram must be at least 0, was -1",
                        "generate --model M --prompt a --no-repeat-ngram -1"),
                input(
                        "min-new-tokens must be between 0 and max-new-tokens 5, was 6",
                        "generate --model M --prompt a --max-new-tokens 5 --min-new-tokens 6"),
                usage(
                        "--precision int8: expected --data with it, found none",
                        "score --model M --text T/good.tsv --precision int8"),
                input("limit must be at least 1, was -1", "generate --model M --limit -1"),
                input("limit must be at least 1, was -2", "generate --model M --data T/good.tsv --distinct --limit -2"),
                input("temperature must be between 0.0001", "generate --model M --prompt a --temperature 0"),
                input("temperature must be between 0.0001", "generate --model M --prompt a --temperature 1e-320"),
                input("beams must be at most half the vocabulary", "generate --model M --prompt a --beams 200"),
                input("T/no/out.txt: cannot be written", "generate --model M --prompt a --out T/no/out.txt"),
                input("standard input: expected a source on each line, found nothing", "generate --model M"));
    }

    private static List<BadInput> evaluation() {
        return List.of(
                input("limit must be at least 1, was 0", "evaluate --hyps T/one.txt --data T/good.tsv --limit 0"),
                input(
                        "T/two.txt: expected 1 lines, as in T/one.txt, found 2",
                        "evaluate --hyps T/one.txt --refs T/two.txt"),
                input(
                        "T/two.txt: expected 1 lines, one for each distinct source of T/good.tsv (as generate"
                                + " --distinct writes), found 2",
                        "evaluate --hyps T/two.txt --data T/good.tsv"),
                input(
                        "T/bytes.txt:1: expected UTF-8, found other bytes",
                        "evaluate --hyps T/bytes.txt --refs T/one.txt"),
                input(
                        "metrics: expected all or some of"
                            + " bleu,e2e-bleu,nist,meteor,rouge-1,rouge-2,rouge-l,rouge-lsum,coco-rouge-l,cider,ter,chrf,"
                            + " found 'blue'",
                        "evaluate --hyps T/one.txt --refs T/one.txt --metrics blue,ter"),
                input(
                        "T/two.txt: expected 1 lines, as in T/one.txt, found 2",
                        "evaluate --hyps T/one.txt --refs T/one.txt --against T/two.txt"),
                input(
                        "T/nowhere: expected a text file, found no such file",
                        "evaluate --hyps T/one.txt --refs T/one.txt --against T/nowhere"),
                usage("Invalid value for option '--seed'", "evaluate --hyps T/one.txt --refs T/one.txt --seed one"));
    }
}
