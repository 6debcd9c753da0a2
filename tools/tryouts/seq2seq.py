"""Translation with attention as in the tutorials: turns sequences of numbers around."""

import random

import torch
import torch.nn.functional as F
from torch import nn, optim

SIZE, HIDDEN, LENGTH = 12, 16, 5


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.gru = nn.Embedding(SIZE, HIDDEN), nn.GRU(HIDDEN, HIDDEN)

    def forward(self, x, hidden):
        return self.gru(self.embedding(x).view(1, 1, -1), hidden)


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(SIZE, HIDDEN)
        self.attn = nn.Linear(HIDDEN * 2, LENGTH)
        self.combine = nn.Linear(HIDDEN * 2, HIDDEN)
        self.dropout, self.gru = nn.Dropout(0.1), nn.GRU(HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, SIZE)

    def forward(self, x, hidden, outputs):
        embedded = self.dropout(self.embedding(x).view(1, 1, -1))
        weights = F.softmax(self.attn(torch.cat((embedded[0], hidden[0]), 1)), dim=1)
        applied = torch.bmm(weights.unsqueeze(0), outputs.unsqueeze(0))
        output = F.relu(self.combine(torch.cat((embedded[0], applied[0]), 1)).unsqueeze(0))
        output, hidden = self.gru(output, hidden)
        return F.log_softmax(self.out(output[0]), dim=1), hidden


random.seed(0)
torch.manual_seed(0)
encoder, decoder, criterion = Encoder(), Decoder(), nn.NLLLoss()
optimizers = [optim.SGD(m.parameters(), lr=0.05) for m in (encoder, decoder)]
for step in range(50):
    source = torch.tensor([[random.randrange(1, SIZE)] for _ in range(LENGTH)])
    target, hidden = source.flip(0), torch.zeros(1, 1, HIDDEN)
    outputs = torch.zeros(LENGTH, HIDDEN)
    for i in range(LENGTH):
        output, hidden = encoder(source[i], hidden)
        outputs[i] = output[0, 0]
    word, loss = torch.tensor([[0]]), 0
    forced = random.random() < 0.5
    for i in range(LENGTH):
        output, hidden = decoder(word, hidden, outputs)
        loss += criterion(output, target[i])
        word = target[i] if forced else output.topk(1)[1].squeeze().detach()
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    print(f"step {step} loss {loss.item() / LENGTH:.6f}")
