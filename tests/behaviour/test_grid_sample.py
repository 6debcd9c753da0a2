"""grid_sample in one kernel: the same as its formula in recorded ops."""

import itertools
from functools import partial

import pytest
import rushlight as rl
from rushlight.ops.grid import MODES, PADDINGS, _samples_in_ops

F = rl.nn.functional
INF, NAN = float("inf"), float("nan")
#: (channels, sizes, places): by planes and by rows of several widths; blocks with a remainder
SHAPES = [
    (1, (4, 5), (3, 3)),
    (3, (5, 4), (9, 16)),
    (4, (5, 7), (8, 8)),
    (9, (3, 6), (5, 13)),
    (33, (1, 1), (2, 2)),
    (17, (40, 40), (2, 3)),  # few places in many cells
    (2, (3, 4, 5), (3, 4, 6)),
    (12, (2, 3, 4), (1, 5, 14)),
]


def inputs(channels, sizes, places, dtype):
    rl.manual_seed(sum(sizes))
    x = rl.randn(2, channels, *sizes, dtype=dtype)
    return x, rl.rand(2, *places, len(sizes), dtype=dtype) * 3.4 - 1.7


def with_slopes(sample, x, grid):
    x, grid = x.detach().requires_grad_(), grid.detach().requires_grad_()
    y = sample(x, grid)
    return y, *rl.autograd.grad(
        y, (x, grid), rl.arange(y.numel(), dtype=y.dtype).view(y.shape).sin()
    )


@pytest.mark.parametrize("mode,padding", list(itertools.product(MODES, PADDINGS)))
@pytest.mark.parametrize("shape", SHAPES)
def test_samples_and_their_gradients_are_those_of_the_formula(shape, mode, padding):
    if mode == "bicubic" and len(shape[1]) == 3:
        return
    codes = MODES.index(mode), PADDINGS.index(padding)
    for dtype, align in itertools.product((rl.float32, rl.float64), (False, True)):
        x, grid = inputs(*shape, dtype)
        got = with_slopes(
            partial(F.grid_sample, mode=mode, padding_mode=padding, align_corners=align), x, grid
        )
        rule = {"mode": codes[0], "padding": codes[1], "align": align}
        want = with_slopes(partial(_samples_in_ops, **rule), x, grid)
        for a, b in zip(got, want):
            assert a.shape == b.shape and a.dtype == dtype
            scale = max(1.0, b.abs().max().item())
            assert (a - b).abs().max() <= 200 * rl.finfo(dtype).eps * scale


@pytest.mark.parametrize("mode", MODES)
def test_strides_do_not_matter(mode):
    x, grid = inputs(6, (4, 5), (7, 11), rl.float32)
    want = with_slopes(partial(F.grid_sample, mode=mode, align_corners=False), x, grid)
    last = x.contiguous(memory_format=rl.channels_last)
    turned = x.transpose(0, 3).contiguous().transpose(0, 3)
    sideways = grid.transpose(1, 3).contiguous().transpose(1, 3)
    for images, places in itertools.product((x, last, turned), (grid, sideways)):
        got = with_slopes(partial(F.grid_sample, mode=mode, align_corners=False), images, places)
        assert all([rl.equal(a, b) for a, b in zip(got, want)])
        assert got[0].is_contiguous() and got[1].shape == x.shape


def test_only_what_is_asked_for_has_a_gradient():
    x, grid = inputs(5, (4, 4), (3, 3), rl.float32)
    for mine in (x, grid):
        tensors = [t.detach().requires_grad_(t is mine) for t in (x, grid)]
        F.grid_sample(*tensors, align_corners=False).sum().backward()
        assert [t.grad is not None for t in tensors] == [t is mine for t in (x, grid)]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("channels", (1, 5))
def test_second_derivatives(mode, channels):
    x, grid = inputs(channels, (4, 3), (2, 2), rl.float64)
    leaves = x.requires_grad_(), (grid * 0.5).requires_grad_()
    for padding in PADDINGS:
        sample = partial(F.grid_sample, mode=mode, padding_mode=padding, align_corners=False)
        assert rl.autograd.gradcheck(sample, leaves)
        assert rl.autograd.gradgradcheck(sample, leaves)


