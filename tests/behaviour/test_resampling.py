"""interpolate and its gradient: products with matrices of weights, in any layout."""

import pytest
import rushlight as rl

F = rl.nn.functional
MODES = ["nearest", "nearest-exact", "bilinear", "bicubic"]
SIZES = [
    ((5, 7), (10, 14)),
    ((5, 7), (3, 4)),
    ((1, 6), (4, 1)),
    ((8, 3), (9, 20)),
    ((4, 4), (1, 1)),
]


def weights(mode, before, after):
    """(before, after) of one dimension: what each unit vector becomes."""
    unit = rl.eye(before, dtype=rl.float64).view(before, 1, before, 1)
    return F.interpolate(unit, size=(after, 1), mode=mode).view(before, after)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("before,after", SIZES)
def test_resampling_and_its_gradient_are_products_with_weights(mode, before, after):
    rows, columns = (weights(mode, n, m) for n, m in zip(before, after))
    x = rl.randn(2, 3, *before, requires_grad=True)
    y = F.interpolate(x, size=after, mode=mode)
    assert rl.allclose(y.double(), rows.t() @ x.double() @ columns, atol=1e-5)
    g = rl.randn(*y.shape)
    (back,) = rl.autograd.grad(y, x, g)
    assert rl.allclose(back.double(), rows @ g.double() @ columns.t(), atol=1e-5)


@pytest.mark.parametrize("mode", MODES)
def test_channels_last_stays_and_gives_the_same(mode):
    x = rl.randn(2, 3, 5, 6)
    last = x.contiguous(memory_format=rl.channels_last)
    want, got = (F.interpolate(v, size=(7, 4), mode=mode) for v in (x, last))
    assert got.is_contiguous(memory_format=rl.channels_last)
    assert rl.equal(got, want)


def test_what_is_not_finite_reaches_its_neighbours_only():
    x = rl.zeros(1, 1, 1, 6, requires_grad=True)
    y = F.interpolate(x, size=(1, 3), mode="nearest")
    (back,) = rl.autograd.grad(y, x, rl.tensor([float("inf"), float("nan"), 1.0]).view(1, 1, 1, 3))
    assert back.flatten().tolist()[::2][0] == float("inf")
    assert back.isnan().flatten().tolist() == [False, False, True, False, False, False]
    assert back.flatten().tolist()[1::2] == [0.0, 0.0, 0.0]


def test_integers_have_nearest_neighbours_but_no_means():
    x = rl.arange(4).view(1, 1, 2, 2)
    assert F.interpolate(x, scale_factor=2).flatten().tolist()[:4] == [0, 0, 1, 1]
    with pytest.raises(NotImplementedError, match="not implemented for int64"):
        F.interpolate(x, scale_factor=2, mode="bilinear")


@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
@pytest.mark.parametrize("lines", ((1, 1), (1, 7), (3, 8), (4, 37), (2, 128)))
def test_short_lines_together_are_what_each_is(lines, dtype):
    for before, after in ((12, 6), (5, 9), (3, 31), (40, 1), (6, 32)):
        for mode in ("linear", "nearest", "nearest-exact"):
            x = rl.randn(*lines, before, dtype=dtype)
            y = F.interpolate(x, size=after, mode=mode)
            alone = [
                F.interpolate(one.view(1, 1, -1), size=after, mode=mode) for one in x.flatten(0, 1)
            ]
            assert rl.equal(y, rl.cat(alone).view(y.shape))


def test_volumes_of_equal_sides():
    x = rl.randn(2, 3, 6, 6, 6)
    y = F.interpolate(x, scale_factor=0.5, mode="trilinear")
    rl.testing.assert_close(y, F.avg_pool3d(x, 2))


def _one_by_one(line, size, mode):
    """A line resized by the formulas of `interpolate`, in Python's numbers."""
    scale, last = len(line) / size, len(line) - 1
    if mode == "nearest":
        return [line[min(int(i * scale), last)] for i in range(size)]
    made = []
    for i in range(size):
        at = max((i + 0.5) * scale - 0.5, 0.0)
        low = min(int(at), last)
        part = min(max(at - low, 0.0), 1.0)
        made.append(line[low] * (1 - part) + line[min(low + 1, last)] * part)
    return made


