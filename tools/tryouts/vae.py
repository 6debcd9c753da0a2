"""A variational autoencoder as in the examples, on random pictures; and reinforcement learning's
policy gradient on a made-up game. Neither downloads data.
"""

import torch
from torch import nn, optim
from torch.distributions import Categorical
from torch.nn import functional as F

torch.manual_seed(1)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc21, self.fc22 = nn.Linear(64, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.fc3, self.fc4 = nn.Linear(4, 32), nn.Linear(32, 64)

    def forward(self, x):
        h = F.relu(self.fc1(x))
        mu, logvar = self.fc21(h), self.fc22(h)
        std = torch.exp(0.5 * logvar)
        z = mu + torch.randn_like(std) * std
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z)))), mu, logvar


data, model = torch.rand(80, 64), VAE()
optimizer = optim.Adam(model.parameters(), lr=1e-3)
for step in range(50):
    batch = data[step % 8 * 10 :][:10]
    recon, mu, logvar = model(batch)
    loss = F.binary_cross_entropy(recon, batch, reduction="sum")
    loss = loss - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"vae {step} loss {loss.item():.5f}")

policy = nn.Sequential(nn.Linear(4, 16), nn.Dropout(0.6), nn.ReLU(), nn.Linear(16, 2))
optimizer = optim.Adam(policy.parameters(), lr=1e-2)
for episode in range(20):
    state, losses = torch.randn(4), []
    for _ in range(10):
        choice = Categorical(F.softmax(policy(state), dim=-1))
        action = choice.sample()
        reward = float(state[0] > 0) if action.item() else float(state[1] > 0)
        losses.append(-choice.log_prob(action) * (reward - 0.5))
        state = torch.randn(4)
    loss = torch.stack(losses).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"policy {episode} loss {loss.item():.6f}")
