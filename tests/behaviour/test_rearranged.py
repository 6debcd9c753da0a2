"""pixel_unshuffle and block_diag move elements: against loops over places."""

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
