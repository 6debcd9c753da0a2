"""A BERT-like encoder tells well-formed brackets from ill-formed ones.

    python bert_classifier.py

A class token, learned positions and transformer encoder layers (Devlin et al., arXiv:1810.04805),
with padding masked; the task needs every position to look at every other.
"""

import random

import rushlight as torch
from common import progress, settings
from rushlight import nn

SYMBOLS = "( ) [ ]".split()
PAD, CLASS = 4, 5


def well_formed(rng, pairs):
    """A random sequence of matching brackets, as numbers."""
    if pairs == 0:
        return []
    inside = rng.randrange(pairs)
    kind = rng.choice([0, 2])
    return [kind, *well_formed(rng, inside), kind + 1, *well_formed(rng, pairs - 1 - inside)]


def is_well_formed(sequence):
    opened = []
    for symbol in sequence:
        if symbol % 2 == 0:
            opened.append(symbol + 1)
        elif not opened or opened.pop() != symbol:
            return False
    return not opened


def batch(rng, size, longest=16):
    """Padded sequences (size, longest + 1) that begin with CLASS, and whether each is right."""
    rows, labels = [], []
    for _ in range(size):
        row = well_formed(rng, rng.randint(2, longest // 2))
        if rng.random() < 0.5:
            for i in rng.sample(range(len(row)), rng.randint(1, 2)):
                row[i] = rng.randrange(4)
        rows.append([CLASS, *row, *[PAD] * (longest - len(row))])
        labels.append(is_well_formed(row))
    return torch.tensor(rows), torch.tensor(labels)


class Encoder(nn.Module):
    def __init__(self, longest=17, width=64):
        super().__init__()
        self.symbol, self.position = nn.Embedding(6, width), nn.Embedding(longest, width)
        layer = nn.TransformerEncoderLayer(
            width, 4, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2))

    def forward(self, rows):
        x = self.symbol(rows) + self.position.weight[: rows.shape[1]]
        return self.head(self.layers(x, src_key_padding_mask=rows == PAD)[:, 0])


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=1500).parse_args(argv)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    model = Encoder()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.steps)
    for _ in progress(args.steps, args.quiet):
        rows, labels = batch(rng, 64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(rows), labels.long()).backward()
        optimizer.step()
        schedule.step()
    rows, labels = batch(random.Random(args.seed + 1), 1000)
    with torch.no_grad():
        right = (model.eval()(rows).argmax(1) == labels).float().mean().item()
    print(f"accuracy on new sequences {right:.3f}; {labels.float().mean().item():.3f} well-formed")
    return right


if __name__ == "__main__":
    main()
