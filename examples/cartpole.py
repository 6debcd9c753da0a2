"""A pole on a cart, for `actor_critic.py` and `dqn.py`: the environment, no learning.

The equations of motion are those of Barto, Sutton and Anderson (IEEE Trans. SMC 13, 1983).
"""

import math
import random


class CartPole:
    """Actions 0 and 1 push left and right; each step upright earns 1, at most `limit` of them."""

    gravity, cart, pole, half, force, dt = 9.8, 1.0, 0.1, 0.5, 10.0, 0.02

    def __init__(self, seed, limit=200):
        self.rng, self.limit = random.Random(seed), limit

    def reset(self):
        """The first observation: position, speed, angle and angular speed, all near 0."""
        self.state, self.steps = [self.rng.uniform(-0.05, 0.05) for _ in range(4)], 0
        return list(self.state)

    def step(self, action):
        """(observation, reward, fell, over); `over` also when the time is up."""
        x, speed, angle, spin = self.state
        mass, sine, cosine = self.cart + self.pole, math.sin(angle), math.cos(angle)
        push = (self.force if action else -self.force) + self.pole * self.half * spin**2 * sine
        lever = self.half * (4 / 3 - self.pole * cosine**2 / mass)
        turn = (self.gravity * sine - cosine * push / mass) / lever
        drive = (push - self.pole * self.half * turn * cosine) / mass
        rates = (speed, drive, spin, turn)
        self.state = [value + self.dt * rate for value, rate in zip(self.state, rates)]
        self.steps += 1
        fell = abs(self.state[0]) > 2.4 or abs(self.state[2]) > math.radians(12)
        return list(self.state), 1.0, fell, fell or self.steps >= self.limit
