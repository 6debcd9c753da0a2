"""Small programs whose results were recorded with PyTorch and are compared with rushlight's.

Each takes the package, `torch` when recording and `rushlight` when testing, and returns plain data.
"""


def layer(rl, expression):
    """The repr of a layer and the first initial values of its tensors."""
    rl.manual_seed(0)
    made = eval(expression, {"nn": rl.nn})
    return {
        "repr": repr(made),
        "state": {
            name: [list(t.shape), [round(float(v), 6) for v in t.flatten()[:4]]]
            for name, t in made.state_dict().items()
        },
    }


def trajectory(rl, name, options):
    """Parameters and state after seven steps of linear regression."""
    params = [rl.tensor([[0.5, -1.0], [2.0, 0.3], [0.7, -0.2]], requires_grad=True)]
    if name != "Muon":
        params.append(rl.tensor([0.1, -0.4], requires_grad=True))
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in options.items()}
    optimizer = getattr(rl.optim, name)(params, **options)
    x = rl.arange(12.0).reshape(4, 3) / 6 - 1

    def closure():
        optimizer.zero_grad()
        y = x @ params[0]
        if len(params) > 1:
            y = y + params[1]
        loss = ((y - 1) ** 2).mean()
        loss.backward()
        return loss

    for _ in range(7):
        optimizer.step(closure)
    saved = optimizer.state_dict()
    return {
        "options": options,
        "params": [p.tolist() for p in params],
        "state": sorted(saved["state"].get(0, {})),
        "group": dict(saved["param_groups"][0]),
    }


def schedule(rl, expression):
    """Learning rates of two groups, and momentum, over fourteen steps."""
    from importlib import import_module

    groups = [
        {"params": [rl.ones(1, requires_grad=True)]},
        {"params": [rl.ones(1, requires_grad=True)], "lr": 0.3},
    ]
    optimizer = rl.optim.SGD(groups, lr=0.5, momentum=0.9)
    schedules = import_module(f"{rl.__name__}.optim.lr_scheduler")
    made = eval(expression, {"lr_scheduler": schedules, "o": optimizer})
    rates = []
    for _ in range(14):
        optimizer.step()
        made.step()
        momentum = optimizer.param_groups[0]["momentum"]
        rates.append([float(v) for v in made.get_last_lr()] + [momentum])
    return {"rates": rates, "state": sorted(made.state_dict())}


def recurrent(rl, expression):
    """Outputs of a recurrent layer for a batch and for packed sequences."""
    rl.manual_seed(0)
    made = eval(expression, {"nn": rl.nn})
    x = rl.arange(24.0).reshape(4, 3, 2) / 12 - 1
    output, hidden = made(x)
    packed = rl.nn.utils.rnn.pack_padded_sequence(
        x,
        [3, 1, 2, 3] if made.batch_first else [2, 4, 3],
        batch_first=made.batch_first,
        enforce_sorted=False,
    )
    packed_output, packed_hidden = made(packed)

    def plain(h):
        return [t.tolist() for t in h] if isinstance(h, tuple) else [h.tolist()]

    return {
        "output": output.tolist(),
        "hidden": plain(hidden),
        "packed": packed_output.data.tolist(),
        "packed_hidden": plain(packed_hidden),
    }


def close(a, b, tolerance=2e-6):
    """Whether nested lists of numbers agree, relative to 1 or to the larger number."""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b))
    return abs(a - b) <= tolerance * max(1.0, abs(a))
