"""A complete PEFT run on E2E, for quality: trains a prefix, computes the validation loss, decodes the test sources with
beam search and scores them with sacreBLEU. Prints some outputs and one JSON object.

    python scripts/peers/peft_run.py --model MODEL
    python scripts/peers/peft_run.py --model MODEL --steps 0        # the base alone

The default data is the bundled sample; --train, --valid and --test name others.
"""
import argparse
import itertools
import json
import os
import random
import time

import examples  # first: it keeps the hub's client offline
import sacrebleu
import torch
from peft import PrefixTuningConfig, TaskType, get_peft_model
from transformers import AutoModelForCausalLM, get_linear_schedule_with_warmup

E2E = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../src/core/resources/dev/prefix4j/builtin/e2e")
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--model", required=True)
parser.add_argument("--train", default=os.path.join(E2E, "train.csv.gz"))
parser.add_argument("--valid", default=os.path.join(E2E, "valid.csv.gz"))
parser.add_argument("--test", default=os.path.join(E2E, "test.csv.gz"), help="rows of one source must be adjacent")
parser.add_argument("--limit", type=int, default=8000, help="training examples")
parser.add_argument("--steps", type=int, help="instead of one epoch")
parser.add_argument("--batch-size", type=int, default=10)
parser.add_argument("--prefix-length", type=int, default=10)
parser.add_argument("--hidden", type=int, default=512)
parser.add_argument("--lr", type=float, default=5e-4)
parser.add_argument("--warmup", type=int, default=100)
parser.add_argument("--seed", type=int, default=101)
parser.add_argument("--valid-limit", type=int, default=500)
parser.add_argument("--sources", type=int, default=200, help="number of test sources")
parser.add_argument("--beams", type=int, default=5)
parser.add_argument("--new-tokens", type=int, default=80)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--save", help="folder for the adapter")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)

base = AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()
bos, eos = examples.special_ids(base.config)
tokens = examples.tokenizer(args.model)


def encoded(path, limit):
    return examples.encode(tokens, examples.read(path, limit, linearize=True), bos, eos)


def train(model, rows, steps):
    """The loss of each step."""
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=args.lr, weight_decay=0)
    schedule = get_linear_schedule_with_warmup(optimizer, args.warmup, steps)
    order = random.Random(args.seed)
    losses = []
    model.train()
    while len(losses) < steps:
        order.shuffle(rows)
        for at in range(0, len(rows) - args.batch_size + 1, args.batch_size):
            if len(losses) == steps:
                break
            loss = model(**examples.training_batch(rows[at : at + args.batch_size], eos)).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(chosen, 1.0)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            losses.append(loss.item())
    return losses


@torch.no_grad()
def loss_of(model, rows):
    """Mean over the target tokens."""
    total = count = 0
    for at in range(0, len(rows), 20):
        part = rows[at : at + 20]
        targets = sum(len(ids) - prompt for ids, prompt in part)
        total += model(**examples.training_batch(part, eos)).loss.item() * targets
        count += targets
    return total / count


@torch.inference_mode()
def decode(model, source):
    """One source at a time, without padding."""
    prompt = torch.tensor([tokens.encode(source).ids + [bos]])
    out = model.generate(
        input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=args.new_tokens, num_beams=args.beams,
        do_sample=False, pad_token_id=eos)
    new = out[0, prompt.shape[1] :].tolist()
    return tokens.decode(new[: new.index(eos)] if eos in new else new).strip()


model, losses = base, []
start = time.perf_counter()
if args.steps != 0:
    rows = encoded(args.train, args.limit)
    if len(rows) < args.batch_size:
        raise SystemExit(f"{args.train}: expected {args.batch_size} rows or more, found {len(rows)}")
    model = get_peft_model(base, PrefixTuningConfig(
        task_type=TaskType.CAUSAL_LM, num_virtual_tokens=args.prefix_length, prefix_projection=True,
        encoder_hidden_size=args.hidden))
    losses = train(model, rows, args.steps or len(rows) // args.batch_size)
    if args.save:
        model.save_pretrained(args.save)
train_s = time.perf_counter() - start
model.eval()
valid_loss = loss_of(model, encoded(args.valid, args.valid_limit))
pairs = examples.read(args.test, linearize=True)
groups = [(source, [target for _, target in group]) for source, group in itertools.groupby(pairs, key=lambda pair: pair[0])]
groups = groups[: args.sources]
outputs = [decode(model, source) for source, _ in groups]
references = [list(column) for column in itertools.zip_longest(*(targets for _, targets in groups))]
for output in outputs[:3]:
    print("#", output)
print(json.dumps({
    "program": "peft_run", "torch": torch.__version__, "steps": len(losses), "train_s": round(train_s, 1),
    "loss_first_50": sum(losses[:50]) / len(losses[:50]) if losses else None,
    "loss_last_50": sum(losses[-50:]) / len(losses[-50:]) if losses else None, "valid_loss": valid_loss,
    "bleu": sacrebleu.corpus_bleu(outputs, references).score, "sources": len(groups), "beams": args.beams,
    "peak_mib": examples.peak_mib()}))
