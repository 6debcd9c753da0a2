"""A convolutional energy-based model sampled by Langevin dynamics.

    python ebm.py

The network gives every image an energy. Training lowers it for data and raises it for samples that
noisy gradient descent on the energy itself finds (Du and Mordatch, arXiv:1903.08689).
"""

import os

import rushlight as torch
from common import batch_of, digits, progress, save_grid, settings
from rushlight import nn


def energy_network(width=32):
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.SiLU(),
        nn.Conv2d(width, width, 4, stride=2, padding=1),  # 8 -> 4
        nn.SiLU(),
        nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),  # 4 -> 2
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(8 * width, 1),
    )


def langevin(energy, images, steps, size=2.0, noise=0.01):
    """Samples of low energy near `images`: gradient steps with a little noise."""
    images = images.detach().clone().requires_grad_()
    for _ in range(steps):
        (slope,) = torch.autograd.grad(energy(images).sum(), images)
        with torch.no_grad():
            images -= size * slope.clamp(-0.03, 0.03)
            images += noise * torch.randn_like(images)
            images.clamp_(0, 1)
    return images.detach()


def refreshed(pool, share=0.05):
    """The indices of a batch of the pool, some of whose images start again from noise."""
    chosen = torch.randperm(len(pool))[:64]
    fresh = torch.rand(64) < share
    pool[chosen[fresh]] = torch.rand(int(fresh.sum()), 1, 8, 8)
    return chosen


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=800, langevin=20).parse_args(argv)
    torch.manual_seed(args.seed)
    images = digits()[0]
    train, test = images[:1500], images[1500:]
    energy = energy_network()
    optimizer = torch.optim.Adam(energy.parameters(), lr=1e-4)
    pool = torch.rand(512, 1, 8, 8)
    for _ in progress(args.steps, args.quiet):
        chosen = refreshed(pool)
        pool[chosen] = langevin(energy, pool[chosen], args.langevin)
        data = batch_of(train, 64)
        high = energy((data + 0.01 * torch.randn_like(data)).clamp(0, 1)), energy(pool[chosen])
        loss = high[0].mean() - high[1].mean()
        bound = 0.1 * (high[0].square() + high[1].square()).mean()  # keeps energies near zero
        optimizer.zero_grad()
        (loss + bound).backward()
        optimizer.step()
    with torch.no_grad():
        of_data, of_noise = energy(test).mean().item(), energy(torch.rand_like(test)).mean().item()
    save_grid(os.path.join(args.out, "ebm.png"), langevin(energy, pool[:64], 200))
    print(f"energy of held-out digits {of_data:.3f}, of noise {of_noise:.3f}")
    return of_data, of_noise


if __name__ == "__main__":
    main()
