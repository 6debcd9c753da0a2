"""Records PyTorch's random numbers into tests/data/random_values.json.

A development tool: needs real torch, which nothing in the package or its tests does.
Usage: python tools/record_random.py [OUTPUT]. To add a case, extend `cases()`; cases that
kernels/random.h can draw on its own also get a line in tests/native/random_check.cpp.

Each entry holds two fills in a row from a fresh seed. Of sizes up to 17 with seed 0 these are all
values (bytes in hexadecimal); else the CRC-32 of the bytes, the first four elements and the sum.
"""

import json
import pathlib
import sys
import zlib

import torch

SEEDS = (0, 42, 2**40 + 7)
SIZES = (1, 7, 15, 16, 17, 100, 1000)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
COMPLEX = (torch.complex64, torch.complex128)
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)


def strided(n, dtype):
    """A tensor of n elements that is not contiguous, whose memory order is its logical order."""
    return torch.empty(2 * n, dtype=dtype)[::2]


def parameters(n, dtype, factor, scale, shift=0):
    """Numbers without pattern that every floating dtype represents exactly."""
    return ((torch.arange(n) * factor % 64 + shift) / scale).to(dtype)


def continuous():
    e = torch.empty
    yield "uniform", FLOATS + COMPLEX, lambda n, d: e(n, dtype=d).uniform_()
    yield "uniform_-3_5.5", FLOATS, lambda n, d: e(n, dtype=d).uniform_(-3, 5.5)
    yield "normal", FLOATS + COMPLEX, lambda n, d: e(n, dtype=d).normal_()
    yield "normal_2_0.3", FLOATS, lambda n, d: e(n, dtype=d).normal_(2, 0.3)
    yield "normal_strided_2_0.3", FLOATS, lambda n, d: strided(n, d).normal_(2, 0.3)
    yield "exponential_1.5", FLOATS, lambda n, d: e(n, dtype=d).exponential_(1.5)
    yield "cauchy_1_2", FLOATS, lambda n, d: e(n, dtype=d).cauchy_(1, 2)
    yield "log_normal_0.5_0.75", FLOATS, lambda n, d: e(n, dtype=d).log_normal_(0.5, 0.75)


def discrete():
    e = torch.empty
    real = FLOATS + INTEGERS
    lowest = -(2**63)
    yield "random_0_100", real, lambda n, d: e(n, dtype=d).random_(0, 100)
    yield "random_5_none", real, lambda n, d: e(n, dtype=d).random_(5, None)
    big = (torch.int64, torch.float64)
    yield "random_big", big, lambda n, d: e(n, dtype=d).random_(-7, 2**40)
    yield "random_28", (torch.int32,), lambda n, d: e(n, dtype=d).random_(-3, 2**28 - 3)
    yield "random_27", (torch.int32,), lambda n, d: e(n, dtype=d).random_(-3, 2**28 - 4)
    yield "random_all", (torch.int64,), lambda n, d: e(n, dtype=d).random_(lowest, None)
    yield "random", real + (torch.bool,), lambda n, d: e(n, dtype=d).random_()
    yield "randperm", real, lambda n, d: torch.randperm(n, dtype=d)
    any_real = real + (torch.bool,)
    yield "bernoulli_0.3", any_real, lambda n, d: e(n, dtype=d).bernoulli_(0.3)
    yield "geometric_0.3", real, lambda n, d: e(n, dtype=d).geometric_(0.3)


def samplers():
    p = parameters
    wide = (torch.float32, torch.float64)
    yield "bernoulli_tensor", FLOATS, lambda n, d: torch.bernoulli(p(n, d, 37, 64))
    yield "poisson", FLOATS, lambda n, d: torch.poisson(p(n, d, 37, 2))
    yield "binomial", wide, lambda n, d: torch.binomial(p(n, d, 37, 1), p(n, d, 29, 64))
    yield "standard_gamma", wide, lambda n, d: torch._standard_gamma(p(n, d, 37, 16))
    yield "dirichlet", wide, lambda n, d: torch._sample_dirichlet(p(n, d, 37, 16, shift=1))
    weights = lambda n, d: p(n, d, 37, 64, shift=1)  # noqa: E731
    yield "multinomial", FLOATS, lambda n, d: torch.multinomial(weights(n, d), min(n, 12))
    yield "multinomial_one", FLOATS, lambda n, d: torch.multinomial(weights(n, d), 1, True)
    yield "multinomial_with", FLOATS, lambda n, d: torch.multinomial(weights(n, d), n + 1, True)


def cases():
    yield from continuous()
    yield from discrete()
    yield from samplers()


def counts_to(dtype):
    if dtype.is_floating_point:
        return int(2 / torch.finfo(dtype).eps)
    return torch.iinfo(dtype).max


def draw(fill, n, dtype, seed):
    torch.manual_seed(seed)
    return torch.cat([fill(n, dtype).contiguous(), fill(n, dtype).contiguous()])


def raw(t):
    return t.contiguous().view(torch.uint8).numpy().tobytes()


def entry(t, full):
    data = raw(t)
    if full:
        return {"hex": data.hex()}
    total = t.sum(dtype=torch.complex128 if t.is_complex() else torch.float64)
    parts = [total.real.item(), total.imag.item()] if t.is_complex() else total.item()
    return {"crc": zlib.crc32(data), "first": raw(t[:4]).hex(), "sum": parts}


def record():
    values = {}
    for name, dtypes, fill in cases():
        for dtype in dtypes:
            for seed in SEEDS:
                for n in SIZES:
                    if name == "randperm" and n > counts_to(dtype):
                        continue
                    key = f"{name} {str(dtype).removeprefix('torch.')} {seed} {n}"
                    full = seed == 0 and n <= 17
                    values[key] = entry(draw(fill, n, dtype, seed), full)
    return values


def states():
    """CRC-32 of the 5056 state bytes: seeded, between two refills, with all words handed out."""
    torch.manual_seed(42)
    yield "seeded", torch.get_rng_state()
    torch.rand(1000)
    yield "rand_1000", torch.get_rng_state()
    torch.randn(4)  # 4 pairs of 32-bit words
    torch.rand(240)
    yield "exhausted", torch.get_rng_state()


def main():
    default = pathlib.Path(__file__).parent.parent / "tests/data/random_values.json"
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    values = record()
    values.update({f"state {name}": {"crc": zlib.crc32(raw(s))} for name, s in states()})
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in values.items()]
    target.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
