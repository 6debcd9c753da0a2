"""What the examples share: random state in checkpoints, resuming, pictures of curves.

Models, data and training loops stay in the examples themselves.
"""

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
