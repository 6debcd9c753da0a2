"""Writes `checkpoints/` and `loader_orders.json` with PyTorch 2.13 (run by hand, in an environment that has it).

The tests read these files; they never import PyTorch.
"""

import collections
import json
import os

import torch
import torch.utils.data as data

HERE = os.path.dirname(os.path.abspath(__file__))


def tensors():
    """One tensor of every kind; tests/behaviour/test_serialization_files.py expects these values."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return {
        "base": base,
        "view": base.t()[1:3],
        "int64": torch.arange(5),
        "int32": torch.arange(5, dtype=torch.int32),
        "int16": torch.arange(5, dtype=torch.int16),
        "int8": torch.arange(5, dtype=torch.int8),
        "uint8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "float64": torch.arange(5, dtype=torch.float64) / 8,
        "float16": torch.arange(5, dtype=torch.float16) / 8,
        "bfloat16": torch.arange(5, dtype=torch.bfloat16) / 8,
        "complex64": torch.tensor([1 + 2j, 3 - 4j]),
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(3.5),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "leaf": torch.ones(1, requires_grad=True),
    }


def plain():
    return {
        "ordered": collections.OrderedDict(b=1, a=2),
        "size": torch.Size([1, 2]),
        "dtype": torch.float32,
        "device": torch.device("cpu"),
        "values": [1, -5, 2**70, 1.5, "é", b"by", None, True, {1, 2}, (1, 2, 3, 4), 3 + 4j],
    }


def training():
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(torch.ones(2, 3)).pow(2).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


def orders():
    items = list(range(13))

    def seeded(make):
        torch.manual_seed(5)
        return [make(), torch.rand(2).tolist()]

    def batches(**options):
        return lambda: [b.tolist() for _ in range(2) for b in data.DataLoader(items, 4, **options)]

    generator = torch.Generator().manual_seed(3)
    return {
        "shuffle": seeded(batches(shuffle=True)),
        "generator": seeded(batches(shuffle=True, generator=generator, drop_last=True)),
        "split": seeded(lambda: [list(p) for p in data.random_split(items, [0.5, 0.3, 0.2])]),
        "replacement": seeded(lambda: list(data.RandomSampler(items, True, 70))),
        "longer": seeded(lambda: list(data.RandomSampler(items, False, 30))),
        "weighted": seeded(lambda: list(data.WeightedRandomSampler([1, 2, 3.0], 10))),
        "subset": seeded(lambda: list(data.SubsetRandomSampler([4, 5, 6]))),
        "distributed": [
            list(data.DistributedSampler(items, 4, rank, shuffle=shuffle, drop_last=drop))
            for rank in range(4)
            for shuffle in (False, True)
            for drop in (False, True)
        ],
    }


def main():
    folder = os.path.join(HERE, "checkpoints")
    torch.save(tensors(), os.path.join(folder, "tensors.pt"))
    torch.save(tensors(), os.path.join(folder, "legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save(plain(), os.path.join(folder, "plain.pt"))
    torch.save(training(), os.path.join(folder, "training.pt"))
    torch.save(torch.nn.Linear(2, 1), os.path.join(folder, "module.pt"))
    with open(os.path.join(HERE, "loader_orders.json"), "w") as file:
        json.dump(orders(), file)


if __name__ == "__main__":
    main()
