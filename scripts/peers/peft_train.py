"""Times steps of prefix-tuning with PEFT, with its MLP and AdamW; prints one JSON object.

    python scripts/peers/peft_train.py --model MODEL --data DATA.jsonl --steps 10

Batches follow the order of the file, as in `prefix4j bench train`.
"""
import argparse
import json
import statistics
import time

import examples  # first: it keeps the hub's client offline
import torch
from peft import PrefixTuningConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True)
parser.add_argument("--data", required=True)
parser.add_argument("--batch-size", type=int, default=10)
parser.add_argument("--steps", type=int, default=20)
parser.add_argument("--warmup", type=int, default=3, help="untimed steps before")
parser.add_argument("--prefix-length", type=int, default=10)
parser.add_argument("--hidden", type=int, default=512)
parser.add_argument("--lr", type=float, default=5e-5)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(0)

base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32)
bos, eos = examples.special_ids(base.config)
needed = (args.steps + args.warmup) * args.batch_size
rows = examples.encode(examples.tokenizer(args.model), examples.read(args.data, needed), bos, eos)
if len(rows) < needed:
    raise SystemExit(f"{args.data}: expected {needed} rows or more, found {len(rows)}")
model = get_peft_model(base, PrefixTuningConfig(
    task_type=TaskType.CAUSAL_LM, num_virtual_tokens=args.prefix_length, prefix_projection=True,
    encoder_hidden_size=args.hidden))
model.train()
optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=args.lr, weight_decay=0)

losses, seconds, tokens = [], [], 0
for step in range(args.warmup + args.steps):
    part = rows[step * args.batch_size : (step + 1) * args.batch_size]
    start = time.perf_counter()
    loss = model(**examples.training_batch(part, eos)).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    losses.append(round(loss.item(), 4))
    if step >= args.warmup:
        seconds.append(time.perf_counter() - start)
        tokens += sum(len(ids) for ids, _ in part)
print(json.dumps({
    "program": "peft_train", "torch": torch.__version__, "losses": losses, "step_s_median": statistics.median(seconds),
    "real_tokens_per_s": tokens / sum(seconds), "peak_mib": examples.peak_mib()}))
