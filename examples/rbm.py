"""A restricted Boltzmann machine learns digits by contrastive divergence.

    python rbm.py

An energy-based model: E(v, h) = -v.W.h - b.v - c.h. Learning lowers the free energy of data and
raises that of what the model itself makes up (Hinton, Neural Computation 14, 2002); the chains
persist from step to step (Tieleman, ICML 2008).
"""

import os

import rushlight as torch
from common import batch_of, digits, progress, save_grid, settings
from rushlight import nn


class RBM(nn.Module):
    def __init__(self, visible, hidden):
        super().__init__()
        self.weight = nn.Parameter(0.05 * torch.randn(visible, hidden))
        self.visible_bias = nn.Parameter(torch.zeros(visible))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden))

    def free_energy(self, v):
        """-log of the sum over h of exp(-E(v, h)), one number a row of v."""
        hidden = nn.functional.softplus(v @ self.weight + self.hidden_bias).sum(1)
        return -(v @ self.visible_bias) - hidden

    @torch.no_grad()
    def gibbs(self, v, steps):
        """`steps` rounds of drawing the hidden units, then the visible ones."""
        for _ in range(steps):
            h = torch.bernoulli(torch.sigmoid(v @ self.weight + self.hidden_bias))
            v = torch.bernoulli(torch.sigmoid(h @ self.weight.t() + self.visible_bias))
        return v


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=3000, hidden=64, k=5).parse_args(argv)
    torch.manual_seed(args.seed)
    data = (digits()[0].flatten(1) > 0.5).float()
    train, test = data[:1500], data[1500:]
    model = RBM(64, args.hidden)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=1e-4)
    chains = torch.bernoulli(torch.full((64, 64), 0.5))
    for _ in progress(args.steps, args.quiet):
        chains = model.gibbs(chains, args.k)
        energies = model.free_energy(batch_of(train, 64)), model.free_energy(chains)
        optimizer.zero_grad()
        (energies[0].mean() - energies[1].mean()).backward()
        optimizer.step()
    with torch.no_grad():
        of_data = model.free_energy(test).mean().item()
        noise = torch.bernoulli(test.mean().expand_as(test))
        of_noise = model.free_energy(noise).mean().item()
    save_grid(os.path.join(args.out, "rbm.png"), model.gibbs(chains, 500).view(-1, 1, 8, 8))
    print(f"free energy of held-out digits {of_data:.1f}, of noise {of_noise:.1f}")
    return of_data, of_noise


if __name__ == "__main__":
    main()
