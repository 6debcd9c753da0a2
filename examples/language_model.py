"""An LSTM learns to write Python, one character at a time.

    python language_model.py
    python language_model.py --text FILE

Prints the held-out loss in bits a character and a sample.
"""

import math

import rushlight as torch
from common import Characters, progress, sample_text, settings
from rushlight import nn


class LanguageModel(nn.Module):
    def __init__(self, symbols, hidden):
        super().__init__()
        self.embedding = nn.Embedding(symbols, 32)
        self.lstm = nn.LSTM(32, hidden, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(hidden, symbols)

    def forward(self, numbers, state=None):
        output, state = self.lstm(self.embedding(numbers), state)
        return self.head(output), state


def bits(model, numbers, state=None):
    """Loss in bits a character and the new state; `numbers` has one character more than input."""
    logits, state = model(numbers[:, :-1], state)
    nats = nn.functional.cross_entropy(logits.flatten(0, 1), numbers[:, 1:].flatten())
    return nats / math.log(2), tuple([s.detach() for s in state])


@torch.no_grad()
def sample(model, characters, prompt, length, temperature=0.8):
    numbers, state = list(characters.encode(prompt)), None
    fed = characters.encode(prompt)[None]
    for _ in range(length):
        logits, state = model(fed, state)
        fed = torch.multinomial(torch.softmax(logits[:, -1] / temperature, 1), 1)
        numbers.append(fed[0, 0])
    return characters.decode(numbers)


def main(argv=None):
    parser = settings(__doc__.splitlines()[0], steps=600, hidden=128, length=64, text="")
    args = parser.parse_args(argv)
    torch.manual_seed(args.seed)
    text = open(args.text, encoding="utf-8").read() if args.text else sample_text()
    characters = Characters(text)
    numbers = characters.encode(text)
    rows = numbers[: len(numbers) // 32 * 32].view(32, -1)  # 32 stretches read side by side
    train, test = rows[:, : -2 * args.length], rows[:, -2 * args.length :]
    model = LanguageModel(len(characters), args.hidden)
    optimizer = torch.optim.AdamW(model.parameters(), lr=4e-3)
    state, position = None, 0
    for _ in progress(args.steps, args.quiet):
        if position + args.length >= train.shape[1]:
            state, position = None, 0
        loss, state = bits(model, train[:, position : position + args.length + 1], state)
        position += args.length
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        held_out = bits(model.eval(), test)[0].item()
    print(sample(model, characters, "def ", 200))
    print(f"held out: {held_out:.3f} bits a character; guessing {math.log2(len(characters)):.3f}")
    return held_out, math.log2(len(characters))


if __name__ == "__main__":
    main()
