"""`pyro`: variational inference and Hamiltonian Monte Carlo on a small regression."""

import pyro
import pyro.distributions as dist
import torch
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO
from pyro.infer.autoguide import AutoNormal
from pyro.optim import Adam

torch.set_default_dtype(torch.float64)  # a long chain turns the last bits of float32 into others
pyro.set_rng_seed(1)
x = torch.linspace(-1, 1, 20)
y = 2 * x + 1 + 0.1 * torch.randn(20)


def model(x, y=None):
    slope = pyro.sample("slope", dist.Normal(0.0, 2.0))
    shift = pyro.sample("shift", dist.Normal(0.0, 2.0))
    scale = pyro.sample("scale", dist.LogNormal(-1.0, 0.5))
    with pyro.plate("data", len(x)):
        return pyro.sample("obs", dist.Normal(slope * x + shift, scale), obs=y)


guide = AutoNormal(model)
inference = SVI(model, guide, Adam({"lr": 0.02}), Trace_ELBO())
for step in range(50):
    print(f"step {step} loss {inference.step(x, y):.5f}")
samples = Predictive(model, guide=guide, num_samples=5)(x)
print(f"predicted {samples['obs'].mean().item():.5f}")
chain = MCMC(NUTS(model), num_samples=10, warmup_steps=10, disable_progbar=True)
chain.run(x, y)
print(f"slope {chain.get_samples()['slope'].mean().item():.3f}")
