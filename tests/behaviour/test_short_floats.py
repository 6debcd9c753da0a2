"""16-bit floats computed as they are stored: as floats and rounded once, whatever the geometry."""

import pytest

import rushlight as rl

F = rl.nn.functional
HALVES = [rl.float16, rl.bfloat16]
LENGTHS = [1, 2, 15, 31, 32, 33, 63, 64, 65, 257, 1100]
SPECIALS = [0.0, -0.0, 1.0, -1.0, float("inf"), -float("inf"), float("nan"), 6e-8, 65504.0, -2e-5]

UNARY = {
    "neg": lambda x: -x,
    "abs": rl.abs,
    "relu": rl.relu,
    "sqrt": rl.sqrt,
    "square": rl.square,
    "floor": rl.floor,
    "hardswish": F.hardswish,
    "leaky_relu": F.leaky_relu,
    "hardtanh": F.hardtanh,
    "isnan": rl.isnan,
    "add number": lambda x: x + 0.1,
    "sub number": lambda x: x - 0.1,
    "mul number": lambda x: x * 0.1,
    "div number": lambda x: x / 3.3,
    "number div": lambda x: 3.3 / x,
    "compare number": lambda x: x < 0.1,
    "clamp": lambda x: x.clamp(-0.3, 0.7),
}
BINARY = {
    "add": lambda x, y: rl.add(x, y, alpha=0.3),
    "sub": rl.sub,
    "mul": rl.mul,
    "div": rl.div,
    "maximum": rl.maximum,
    "fmin": rl.fmin,
    "copysign": rl.copysign,
    "eq": rl.eq,
    "le": rl.le,
    "hypot": rl.hypot,
}


def values(dtype, *sizes):
    x = rl.randn(*sizes).to(dtype)
    flat = x.view(-1)
    for i, special in enumerate(SPECIALS):
        flat[i * 7 % flat.numel()] = special
    return x


def assert_rounded(got, wide, dtype):
    """got holds the floats of `wide` rounded to dtype, or equals it, zeros by their signs."""
    if wide.dtype == rl.bool:
        assert got.dtype == rl.bool and got.equal(wide)
        return
    assert got.dtype == dtype and got.shape == wide.shape
    want = wide.to(dtype)
    rl.testing.assert_close(got, want, rtol=0, atol=0, equal_nan=True)
    told = ~want.isnan()
    assert got.signbit()[told].equal(want.signbit()[told])


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name, dtype):
    for n in LENGTHS:
        x = values(dtype, n)
        assert_rounded(UNARY[name](x), UNARY[name](x.float()), dtype)
        x = values(dtype, 5, 2 * n)[:, ::2]
        assert_rounded(UNARY[name](x), UNARY[name](x.float()), dtype)


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", BINARY)
def test_two_operands(name, dtype):
    op = BINARY[name]
    for n in LENGTHS:
        x, y = values(dtype, 3, n), values(dtype, 3, n).flip(1).contiguous()
        for b in (y, y[1:2], y[:, :1], y[1, -1], y[:, :1].expand(3, n)):
            assert_rounded(op(x, b), op(x.float(), b.float()), dtype)
            assert_rounded(op(b, x), op(b.float(), x.float()), dtype)
        out = rl.empty(3, 2 * n, dtype=dtype)[:, :n]
        if op(x, y).dtype == dtype:
            assert_rounded(out.copy_(op(x, y)), op(x.float(), y.float()), dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_three_operands_and_results_in_place(dtype):
    for n in LENGTHS:
        x, y, z = (values(dtype, 4, n) for _ in range(3))
        wide = rl.addcmul(x.float(), y.float(), z.float(), value=0.7)
        assert_rounded(rl.addcmul(x, y, z, value=0.7), wide, dtype)
        wide = rl.clamp(x.float(), y.float(), z.float())
        assert_rounded(rl.clamp(x, y, z), wide, dtype)
        assert_rounded(x.clone().mul_(y), x.float() * y.float(), dtype)
        assert_rounded(rl.mul(x[:, 0], y[:, 0]), x[:, 0].float() * y[:, 0].float(), dtype)
        other = y.float()  # operands of two dtypes
        assert (x + other).dtype == rl.float32
        assert_rounded((x + other).to(dtype), x.float() + other, dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_signs_alone_keep_what_nan_says(dtype):
    x = rl.tensor([0x7FC1, 0x7FC1 - 0x8000], dtype=rl.int16).view(dtype)
    assert (-x).view(rl.int16).tolist() == [0x7FC1 - 0x8000, 0x7FC1]
    assert x.abs().view(rl.int16).tolist() == [0x7FC1, 0x7FC1]
    assert rl.copysign(x, x.flip(0)).view(rl.int16).tolist() == [0x7FC1 - 0x8000, 0x7FC1]


@pytest.mark.parametrize("dtype", HALVES)
def test_large_results_and_threads(dtype):
    threads = rl.get_num_threads()
    x, y = values(dtype, 700, 1000), values(dtype, 700, 1000)
    try:
        got = []
        for n in (1, 2):
            rl.set_num_threads(n)
            got.append([x * y, x + 0.3, x * y[:, :1], x < y])
        for one, two, wide in zip(
            *got, (x.float() * y.float(), x.float() + 0.3, x.float() * y[:, :1].float(), x < y)
        ):
            assert_rounded(one, wide, dtype)
            assert_rounded(two, wide, dtype)
    finally:
        rl.set_num_threads(threads)
