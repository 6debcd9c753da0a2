"""`peft` adds low-rank layers to a tiny GPT-2, trains, saves and loads them."""

import sys

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model

config = transformers.GPT2Config(vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2,
                                 attn_pdrop=0, resid_pdrop=0, embd_pdrop=0)  # fmt: skip
torch.manual_seed(0)
base = transformers.GPT2LMHeadModel(config)
model = get_peft_model(base, LoraConfig(r=2, lora_alpha=8, target_modules=["c_attn"],
                                        fan_in_fan_out=True, task_type="CAUSAL_LM"))  # fmt: skip
optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
tokens = torch.arange(10).view(2, 5)
for _ in range(5):
    loss = model(input_ids=tokens, labels=tokens).loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"loss {loss.item():.6f}")
model.save_pretrained(sys.argv[1])
torch.manual_seed(0)
again = PeftModel.from_pretrained(transformers.GPT2LMHeadModel(config), sys.argv[1])
model.eval()
again.eval()
print(f"loaded {again(input_ids=tokens, labels=tokens).loss.item():.6f}")
print(f"merged {again.merge_and_unload()(input_ids=tokens, labels=tokens).loss.item():.6f}")
