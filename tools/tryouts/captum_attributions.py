"""Attributions of `captum` for a small network."""

import numpy as np
import torch
from captum.attr import (
    DeepLift,
    FeatureAblation,
    GradientShap,
    InputXGradient,
    IntegratedGradients,
    LayerConductance,
    Occlusion,
    Saliency,
)
from torch import nn

torch.manual_seed(0)
np.random.seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
x = torch.randn(2, 4, requires_grad=True)
for kind in (Saliency, InputXGradient, IntegratedGradients, DeepLift, FeatureAblation):
    values = kind(net).attribute(x, target=1)
    print(kind.__name__, " ".join(f"{v:.5f}" for v in values.flatten().tolist()))
values = GradientShap(net).attribute(x, baselines=torch.zeros(3, 4), target=1, n_samples=3)
print("GradientShap", " ".join(f"{v:.5f}" for v in values.flatten().tolist()))
values = Occlusion(net).attribute(x, sliding_window_shapes=(2,), target=0)
print("Occlusion", " ".join(f"{v:.5f}" for v in values.flatten().tolist()))
values = LayerConductance(net, net[0]).attribute(x, target=1)
print("LayerConductance", " ".join(f"{v:.5f}" for v in values.flatten().tolist()))
