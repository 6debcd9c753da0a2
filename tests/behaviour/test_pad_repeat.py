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
