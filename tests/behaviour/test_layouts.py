"""Copies, conversions and arithmetic between memory layouts: values do not depend on strides, tile
sizes, threads or instruction sets. References are NumPy's, or the op on plain contiguous copies."""

import os
import subprocess
import sys

import numpy as np
import pytest

import rushlight as rl

DTYPES = "bool uint8 int8 int16 int32 int64 float16 bfloat16 float32 float64 complex64 complex128"
DTYPES = DTYPES.split()
IN_NUMPY = [d for d in DTYPES if d != "bfloat16"]
SIDES = [1, 2, 3, 7, 16, 31, 33, 64, 67, 1025]


def values(dtype, *sizes, start=0):
    """Small whole numbers, of both signs where the dtype allows."""
    n = int(np.prod(sizes))
    low = -60 if dtype not in ("bool", "uint8") else 0
    line = (np.arange(start, start + n) * 37 + 11) % 61 * 2 + low
    line = line % 2 + line // 2 % 2 if dtype == "bool" else line
    return rl.tensor(line.tolist(), dtype=rl.int64).to(getattr(rl, dtype)).reshape(sizes)


def layouts(x):
    """The same values at other strides."""
    yield "plain", x
    yield "transposed", x.t().contiguous().t()
    rows, cols = x.shape
    wide = rl.zeros(rows, cols + 5, dtype=x.dtype)
    wide[:, 2 : 2 + cols] = x
    yield "padded rows", wide[:, 2 : 2 + cols]
    tall = rl.zeros(cols + 3, rows, dtype=x.dtype)
    tall[1 : 1 + cols] = x.t()
    yield "padded, transposed", tall[1 : 1 + cols].t()
    for step in (2, 3):
        spaced = rl.zeros(rows, step * cols, dtype=x.dtype)
        spaced[:, ::step] = x
        yield f"every {step}", spaced[:, ::step]
        spaced = rl.zeros(step * cols, step * rows, dtype=x.dtype)
        spaced[::step, ::step] = x.t()
        yield f"every {step}, transposed", spaced[::step, ::step].t()


@pytest.mark.parametrize("dtype", DTYPES)
def test_copies_keep_values_at_any_strides(dtype):
    for rows, cols in [(1, 1), (1, 33), (31, 1), (7, 67), (33, 31), (64, 64), (67, 130), (3, 1025)]:
        x = values(dtype, rows, cols)
        expect = x.tolist()
        for name, view in layouts(x):
            assert view.tolist() == expect, (name, rows, cols)
            assert view.contiguous().tolist() == expect, (name, rows, cols)
            for _, target in layouts(rl.zeros_like(x)):
                target.copy_(view)
                assert target.equal(x), (name, rows, cols, target.stride())


@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_do_not_depend_on_strides(dtype):
    for rows, cols in [(1, 33), (31, 1), (33, 31), (67, 130), (5, 1025), (1025, 3)]:
        x, y = values(dtype, rows, cols), values(dtype, rows, cols, start=5)
        expect = x + y
        for name, a in layouts(x):
            for other, b in layouts(y):
                assert (a + b).equal(expect), (name, other, rows, cols)
            for _, out in layouts(rl.zeros_like(x)):
                rl.add(a, y, out=out)
                assert out.equal(expect), (name, rows, cols, out.stride())


@pytest.mark.parametrize("dtype", IN_NUMPY)
def test_transposes_of_every_side_match_numpy(dtype):
    for side in SIDES:
        for other in (1, 5, 32, 63):
            x = values(dtype, side, other)
            assert np.array_equal(x.t().contiguous().numpy(), x.numpy().T), (side, other)
            assert np.array_equal((x.t() + x.t()).numpy(), (x.numpy() + x.numpy()).T), (side, other)


@pytest.mark.parametrize("source", IN_NUMPY)
def test_conversions_match_numpy_at_any_strides(source):
    x = values(source, 37, 67)
    for target in IN_NUMPY:
        if source.startswith("complex") and not target.startswith("complex"):
            continue
        if target == "uint8":
            x = x.abs()
        expect = x.numpy().astype(target)
        for name, view in layouts(x):
            assert np.array_equal(view.to(getattr(rl, target)).numpy(), expect), (target, name)


