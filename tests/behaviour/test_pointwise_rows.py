"""Elementwise functions of rows that do not follow each other, of one element a row, and of one for
all: whichever way the walker takes them, the results are those of contiguous operands, to the bit.
"""

import numpy as np
import pytest
import rushlight as rl

# Around vectors, the pieces of 16-bit floats, and the lengths from which rows are taken as such.
WIDTHS = [1, 7, 15, 16, 17, 31, 32, 33, 63, 65, 96, 100, 127, 128, 129, 1030, 4099]
FLOATS = [rl.float32, rl.float64, rl.float16, rl.bfloat16]
INTEGERS = [rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64]
BINARY = ["add", "sub", "mul", "maximum", "minimum", "lt", "ge", "eq", "ne"]
WHOLE = ["bitwise_and", "bitwise_or", "bitwise_xor", "logical_and", "logical_or", "logical_xor"]
UNARY = ["abs", "neg", "sign", "logical_not", "relu", "square"]


def _numbers(shape, dtype, seed=0):
    g = np.random.default_rng(seed)
    if dtype == rl.bool:
        return rl.from_numpy(g.integers(0, 2, shape).astype(bool))
    if dtype in INTEGERS:
        ends = rl.iinfo(dtype)
        return rl.from_numpy(g.integers(ends.min, ends.max, shape, np.int64, True)).to(dtype)
    x = rl.from_numpy(g.choice([0.0, -0.0, 1.5, -2.25, 3.1, 1e-3, np.inf, np.nan, 300.7], shape))
    return x.to(dtype)


def _same(got, want):
    assert got.dtype == want.dtype and got.shape == want.shape
    if got.is_floating_point():
        assert rl.equal(got.isnan(), want.isnan())
        assert rl.equal(got.signbit() & ~got.isnan(), want.signbit() & ~want.isnan())
        got, want = got.nan_to_num(7), want.nan_to_num(7)
    assert rl.equal(got, want)


def _apart(x):
    """The same numbers in rows that are apart."""
    wide = rl.zeros(*x.shape[:-1], x.shape[-1] + 5, dtype=x.dtype)
    rows = wide[..., 2:-3]
    rows.copy_(x)
    return rows


def _strided(x):
    """The same numbers, every third of a longer row."""
    steps = rl.zeros(*x.shape[:-1], 3 * x.shape[-1], dtype=x.dtype)[..., ::3]
    return steps.copy_(x)


def _turned(x):
    return x.transpose(0, -1).clone(memory_format=rl.contiguous_format).transpose(0, -1)


LAYOUTS = {"apart": _apart, "strided": _strided, "turned": _turned}


def _operators(dtype):
    if dtype == rl.bool:
        return [*WHOLE, "add", "mul", "maximum", "eq"]
    return BINARY if dtype in FLOATS else [*BINARY, *WHOLE]


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, rl.bool])
@pytest.mark.parametrize("width", WIDTHS)
def test_two_operands(dtype, width):
    x, y = _numbers((3, 5, width), dtype), _numbers((3, 5, width), dtype, 1)
    for name in _operators(dtype):
        function = getattr(rl, name)
        want = function(x, y)
        for change in LAYOUTS.values():
            _same(function(change(x), y), want)
            _same(function(x, change(y)), want)
            _same(function(change(x), change(y)), want)
        _same(function(_apart(x), _apart(x)), function(x, x))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, rl.bool])
@pytest.mark.parametrize("width", WIDTHS)
def test_an_operand_of_fewer_dimensions(dtype, width):
    x = _numbers((3, 5, width), dtype)
    for shape in [(width,), (5, 1), (3, 1, 1), (5, width), (3, 1, width), (), (1,)]:
        y = _numbers(shape, dtype, 2)
        whole = y.expand(3, 5, width).contiguous()
        for name in _operators(dtype):
            function = getattr(rl, name)
            for z in (x, _apart(x), _turned(x)):
                _same(function(z, y), function(x, whole))
                _same(function(y, z), function(whole, x))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
