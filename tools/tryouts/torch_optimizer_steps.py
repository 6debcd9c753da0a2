"""Every optimizer of `torch_optimizer` takes 20 steps on the same problem.

Shampoo takes them in float64: it takes roots of nearly singular matrices, whose smallest singular
values float32 does not hold, so that two ways of computing them are 1e-3 apart by then.
"""

import torch
import torch_optimizer

for name in sorted(torch_optimizer._NAME_OPTIM_MAP):
    kind = torch_optimizer._NAME_OPTIM_MAP[name]
    if name in ("lookahead",):
        continue
    torch.manual_seed(0)
    model = torch.nn.Linear(4, 3)
    x, y = torch.randn(16, 4), torch.randn(16, 3)
    if name == "shampoo":
        model, x, y = model.double(), x.double(), y.double()
    try:
        optimizer = kind(model.parameters(), lr=1e-2)
    except TypeError:
        optimizer = kind(model.parameters())
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward(create_graph=name in ("adahessian",))
        optimizer.step()
    print(f"{name} {loss.item():.6f}")