def test_mixed_dtypes_meet_at_any_strides():
    x, y = values("float32", 33, 70), values("int16", 33, 70, start=3)
    expect = x.numpy() * y.numpy().astype("float32")
    for name, a in layouts(x):
        for other, b in layouts(y):
            assert np.array_equal((a * b).numpy(), expect), (name, other)


@pytest.mark.parametrize("dtype", ["bool", "int16", "float16", "bfloat16", "float32", "float64"])
def test_broadcast_rows_and_columns(dtype):
    for rows, cols in [(1, 1), (33, 31), (5, 1025), (1025, 5), (70, 70)]:
        x = values(dtype, rows, cols)
        row, col = values(dtype, cols, start=7), values(dtype, rows, 1, start=9)
        full_row, full_col = row.repeat(rows, 1), col.repeat(1, cols)
        for name, view in layouts(x):
            assert (view + row).equal(x + full_row), (name, rows, cols)
            assert (view + col).equal(x + full_col), (name, rows, cols)
        assert (row + col).equal(full_row + full_col)
        assert row.expand(rows, cols).contiguous().equal(full_row)
        assert col.expand(rows, cols).contiguous().equal(full_col)
        three = x.expand(3, rows, cols)
        assert (three + col).equal((x + full_col).repeat(3, 1, 1))


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32", "float64", "complex128"])
def test_every_permutation_of_four_dimensions(dtype):
    from itertools import permutations

    x = values(dtype, 3, 17, 5, 34)
    plain = x.numpy()
    for order in permutations(range(4)):
        view = x.permute(order)
        assert np.array_equal(view.contiguous().numpy(), plain.transpose(order)), order
        assert np.array_equal((view + view).numpy(), (plain + plain).transpose(order)), order
        last = view.contiguous(memory_format=rl.channels_last)
        assert last.equal(view) and last.is_contiguous(memory_format=rl.channels_last)


def test_targets_that_partly_overlap_an_operand_are_refused():
    line, square = rl.arange(70000, dtype=rl.float32), values("float32", 67, 67)
    for target, operand in ((line[1:], line[:-1]), (square, square.t())):
        old = target.clone()
        for call in (target.add_, target.copy_):
            with pytest.raises(RuntimeError, match="single memory location"):
                call(operand)
        assert target.equal(old)
        target.add_(target)
        assert target.equal(old + old)


def test_every_binary16_value_converts_like_numpy():
    bits = np.arange(65536, dtype=np.uint16)
    half = rl.from_numpy(bits.view(np.float16))
    wide = half.to(rl.float32)
    expect = bits.view(np.float16).astype(np.float32)
    nan = np.isnan(expect)
    assert np.array_equal(np.isnan(wide.numpy()), nan)
    assert np.array_equal(wide.numpy()[~nan].view(np.uint32), expect[~nan].view(np.uint32))
    back = wide.to(rl.float16).numpy().view(np.uint16)
    assert np.array_equal(back[~nan], bits[~nan])
    between = np.nextafter(np.abs(expect[~nan]), np.float32(np.inf), dtype=np.float32)
    with np.errstate(over="ignore"):
        rounded = between.astype(np.float16)
    assert np.array_equal(rl.from_numpy(between).to(rl.float16).numpy(), rounded)


@pytest.mark.parametrize("source", ["float32", "float64"])
def test_integers_from_floats_out_of_range(source):
    """What x86 gives, and PyTorch too: the lowest 32-bit integer, narrowed; 64 bits for int64."""
    line = [3e9, -3e9, 1e20, float("nan"), float("inf"), -1.5, 300.7, -300.7, 2.0**40]
    for pad in (0, 300):
        x = rl.tensor(line + [1.0] * pad, dtype=getattr(rl, source))

        def to(dtype, x=x):
            return x.to(dtype)[: len(line)].tolist()

        low = -(2**31)
        assert to(rl.int32) == [low, low, low, low, low, -1, 300, -300, low]
        assert to(rl.int16) == [0, 0, 0, 0, 0, -1, 300, -300, 0]
        assert to(rl.int8) == [0, 0, 0, 0, 0, -1, 44, -44, 0]
        low = -(2**63)
        wide = [3000000000, -3000000000, low, low, low, -1, 300, -300, 2**40]
        assert to(rl.int64) == wide
        assert to(rl.uint8) == [v % 256 for v in wide]


