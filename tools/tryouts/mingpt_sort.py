"""minGPT learns to sort six digits; the losses of 60 steps, and a sample."""

import os
import sys

import torch
from torch.utils.data import Dataset

sys.path.insert(0, os.getcwd())

from mingpt.model import GPT  # noqa: E402
from mingpt.trainer import Trainer  # noqa: E402
from mingpt.utils import set_seed  # noqa: E402


class Sorting(Dataset):
    def __len__(self):
        return 1000

    def __getitem__(self, i):
        generator = torch.Generator().manual_seed(i)
        digits = torch.randint(3, (6,), generator=generator)
        whole = torch.cat((digits, torch.sort(digits)[0]))
        x, y = whole[:-1].clone(), whole[1:].clone()
        y[:5] = -1
        return x, y


set_seed(3407)
config = GPT.get_default_config()
config.model_type, config.vocab_size, config.block_size = "gpt-nano", 3, 11
model = GPT(config)
settings = Trainer.get_default_config()
settings.learning_rate, settings.max_iters, settings.num_workers = 5e-4, 60, 0
trainer = Trainer(settings, model, Sorting())
trainer.set_callback("on_batch_end", lambda t: print(f"loss {t.loss.item():.6f}"))
trainer.run()
model.eval()
print(model.generate(torch.tensor([[0, 0, 2, 1, 0, 1]]), 6, do_sample=False).tolist())
