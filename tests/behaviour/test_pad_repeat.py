"""Padding that repeats, and its gradient: both are products with a matrix of zeros and ones."""

import pytest
import rushlight as rl

F = rl.nn.functional
PADS = [(1, 2), (0, 3), (2, 0), (-1, 2), (2, -2), (-1, -1)]


def index_of(mode, size, before, after):
    if mode == "circular":  # cuts first
        kept = list(range(size))[max(-before, 0) : size - max(-after, 0)]
        return [kept[i % len(kept)] for i in range(-max(before, 0), len(kept) + max(after, 0))]
    last = size - 1
    fold = {
        "reflect": lambda i: last - abs(last - abs(i)),
        "replicate": lambda i: min(max(i, 0), last),
    }
    return [fold[mode](i) for i in range(-before, size + after)]


def matrix(mode, size, before, after, dtype):
    return rl.eye(size, dtype=dtype)[index_of(mode, size, before, after)]


@pytest.mark.parametrize("mode", ("reflect", "replicate", "circular"))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.complex64, rl.complex128))
@pytest.mark.parametrize("width", (4, 7, 8, 15, 16, 17, 33))
def test_planes_and_their_gradients(mode, dtype, width):
    for pad, rows in zip(PADS, PADS[::-1]):
        x = rl.randn(2, 3, 5, width, dtype=dtype, requires_grad=True)
        up, across = matrix(mode, 5, *rows, dtype), matrix(mode, width, *pad, dtype)
        y = F.pad(x, pad + rows, mode=mode)
        rl.testing.assert_close(y, up @ x @ across.T)
        g = rl.randn(*y.shape, dtype=dtype).transpose(0, 1).contiguous().transpose(0, 1)
        (by_x,) = rl.autograd.grad(y, x, g)
        rl.testing.assert_close(by_x, up.T @ g @ across)


@pytest.mark.parametrize("mode", ("reflect", "replicate", "circular"))
@pytest.mark.parametrize("dims", (1, 2, 3))
def test_second_derivatives_and_mapping(mode, dims):
    x = rl.randn(2, 2, *(3, 4, 5)[:dims], dtype=rl.float64, requires_grad=True)
    pad = lambda x: F.pad(x, (1, 2) * dims, mode=mode).sin()  # noqa: E731
    assert rl.autograd.gradcheck(pad, (x,)) and rl.autograd.gradgradcheck(pad, (x,))
    slope = rl.func.grad(lambda x: pad(x).sum())
    stacked = rl.stack([x.detach(), x.detach() * 2])
    mapped = rl.func.vmap(slope)(stacked)
    rl.testing.assert_close(mapped, rl.stack([slope(one) for one in stacked]))


def test_more_cut_than_there_is_on_one_side():
    x = rl.arange(3.0).view(1, 1, 3)
    assert F.pad(x, (5, -4), mode="replicate").tolist() == [[[0, 0, 0, 0]]]
    assert F.pad(x, (-3, 2), mode="replicate").tolist() == [[[2, 2]]]
    assert F.pad(x, (-3, 2), mode="reflect").tolist() == [[[1, 0]]]


def test_too_much_padding_is_refused():
    x = rl.zeros(1, 1, 3)
    with pytest.raises(RuntimeError, match="should be less than the corresponding input"):
        F.pad(x, (3, 0), mode="reflect")
    with pytest.raises(RuntimeError, match="wrapping around more than once"):
        F.pad(x, (4, 0), mode="circular")
    with pytest.raises(RuntimeError, match="too small for padding"):
        F.pad(x, (-2, -1), mode="replicate")
    for mode in ("reflect", "replicate", "circular"):
        with pytest.raises(RuntimeError):
            F.pad(rl.zeros(1, 1, 0), (1, 1), mode=mode)


def filled(x, pad, value):
    """Constant padding, by positions."""
    sizes = [n + sum(own) for n, own in zip(x.shape, pad)]
    at = [rl.arange(size) - before for size, (before, _) in zip(sizes, pad)]
    y = x
    for d, (index, n) in enumerate(zip(at, x.shape)):
        inside = ((index >= 0) & (index < n)).view([-1 if e == d else 1 for e in range(x.dim())])
        y = rl.where(inside, y.index_select(d, index.clamp(0, max(n - 1, 0))), value)
    return y.to(x.dtype)


DTYPES = (rl.uint8, rl.bfloat16, rl.float32, rl.int64, rl.complex128, rl.bool)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", (1, 3, 8, 16, 17, 40, 64, 65, 130))
def test_constant_borders(dtype, width):
    x = (rl.arange(3 * 2 * width).view(3, 2, width) % 120).to(dtype)
    value = True if dtype == rl.bool else 7
    for pad in (
        [(0, 0), (1, 2), (2, 3)],
        [(1, 0), (0, 0), (0, 1)],
        [(-1, 0), (0, 1), (3, 0)],
        [(-2, 3), (-2, 1), (1, 1)],
        [(0, -1), (1, -1), (-1, 5)],
        [(2, 1), (0, 0), (0, 0)],
    ):
        flat = [amount for own in pad[::-1] for amount in own]
        want = filled(x, pad, value)
        turned = x.transpose(0, 2).contiguous().transpose(0, 2)
        for given in (x, turned):
            assert rl.equal(F.pad(given, flat, value=value), want)
        out = rl.zeros(want.shape[::-1], dtype=dtype).permute(2, 1, 0)
        assert rl.equal(rl.constant_pad_nd(x, flat, value, out=out), want)
    row = x.flatten()
    assert rl.equal(F.pad(row, (2, 3), value=value), filled(row, [(2, 3)], value))
    assert F.pad(row[:0], (1, 2), value=value).tolist() == [value] * 3


def test_the_constant_is_kept_bit_by_bit():
    y = F.pad(rl.ones(1, 2), (1, 1, 1, 0), value=-0.0)
    assert rl.signbit(y).tolist() == [[True] * 4, [True, False, False, True]]
    assert F.pad(rl.ones(2), (0, 1), value=float("nan"))[2].isnan()