def test_long_integers_round_to_floats_like_numpy():
    near = [2**31 - 1, -(2**31), 2**31, 2**24 + 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
    for pad in (0, 256):
        line = np.array([7] * pad + near, dtype=np.int64)
        x = rl.from_numpy(line)
        assert np.array_equal(x.to(rl.float32).numpy(), line.astype(np.float32))
        assert np.array_equal(x.to(rl.float64).numpy(), line.astype(np.float64))


LEVELS = """
import hashlib, numpy, rushlight as rl
digest = hashlib.sha256()
rl.manual_seed(0)
x = (rl.randn(131, 67) * 50).to(rl.float64)
for d in (rl.int8, rl.int64, rl.float16, rl.bfloat16, rl.float32, rl.bool, rl.complex64):
    y = x.to(d)
    for z in (y, y.t(), y[:, ::2], y[::3].t()):
        for t in (rl.float16, rl.float32, rl.float64, rl.int32, rl.int64, rl.uint8):
            if not d.is_complex:
                digest.update(z.to(t).contiguous().numpy().tobytes())
        digest.update((z + z).to(rl.complex128).numpy().tobytes())
bits = numpy.arange(65536, dtype=numpy.uint16)
wide = rl.from_numpy(bits.view(numpy.float16)).to(rl.float32)
digest.update(wide.numpy().tobytes())
digest.update(wide.to(rl.float16).numpy().tobytes())
print(digest.hexdigest())
"""


def test_every_instruction_set_gives_the_same_bits():
    answers = set()
    for level in ("v2", "v3", "v4"):
        env = {**os.environ, "RUSHLIGHT_ISA": level}
        done = subprocess.run(
            [sys.executable, "-c", LEVELS],
            cwd=os.path.dirname(os.path.dirname(rl.__file__)),
            env=env,
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1


def test_thread_count_changes_nothing():
    before = rl.get_num_threads()
    x = values("float32", 401, 403)
    results = []
    try:
        for threads in (1, 2):
            rl.set_num_threads(threads)
            results.append(
                ((x.t() + x.t()).contiguous(), x.t().contiguous(), x[:, ::2].to(rl.half))
            )
    finally:
        rl.set_num_threads(before)
    for one, two in zip(*results, strict=True):
        assert one.equal(two)


LAST = (60, 1, 15, 3)  # channels last of (2, 3, 4, 5)


@pytest.mark.parametrize(
    "sizes", [(), (5,), (4, 5), (3, 1, 1), (1, 3, 1, 1), (2, 1, 1, 1), (2, 3, 1, 1), (2, 1, 4, 5)]
)
def test_broadcasting_keeps_the_layout_of_the_larger_operand(sizes):
    image = rl.rand(2, 3, 4, 5)
    other = rl.rand(sizes)
    expected = image * other
    last = image.contiguous(memory_format=rl.channels_last)
    for got in (last * other, other * last, rl.addcmul(rl.zeros(()), last, other)):
        assert got.equal(expected) and got.stride() == LAST
    masked = rl.where(other > 0.5, last, 0.0)
    assert masked.equal(rl.where(other > 0.5, image, 0.0)) and masked.stride() == LAST


def test_the_first_operand_that_tells_dimensions_apart_orders_them():
    square, flipped = rl.rand(4, 5), rl.rand(5, 4).t()
    assert (square + flipped).stride() == (5, 1) and (flipped + square).stride() == (1, 4)
    assert (rl.rand(5) * flipped).stride() == (1, 4)
    assert (rl.rand(4, 1).expand(4, 5) * flipped).stride() == (1, 4)
    assert (rl.rand(3, 1, 5).transpose(0, 2) * rl.rand(4, 1)).stride() == (1, 5, 20)
    assert (rl.rand(3, 4, 5).permute(2, 0, 1) * rl.rand(5, 1, 1)).stride() == (1, 20, 5)
    assert (rl.rand(4, 1).expand(4, 5) + 1).stride() == (5, 1)
    assert rl.empty_like(rl.rand(4, 1, 6).expand(4, 5, 6).permute(2, 0, 1)).stride() == (5, 30, 1)


@pytest.mark.parametrize("dim", [0, 1, 2, 3])
@pytest.mark.parametrize("channels", [3, 64])
def test_channels_that_lie_last_do_so_when_joined(dim, channels):
    image = rl.rand(2, channels, 4, 5)
    last = image.contiguous(memory_format=rl.channels_last)
    got = rl.cat([last, last + 1, last[:0] if dim == 0 else last], dim)
    expected = rl.cat([image, image + 1, image[:0] if dim == 0 else image], dim)
    assert got.equal(expected) and got.is_contiguous(memory_format=rl.channels_last)
    mixed = rl.cat([last, image], dim)
    assert mixed.equal(rl.cat([image, image], dim)) and mixed.is_contiguous()
    out = rl.empty_like(expected).contiguous(memory_format=rl.channels_last)
    assert rl.cat([last, image, last[:0] if dim == 0 else image], dim, out=out) is out
    volume = rl.rand(1, channels, 2, 3, 4).contiguous(memory_format=rl.channels_last_3d)
    joined = rl.cat([volume, volume], dim)
    assert joined.equal(rl.cat([volume.contiguous()] * 2, dim))
    assert joined.is_contiguous(memory_format=rl.channels_last_3d)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 9])
