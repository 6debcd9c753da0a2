"""Tell the language of a family name with a recurrent network, letter by letter.

    python classify_names.py                        # train on the names that Faker carries
    python classify_names.py --data DIR             # one file per language, one name a line
    python classify_names.py --predict Virtanen     # ask the trained model

The network is the classic one: input and hidden state, side by side, go through two linear layers,
one to the next hidden state (i2h) and one to the output (i2o). Needs the packages in
requirements.txt.
"""

import argparse
import os
import sys

import rushlight as torch
from common import draw_curves, load_checkpoint, make_directory, save_checkpoint
from names_data import LETTERS, load_names, to_ascii
from rushlight import nn
from rushlight.utils.data import DataLoader


class NameNet(nn.Module):
    """One step: (letters as N x L one-hot rows, hidden N x H) -> (log-probabilities,
    next hidden).
    """

    def __init__(self, letters, hidden, languages):
        super().__init__()
        self.hidden_size = hidden
        self.i2h = nn.Linear(letters + hidden, hidden)
        self.i2o = nn.Linear(letters + hidden, languages)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, letter, hidden):
        combined = torch.cat((letter, hidden), 1)
        return self.softmax(self.i2o(combined)), torch.tanh(self.i2h(combined))

    def read(self, words):
        """Log-probabilities after the last letter; `words` is N x T letter numbers."""
        hidden = torch.zeros(len(words), self.hidden_size)
        for letters in nn.functional.one_hot(words, len(LETTERS)).float().unbind(1):
            output, hidden = self(letters, hidden)
        return output


class SameLengthBatches:
    """Batches, in a random order, of samples whose names have the same length."""

    def __init__(self, lengths, batch_size, generator):
        self.lengths, self.batch_size, self.generator = lengths, batch_size, generator

    def __iter__(self):
        by_length = {}
        for i in torch.randperm(len(self.lengths), generator=self.generator).tolist():
            by_length.setdefault(self.lengths[i], []).append(i)
        size = self.batch_size
        batches = [
            same[i : i + size] for same in by_length.values() for i in range(0, len(same), size)
        ]
        for i in torch.randperm(len(batches), generator=self.generator).tolist():
            yield batches[i]

    def __len__(self):
        counts = [self.lengths.count(n) for n in set(self.lengths)]
        return sum(-(-count // self.batch_size) for count in counts)


def letters_of(name):
    """The numbers of a name's letters."""
    return torch.tensor([LETTERS.index(c) for c in name])


def split(names):
    """Lists of (letters, language number) to train on and to hold out; a fifth, always the same."""
    samples = [
        (letters_of(name), number)
        for number, language in enumerate(names)
        for name in names[language]
    ]
    order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(7)).tolist()
    held_out = set(order[: len(samples) // 5])
    train = [sample for i, sample in enumerate(samples) if i not in held_out]
    return train, [samples[i] for i in sorted(held_out)]


def train_epoch(model, loader, optimizer, scheduler, description, quiet):
    """One pass over the names; returns the mean loss."""
    from tqdm import tqdm

    model.train()
    criterion = nn.NLLLoss()
    total = count = 0
    for words, languages in tqdm(loader, desc=description, disable=quiet, leave=False):
        optimizer.zero_grad()
        loss = criterion(model.read(words), languages)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item() * len(languages)
        count += len(languages)
    scheduler.step()
    return total / count


def accuracy(model, samples):
    """The share of names whose language is guessed right."""
    model.eval()
    lengths = [len(word) for word, _ in samples]
    batches = SameLengthBatches(lengths, 256, torch.Generator().manual_seed(0))
    right = 0
    with torch.no_grad():
        for words, languages in DataLoader(samples, batch_sampler=batches):
            right += (model.read(words).argmax(1) == languages).sum().item()
    return right / len(samples)


def majority_share(samples):
    """The accuracy of always guessing the most frequent language."""
    languages = [language for _, language in samples]
    return max(languages.count(language) for language in set(languages)) / len(languages)


def build(args, languages, train):
    """Model, optimizer and schedule, and the loader with the generator that shuffles it."""
    model = NameNet(len(LETTERS), args.hidden, languages)
    generator = torch.Generator().manual_seed(args.seed)
    batches = SameLengthBatches([len(word) for word, _ in train], args.batch_size, generator)
    loader = DataLoader(train, batch_sampler=batches, generator=generator)
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}, loader, generator


def run(args):
    """Train as the arguments say; returns the history."""
    torch.manual_seed(args.seed)
    names = load_names(args.data)
    train, held_out = split(names)
    parts, loader, generator = build(args, len(names), train)
    checkpoint = os.path.join(make_directory(args.out), "names.pt")
    history = {"languages": list(names), "loss": [], "accuracy": []}
    if args.resume:
        history = load_checkpoint(checkpoint, parts, generator)
        print(f"resuming after epoch {len(history['loss'])}")
    stop = args.epochs if args.stop_after is None else min(args.stop_after, args.epochs)
    for epoch in range(len(history["loss"]), stop):
        title = f"epoch {epoch + 1}/{args.epochs}"
        order = (parts["model"], loader, parts["optimizer"], parts["scheduler"])
        history["loss"].append(train_epoch(*order, title, args.quiet))
        history["accuracy"].append(accuracy(parts["model"], held_out))
        save_checkpoint(checkpoint, parts, history, generator)
        print(f"{title}: loss {history['loss'][-1]:.4f}, accuracy {history['accuracy'][-1]:.4f}")
    print(f"always guessing the most frequent language: {majority_share(held_out):.4f}")
    return history


def predict(args):
    """Print the three likeliest languages of a name."""
    state = torch.load(os.path.join(args.out, "names.pt"))
    languages, weights = state["history"]["languages"], state["model"]
    model = NameNet(len(LETTERS), weights["i2h.bias"].numel(), len(languages))
    model.load_state_dict(weights)
    name = to_ascii(args.predict)
    if not name:
        sys.exit(f"error: {args.predict!r} has no letters that the network knows")
    with torch.no_grad():
        chances = model.read(letters_of(name).unsqueeze(0)).exp()[0]
    best = chances.topk(min(3, len(languages)))
    for chance, number in zip(best.values.tolist(), best.indices.tolist()):
        print(f"{languages[number]:>12}  {100 * chance:5.1f} %")


def arguments(argv=None):
    parser = argparse.ArgumentParser(
        description="Tell the language of a family name with a recurrent network.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data", help="directory of language files; without it, Faker's names")
    parser.add_argument("--epochs", type=int, default=30, help="length of the whole schedule")
    parser.add_argument(
        "--stop-after", type=int, help="end early, after this epoch of the schedule"
    )
    parser.add_argument("--batch-size", type=int, default=32, help="most names per step")
    parser.add_argument("--hidden", type=int, default=128, help="size of the hidden state")
    parser.add_argument("--lr", type=float, default=2e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and order")
    parser.add_argument("--out", default="runs", help="directory of checkpoint and picture")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    parser.add_argument("--predict", metavar="NAME", help="no training: guess this name's language")
    return parser.parse_args(argv)


def main(argv=None):
    args = arguments(argv)
    if args.predict is not None:
        return predict(args)
    history = run(args)
    if not history["loss"]:
        sys.exit("error: no epoch was trained")
    picture = os.path.join(args.out, "names.png")
    draw_curves(picture, history, f"names of {len(history['languages'])} languages")
    print(f"curves in {picture}")
    print(f"final held-out accuracy: {history['accuracy'][-1]:.4f}")


if __name__ == "__main__":
    main()
