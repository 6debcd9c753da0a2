"""A variational autoencoder that invents handwritten digits.

    python vae.py

The loss is the negative evidence lower bound: what the decoder gets wrong plus the divergence of
the code from a standard normal (Kingma and Welling, arXiv:1312.6114).
"""

import os

import rushlight as torch
from common import batch_of, digits, progress, save_grid, settings
from rushlight import nn


class VAE(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2 * code))
        self.decoder = nn.Sequential(nn.Linear(code, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images):
        mean, log_variance = self.encoder(images.flatten(1)).chunk(2, 1)
        code = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        return self.decoder(code).view_as(images), mean, log_variance


def negative_elbo(logits, images, mean, log_variance):
    """Mean over the batch, in nats an image."""
    wrong = nn.functional.binary_cross_entropy_with_logits(logits, images, reduction="sum")
    divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum()
    return (wrong + divergence) / len(images)


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=3000, code=8).parse_args(argv)
    torch.manual_seed(args.seed)
    images = digits()[0]
    train, test = images[:1500], images[1500:]
    model = VAE(args.code)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    with torch.no_grad():
        before = negative_elbo(*with_images(model, test)).item()
    for _ in progress(args.steps, args.quiet):
        optimizer.zero_grad()
        negative_elbo(*with_images(model, batch_of(train, 64))).backward()
        optimizer.step()
    with torch.no_grad():
        after = negative_elbo(*with_images(model, test)).item()
        invented = model.decoder(torch.randn(32, args.code)).sigmoid().view(-1, 1, 8, 8)
    save_grid(os.path.join(args.out, "vae.png"), invented)
    print(f"held-out negative bound {before:.2f} -> {after:.2f} nats an image")
    return before, after


def with_images(model, images):
    logits, mean, log_variance = model(images)
    return logits, images, mean, log_variance


if __name__ == "__main__":
    main()
