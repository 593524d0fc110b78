"""The loop of `prefix4j pretrain` in plain PyTorch, on random tokens: prints seconds per step (median) as JSON.

    python scripts/peers/pretrain_loop.py --steps 12 --rows-at-once 1 --matmul-precision medium

Same geometry, AdamW (fused), clipping, rows per pass and threads; causal attention through
scaled_dot_product_attention; no padding, no data loading.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--layers", type=int, default=6)
parser.add_argument("--heads", type=int, default=4)
parser.add_argument("--width", type=int, default=256)
parser.add_argument("--positions", type=int, default=512)
parser.add_argument("--vocab", type=int, default=8192)
parser.add_argument("--batch-size", type=int, default=8)
parser.add_argument("--rows-at-once", type=int, default=1)
parser.add_argument("--steps", type=int, default=12)
parser.add_argument("--warm", type=int, default=3)
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--matmul-precision", default="highest")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.set_float32_matmul_precision(args.matmul_precision)
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        b, t, e = x.shape
        q, k, v = (y.view(b, t, self.heads, e // self.heads).transpose(1, 2) for y in self.attn(self.ln_1(x)).split(e, 2))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(b, t, e)
        x = x + self.proj(y)
        return x + self.down(F.gelu(self.up(self.ln_2(x)), approximate="tanh"))


class Gpt2(nn.Module):
    def __init__(self):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(args.vocab, args.width), nn.Embedding(args.positions, args.width)
        self.h = nn.ModuleList(Block(args.width, args.heads) for _ in range(args.layers))
        self.ln_f = nn.LayerNorm(args.width)

    def forward(self, ids, targets):
        x = self.wte(ids) + self.wpe(torch.arange(ids.shape[1]))
        for block in self.h:
            x = block(x)
        logits = self.ln_f(x) @ self.wte.weight.t()
        return F.cross_entropy(logits.view(-1, args.vocab), targets.reshape(-1), reduction="sum")


model = Gpt2()
for parameter in model.parameters():
    if parameter.dim() > 1:
        nn.init.normal_(parameter, 0, 0.02)
matrices = [p for p in model.parameters() if p.dim() > 1]
vectors = [p for p in model.parameters() if p.dim() < 2]
optimizer = torch.optim.AdamW(
    [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], lr=1e-3, betas=(0.9, 0.95),
    fused=True)
seconds = []
for step in range(args.warm + args.steps):
    rows = torch.randint(args.vocab, (args.batch_size, args.positions + 1))
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    for at in range(0, args.batch_size, args.rows_at_once):
        part = rows[at : at + args.rows_at_once]
        (model(part[:, :-1], part[:, 1:]) / (args.batch_size * args.positions)).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step >= args.warm:
        seconds.append(time.perf_counter() - start)
median = statistics.median(seconds)
print(json.dumps({"step_s_median": median, "tokens_per_s": args.batch_size * args.positions / median}))
