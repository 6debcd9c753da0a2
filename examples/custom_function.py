"""An operation with a gradient of our own: binary activations.

    python custom_function.py

The sign of a number has no useful derivative. `autograd.Function` lets the backward pass use
another one: that of the identity within [-1, 1] (straight-through estimator; Bengio et al.,
arXiv:1308.3432). A network whose hidden units are all -1 or 1 then still learns digits.
"""

import rushlight as torch
from common import digits, progress, settings
from rushlight import nn


class BinarySign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * (x.abs() <= 1)


class BinaryNet(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.first, self.second = nn.Linear(64, hidden), nn.Linear(hidden, 10)

    def forward(self, images):
        return self.second(BinarySign.apply(self.first(images.flatten(1))))


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=800, hidden=256).parse_args(argv)
    torch.manual_seed(args.seed)
    images, labels = digits()
    model = BinaryNet(args.hidden)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in progress(args.steps, args.quiet):
        chosen = torch.randint(1437, (64,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images[chosen]), labels[chosen]).backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(images[1437:]).argmax(1) == labels[1437:]).float().mean().item()
    print(f"held-out accuracy with one-bit hidden units {right:.4f}")
    return right


if __name__ == "__main__":
    main()
