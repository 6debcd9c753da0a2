"""A generator and a discriminator of digits train each other.

    python dcgan.py

Convolutional networks with batch normalisation on both sides (Radford et al., arXiv:1511.06434),
on scikit-learn's 8x8 digits.
"""

import os

import rushlight as torch
from common import batch_of, digits, progress, save_grid, settings
from rushlight import nn

LATENT = 16


def generator(width=32):
    return nn.Sequential(
        nn.ConvTranspose2d(LATENT, 2 * width, 4, bias=False),  # 1 -> 4
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),  # 4 -> 8
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 1, 3, padding=1),
        nn.Sigmoid(),
    )


def discriminator(width=32):
    return nn.Sequential(
        nn.Conv2d(1, width, 4, stride=2, padding=1),  # 8 -> 4
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1, bias=False),  # 4 -> 2
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 4, 1),
    )


def initialise(module):
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1, 0.02)


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=2000).parse_args(argv)
    torch.manual_seed(args.seed)
    images = digits()[0]
    G, D = generator().apply(initialise), discriminator().apply(initialise)
    tune_g = torch.optim.Adam(G.parameters(), lr=5e-4, betas=(0.5, 0.999))
    tune_d = torch.optim.Adam(D.parameters(), lr=2e-4, betas=(0.5, 0.999))
    criterion, real, fake = nn.BCEWithLogitsLoss(), torch.ones(64, 1), torch.zeros(64, 1)
    for _ in progress(args.steps, args.quiet):
        invented = G(torch.randn(64, LATENT, 1, 1))
        tune_d.zero_grad()
        loss_d = criterion(D(batch_of(images, 64)), real) + criterion(D(invented.detach()), fake)
        loss_d.backward()
        tune_d.step()
        tune_g.zero_grad()
        loss_g = criterion(D(invented), real)
        loss_g.backward()
        tune_g.step()
    with torch.no_grad():
        sheet = G.eval()(torch.randn(64, LATENT, 1, 1))
    save_grid(os.path.join(args.out, "dcgan.png"), sheet)
    difference = (sheet.mean(0) - images.mean(0)).abs().mean().item()
    print(f"losses {loss_d.item():.3f} {loss_g.item():.3f}; mean image off by {difference:.3f}")
    return difference


if __name__ == "__main__":
    main()
