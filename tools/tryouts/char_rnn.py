"""The recurrent network over letters of the tutorials: classifies and generates made-up names."""

import torch
from torch import nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
NAMES = [("anna", 0), ("berta", 0), ("clara", 0), ("dirk", 1), ("egon", 1), ("fritz", 1)]


def encoded(name):
    tensor = torch.zeros(len(name), 1, len(LETTERS))
    for i, letter in enumerate(name):
        tensor[i][0][LETTERS.find(letter)] = 1
    return tensor


class RNN(nn.Module):
    def __init__(self, size, hidden, classes):
        super().__init__()
        self.hidden = hidden
        self.i2h = nn.Linear(size + hidden, hidden)
        self.i2o = nn.Linear(size + hidden, classes)
        self.softmax = nn.LogSoftmax(dim=1)

    def forward(self, letter, hidden):
        combined = torch.cat((letter, hidden), 1)
        return self.softmax(self.i2o(combined)), torch.tanh(self.i2h(combined))


torch.manual_seed(1)
rnn, criterion = RNN(len(LETTERS), 16, 2), nn.NLLLoss()
for step in range(50):
    name, kind = NAMES[step % len(NAMES)]
    hidden = torch.zeros(1, 16)
    rnn.zero_grad()
    for letter in encoded(name):
        output, hidden = rnn(letter, hidden)
    loss = criterion(output, torch.tensor([kind]))
    loss.backward()
    for p in rnn.parameters():
        p.data.add_(p.grad.data, alpha=-0.05)
    print(f"step {step} loss {loss.item():.6f}")

gru, out = nn.GRU(len(LETTERS), 16), nn.Linear(16, len(LETTERS))
optimizer = torch.optim.Adam([*gru.parameters(), *out.parameters()], lr=0.01)
for step in range(50):
    line = encoded(NAMES[step % len(NAMES)][0])
    states, _ = gru(line[:-1])
    loss = nn.functional.cross_entropy(out(states[:, 0]), line[1:, 0].argmax(1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"generate {step} loss {loss.item():.6f}")
