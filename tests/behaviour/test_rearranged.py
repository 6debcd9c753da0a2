"""Ops that move elements to places of their own: against loops over places."""

import numpy as np
import pytest

import rushlight as rl

DTYPES = (rl.float32, rl.float64, rl.bfloat16, rl.int8, rl.bool, rl.complex64, rl.complex128)


def _values(*shape, dtype=rl.float32):
    return (rl.arange(rl.Size(shape).numel()).reshape(shape) % 100).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("factor", (1, 2, 3))
@pytest.mark.parametrize("width", (1, 7, 8, 15, 17, 33))
def test_pixel_unshuffle_takes_every_place(dtype, factor, width):
    x = _values(2, 3, 2 * factor, width * factor, dtype=dtype)
    y = rl.nn.functional.pixel_unshuffle(x, factor)
    assert y.shape == (2, 3 * factor**2, 2, width)
    planes = [x[:, :, i::factor, j::factor] for i in range(factor) for j in range(factor)]
    assert rl.equal(y, rl.stack(planes, 2).flatten(1, 2))
    assert rl.equal(rl.pixel_shuffle(y, factor), x)


def test_pixel_unshuffle_in_other_layouts_and_gradients():
    x = _values(4, 6, 3, 2).permute(3, 2, 1, 0)
    assert rl.equal(rl.pixel_unshuffle(x, 2), rl.pixel_unshuffle(x.contiguous(), 2))
    assert rl.pixel_unshuffle(rl.zeros(0, 1, 4, 4), 2).shape == (0, 4, 2, 2)
    assert rl.pixel_unshuffle(rl.zeros(1, 4, 0), 2).shape == (4, 2, 0)
    leaf = rl.randn(2, 1, 4, 4, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(lambda v: rl.pixel_unshuffle(v, 2), leaf)
    assert rl.autograd.gradgradcheck(lambda v: rl.pixel_unshuffle(v, 2), leaf)
    mapped = rl.vmap(lambda v: rl.pixel_unshuffle(v, 2))(leaf)
    assert rl.equal(mapped, rl.pixel_unshuffle(leaf, 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shapes", ([(2, 3), (1, 4)], [(3, 0), (2, 2)], [(), (3,), (2, 1)], [(2, 2)])
)
def test_blocks_are_on_the_diagonal(dtype, shapes):
    blocks = [_values(*shape, dtype=dtype) for shape in shapes]
    got, top, left = rl.block_diag(*blocks), 0, 0
    wanted = rl.zeros(got.shape, dtype=dtype)
    for b in map(rl.atleast_2d, blocks):
        wanted[top : top + b.shape[0], left : left + b.shape[1]] = b
        top, left = top + b.shape[0], left + b.shape[1]
    assert got.shape == (top, left) and got.dtype == dtype and rl.equal(got, wanted)


def test_blocks_of_several_dtypes_layouts_and_their_gradients():
    mixed = rl.block_diag(rl.ones(1, 1, dtype=rl.int64), rl.ones(1, 2).t())
    assert mixed.dtype == rl.float32 and mixed.tolist() == [[1, 0], [0, 1], [0, 1]]
    leaves = [rl.randn(*s, dtype=rl.float64, requires_grad=True) for s in ((2, 3), (1, 2))]
    assert rl.autograd.gradcheck(rl.block_diag, leaves)
    assert rl.autograd.gradgradcheck(rl.block_diag, leaves)
    a, b = rl.randn(3, 2, 2), rl.randn(1, 2)
    mapped = rl.vmap(lambda v: rl.block_diag(v, b))(a)
    assert rl.equal(mapped, rl.stack([rl.block_diag(v, b) for v in a]))
    value, tangent = rl.func.jvp(lambda v: rl.block_diag(v, b), (a[0],), (a[1],))
    assert rl.equal(tangent, rl.block_diag(a[1], rl.zeros(1, 2)))
    with pytest.raises(RuntimeError, match="2 or fewer dimensions"):
        rl.block_diag(rl.zeros(1, 1, 1))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("groups", (1, 2, 3, 6))
@pytest.mark.parametrize("rest", ((1,), (7,), (4, 5)))
def test_channel_shuffle_takes_turns(dtype, groups, rest):
    x = _values(2, 6, *rest, dtype=dtype)
    turns = [x[:, i :: 6 // groups] for i in range(6 // groups)]
    assert rl.equal(rl.channel_shuffle(x, groups), rl.cat(turns, 1))


def test_channel_shuffle_in_other_layouts_and_transforms():
    x = _values(5, 4, 6, 2).permute(3, 2, 1, 0)
    assert rl.equal(rl.channel_shuffle(x, 2), rl.channel_shuffle(x.contiguous(), 2))
    assert rl.channel_shuffle(rl.zeros(0, 4, 3), 2).shape == (0, 4, 3)
    assert rl.channel_shuffle(rl.zeros(2, 4, 3, device="meta"), 2).shape == (2, 4, 3)
    leaf = rl.randn(2, 6, 3, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(lambda v: rl.channel_shuffle(v, 3), leaf)
    assert rl.autograd.gradgradcheck(lambda v: rl.channel_shuffle(v, 3), leaf)
    batch = rl.randn(3, 2, 6, 4)
    mapped = rl.vmap(lambda v: rl.channel_shuffle(v, 2))(batch)
    assert rl.equal(mapped, rl.stack([rl.channel_shuffle(v, 2) for v in batch]))
    y = rl.channel_shuffle(leaf, 2)
    (rows,) = rl.autograd.grad(
        y, leaf, rl.eye(36).double().view(36, 2, 6, 3), is_grads_batched=True
    )
    assert rl.equal(rows.sum(0), rl.ones_like(leaf))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", (-3, -1, 0, 2))
@pytest.mark.parametrize("dims", ((-2, -1), (1, 2), (0, 2), (-1, 0), (2, 1)))
@pytest.mark.parametrize("width", (0, 1, 5))
def test_diag_embed_fills_a_diagonal(dtype, offset, dims, width):
    x = _values(2, width, dtype=dtype)
    y = rl.diag_embed(x, offset, *dims)
    side = width + abs(offset)
    matrices = y.movedim(dims, (-2, -1))
    assert matrices.shape == (2, side, side) and y.dtype == dtype and y.is_contiguous()
    row, column = max(0, -offset), max(0, offset)
    for n in range(2):
        for i in range(side):
            for j in range(side):
                k = i - row
                expected = x[n, k] if k >= 0 and j - column == k and k < width else 0
                assert matrices[n, i, j] == expected


def test_diag_embed_of_other_layouts():
    x = _values(3, 4).t()
    assert rl.equal(rl.diag_embed(x, 1), rl.diag_embed(x.contiguous(), 1))
    assert rl.diag_embed(rl.zeros(2, 3, device="meta"), 1).shape == (2, 4, 4)


@pytest.mark.parametrize("dims", ((-2, -1), (0, 1), (1, 0), (-1, -2)))
def test_diag_embed_under_transforms(dims):
    def embed(v):
        return rl.diag_embed(v, -1, *dims)

    leaf = rl.randn(2, 3, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(embed, leaf)
    assert rl.autograd.gradgradcheck(embed, leaf)
    assert rl.equal(rl.vmap(embed)(leaf), rl.stack([embed(v) for v in leaf]))
    _, slope = rl.func.jvp(embed, (leaf,), (leaf,))
    assert rl.equal(slope, embed(leaf))


@pytest.mark.parametrize("shifts", [(1, 2), (-1, 0), (2500, -7), (3000, 1)])
@pytest.mark.parametrize("dtype", [rl.int8, rl.float32, rl.complex128])
def test_long_dimensions_are_rolled(shifts, dtype):
    x = rl.arange(3000 * 4).to(dtype).view(3000, 4)
    for given in (x, x.t().contiguous().t(), x[::1, :3], x.view(2, 1500, 4)[0].t().t()):
        a = given.numpy()
        assert given.roll(shifts, (0, 1)).numpy().tolist() == np.roll(a, shifts, (0, 1)).tolist()
        assert given.roll(shifts[0], 0).numpy().tolist() == np.roll(a, shifts[0], 0).tolist()
        assert given.roll(shifts, (0, 0)).numpy().tolist() == np.roll(a, sum(shifts), 0).tolist()
        assert given.roll(shifts[0]).numpy().tolist() == np.roll(a, shifts[0]).tolist()
        assert given.t().roll(shifts, (-1, 0)).numpy().tolist() == (
            np.roll(a.T, shifts, (-1, 0)).tolist()
        )


def test_long_dimensions_of_images_are_rolled():
    x = rl.arange(2 * 3 * 2 * 2100).float().view(2, 3, 2, 2100)
    rolled = x.to(memory_format=rl.channels_last).roll((5, 1), (3, 1))
    assert rolled.is_contiguous(memory_format=rl.channels_last)
    assert (rolled.numpy() == np.roll(x.numpy(), (5, 1), (3, 1))).all()
    eighths = x.to(rl.float8_e5m2).roll(1, 3)
    assert rl.equal(eighths.float(), x.to(rl.float8_e5m2).float().roll(1, 3))


@pytest.mark.parametrize(
    "shape", [(4, 2000), (2000, 4), (300,), (1, 500), (10, 3, 100), (3, 90, 2)]
)
@pytest.mark.parametrize("shift", [0, 1, -3, 777])
def test_tensors_of_every_shape_are_rolled(shape, shift):
    x = rl.arange(rl.Size(shape).numel()).reshape(shape)
    every = tuple(range(len(shape)))
    for dims in ((0,), every[-1:], every):
        rolled = x.roll([shift] * len(dims), dims)
        assert (rolled.numpy() == np.roll(x.numpy(), [shift] * len(dims), dims)).all()


def test_pixel_shuffle_gradients_and_refusals():
    leaf = rl.randn(2, 8, 3, 2, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(lambda v: rl.pixel_shuffle(v, 2), leaf)
    assert rl.autograd.gradgradcheck(lambda v: rl.pixel_shuffle(v, 2), leaf)
    assert rl.equal(rl.vmap(lambda v: rl.pixel_shuffle(v, 2))(leaf), rl.pixel_shuffle(leaf, 2))
    assert rl.pixel_shuffle(rl.zeros(4, 0, 3), 2).shape == (1, 0, 6)
    with pytest.raises(RuntimeError, match="size.-3.=3 is not divisible by 4"):
        rl.pixel_shuffle(rl.zeros(3, 2, 2), 2)
    for x, factor in ((rl.zeros(4, 4), 2), (rl.zeros(4, 2, 2), 0), (rl.zeros(4, 2, 2), -2)):
        with pytest.raises(RuntimeError, match="at least 3 dimensions and a positive factor"):
            rl.pixel_shuffle(x, factor)
    with pytest.raises(RuntimeError, match="at least 3 dimensions"):
        rl.vmap(lambda v: rl.pixel_shuffle(v, 2))(rl.zeros(4, 4, 4))
