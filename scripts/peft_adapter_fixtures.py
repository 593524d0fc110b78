"""Writes the adapters of tests/resources/peft, for which PEFT 0.21 generates different ids: python3 scripts/peft_adapter_fixtures.py

Random values, not trained ones; expected.json has the ids from greedy decoding with PEFT for prompts.jsonl.
"""
import json
import os

import torch
from peft import CartridgeConfig, LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

ROOT = os.path.join(os.path.dirname(__file__), "..", "tests", "resources", "peft")
NEW_TOKENS = 10


def model():
    return AutoModelForCausalLM.from_pretrained(os.path.join(ROOT, "model"), dtype=torch.float32).eval()


def ids(peft, tokenizer):
    outputs = []
    for line in open(os.path.join(ROOT, "prompts.jsonl"), encoding="utf-8"):
        prompt = tokenizer(json.loads(line)["source"], return_tensors="pt").input_ids
        with torch.no_grad():
            output = peft.generate(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW_TOKENS, do_sample=False)
        outputs.append(output[0, prompt.shape[1]:].tolist())
    return outputs


def lora(**options):
    return LoraConfig(r=4, lora_alpha=16, task_type="CAUSAL_LM", fan_in_fan_out=True, **options)


CASES = {
    "cartridge": CartridgeConfig(num_virtual_tokens=5, num_frozen_tokens=2, task_type="CAUSAL_LM"),
    "lora_wte": lora(target_modules=["wte", "c_attn"]),
    "dora_wpe": lora(target_modules=["wpe", "c_fc"], use_dora=True),
    "lora_head": lora(target_modules=["lm_head", "attn.c_proj"]),
    "saved_head": lora(target_modules=["c_attn"], modules_to_save=["lm_head"]),
    "saved_mlp": lora(target_modules=["c_attn"], modules_to_save=["h.1.mlp"]),
    "bias_all": lora(target_modules=["c_attn"], bias="all"),
    "lora_bias": lora(target_modules=["c_attn"], lora_bias=True),
    "excluded": lora(target_modules=r".*\.(c_attn|c_proj)", exclude_modules=r".*mlp.*"),
    "head_tokens": lora(target_modules=["c_attn"], trainable_token_indices={"lm_head": [7, 19, 223]}),
}


def main():
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(ROOT, "model", "tokenizer.json"))
    base = ids(model(), tokenizer)
    for name, config in CASES.items():
        torch.manual_seed(3)
        peft = get_peft_model(model(), config)
        for parameter, value in peft.named_parameters():
            if value.requires_grad or "frozen_embedding" in parameter:
                value.data.add_(torch.randn_like(value) * 0.3)
        folder = os.path.join(ROOT, name)
        peft.save_pretrained(folder)
        os.remove(os.path.join(folder, "README.md"))
        loaded = ids(PeftModel.from_pretrained(model(), folder).eval(), tokenizer)
        if loaded == base:
            raise SystemExit(name + ": the adapter changes nothing")
        with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
            json.dump({"ids": loaded}, file)


main()
