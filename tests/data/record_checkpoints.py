"""Writes `checkpoints/` and `loader_orders.json` with PyTorch 2.13 (run by hand, in an environment that has it).

The tests read these files; they never import PyTorch.
"""

import collections
import copy
import json
import os

import torch
import torch.utils.data as data

DTYPES = """float64 float32 float16 bfloat16 int64 int32 int16 int8 uint8 bool complex64 complex128
    uint16 uint32 uint64""".split()
NEWER = ("uint", "meta")  # beginnings of names that the stream format cannot hold
OPTIMIZERS = """SGD Adam AdamW RMSprop Adagrad Adadelta NAdam RAdam Rprop ASGD Adamax LBFGS
    Adafactor""".split()
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


def kinds():
    """Every dtype as a vector, a number, nothing and a strided view; other layouts and bits."""
    found = {}
    for name in DTYPES:
        base = torch.tensor([1, 0, 1, 2, 3]).to(getattr(torch, name))
        found |= {name: base, name + "_0d": base[0], name + "_empty": base[:0]}
        found[name + "_view"] = base[1::2]
    pairs = torch.tensor([[1.0, 2], [3, -4]], dtype=torch.float16)
    found["complex32"] = torch.view_as_complex(pairs)
    found["conj"] = torch.tensor([1 + 2j, 3 - 1j]).conj()
    found["neg"] = torch.tensor([1 + 2j, 3 - 1j]).conj().imag
    found["channels_last"] = torch.arange(24.0).view(1, 2, 3, 4).to(
        memory_format=torch.channels_last
    )
    found["expanded"] = torch.ones(1).expand(3, 4)
    found["meta"] = torch.empty(2, 3, device="meta")
    found["coo"], found["csr"] = torch.eye(3).to_sparse(), torch.eye(3).to_sparse_csr()
    return found


def kind_facts(found):
    """What `kinds` must be after loading."""
    facts = {}
    for name, x in found.items():
        x = x if x.layout != torch.strided else x.resolve_conj().resolve_neg()
        stride = list(x.stride()) if x.layout == torch.strided else str(x.layout)
        dense = x.detach().to_dense() if x.layout != torch.strided else x
        if x.is_complex():
            dense = torch.view_as_real(x)
        whole = not (dense.is_floating_point() or dense.dtype == torch.bool)
        values = None if x.is_meta else dense.to(torch.int64 if whole else torch.float64).tolist()
        facts[name] = [str(x.dtype), list(x.shape), stride, values]
    return facts


def steps():
    """State dicts of optimizers after two steps, the weights, and those after a third step."""
    found, after = {}, {}
    for name in OPTIMIZERS:
        torch.manual_seed(1)
        layer = torch.nn.Linear(3, 2)
        options = {"momentum": 0.9} if name == "SGD" else {}
        optimizer = getattr(torch.optim, name)(layer.parameters(), lr=0.1, **options)

        def loss():
            optimizer.zero_grad()
            value = layer(torch.ones(2, 3)).pow(2).sum()
            value.backward()
            return value

        optimizer.step(loss)
        optimizer.step(loss)
        weights = {k: v.clone() for k, v in layer.state_dict().items()}
        found[name] = copy.deepcopy((optimizer.state_dict(), weights))
        optimizer.step(loss)
        after[name] = [p.tolist() for p in layer.parameters()]
    return found, after


def models():
    """State dicts of layers with names of their own."""
    torch.manual_seed(0)
    nn, parametrizations = torch.nn, torch.nn.utils.parametrizations
    made = {
        "lstm": nn.LSTM(2, 3, 2, bidirectional=True),
        "transformer": nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 4), 1),
        "conv": nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
        "weight_norm": parametrizations.weight_norm(nn.Linear(2, 3)),
        "spectral_norm": parametrizations.spectral_norm(nn.Linear(2, 3)),
        "bag": nn.EmbeddingBag(4, 3),
    }
    return {name: module.state_dict() for name, module in made.items()}


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
    torch.save(kinds(), os.path.join(folder, "kinds.pt"))
    older = {k: v for k, v in kinds().items() if k[:4] not in NEWER or k[:5] == "uint8"}
    older.pop("complex32")
    older_file = os.path.join(folder, "kinds_legacy.pt")
    torch.save(older, older_file, _use_new_zipfile_serialization=False)
    torch.save(models(), os.path.join(folder, "models.pt"))
    states, after = steps()
    torch.save(states, os.path.join(folder, "optimizers.pt"))
    lstm = torch.nn.LSTM(2, 3)
    torch.save(lstm, os.path.join(folder, "lstm.pt"))
    facts = {"kinds": kind_facts(kinds()), "after": after}
    facts["lstm"] = lstm(torch.ones(2, 2))[0].tolist()
    with open(os.path.join(HERE, "checkpoint_facts.json"), "w") as file:
        json.dump(facts, file)
    torch.save(tensors(), os.path.join(folder, "tensors.pt"))
    torch.save(tensors(), os.path.join(folder, "legacy.pt"), _use_new_zipfile_serialization=False)
    torch.save(plain(), os.path.join(folder, "plain.pt"))
    torch.save(training(), os.path.join(folder, "training.pt"))
    torch.save(torch.nn.Linear(2, 1), os.path.join(folder, "module.pt"))
    with open(os.path.join(HERE, "loader_orders.json"), "w") as file:
        json.dump(orders(), file)


if __name__ == "__main__":
    main()
