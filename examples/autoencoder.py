"""Squeeze handwritten digits through eight numbers and draw them again.

    python autoencoder.py

Prints the reconstruction error on digits that were not trained on and saves originals above their
reconstructions (Hinton and Salakhutdinov, Science 313, 2006).
"""

import os

import rushlight as torch
from common import batch_of, digits, progress, save_grid, settings
from rushlight import nn


class Autoencoder(nn.Module):
    def __init__(self, code):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, code))
        self.decoder = nn.Sequential(nn.Linear(code, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images):
        code = self.encoder(images.flatten(1))
        return self.decoder(code).sigmoid().view_as(images)


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=2000, code=8).parse_args(argv)
    torch.manual_seed(args.seed)
    images = digits()[0]
    train, test = images[:1500], images[1500:]
    model = Autoencoder(args.code)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in progress(args.steps, args.quiet):
        batch = batch_of(train, 64)
        loss = nn.functional.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        error = nn.functional.mse_loss(model(test), test).item()
        pairs = torch.stack(
            [test[:16].view(2, 8, 1, 8, 8), model(test[:16]).view(2, 8, 1, 8, 8)], 1
        )
    save_grid(os.path.join(args.out, "autoencoder.png"), pairs.flatten(0, 2))
    mean_error = (test - train.mean(0)).square().mean().item()
    print(f"held-out error {error:.4f}; always drawing the mean digit gives {mean_error:.4f}")
    return error, mean_error


if __name__ == "__main__":
    main()
