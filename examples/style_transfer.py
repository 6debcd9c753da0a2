"""Paint the content of one picture in the style of another.

    python style_transfer.py

The pixels themselves are optimised, with L-BFGS, until features of a convolutional network match:
their values for the content, their correlations for the style (Gatys et al., arXiv:1508.06576). The
network has random weights, which carry texture well enough (Ustyuzhaninov et al.,
arXiv:1606.00021); both pictures are drawn here, so that nothing is downloaded.
"""

import os

import rushlight as torch
from common import progress, save_grid, settings
from rushlight import nn

SIDE = 48


def content_picture():
    """A disc in front of a slope of light, (1, 3, SIDE, SIDE)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, SIDE), torch.linspace(-1, 1, SIDE), indexing="ij")
    disc = torch.sigmoid(20 * (0.6 - (x.square() + y.square()).sqrt()))
    return torch.stack([disc, 0.5 + 0.3 * y - 0.3 * disc, 0.5 + 0.3 * x])[None].clamp(0, 1)


def style_picture():
    """Slanting stripes in two colours, (1, 3, SIDE, SIDE)."""
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    stripes = 0.5 + 0.5 * torch.sin(0.9 * (x + y).float())
    return torch.stack([stripes, 0.6 * stripes + 0.2, 1 - stripes])[None]


def layers():
    return nn.ModuleList(
        [
            nn.Sequential(nn.Conv2d(3, 32, 5, padding=2), nn.ReLU()),
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()),
            nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(64, 64, 3, padding=1), nn.ReLU()),
        ]
    ).requires_grad_(False)


def features(network, picture):
    found = []
    for layer in network:
        picture = layer(picture)
        found.append(picture)
    return found


def correlations(feature):
    """The Gram matrix of the channels."""
    flat = feature.flatten(2)
    return flat @ flat.mT / flat.shape[-1]


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=40, weight=200.0).parse_args(argv)
    torch.manual_seed(args.seed)
    network, mse = layers(), nn.functional.mse_loss
    content, style = content_picture(), style_picture()
    wanted = features(network, content)[-1]
    textures = [correlations(f) for f in features(network, style)]
    picture = content.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([picture], lr=0.5, max_iter=5)
    losses = []

    def closure():
        optimizer.zero_grad()
        found = features(network, picture)
        texture = sum(mse(correlations(f), t) for f, t in zip(found, textures))
        loss = mse(found[-1], wanted) + args.weight * texture
        loss.backward()
        losses.append(loss.item())
        return loss

    for _ in progress(args.steps, args.quiet):
        optimizer.step(closure)
    pictures = torch.cat([content, style, picture.detach()])
    save_grid(os.path.join(args.out, "style.png"), pictures, columns=3)
    print(f"loss {losses[0]:.4f} -> {losses[-1]:.4f}")
    return losses[0], losses[-1]


if __name__ == "__main__":
    main()
