"""`torchdiffeq`: solutions and gradients, also by the adjoint method."""

import torch
from torch import nn
from torchdiffeq import odeint, odeint_adjoint

torch.manual_seed(0)


class Field(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))

    def forward(self, t, y):
        return self.net(y**3)


field, times = Field(), torch.linspace(0, 2, 5)
start = torch.tensor([[2.0, 0.0]], requires_grad=True)
for solve in (odeint, odeint_adjoint):
    for method in ("dopri5", "rk4", "euler", "dopri8", "bosh3", "implicit_adams"):
        field.zero_grad()
        path = solve(field, start, times, method=method)
        path.square().mean().backward()
        total = sum(p.grad.abs().sum().item() for p in field.parameters())
        print(method, " ".join(f"{v:.5f}" for v in path.flatten().tolist()), f"{total:.4f}")