@pytest.mark.parametrize("channels", (1, 5))
def test_what_is_outside_is_not_read(channels):
    x = rl.full((1, channels, 3, 3), INF)
    places = rl.tensor([[5.0, 0.0], [-9.0, 1e30], [INF, 0.0], [NAN, NAN]]).view(1, 1, 4, 2)
    y, by_x, by_grid = with_slopes(partial(F.grid_sample, align_corners=False), x, places)
    assert y[0, :, 0, :2].eq(0).all() and y[0, :, 0, 2:].isnan().all()  # as in PyTorch
    assert by_x.eq(0).all() and by_grid.eq(0).all()


def test_places_beside_each_other_on_the_border_reflect_as_they_are():
    row = rl.arange(4.0).view(1, 1, 1, 4)
    places = rl.tensor([-1.5, -1.0, 1.0, 1.5, 2.0, 3.0, 5.0])
    grid = rl.stack([places, rl.zeros(7)], 1).view(1, 1, 7, 2)
    y = F.grid_sample(row, grid, padding_mode="reflection", align_corners=True)
    assert y.flatten().tolist() == [0.75, 0.0, 3.0, 2.25, 1.5, 0.0, 3.0]


def test_no_examples_channels_or_places():
    for n, channels, places in ((0, 2, 3), (2, 0, 3), (2, 2, 0)):
        x = rl.ones(n, channels, 3, 3, requires_grad=True)
        grid = rl.zeros(n, places, 1, 2, requires_grad=True)
        y = F.grid_sample(x, grid, align_corners=False)
        y.sum().backward()
        assert y.shape == (n, channels, places, 1)
        assert x.grad.eq(0).all() and grid.grad.shape == grid.shape
        assert F.grid_sample(x.to("meta"), grid.to("meta"), align_corners=False).shape == y.shape


def with_slopes_of_ones(sample, x, grid):
    x = x.detach().requires_grad_()
    return rl.autograd.grad(sample(x, grid).sum(), x)[0]


def test_mapped_over():
    x, grid = rl.randn(3, 2, 4, 5, 5), rl.rand(3, 2, 6, 6, 2) * 2 - 1
    sample = partial(F.grid_sample, align_corners=False)
    got = rl.func.vmap(sample)(x, grid)
    assert rl.allclose(got, rl.stack([sample(a, b) for a, b in zip(x, grid)]))
    slopes = rl.func.vmap(rl.func.grad(lambda x, g: sample(x, g).sum()))(x, grid)
    assert rl.allclose(slopes[1], with_slopes_of_ones(sample, x[1], grid[1]))
    _, by_place = rl.func.jvp(sample, (x[0], grid[0]), (rl.zeros_like(x[0]), rl.ones_like(grid[0])))
    step = 1e-3
    moved = sample(x[0].double(), grid[0].double() + step) - sample(
        x[0].double(), grid[0].double() - step
    )
    assert (by_place - moved / (2 * step)).abs().median() < 1e-4


#: the same with several runs of places and with as many rows as 16 bits count
NARROW_SHAPES = [*SHAPES, (2, (256, 3), (9, 15)), (5, (6, 5), (1, 129))]


@pytest.mark.parametrize("mode,padding", list(itertools.product(MODES[:2], PADDINGS)))
@pytest.mark.parametrize("shape", NARROW_SHAPES)
def test_samples_of_16_bits_round_as_the_formula(shape, mode, padding):
    for dtype, align in itertools.product((rl.bfloat16, rl.float16), (False, True)):
        x, grid = [t.to(dtype) for t in inputs(*shape, rl.float32)]
        want = _samples_in_ops(x, grid, MODES.index(mode), PADDINGS.index(padding), align)
        rule = {"mode": mode, "padding_mode": padding, "align_corners": align}
        assert rl.equal(F.grid_sample(x, grid, **rule), want)
        strided = x.transpose(2, 3).contiguous().transpose(2, 3)
        assert rl.equal(F.grid_sample(strided, grid, **rule), want)


