"""Balance a pole with an actor and a critic.

    python actor_critic.py

The actor draws actions and is pushed towards those that turned out better than the critic expected
(advantage actor-critic with whole episodes; Sutton and Barto, 2018, chapter 13).
"""

import rushlight as torch
from cartpole import CartPole
from common import progress, settings
from rushlight import nn


class ActorCritic(nn.Module):
    def __init__(self, hidden=64):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, hidden), nn.Tanh())
        self.actor, self.critic = nn.Linear(hidden, 2), nn.Linear(hidden, 1)

    def forward(self, observation):
        features = self.body(observation)
        return self.actor(features), self.critic(features).squeeze(-1)


def episode(model, world):
    """Play once: observations and actions of every step, and whether the pole fell."""
    observation, over, seen, done = world.reset(), False, [], []
    while not over:
        seen.append(observation)
        with torch.no_grad():
            logits, _ = model(torch.tensor(observation))
        done.append(torch.multinomial(logits.softmax(0), 1).item())
        observation, _, fell, over = world.step(done[-1])
    return torch.tensor(seen), torch.tensor(done), fell, torch.tensor(observation)


def returns(length, discount, last):
    """The discounted reward still to come at each step; `last` is what follows the end."""
    values = []
    for _ in range(length):
        last = 1 + discount * last
        values.append(last)
    return torch.tensor(values[::-1])


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=400).parse_args(argv)
    torch.manual_seed(args.seed)
    world, model, lengths = CartPole(args.seed), ActorCritic(), []
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for _ in progress(args.steps, args.quiet):
        seen, actions, fell, final = episode(model, world)
        with torch.no_grad():
            ahead = 0.0 if fell else model(final)[1].item()
        goal = returns(len(actions), 0.99, ahead)
        logits, value = model(seen)
        advantage = (goal - value).detach()
        log_policy = logits.log_softmax(1)
        chosen = log_policy.gather(1, actions[:, None]).squeeze(1)
        entropy = -(log_policy.exp() * log_policy).sum(1).mean()
        loss = -(chosen * advantage).mean() + nn.functional.smooth_l1_loss(value, goal)
        optimizer.zero_grad()
        (loss - 0.01 * entropy).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        lengths.append(len(actions))
    first, last = lengths[:20], lengths[-20:]
    first, last = sum(first) / len(first), sum(last) / len(last)
    print(f"steps upright: {first:.0f} at first, {last:.0f} at the end, {world.limit} at most")
    return first, last


if __name__ == "__main__":
    main()
