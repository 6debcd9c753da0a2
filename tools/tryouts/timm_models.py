"""Models of `timm` with random weights: outputs and gradients."""

import timm
import torch

for name, size in (
    ("resnet18", 64), ("mobilenetv3_small_050", 64), ("vit_tiny_patch16_224", 64),
    ("efficientnet_b0", 64), ("convnext_atto", 64), ("mixer_s32_224", 224),
    ("swin_tiny_patch4_window7_224", 224),
):  # fmt: skip
    torch.manual_seed(0)
    keywords = {"img_size": size} if "vit" in name else {}
    model = timm.create_model(name, pretrained=False, num_classes=5, **keywords).eval()
    result = model(torch.randn(2, 3, size, size))
    result.square().mean().backward()
    total = sum(
        p.grad.double().abs().sum().item() for p in model.parameters() if p.grad is not None
    )
    values = " ".join(f"{v:.5f}" for v in result.flatten().tolist())
    print(name, values, f"gradients {total / 1000:.4f}")
