"""Writes a GPT-2 of a chosen geometry with seeded random weights as a Hugging Face folder; prints the folder.

    python scripts/peers/make_checkpoint.py --out MODEL --text src/core/resources/dev/prefix4j/builtin/e2e/train.csv.gz
    python scripts/peers/make_checkpoint.py --out MODEL --tokenizer GPT2    # a folder with GPT-2's own tokenizer.json

Without a tokenizer, a byte-level BPE is trained on the texts; it may have fewer tokens than --vocab.
"""
import argparse
import os
import shutil

import examples  # first: it keeps the hub's client offline
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", required=True)
given = parser.add_mutually_exclusive_group(required=True)
given.add_argument("--tokenizer", help="folder with a tokenizer.json")
given.add_argument("--text", help="CSV or JSONL of sources and targets")
parser.add_argument("--layers", type=int, default=12)
parser.add_argument("--heads", type=int, default=12)
parser.add_argument("--width", type=int, default=768)
parser.add_argument("--positions", type=int, default=1024)
parser.add_argument("--vocab", type=int, default=50257)
parser.add_argument("--std", type=float, default=0.02)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
torch.manual_seed(args.seed)
END = "<|endoftext|>"  # the last token, as GPT-2 has it


def train_tokenizer(path):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=args.vocab - 1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator((text for pair in examples.read(path) for text in pair), trainer)
    tokenizer.add_special_tokens([END])
    tokenizer.save(os.path.join(args.out, "tokenizer.json"))


os.makedirs(args.out, exist_ok=True)
if args.tokenizer:
    shutil.copy(os.path.join(args.tokenizer, "tokenizer.json"), args.out)
else:
    train_tokenizer(args.text)
end = examples.tokenizer(args.out).token_to_id(END)
model = GPT2LMHeadModel(GPT2Config(
    n_layer=args.layers, n_head=args.heads, n_embd=args.width, n_positions=args.positions, vocab_size=args.vocab,
    bos_token_id=end, eos_token_id=end, embd_pdrop=0.0, attn_pdrop=0.0, resid_pdrop=0.0))
with torch.no_grad():
    for name, parameter in model.named_parameters():
        parameter.normal_(0, args.std)  # biases too, so that a forgotten one shows
        if ".ln_" in name and name.endswith("weight"):
            parameter.add_(1)
model.tie_weights()
model.save_pretrained(args.out)
print(args.out)