@pytest.mark.parametrize("width", WIDTHS)
def test_one_operand_and_numbers(dtype, width):
    x = _numbers((3, 5, width), dtype)
    two = rl.full_like(x, 2)
    for change in LAYOUTS.values():
        z = change(x)
        for name in UNARY:
            _same(getattr(rl, name)(z), getattr(rl, name)(x))
        for name in _operators(dtype):
            if not name.startswith("logical") and name not in ("maximum", "minimum"):
                _same(getattr(rl, name)(z, 2), getattr(rl, name)(x, two))
        _same(z.clamp(1, 2), rl.minimum(rl.maximum(x, rl.ones_like(x)), two))
        _same(rl.add(z, z, alpha=3), rl.add(x, x, alpha=3))
        _same(rl.sub(z, 2, alpha=3), rl.sub(x, two, alpha=3))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS])
@pytest.mark.parametrize("width", WIDTHS)
def test_in_place(dtype, width):
    x, y = _numbers((4, width), dtype), _numbers((4, width), dtype, 1)
    column = _numbers((4, 1), dtype, 2)
    for change in LAYOUTS.values():
        z = change(x)
        _same(z.add_(y), x + y)
        _same(z, x + y)
        _same(change(x).mul_(column), x * column)
        _same(change(x).neg_(), -x)
        z = change(x)
        _same(z.sub_(z), x - x)
        _same(rl.maximum(x, y, out=change(x)), rl.maximum(x, y))


@pytest.mark.parametrize("width", [33, 96, 130])
def test_short_floats_and_a_column_of_longer_ones(width):
    x, y = _numbers((4, width), rl.float16), _numbers((4, 1), rl.float32, 1)
    _same(_apart(x) + y, x.float() + y.expand(-1, width).contiguous())


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("width", [1, 15, 16, 33, 70])
def test_signs_and_negations_of_integers(dtype, width):
    ends = rl.iinfo(dtype)
    x = np.resize([ends.min, ends.max, 0, 1, 2, -1 if ends.min else 3], width)
    got = rl.from_numpy(x.astype(np.int64)).to(dtype)
    assert rl.sign(got).tolist() == np.sign(x).tolist()
    assert rl.logical_not(got).tolist() == (x == 0).tolist()
    assert rl.logical_and(got, got.flip(0)).tolist() == ((x != 0) & (x[::-1] != 0)).tolist()
    assert rl.logical_xor(got, got.flip(0)).tolist() == ((x != 0) ^ (x[::-1] != 0)).tolist()


def test_powers_of_integers_with_one_exponent():
    x = rl.arange(-6, 300)
    for exponent in (0, 1, 2, 3, 5):
        assert (x**exponent).tolist() == [v**exponent for v in x.tolist()]
        column = rl.full((2, 1), exponent)
        assert (x.expand(2, -1) ** column)[1].tolist() == [v**exponent for v in x.tolist()]


EXPANDED = [(3, 1, 97), (3, 40, 1), (1, 40, 97), (1, 1, 97), (1, 1, 1), (3, 1, 1)]


@pytest.mark.parametrize("dtype", [*FLOATS, rl.int32, rl.uint8])
@pytest.mark.parametrize("shape", EXPANDED)
def test_expanded_operands(dtype, shape):
    x = _numbers(shape, dtype).expand(3, 40, 97)
    whole, other = x.contiguous(), _numbers((3, 40, 97), dtype, 1)
    for name in [*UNARY, *(["exp", "tanh"] if dtype in FLOATS else [])]:
        _same(getattr(rl, name)(x), getattr(rl, name)(whole))
    for y, flat in ((x[:, :1], whole[:, :1]), (other, other), (x, whole), (2, 2)):
        _same(x + y, whole + flat)
        _same(x > y, whole > flat)
    target = other.transpose(0, 2).clone().transpose(0, 2)
    _same(rl.add(x, 1, out=target), whole + 1)
    _same(target, whole + 1)
    view = rl.zeros(3, 40, 200, dtype=dtype)[..., 1:98]
    _same(rl.neg(x, out=view), -whole)


def test_empty_operands():
    for shape in [(0, 96), (4, 0), (0,)]:
        for dtype in (rl.float16, rl.uint8):
            x = rl.zeros(*shape, dtype=dtype)
            assert (x + x).shape == shape and (x > 0).shape == shape
