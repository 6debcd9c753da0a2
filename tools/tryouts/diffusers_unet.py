"""A small U-net of `diffusers`: outputs, gradients, and a few steps of denoising."""

import torch
from diffusers import DDPMScheduler, UNet2DModel

torch.manual_seed(0)
model = UNet2DModel(
    sample_size=8, in_channels=3, out_channels=3, layers_per_block=1, block_out_channels=(8, 16),
    down_block_types=("DownBlock2D", "AttnDownBlock2D"),
    up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    norm_num_groups=4, attention_head_dim=4,
)  # fmt: skip
x = torch.randn(2, 3, 8, 8)
result = model(x, torch.tensor([1, 5])).sample
result.square().mean().backward()
total = sum(p.grad.double().abs().sum().item() for p in model.parameters() if p.grad is not None)
print(f"mean {result.mean().item():.6f} gradients {total:.4f}")
scheduler = DDPMScheduler(num_train_timesteps=10)
with torch.no_grad():
    for step in scheduler.timesteps:
        x = scheduler.step(model(x, step).sample, step, x).prev_sample
        print(f"step {int(step)} mean {x.abs().mean().item():.5f}")
