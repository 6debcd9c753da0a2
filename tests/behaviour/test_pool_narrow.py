"""Max pooling of images narrower than a vector: many planes at a time."""

import pytest

import rushlight as rl

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")


def windows(size, kernel, stride, padding, dilation, outs):
    """For each output along one dimension, the elements of its window."""
    for o in range(outs):
        places = [o * stride - padding + k * dilation for k in range(kernel)]
        yield [p for p in places if 0 <= p < size]


def by_hand(plane, rows, columns):
    """(largest, its place) of each window: the last NaN, or the first of the largest."""
    width, values, places = len(plane[0]), [], []
    for row in rows:
        for column in columns:
            best, at = -INF, row[0] * width + column[0]
            for r in row:
                for c in column:
                    x = plane[r][c]
                    if x > best or x != x:
                        best, at = x, r * width + c
            values.append(best)
            places.append(at)
    return values, places


# size, kernel, stride, padding, dilation, ceil_mode
GEOMETRIES = [
    ((8, 8), 2, 2, 0, 1, False),
    ((9, 7), 3, 2, 1, 1, False),
    ((7, 9), 3, 2, 1, 1, True),
    ((12, 11), 3, 1, 1, 2, False),
    ((5, 14), 2, 3, 1, 1, True),
    ((4, 4), 4, 4, 0, 1, False),
    ((17, 6), 3, 3, 0, 2, False),
]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16, rl.int32])
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_fixed_windows(dtype, geometry):
    (height, width), kernel, stride, padding, dilation, ceil = geometry
    rl.manual_seed(0)
    x = rl.randint(-9, 9, (67, 3, height, width)).to(dtype)  # with ties
    if dtype.is_floating_point:
        x[5, 1, 2, 3], x[6, 0, 0, 0], x[6, 0, 1, 1], x[7] = NAN, INF, NAN, -INF
    out, at = F.max_pool2d(
        x, kernel, stride, padding, dilation, ceil_mode=ceil, return_indices=True
    )
    rows, columns = (
        list(windows(size, kernel, stride, padding, dilation, outs))
        for size, outs in zip((height, width), out.shape[2:])
    )
    for n, c in ((0, 0), (5, 1), (6, 0), (7, 2), (66, 2)):
        values, places = by_hand(x[n, c].double().tolist(), rows, columns)
        assert at[n, c].flatten().tolist() == places
        want = rl.tensor(values, dtype=rl.float64)
        rl.testing.assert_close(out[n, c].double().flatten(), want, equal_nan=True)


def test_adaptive_windows_and_gradients():
    rl.manual_seed(0)
    x = rl.randn(40, 3, 11, 9, dtype=rl.float64, requires_grad=True)
    out, at = F.adaptive_max_pool2d(x, (4, 5), return_indices=True)
    assert rl.equal(out.flatten(2), x.flatten(2).gather(2, at.flatten(2)))
    for i in range(4):
        for j in range(5):
            window = x[:, :, i * 11 // 4 : -(-(i + 1) * 11 // 4), j * 9 // 5 : -(-(j + 1) * 9 // 5)]
            assert rl.equal(out[:, :, i, j], window.amax((2, 3)))
    slope = rl.autograd.grad(out.sum(), x)[0]
    assert slope.sum() == out.numel()
    assert (slope.flatten(2).gather(2, at.flatten(2)) > 0).all()


def test_threads_and_parts_agree():
    x, before = rl.randn(130, 5, 14, 14), rl.get_num_threads()
    whole = [F.max_pool2d(x[i : i + 1], 2) for i in range(130)]
    for threads in (1, 2):
        rl.set_num_threads(threads)
        assert rl.equal(F.max_pool2d(x, 2), rl.cat(whole))
    rl.set_num_threads(before)