@pytest.mark.parametrize("mode", ("nearest", "linear"))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64))
@pytest.mark.parametrize("size", (15, 16, 17, 31, 32, 33, 47, 64, 65, 130))
def test_lines_around_the_width_of_vectors(mode, dtype, size):
    """Sizes whose ratios are powers of two or large, so that no position is near a tie."""
    for before in {size, 2 * size, max(size // 2, 1), 4 * size, 1, 3 * size + 1}:
        x = rl.randn(1, 6, before, dtype=dtype)
        if mode == "nearest" and before == 3 * size + 1:
            continue
        wanted = [_one_by_one(line, size, mode) for line in x[0].tolist()]
        got = F.interpolate(x, size=size, mode=mode)
        close = {"atol": 1e-4, "rtol": 1e-4} if dtype == rl.float32 else {}
        rl.testing.assert_close(got[0], rl.tensor(wanted, dtype=dtype), **close)


def test_resizing_on_meta_and_of_examples():
    x = rl.randn(3, 2, 40)
    assert F.interpolate(x.to("meta"), scale_factor=2, mode="linear").shape == (3, 2, 80)
    with rl.device("meta"):
        assert F.interpolate(rl.zeros(1, 1, 4, 4), size=(2, 9), mode="bilinear").is_meta
    mapped = rl.vmap(lambda v: F.interpolate(v[None], size=70, mode="linear")[0])(x)
    assert rl.equal(mapped, F.interpolate(x, size=70, mode="linear"))


@pytest.mark.parametrize("channels", (1, 3, 4, 15, 16, 17, 31, 33, 64, 70))
@pytest.mark.parametrize("dtype", (rl.float32, rl.float64, rl.bfloat16, rl.uint8))
def test_nearest_neighbours_of_channels_that_lie_last(channels, dtype):
    for size, out in (((5, 6), (10, 12)), ((7, 4), (3, 9)), ((3, 4, 5), (6, 2, 7))):
        form = rl.channels_last if len(size) == 2 else rl.channels_last_3d
        x = (rl.randn(2, channels, *size) * 50).abs().to(dtype)
        want = x
        for d, (n, m) in enumerate(zip(size, out)):
            want = want.index_select(2 + d, rl.tensor([i * n // m for i in range(m)]))
        y = F.interpolate(x.contiguous(memory_format=form), size=out)
        assert y.equal(want) and y.is_contiguous(memory_format=form)


@pytest.mark.parametrize("mode", ("nearest", "nearest-exact"))
@pytest.mark.parametrize("dtype", (rl.float32, rl.bfloat16, rl.complex64))
def test_gradients_of_rows_and_columns_of_channels_that_lie_last(mode, dtype):
    for channels, after in ((3, (10, 9)), (17, (3, 4)), (33, (5, 14))):
        x = rl.randn(2, channels, 5, 7).to(dtype)
        found = []
        for form in (rl.channels_last, rl.contiguous_format):
            leaf = x.contiguous(memory_format=form).requires_grad_()
            y = F.interpolate(leaf, size=after, mode=mode)
            g = rl.arange(y.numel()).view(y.shape).sin().to(dtype)
            (back,) = rl.autograd.grad(y, leaf, g.contiguous(memory_format=form), create_graph=True)
            found.append((y.detach(), back.detach()))
            assert not back.requires_grad  # it does not depend on the image
        assert all(rl.equal(a, b) for a, b in zip(*found))


def _smooth_weights(mode, before, after):
    """(after, before): the filter around each centre, as wide as what an output covers."""
    scale = before / after
    stretch = max(scale, 1.0)
    rows = []
    for i in range(after):
        centre, reach = (i + 0.5) * scale, (2 if mode == "bicubic" else 1) * stretch
        first, last = max(int(centre - reach + 0.5), 0), min(int(centre + reach + 0.5), before)
        row = [0.0] * before
        for k in range(first, last):
            d = abs(k - centre + 0.5) / stretch
            if mode == "bilinear":
                row[k] = max(0.0, 1 - d)
            elif d <= 1:
                row[k] = (1.5 * d - 2.5) * d * d + 1
            elif d < 2:
                row[k] = ((-0.5 * d + 2.5) * d - 4) * d + 2
        rows.append([w / sum(row) for w in row])
    return rl.tensor(rows, dtype=rl.float64)


@pytest.mark.parametrize("mode", ("bilinear", "bicubic"))
@pytest.mark.parametrize("before,after", [*SIZES, ((40, 33), (7, 20)), ((9, 70), (18, 11))])
def test_smooth_resizing_is_a_product_with_filters(mode, before, after):
    for dtype, form in ((rl.float32, rl.channels_last), (rl.float64, rl.contiguous_format)):
        rows, columns = (_smooth_weights(mode, n, m) for n, m in zip(before, after))
        x = rl.randn(2, 5, *before, dtype=dtype).contiguous(memory_format=form).requires_grad_()
        y = F.interpolate(x, size=after, mode=mode, antialias=True)
        close = {"atol": 2e-5 if dtype == rl.float32 else 1e-12, "rtol": 0}
        rl.testing.assert_close(y.double(), rows @ x.double() @ columns.t(), **close)
        g = rl.randn(*y.shape, dtype=dtype)
        (back,) = rl.autograd.grad(y, x, g)
        rl.testing.assert_close(back.double(), rows.t() @ g.double() @ columns, **close)


@pytest.mark.parametrize(
    "resize",
    [
        lambda x: F.interpolate(x, scale_factor=2),
        lambda x: F.interpolate(x.contiguous(memory_format=rl.channels_last), scale_factor=2),
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
        lambda x: F.interpolate(x, size=(3, 2), mode="bicubic"),
        lambda x: F.interpolate(x, size=(3, 2), mode="bilinear", antialias=True),
        lambda x: F.affine_grid(x[0, :, :2, :3], (2, 1, 3, 3), align_corners=False),
    ],
)
def test_positions_and_weights_are_no_saved_tensors(resize):
    packed = []
    x = rl.randn(1, 2, 4, 4, requires_grad=True)
    with rl.autograd.graph.saved_tensors_hooks(packed.append, lambda t: t):
        y = resize(x).sum()
    assert not packed
    y.backward()
    once = x.grad.clone()
    y.backward()  # frees nothing, so that it may run again
    assert x.grad.equal(2 * once)
