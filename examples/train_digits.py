"""Train a small convolutional network on handwritten digits, or on CIFAR-10.

    python train_digits.py                             # scikit-learn's 8x8 digits, under a minute
    python train_digits.py --data cifar10 --root DIR   # the real CIFAR-10 archive

Each epoch ends with a checkpoint; `--resume` continues from it with exactly the numbers that an
uninterrupted run gives. Needs the packages in requirements.txt.
"""

import argparse
import os
import sys

import rushlight as torch
from common import draw_curves, load_checkpoint, make_directory, save_checkpoint
from rushlight import nn
from rushlight.utils.data import DataLoader, TensorDataset

HELD_OUT = 360  # digits of the fixed test set, a fifth of all


class DigitNet(nn.Module):
    """Two stages of convolutions, then two linear layers."""

    def __init__(self, channels, side, width, classes=10):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Flatten(),
            nn.Linear(2 * width * (side // 4) ** 2, 128),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(128, classes),
        )

    def forward(self, images):
        return self.classifier(self.features(images))


def digits():
    """(training set, test set) of the 1797 real 8x8 digits; the split never changes."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 8 - 1
    labels = torch.tensor(bunch.target, dtype=torch.int64)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(20))
    train, test = order[HELD_OUT:], order[:HELD_OUT]
    return TensorDataset(images[train], labels[train]), TensorDataset(images[test], labels[test])


def load_data(args):
    if args.data == "digits":
        return digits()
    from cifar10 import load_cifar10

    return load_cifar10(args.root)


def train_epoch(model, loader, optimizer, scheduler, description, quiet):
    """One pass over the training data; returns the mean loss."""
    from tqdm import tqdm

    model.train()
    total = count = 0
    for images, labels in tqdm(loader, desc=description, disable=quiet, leave=False):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(labels)
        count += len(labels)
    return total / count


def accuracy(model, dataset):
    """The share of correctly classified images."""
    model.eval()
    right = 0
    with torch.no_grad():
        for images, labels in DataLoader(dataset, batch_size=256):
            right += (model(images).argmax(1) == labels).sum().item()
    return right / len(dataset)


def build(args, train_set):
    """Model, optimizer and schedule, and the loader with the generator that shuffles it."""
    sample = train_set[0][0]
    model = DigitNet(sample.shape[0], sample.shape[1], args.width)
    generator = torch.Generator().manual_seed(args.seed)
    loader = DataLoader(
        train_set, args.batch_size, shuffle=True, generator=generator, num_workers=args.workers
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs * len(loader))
    return {"model": model, "optimizer": optimizer, "scheduler": scheduler}, loader, generator


def run(args):
    """Train as the arguments say; returns the history."""
    torch.manual_seed(args.seed)
    train_set, test_set = load_data(args)
    parts, loader, generator = build(args, train_set)
    checkpoint = os.path.join(make_directory(args.out), f"{args.data}.pt")
    history = {"loss": [], "accuracy": []}
    if args.resume:
        history = load_checkpoint(checkpoint, parts, generator)
        print(f"resuming after epoch {len(history['loss'])}")
    stop = args.epochs if args.stop_after is None else min(args.stop_after, args.epochs)
    for epoch in range(len(history["loss"]), stop):
        title = f"epoch {epoch + 1}/{args.epochs}"
        loss = train_epoch(*parts_in_order(parts, loader), title, args.quiet)
        history["loss"].append(loss)
        history["accuracy"].append(accuracy(parts["model"], test_set))
        save_checkpoint(checkpoint, parts, history, generator)
        print(f"{title}: loss {loss:.4f}, held-out accuracy {history['accuracy'][-1]:.4f}")
    return history


def parts_in_order(parts, loader):
    return parts["model"], loader, parts["optimizer"], parts["scheduler"]


def arguments(argv=None):
    parser = argparse.ArgumentParser(
        description="Train a convolutional network on handwritten digits or CIFAR-10.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "--data", choices=["digits", "cifar10"], default="digits", help="what to learn"
    )
    parser.add_argument("--root", default="data", help="where the CIFAR-10 archive is or goes")
    parser.add_argument("--epochs", type=int, default=25, help="length of the whole schedule")
    parser.add_argument(
        "--stop-after", type=int, help="end early, after this epoch of the schedule"
    )
    parser.add_argument("--batch-size", type=int, default=64, help="images per step")
    parser.add_argument("--lr", type=float, default=3e-3, help="highest learning rate")
    parser.add_argument("--width", type=int, default=32, help="channels of the first convolution")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights, order and dropout")
    parser.add_argument("--workers", type=int, default=0, help="loader processes")
    parser.add_argument("--out", default="runs", help="directory of checkpoint and picture")
    parser.add_argument("--resume", action="store_true", help="continue from the checkpoint")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    return parser.parse_args(argv)


def main(argv=None):
    args = arguments(argv)
    try:
        history = run(args)
    except (FileNotFoundError, ConnectionError) as error:
        sys.exit(f"error: {error}")
    if not history["loss"]:
        sys.exit("error: no epoch was trained")
    picture = os.path.join(args.out, f"{args.data}.png")
    draw_curves(picture, history, f"{args.data}, {len(history['loss'])} epochs")
    print(f"curves in {picture}")
    print(f"final held-out accuracy: {history['accuracy'][-1]:.4f}")


if __name__ == "__main__":
    main()
