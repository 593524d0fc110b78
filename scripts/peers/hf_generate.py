"""Times generate() of Transformers, with its cache, with a random PEFT prefix; prints one JSON object.

    python scripts/peers/hf_generate.py --model MODEL --data DATA.jsonl --batch-size 8

Each output has exactly --new-tokens tokens, as in `prefix4j bench generate`. The first batch is a warm-up, and is checked, because some versions
of the peers ignore the prefix in generation.
"""
import argparse
import json
import time

import examples  # first: it keeps the hub's client offline
import torch
from peft import PrefixTuningConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--batches", type=int, default=3, help="timed batches, after a warm-up")
parser.add_argument("--beams", type=int, default=1, help="1: greedy")
parser.add_argument("--new-tokens", type=int, default=40)
parser.add_argument("--prefix-length", type=int, default=10)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)

base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
bos, eos = examples.special_ids(base.config)
needed = (args.batches + 1) * args.batch_size
rows = examples.encode(examples.tokenizer(args.model), examples.read(args.data, needed), bos, eos)
if len(rows) < needed:
    raise SystemExit(f"{args.data}: expected {needed} rows or more, found {len(rows)}")
model = get_peft_model(base, PrefixTuningConfig(
    task_type=TaskType.CAUSAL_LM, num_virtual_tokens=args.prefix_length)).eval()


def generate(prompts, beams):
    """The new ids, int64 [rows, new tokens]."""
    out = model.generate(
        **prompts, max_new_tokens=args.new_tokens, min_new_tokens=args.new_tokens, num_beams=beams, do_sample=False,
        pad_token_id=eos)
    return out[:, prompts["input_ids"].shape[1] :]


def check_prefix():
    """Exits unless generate() begins like the forward pass, which uses the prefix."""
    prompt = examples.prompt_batch(rows[:1], eos)
    logits = model(**prompt).logits[0, -1]
    logits[eos] = -torch.inf  # min_new_tokens forbids it
    if generate(prompt, 1)[0, 0] != logits.argmax():
        raise SystemExit("generate() does not begin like the forward pass: these versions of the peers ignore the prefix")


spent = 0.0
with torch.inference_mode():
    check_prefix()
    for batch in range(args.batches + 1):
        prompts = examples.prompt_batch(rows[batch * args.batch_size : (batch + 1) * args.batch_size], eos)
        start = time.perf_counter()
        generate(prompts, args.beams)
        if batch > 0:
            spent += time.perf_counter() - start
print(json.dumps({
    "program": "hf_generate", "torch": torch.__version__, "beams": args.beams, "batch": args.batch_size,
    "new_tokens_per_s": args.new_tokens * args.batch_size * args.batches / spent, "peak_mib": examples.peak_mib()}))
