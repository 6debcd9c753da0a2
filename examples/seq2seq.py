"""Read a number in words, write it in figures: sequence to sequence with attention.

    python seq2seq.py

A GRU reads the words, another writes the digits and looks back at all that was read, weighted by
additive attention (Bahdanau et al., arXiv:1409.0473). Numbers of the test are never trained on.
"""

import rushlight as torch
from common import progress, settings
from rushlight import nn

SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
WORDS = ["<pad>", *SMALL, *TENS, "hundred", "thousand"]
START, END = 10, 11  # after the ten digits


def in_words(n):
    if n >= 1000:
        return [*in_words(n // 1000), "thousand", *(in_words(n % 1000) if n % 1000 else [])]
    if n >= 100:
        return [SMALL[n // 100], "hundred", *(in_words(n % 100) if n % 100 else [])]
    if n >= 20:
        return [TENS[n // 10 - 2], *([SMALL[n % 10]] if n % 10 else [])]
    return [SMALL[n]]


def tensors(numbers):
    """Words (n, 12) padded with 0, their lengths, and figures (n, 7) from START to END."""
    words = [[WORDS.index(w) for w in in_words(n)] for n in numbers]
    figures = [[START, *map(int, str(n)), *[END] * (6 - len(str(n)))] for n in numbers]
    lengths = torch.tensor([len(w) for w in words])
    padded = nn.utils.rnn.pad_sequence([torch.tensor(w) for w in words], batch_first=True)
    return padded, lengths, torch.tensor(figures)


class Translator(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.words = nn.Embedding(len(WORDS), width, padding_idx=0)
        self.reader = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.keys, self.query = nn.Linear(2 * width, width), nn.Linear(width, width)
        self.score = nn.Linear(width, 1)
        self.figures = nn.Embedding(12, width)
        self.writer = nn.GRUCell(3 * width, width)
        self.head = nn.Linear(3 * width, 12)

    def read(self, words, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(words), lengths, batch_first=True, enforce_sorted=False
        )
        memory, _ = nn.utils.rnn.pad_packed_sequence(self.reader(packed)[0], batch_first=True)
        return memory, self.keys(memory), words[:, : memory.shape[1]] == 0

    def write(self, figure, state, memory, keys, padding):
        """Logits of the next figure, and the new state."""
        score = self.score(torch.tanh(keys + self.query(state)[:, None]))[..., 0]
        weights = score.masked_fill(padding, -torch.inf).softmax(1)
        context = (weights[..., None] * memory).sum(1)
        state = self.writer(torch.cat([self.figures(figure), context], 1), state)
        return self.head(torch.cat([state, context], 1)), state

    def forward(self, words, lengths, figures=None, steps=6):
        """Logits (batch, steps, 12); fed its own answers where no `figures` are given."""
        read = self.read(words, lengths)
        state = read[0].new_zeros(len(words), self.writer.hidden_size)
        figure = torch.full((len(words),), START)
        outputs = []
        for t in range(steps):
            logits, state = self.write(figure, state, *read)
            outputs.append(logits)
            figure = logits.argmax(1) if figures is None else figures[:, t + 1]
        return torch.stack(outputs, 1)


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=1500).parse_args(argv)
    torch.manual_seed(args.seed)
    order = torch.randperm(100_000)
    train, test = order[:-500], tensors(order[-500:].tolist())
    model = Translator()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in progress(args.steps, args.quiet):
        words, lengths, figures = tensors(train[torch.randint(len(train), (64,))].tolist())
        logits = model(words, lengths, figures)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), figures[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        answers = model(*test[:2]).argmax(2)
    right = (answers == test[2][:, 1:]).all(1).float().mean().item()
    for row in range(3):
        words = " ".join([WORDS[i] for i in test[0][row] if i])
        print(f"{words}: {''.join([str(int(f)) for f in answers[row] if f < 10])}")
    print(f"held-out numbers written without a mistake: {100 * right:.1f} %")
    return right


if __name__ == "__main__":
    main()
