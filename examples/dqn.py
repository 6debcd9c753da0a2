"""Balance a pole by learning what each action is worth.

    python dqn.py

Deep Q-learning with a replay memory and a slowly following target network (Mnih et al., Nature 518,
2015), actions compared by the online network (van Hasselt et al., arXiv:1509.06461).
"""

import copy
import random
from collections import deque

import rushlight as torch
from cartpole import CartPole
from common import progress, settings
from rushlight import nn


def loss_of(online, target, memories, discount=0.99):
    """Temporal-difference loss of a batch of (observation, action, reward, next, fell)."""
    seen, actions, rewards, later, fell = [torch.tensor(column) for column in zip(*memories)]
    worth = online(seen).gather(1, actions[:, None]).squeeze(1)
    with torch.no_grad():
        best = online(later).argmax(1, keepdim=True)
        ahead = target(later).gather(1, best).squeeze(1)
        goal = rewards + discount * ahead * ~fell
    return nn.functional.smooth_l1_loss(worth, goal)


@torch.no_grad()
def follow(target, online, share=0.01):
    for slow, fast in zip(target.parameters(), online.parameters()):
        slow.lerp_(fast, share)


def choose(online, observation, curiosity, rng):
    if rng.random() < curiosity:
        return rng.randrange(2)
    with torch.no_grad():
        return online(torch.tensor(observation)).argmax().item()


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=12000).parse_args(argv)
    torch.manual_seed(args.seed)
    rng, world, memory, lengths = (
        random.Random(args.seed),
        CartPole(args.seed),
        deque([], 20000),
        [],
    )
    online = nn.Sequential(
        nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)
    )
    target = copy.deepcopy(online)
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-3)
    observation = world.reset()
    for step in progress(args.steps, args.quiet):
        curiosity = max(0.02, 1 - 4 * step / args.steps)
        action = choose(online, observation, curiosity, rng)
        later, reward, fell, over = world.step(action)
        memory.append((observation, action, reward, later, fell))
        observation = later
        if over:
            lengths.append(world.steps)
            observation = world.reset()
        if len(memory) < 500:
            continue
        optimizer.zero_grad()
        loss_of(online, target, rng.sample(memory, 64)).backward()
        nn.utils.clip_grad_norm_(online.parameters(), 10.0)
        optimizer.step()
        follow(target, online)
    lengths = lengths or [world.steps]
    first, last = lengths[:10], lengths[-10:]
    first, last = sum(first) / len(first), sum(last) / len(last)
    print(f"steps upright: {first:.0f} at first, {last:.0f} at the end, {world.limit} at most")
    return first, last


if __name__ == "__main__":
    main()