def rounded_slopes(x, grid, g):
    """Of bilinear samples (C, H, W) at (P, 2) pixels, one sum at a time."""
    by_x, by_grid = rl.zeros_like(x), []
    h, w = x.shape[1:]
    steps = []
    for p in range(len(grid)):
        at = [((grid[p, d] + 1) * n - 1) / 2 for d, n in ((1, h), (0, w))]
        low = [a.floor() for a in at]
        parts = [(1 - (a - l), a - l) for a, l in zip(at, low)]
        v = []
        for c in range(4):
            i, j = int(low[0]) + (c >> 1), int(low[1]) + (c & 1)
            inside = 0 <= i < h and 0 <= j < w
            weight = parts[1][c & 1] * parts[0][c >> 1]
            v.append(x[:, i, j] if inside else rl.zeros_like(x[:, 0, 0]))
            steps.append((p // 16, c, i, j, weight * g[:, p]) if inside else None)
        down = ((v[2] - v[0]) * parts[1][0] + (v[3] - v[1]) * parts[1][1]) * g[:, p]
        across = ((v[1] - v[0]) * parts[0][0] + (v[3] - v[2]) * parts[0][1]) * g[:, p]
        totals = []
        for terms, n in ((across, w), (down, h)):
            total = rl.zeros((), dtype=x.dtype)
            for term in terms:
                total = total + term
            totals.append(total * (n / 2))
        by_grid.append(rl.stack(totals))
    for _, _, i, j, share in sorted(filter(None, steps), key=lambda s: s[:2]):
        by_x[:, i, j] = by_x[:, i, j] + share
    return by_x, rl.stack(by_grid)


@pytest.mark.parametrize("dtype", [rl.bfloat16, rl.float16])
@pytest.mark.parametrize(
    "channels,sizes,places", [(1, (4, 5), 7), (3, (5, 4), 40), (17, (3, 6), 70)]
)
def test_gradients_of_16_bits_round_after_each_sum(channels, sizes, places, dtype):
    x, grid = [t.to(dtype) for t in inputs(channels, sizes, (places, 1), rl.float32)]
    sample = partial(F.grid_sample, align_corners=False)
    y, by_x, by_grid = with_slopes(sample, x, grid)
    g = rl.arange(y.numel(), dtype=dtype).view(y.shape).sin()
    for n in range(2):
        want_x, want_grid = rounded_slopes(x[n], grid[n, :, 0], g[n, :, :, 0])
        assert rl.equal(by_x[n], want_x) and rl.equal(by_grid[n, :, 0], want_grid)


@pytest.mark.parametrize("dtype", [rl.bfloat16, rl.float16])
def test_16_bits_outside_and_without_elements(dtype):
    x = rl.full((1, 1, 2, 2), INF, dtype=dtype)
    far = rl.tensor([[[[9.0, 9.0], [NAN, 0.0]]]], dtype=dtype)
    assert F.grid_sample(x, far, "nearest", align_corners=False).flatten().tolist() == [0, 0]
    none = rl.zeros(1, 0, 3, 2, dtype=dtype)
    y, by_x, by_grid = with_slopes(partial(F.grid_sample, align_corners=False), x, none)
    assert y.shape == (1, 1, 0, 3) and by_x.abs().sum() == 0 and by_grid.shape == none.shape


def test_image_and_grid_have_one_floating_dtype():
    x, grid = rl.ones(1, 1, 3, 3), rl.zeros(1, 2, 2, 2)
    for image, places in ((x, grid.double()), (x.half(), grid), (x.int(), grid)):
        with pytest.raises(RuntimeError, match="the same dtype"):
            rl.nn.functional.grid_sample(image, places, align_corners=False)
    with pytest.raises(NotImplementedError, match="int32"):
        rl.nn.functional.grid_sample(x.int(), grid.int(), align_corners=False)
