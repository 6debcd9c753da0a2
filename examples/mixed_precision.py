"""Train a convolutional network on handwritten digits in float32, bfloat16 and float16.

    python mixed_precision.py

`autocast` runs convolutions and linear layers in the low precision and keeps the loss in float32;
weights, their gradients and the optimizer are always float32. float16 reaches down to 6e-8 only, so
its loss is scaled up and the gradients down again (Micikevicius and others, Mixed Precision
Training, 2018); bfloat16 has the range of float32 and needs no scaling.
"""

import rushlight as torch
from common import digits, progress, settings
from rushlight import nn


def network():
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten()),
        nn.Linear(32 * 16, 10),
    )


def train(dtype, images, labels, args):
    """A network trained in `dtype`, and how many steps its scaler left out."""
    torch.manual_seed(args.seed)
    model, low = network(), dtype != torch.float32
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16)
    skipped = 0
    for _ in progress(args.steps, args.quiet):
        rows = torch.randint(len(images), (64,))
        with torch.autocast("cpu", dtype=dtype if low else None, enabled=low):
            loss = nn.functional.cross_entropy(model(images[rows]), labels[rows])
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)  # so that clipping sees the gradients' true size
        nn.utils.clip_grad_norm_(model.parameters(), 5.0, error_if_nonfinite=False)
        scaler.step(optimizer)
        before = scaler.get_scale()
        scaler.update()
        skipped += scaler.get_scale() < before
    return model.eval(), skipped


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=300).parse_args(argv)
    images, labels = digits()
    accuracies = {}
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        model, skipped = train(dtype, images[:1500], labels[:1500], args)
        low = dtype != torch.float32
        with torch.no_grad(), torch.autocast("cpu", dtype=dtype if low else None, enabled=low):
            found = model(images[1500:]).argmax(1)
        accuracies[str(dtype)] = (found == labels[1500:]).float().mean().item()
        print(f"{dtype}: {skipped} steps skipped")
    shown = ", ".join(f"{100 * value:.1f} % in {name}" for name, value in accuracies.items())
    print(f"held-out accuracy {shown}")
    return accuracies


if __name__ == "__main__":
    main()
