"""A small GPT on characters, with generation from a key-value cache.

    python char_gpt.py
    python char_gpt.py --text FILE --steps 3000

Pre-norm transformer blocks with causal attention (Radford et al., 2019). Generation keeps the keys
and values of the past, so that each new character costs one row of attention.
"""

import math

import rushlight as torch
from common import Characters, progress, sample_text, settings
from rushlight import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x, cache=None):
        batch, length, width = x.shape
        shape = (batch, length, self.heads, width // self.heads)
        q, k, v = [part.view(shape).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)]
        if cache is not None:
            if cache:
                k, v = torch.cat([cache[0], k], 2), torch.cat([cache[1], v], 2)
            cache[:] = k, v
        causal = length > 1  # a single new character may look at everything before it
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return self.out(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x, cache=None):
        x = x + self.attention(self.norm1(x), cache)
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, symbols, context, width=96, heads=4, layers=3):
        super().__init__()
        self.context = context
        self.token = nn.Embedding(symbols, width)
        self.position = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, symbols, bias=False)

    def forward(self, numbers, caches=None):
        past = caches[0][0].shape[2] if caches and caches[0] else 0
        x = self.token(numbers) + self.position(torch.arange(past, past + numbers.shape[1]))
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        return self.head(self.norm(x))

    @torch.no_grad()
    def generate(self, numbers, length, temperature=0.8, use_cache=True):
        """`length` more characters after `numbers` (1, n), at most `context` in all."""
        caches = [[] for _ in self.blocks] if use_cache else None
        fed = numbers
        for _ in range(min(length, self.context - numbers.shape[1])):
            logits = self(fed, caches)[:, -1] / temperature
            new = torch.multinomial(torch.softmax(logits, 1), 1)
            numbers = torch.cat([numbers, new], 1)
            fed = new if use_cache else numbers
        return numbers


def windows(numbers, context, batch):
    """`batch` random stretches of context + 1 characters."""
    starts = torch.randint(len(numbers) - context, (batch, 1))
    return numbers[starts + torch.arange(context + 1)]


def bits(model, batch):
    logits = model(batch[:, :-1])
    nats = nn.functional.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
    return nats / math.log(2)


def main(argv=None):
    args = settings(__doc__.splitlines()[0], steps=800, context=64, text="").parse_args(argv)
    torch.manual_seed(args.seed)
    text = open(args.text, encoding="utf-8").read() if args.text else sample_text()
    characters = Characters(text)
    numbers = characters.encode(text)
    train, test = numbers[: -len(numbers) // 10], numbers[-len(numbers) // 10 :]
    model = GPT(len(characters), args.context)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.95))
    for _ in progress(args.steps, args.quiet):
        optimizer.zero_grad()
        bits(model, windows(train, args.context, 24)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    with torch.no_grad():
        held_out = bits(model.eval(), windows(test, args.context, 64)).item()
    print(characters.decode(model.generate(characters.encode("    def ")[None], 200)[0]))
    print(f"held out: {held_out:.3f} bits a character; guessing {math.log2(len(characters)):.3f}")
    return held_out, math.log2(len(characters))


if __name__ == "__main__":
    main()
