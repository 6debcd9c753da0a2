"""What the examples share: settings, checkpoints that resume, data without download, pictures.

Models and training loops stay in the examples themselves.
"""

import argparse
import os

import rushlight as torch


def save_checkpoint(path, parts, history, generator):
    """Write one file with everything that the coming epochs depend on; never half a file."""
    state = {name: part.state_dict() for name, part in parts.items()}
    state["history"] = history
    state["torch_rng"] = torch.get_rng_state()
    state["loader_rng"] = generator.get_state()
    torch.save(state, path)


def load_checkpoint(path, parts, generator):
    """Put the parts and the generators back as they were; returns the history so far."""
    state = torch.load(path)
    for name, part in parts.items():
        part.load_state_dict(state[name])
    torch.set_rng_state(state["torch_rng"])
    generator.set_state(state["loader_rng"])
    return state["history"]


def draw_curves(path, history, title):
    """A PNG of loss (left) and held-out accuracy (right) by epoch."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    epochs = range(1, len(history["loss"]) + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    figure.suptitle(title)
    for axes, name, label in ((left, "loss", "training loss"), (right, "accuracy", "accuracy")):
        axes.plot(epochs, history[name], marker=".")
        axes.set(xlabel="epoch", ylabel=label)
        axes.grid(alpha=0.3)
        axes.xaxis.get_major_locator().set_params(integer=True)
    right.axhline(max(history["accuracy"]), color="grey", linewidth=0.8, linestyle="--")
    right.set_title(f"held out: {100 * history['accuracy'][-1]:.2f} % at the end")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def make_directory(path):
    os.makedirs(path, exist_ok=True)
    return path


def settings(description, steps, **more):
    """A parser with what every example of the gallery takes; `more` are further defaults."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=steps, help="training steps")
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and data order")
    parser.add_argument("--out", default="runs", help="directory of pictures and checkpoints")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    for name, default in more.items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    return parser


def progress(steps, quiet):
    """`range(steps)` with a progress bar."""
    from tqdm import trange

    return trange(steps, disable=quiet, leave=False)


def digits():
    """scikit-learn's 1,797 handwritten digits: images (n, 1, 8, 8) in [0, 1], labels (n,)."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    return images, torch.tensor(bunch.target)


def batch_of(data, size):
    """`size` rows of `data`, drawn with replacement."""
    return data[torch.randint(len(data), (size,))]


def save_grid(path, images, columns=8):
    """A PNG of small grey or coloured images (n, channels, height, width), clipped to [0, 1]."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    n, channels, height, width = images.shape
    rows = -(-n // columns)
    sheet = torch.ones(rows * (height + 1), columns * (width + 1), channels)
    for i, image in enumerate(images.detach().clamp(0, 1)):
        top, left = i // columns * (height + 1), i % columns * (width + 1)
        sheet[top : top + height, left : left + width] = image.permute(1, 2, 0)
    scaled = sheet.repeat_interleave(4, 0).repeat_interleave(4, 1).squeeze(-1)
    make_directory(os.path.dirname(path) or ".")
    plt.imsave(path, scaled.numpy(), cmap="gray", vmin=0, vmax=1)
    print(f"picture in {path}")


def sample_text():
    """A few hundred thousand characters that every Python has: modules of its own library."""
    import difflib
    import inspect
    import statistics

    return "".join([inspect.getsource(module) for module in (argparse, difflib, statistics)])


class Characters:
    """The characters of a text as numbers and back."""

    def __init__(self, text):
        self.symbols = sorted(set(text))
        self.number = {c: i for i, c in enumerate(self.symbols)}

    def __len__(self):
        return len(self.symbols)

    def encode(self, text):
        return torch.tensor([self.number[c] for c in text])

    def decode(self, numbers):
        return "".join([self.symbols[int(i)] for i in numbers])