def test_rows_of_a_few_elements_broadcast_against_each_other(dtype, width):
    boxes = values(dtype, 70, width + 2)
    low, high = boxes[:, None, :width], boxes[None, :37, 1 : 1 + width]  # unaligned, not packed
    reference = boxes.numpy()
    expected = reference[:, None, :width] + reference[None, :37, 1 : 1 + width]
    assert np.array_equal((low + high).numpy(), expected)
    each = boxes[:37, :1] + high  # one element a row
    assert np.array_equal(each.numpy(), reference[:37, :1] + reference[None, :37, 1 : 1 + width])
    target = rl.zeros(70, 37, width + 3, dtype=boxes.dtype)
    target[:, :, 2 : 2 + width] = low + high
    assert np.array_equal(target[:, :, 2 : 2 + width].numpy(), expected)
    assert not target[:, :, :2].any() and not target[:, :, 2 + width :].any()
    target[:, :, 1 : 1 + width] = boxes[:, None, :1]
    assert np.array_equal(
        target[:, :, 1 : 1 + width].numpy(), np.broadcast_to(reference[:, None, :1], expected.shape)
    )


def both_layouts(*sizes, dtype=rl.float32):
    """Images of few values, so that there are ties, row-major and with their channels last."""
    image = (rl.rand(sizes) * 9).round().sub(4).to(dtype)
    form = rl.channels_last if len(sizes) == 4 else rl.channels_last_3d
    last = image.contiguous(memory_format=form)
    return image, last, lambda t: t.is_contiguous(memory_format=form)


F = rl.nn.functional
POOLS = {
    "max 2": lambda x: F.max_pool2d(x, 2),
    "max 3": lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max dilated": lambda x: F.max_pool2d(x, (2, 3), 1, (0, 1), dilation=2),
    "max adaptive": lambda x: F.adaptive_max_pool2d(x, (3, 4)),
    "avg 2": lambda x: F.avg_pool2d(x, 2, ceil_mode=True),
    "avg 3": lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False),
    "avg parts": lambda x: F.avg_pool2d(x, (1, 7), divisor_override=3),
    "avg adaptive": lambda x: F.adaptive_avg_pool2d(x, (4, 2)),
    "avg halves": lambda x: F.adaptive_avg_pool2d(x, (3, 7)),
}


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("channels", [2, 3, 7, 8, 16, 17, 33, 64, 100])
def test_pools_and_their_gradients_keep_channels_last(pool, dtype, channels):
    image, last, lies_last = both_layouts(3, channels, 6, 7, dtype=getattr(rl, dtype))
    results = []
    for x in (image, last):
        x.requires_grad_()
        y = POOLS[pool](x)
        weights = (rl.arange(y.numel()) % 5 - 2).reshape(y.shape).to(y.dtype)
        results.append((y, rl.autograd.grad(y, x, weights)[0]))
        if x is last:
            assert rl.autograd.grad(POOLS[pool](x).sum(), x)[0].stride() == last.stride()
    (y, g), (y_last, g_last) = results
    assert lies_last(y_last) and lies_last(g_last) and g.is_contiguous()
    eps = rl.finfo(y.dtype).eps
    for one, other in ((y, y_last), (g, g_last)):
        assert rl.allclose(one.double(), other.double(), rtol=4 * eps, atol=8 * eps)
        if "max" in pool:
            assert one.equal(other)


