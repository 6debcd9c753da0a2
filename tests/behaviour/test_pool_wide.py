"""Adaptive windows of many elements: maxima and where they are, and 16-bit gradients of averages,
against loops over the elements.
"""

import itertools
import math

import pytest
import rushlight as rl

F = rl.nn.functional
SHAPES = (
    ((40,), (3,)),
    ((64,), (1,)),
    ((300,), (2,)),
    ((12, 12), (3, 3)),
    ((33, 17), (2, 5)),
    ((31, 1), (2, 1)),
    ((1, 50), (1, 3)),
    ((10, 12, 12), (3, 3, 3)),
    ((5, 9, 7), (2, 2, 1)),
)
DTYPES = (rl.float32, rl.float64, rl.bfloat16, rl.float16)


def window(place, size, out):
    return [range(i * n // m, -(-(i + 1) * n // m)) for i, n, m in zip(place, size, out)]


def elements(place, size, out):
    """Numbers of the elements of a window in their plane, in order."""
    strides = [math.prod(size[d + 1 :]) for d in range(len(size))]
    for at in itertools.product(*window(place, size, out)):
        yield sum(a * s for a, s in zip(at, strides))


def maxima(plane, size, out):
    """Of equals the first, of NaN the last."""
    for place in itertools.product(*map(range, out)):
        numbers = list(elements(place, size, out))
        best, at = -math.inf, numbers[0]
        for n in numbers:
            if plane[n] > best or plane[n] != plane[n]:
                best, at = plane[n], n
        yield best, at


def make(kind, shape, dtype):
    x = rl.randn(shape)
    if kind == "ties":
        x = rl.randint(-2, 2, shape).float() * 0.5
    if kind == "nan":
        x = x.masked_fill(rl.rand(shape) < 0.1, math.nan)
    if kind == "infinite":
        x = x.masked_fill(rl.rand(shape) < 0.95, -math.inf)
    if kind == "zeros":
        x = x * 0
    return x.to(dtype)


@pytest.mark.parametrize("size, out", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ("plain", "ties", "nan", "infinite", "zeros"))
def test_maxima(size, out, dtype, kind):
    x = make(kind, (2, 3) + size, dtype)
    values, indices = getattr(F, f"adaptive_max_pool{len(size)}d")(x, out, return_indices=True)
    assert values.dtype == dtype
    planes = [p.tolist() for p in x.reshape(6, -1)]
    want = [m for plane in planes for m in maxima(plane, size, out)]
    assert indices.flatten().tolist() == [at for _, at in want]
    for got, (best, _) in zip(values.flatten().tolist(), want):
        assert got == best or got != got and best != best


@pytest.mark.parametrize("kernel", (5, 6))
def test_maxima_of_fixed_windows_in_narrow_images(kernel):
    x = make("ties", (2, 3, 11, 9), rl.float32)
    values, indices = F.max_pool2d(x, kernel, 2, kernel // 2, return_indices=True)
    low = F.pad(x, (kernel // 2,) * 4, value=-math.inf)
    want = low.unfold(2, kernel, 2).unfold(3, kernel, 2).flatten(-2).max(-1).values
    assert values.equal(want)
    assert x.flatten(2).gather(2, indices.flatten(2)).equal(values.flatten(2))


@pytest.mark.parametrize("size, out", SHAPES + (((5, 5), (7, 3)), ((4,), (9,))))
@pytest.mark.parametrize("dtype", DTYPES)
def test_averages_and_their_gradients(size, out, dtype):
    x = rl.randn((2, 3) + size).to(dtype).requires_grad_()
    y = getattr(F, f"adaptive_avg_pool{len(size)}d")(x, out)
    g = rl.randn(y.shape).to(dtype)
    (by_x,) = rl.autograd.grad(y, x, g)
    planes, slopes = x.detach().double().reshape(6, -1), g.double().reshape(6, -1)
    want, want_by_x = rl.zeros_like(slopes), rl.zeros_like(planes)
    for k, place in enumerate(itertools.product(*map(range, out))):
        numbers = list(elements(place, size, out))
        want[:, k] = planes[:, numbers].mean(1)
        want_by_x[:, numbers] += slopes[:, k : k + 1] / len(numbers)
    eps = rl.finfo(dtype).eps
    volumes_round = len(size) == 3 and dtype in (rl.bfloat16, rl.float16)
    assert (y.double().reshape(6, -1) - want).abs().max() <= (64 if volumes_round else 8) * eps
    assert (by_x.double().reshape(6, -1) - want_by_x).abs().max() <= 16 * eps
