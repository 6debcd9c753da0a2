"""`pytorch_lightning` fits a small model, writes a checkpoint, and resumes from it."""

import sys
import warnings

import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.simplefilter("ignore")
folder = sys.argv[1]


class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch, index):
        x, y = batch
        loss = nn.functional.mse_loss(self.net(x), y)
        print(f"step {self.global_step} loss {loss.item():.6f}")
        self.log("loss", loss)
        return loss

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val", nn.functional.mse_loss(self.net(x), y))

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=0.01)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 1)]


def trainer(epochs):
    return pl.Trainer(max_epochs=epochs, default_root_dir=folder, accelerator="cpu", logger=False,
                      enable_progress_bar=False, enable_model_summary=False)  # fmt: skip


pl.seed_everything(1)
x = torch.randn(32, 4)
data = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=True)
first = trainer(2)
first.fit(Model(), data, DataLoader(data.dataset, batch_size=8))
print(f"val {float(first.callback_metrics['val']):.6f}")
first.save_checkpoint(folder + "/last.ckpt")
second = trainer(3)
second.fit(Model(), data, DataLoader(data.dataset, batch_size=8), ckpt_path=folder + "/last.ckpt")
again = Model.load_from_checkpoint(folder + "/last.ckpt")
print(f"weights {sum(p.abs().sum().item() for p in again.parameters()):.6f}")