@pytest.mark.parametrize("channels", [3, 16, 24])
def test_maxima_of_channels_last_name_the_same_elements(channels):
    image, last, lies_last = both_layouts(2, channels, 9, 11)
    image[1, 0, 3:5] = last[1, 0, 3:5] = float("nan")
    image[0, channels - 1] = last[0, channels - 1] = -float("inf")
    for options in (dict(kernel_size=2), dict(kernel_size=3, stride=2, padding=1)):
        value, at = F.max_pool2d(image, **options, return_indices=True)
        value_last, at_last = F.max_pool2d(last, **options, return_indices=True)
        assert at.equal(at_last) and lies_last(value_last) and lies_last(at_last)
        assert np.array_equal(value.numpy(), value_last.numpy(), equal_nan=True)
    ints = F.max_pool2d(last.nan_to_num(0, 0, 0).to(rl.int32), 2)
    assert ints.equal(F.max_pool2d(image.nan_to_num(0, 0, 0).to(rl.int32), 2)) and lies_last(ints)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_pools_of_volumes_with_their_channels_last(dtype):
    image, last, lies_last = both_layouts(2, 17, 4, 5, 6, dtype=getattr(rl, dtype))
    pools = (
        (True, lambda x: F.max_pool3d(x, 2)),
        (False, lambda x: F.avg_pool3d(x, 3, 2, 1)),
        (False, lambda x: F.adaptive_avg_pool3d(x, 3)),
    )
    for keeps, pool in pools:
        x, y = image.clone().requires_grad_(), last.clone().requires_grad_()
        a, b = pool(x), pool(y)
        assert lies_last(b) == keeps and rl.allclose(a, b)
        (g,), (h,) = (rl.autograd.grad(p.square().sum(), q) for p, q in ((a, x), (b, y)))
        assert lies_last(h) == keeps
        assert rl.allclose(g, h, atol=1e-2 if dtype == "bfloat16" else 1e-6)


MOVES = {
    "flip": lambda x: x.flip(1, 3),
    "roll": lambda x: x.roll((1, -2, 3), (0, 1, 3)),
    "pad": lambda x: F.pad(x, (1, 2, -1, 3), value=7),
    "pad channels": lambda x: F.pad(x, (0, 0, 1, 0, 2, 3)),
    "pad images": lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 1)),
    "cut": lambda x: F.pad(x, (-1, -2)),
    "shuffle": lambda x: F.pixel_shuffle(x, 2),
    "unshuffle": lambda x: F.pixel_unshuffle(x, 3),
    "stack": lambda x: rl.stack([x, x + 1])[1],
    "stack rows": lambda x: rl.stack([x, x + 1, x], 2).flatten(2, 3),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("dtype", ["uint8", "bfloat16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("channels", [4, 12, 64, 132])
def test_moves_of_elements_keep_channels_last(move, dtype, channels):
    image = values(dtype, 2, channels, 6, 9)
    last = image.contiguous(memory_format=rl.channels_last)
    got, expected = MOVES[move](last), MOVES[move](image)
    assert got.equal(expected) and expected.is_contiguous()
    assert got.is_contiguous(memory_format=rl.channels_last)
    if dtype == "float32":
        leaf = last.clone().requires_grad_()
        y = MOVES[move](leaf)
        weights = values(dtype, *y.shape).contiguous(memory_format=rl.channels_last)
        (g,) = rl.autograd.grad(y, leaf, weights)
        plain = image.clone().requires_grad_()
        assert g.equal(rl.autograd.grad(MOVES[move](plain), plain, weights)[0])


def test_results_lie_as_a_view_of_what_cat_makes():
    last = rl.rand(2, 3, 4, 5).contiguous(memory_format=rl.channels_last)
    assert rl.stack([last, last]).stride() == (120, *LAST)
    assert rl.stack([last, last], 1).stride() == (120, 3, 1, 30, 6)
    assert rl.stack([last, last], -1).is_contiguous()
    assert rl.stack([last, last.contiguous()]).is_contiguous()
    out = rl.zeros(2, 2, 3, 4, 5)
    assert rl.stack([last, last + 1], out=out) is out and out[1].equal(last + 1)
    turned = rl.rand(5, 4).t()
    assert turned.flip(0).stride() == (1, 4) and turned.roll(1, 0).is_contiguous()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "complex128"])
