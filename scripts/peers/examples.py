"""Shared by the peers' scripts: reading and batching texts, and peak memory."""
import csv
import gzip
import json
import os
import re
import resource

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a missing model is an error, not a download
import torch
from tokenizers import Tokenizer

IGNORED = -100  # of PyTorch's cross entropy


def read(path, limit=None, linearize=False):
    """(source, target) pairs in the order of a file: CSV with mr and ref, .gz or not, or JSONL with source and target.

    linearize: name[The Mill], area[riverside] becomes name : The Mill | area : riverside, as prefix4j reads E2E.
    """
    opened = gzip.open(path, "rt", encoding="utf8") if path.endswith(".gz") else open(path, encoding="utf8")
    with opened as file:
        if re.search(r"\.csv(\.gz)?$", path):
            rows = [(row["mr"], row["ref"]) for row in csv.DictReader(file)]
        else:
            rows = [(row["source"], row["target"]) for row in map(json.loads, file)]
    if linearize:
        rows = [(" | ".join(f"{k.strip()} : {v.strip()}" for k, v in re.findall(r"([^,\[\]]+)\[([^\]]*)\]", s)), t) for s, t in rows]
    return rows[:limit]


def tokenizer(model):
    return Tokenizer.from_file(os.path.join(model, "tokenizer.json"))


def special_ids(config):
    """(the separator of source and target, the end token of the target, which is also the padding)"""
    eos = config.eos_token_id
    return eos if config.bos_token_id is None else config.bos_token_id, eos


def encode(tokens, pairs, bos, eos):
    """(ids, length of the prompt) of each pair: source, bos, space and target, eos; the first two are the prompt."""
    encoded = []
    for source, target in pairs:
        prompt = tokens.encode(source).ids + [bos]
        encoded.append((prompt + tokens.encode(" " + target).ids + [eos], len(prompt)))
    return encoded


def training_batch(rows, pad):
    """Padded on the right; only targets count in the loss. Each tensor is int64 [rows, longest row]."""
    width = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    labels = torch.full_like(ids, IGNORED)
    for i, (row, prompt) in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
        mask[i, : len(row)] = 1
        labels[i, prompt : len(row)] = ids[i, prompt : len(row)]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def prompt_batch(rows, pad):
    """Prompts padded on the left, as generate() needs them; int64 [rows, longest prompt]."""
    width = max(prompt for _, prompt in rows)
    ids = torch.full((len(rows), width), pad)
    mask = torch.zeros_like(ids)
    for i, (row, prompt) in enumerate(rows):
        ids[i, width - prompt :] = torch.tensor(row[:prompt])
        mask[i, width - prompt :] = 1
    return {"input_ids": ids, "attention_mask": mask}


def peak_mib():
    """Peak memory of this process, in MiB (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
