"""A graph convolutional network splits a club from two labelled members.

    python gcn.py

Zachary's karate club (1977): 34 members, 78 friendships, and a quarrel after which each followed
the instructor (member 0) or the officer (member 33). Only these two labels are given; features pass
along friendships (Kipf and Welling, arXiv:1609.02907).
"""

import rushlight as torch
from common import progress, settings
from rushlight import nn

FRIENDS = {
    0: [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31],
    1: [2, 3, 7, 13, 17, 19, 21, 30],
    2: [3, 7, 8, 9, 13, 27, 28, 32],
    3: [7, 12, 13],
    4: [6, 10],
    5: [6, 10, 16],
    6: [16],
    8: [30, 32, 33],
    9: [33],
    13: [33],
    14: [32, 33],
    15: [32, 33],
    18: [32, 33],
    19: [33],
    20: [32, 33],
    22: [32, 33],
    23: [25, 27, 29, 32, 33],
    24: [25, 27, 31],
    25: [31],
    26: [29, 33],
    27: [33],
    28: [31, 33],
    29: [32, 33],
    30: [32, 33],
    31: [32, 33],
    32: [33],
}
OFFICERS = {8, 9, 14, 15, 18, 20, *range(22, 34)}


def propagation():
    """The symmetrically normalised adjacency matrix, each member their own friend."""
    edges = torch.tensor([[a, b] for a, friends in FRIENDS.items() for b in friends])
    adjacency = torch.eye(34)
    adjacency[edges[:, 0], edges[:, 1]] = 1
    adjacency[edges[:, 1], edges[:, 0]] = 1
    scale = adjacency.sum(1).rsqrt()
    return scale[:, None] * adjacency * scale


class GCN(nn.Module):
    def __init__(self, members=34, hidden=16):
        super().__init__()
        self.first, self.second = nn.Linear(members, hidden), nn.Linear(hidden, 2)

    def forward(self, features, spread):
        return spread @ self.second((spread @ self.first(features)).relu())


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=200).parse_args(argv)
    torch.manual_seed(args.seed)
    spread, features = propagation(), torch.eye(34)
    truth = torch.tensor([int(member in OFFICERS) for member in range(34)])
    known = torch.tensor([0, 33])
    model = GCN()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    for _ in progress(args.steps, args.quiet):
        loss = nn.functional.cross_entropy(model(features, spread)[known], truth[known])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        right = (model(features, spread).argmax(1) == truth).float().mean().item()
    print(f"members on the right side: {round(34 * right)} of 34")
    return right


if __name__ == "__main__":
    main()