@pytest.mark.parametrize("sizes", [(100, 100, 3, 3), (3, 2, 700, 2), (64, 8, 2, 8), (5, 7, 3, 11)])
def test_runs_of_a_few_elements_in_every_order(dtype, sizes):
    from itertools import permutations

    x = values(dtype, *sizes)
    plain = x.numpy()
    for order in permutations(range(4)):
        view = x.permute(order)
        assert np.array_equal(view.contiguous().numpy(), plain.transpose(order)), order
        target = rl.zeros(*view.shape[:3], 2 * view.shape[3], dtype=x.dtype)
        target[..., ::2] = view
        assert target[..., ::2].equal(view) and not target[..., 1::2].any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [1, 3, 16, 63, 65, 130])
def test_statistics_of_channels_that_lie_last(dtype, channels):
    image = (rl.randn(3, channels, 7, 5) * 3 + 100).to(getattr(rl, dtype))
    wide = image.double().numpy()
    mean, var = wide.mean((0, 2, 3), keepdims=True), wide.var((0, 2, 3), keepdims=True)
    expected = (wide - mean) / np.sqrt(var + 1e-5)
    weights = rl.randn(image.shape, dtype=image.dtype)
    g = weights.double().numpy()
    rest = g.mean((0, 2, 3), keepdims=True)
    slope = (g * expected).mean((0, 2, 3), keepdims=True)
    expected_slope = (g - rest - expected * slope) / np.sqrt(var + 1e-5)
    x = image.contiguous(memory_format=rl.channels_last).requires_grad_()
    y = F.batch_norm(x, None, None, training=True)
    (got,) = rl.autograd.grad(y, x, weights)
    close = 1e-4 if dtype == "float32" else 1e-11
    assert np.allclose(y.detach().numpy(), expected, atol=close)
    assert np.allclose(got.numpy(), expected_slope, atol=close)
    assert y.stride() == got.stride() == x.stride()


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("groups, channels", [(1, 3), (4, 16), (5, 65), (24, 24)])
def test_groups_of_channels_that_lie_last(dtype, groups, channels):
    image, last, lies_last = both_layouts(3, channels, 6, 7, dtype=getattr(rl, dtype))
    w, b = (rl.randn(channels, dtype=image.dtype).requires_grad_() for _ in range(2))
    weights = rl.randn(image.shape, dtype=image.dtype)
    results = []
    for x in (image.requires_grad_(), last.requires_grad_()):
        y = F.group_norm(x, groups, w, b)
        results.append((y, *rl.autograd.grad(y, (x, w, b), weights)))
    for one, other in zip(*results, strict=True):  # whose sums are of other parts
        near = 16 * rl.finfo(one.dtype).eps * one.abs().max().clamp_min(1)
        assert (one - other).abs().max() <= near
    assert lies_last(results[1][0]) and lies_last(results[1][1])


def test_an_empty_target_gets_the_layout_of_the_result():
    x = rl.ones(2, 3, 4).permute(1, 2, 0)
    images = rl.ones(2, 3, 4, 5).to(memory_format=rl.channels_last)
    for given, function in (
        (x, rl.exp),
        (images, rl.exp),
        (x, lambda v, out: rl.add(v, 1, out=out)),
    ):
        out = rl.empty(0)
        function(given, out=out)
        assert out.shape == given.shape and out.stride() == given.stride()


def test_tensors_without_elements_have_no_other_positions():
    with pytest.raises(RuntimeError, match="dimension of size 0"):
        rl.index_select(rl.ones(0, 3), 0, rl.tensor([0]))
    with pytest.raises(RuntimeError, match="outside of a dimension of size 3"):
        rl.index_select(rl.ones(3, 0), 0, rl.tensor([5]))
    assert rl.index_select(rl.ones(3, 0), 0, rl.tensor([0, 2])).shape == (2, 0)
