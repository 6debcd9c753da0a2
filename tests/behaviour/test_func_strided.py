"""Under vmap and jvp, as_strided goes by the memory that the tensors lie in."""

import pytest

import rushlight as rl
from rushlight.func import grad, jacfwd, jvp, vmap

LAYOUTS = {
    "contiguous": lambda: rl.arange(48.0).view(2, 4, 6),
    "transposed": lambda: rl.arange(48.0).view(2, 4, 6).transpose(1, 2),
    "offset": lambda: rl.arange(60.0)[12:].view(2, 4, 6),
    "apart": lambda: rl.arange(96.0).view(4, 4, 6)[::2],
    "expanded": lambda: rl.arange(24.0).view(4, 6).expand(2, 4, 6),
}
FUNCTIONS = {
    "plain": lambda x: x.as_strided((2, 3), (1, 2)),
    "offset": lambda x: x.as_strided((2, 3), (1, 2), x.storage_offset() + 1),
    "own": lambda x: x.as_strided(x.shape, x.stride(), x.storage_offset()),
    "row": lambda x: x[1].as_strided((2,), (1,)),
    "transposed": lambda x: x.t().as_strided((2, 3), (1, 2))[1:],
    "scattered": lambda x: rl.as_strided_scatter(x, x.new_ones(2), (2,), (1,)),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_example_is_strided_in_its_own_memory(name, layout):
    f, x = FUNCTIONS[name], LAYOUTS[layout]()
    offsets = vmap(lambda v: rl.tensor([*v.stride(), v.storage_offset()]))(x)
    assert offsets[0].tolist() == [*x.stride()[1:], x.storage_offset()]
    assert rl.equal(vmap(f)(x), rl.stack(list(map(f, x))))


@pytest.mark.parametrize("steps", [((2,), (20,), 10), ((2,), (24,)), ((2, 0), (1, 1), -1)])
def test_no_example_is_left(steps):
    x = rl.arange(48.0).view(2, 4, 6)
    with pytest.raises(RuntimeError):
        vmap(lambda v: v.as_strided(*steps))(x)
    with pytest.raises(RuntimeError, match="beyond"):
        vmap(lambda v: v[1].as_strided((2,), (1,), 0))(x)


def test_gradients_of_strided_examples():
    x = LAYOUTS["offset"]()
    wanted = rl.zeros_like(x)
    wanted[:, 1, 1:3] = 2 * x[:, 1, 1:3]

    def loss(v):
        return v[1].as_strided((2,), (1,), v[1].storage_offset() + 1).square().sum()

    assert rl.equal(vmap(grad(loss))(x), wanted)
    assert rl.equal(grad(lambda x: vmap(loss)(x).sum())(x), wanted)
    with pytest.raises(NotImplementedError, match="contiguous"):
        vmap(grad(lambda v: v.as_strided((2,), (1,)).sum()))(LAYOUTS["transposed"]())


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "offset", "apart"])
def test_tangents_lie_as_their_primals_do(layout):
    x = LAYOUTS[layout]()
    for tangent in (x + 1, x.contiguous() + 1, (x + 1).expand(x.shape)):
        for offset in (None, x.storage_offset() + 1):
            value, change = jvp(
                lambda v, o=offset: v.as_strided((2, 3), (1, 2), o), (x,), (tangent,)
            )
            assert rl.equal(value, x.as_strided((2, 3), (1, 2), offset))
            assert rl.equal(change, value + 1)
    nested = vmap(lambda v, t: jvp(lambda w: w.as_strided((2, 3), (1, 2)), (v,), (t,)))
    value, change = nested(x, x.contiguous() + 1)
    assert rl.equal(change, value + 1)
    assert rl.equal(jacfwd(lambda v: v.as_strided((2,), (1,)))(x).sum((1, 2, 3)), rl.ones(2))


def test_a_tangent_is_zero_where_the_primal_shows_nothing():
    x = rl.arange(6.0)[0:4:2]
    assert jvp(lambda v: v.as_strided((2,), (1,)), (x,), (rl.ones(2),))[1].tolist() == [1, 0]


def test_a_strided_view_is_written_to_in_both():
    def f(x):
        whole = x * 1
        whole.as_strided((2,), (1,), 1).mul_(x.sum())
        return whole

    for tangent in (rl.ones(4), rl.ones(1).expand(4)):
        value, change = jvp(f, (rl.arange(4.0),), (tangent,))
        assert value.tolist() == [0, 6, 12, 3] and change.tolist() == [1, 10, 14, 1]


def test_new_strided_memory_is_mapped():
    x = rl.arange(48.0).view(2, 4, 6)
    found = vmap(lambda v: v.new_empty_strided((2, 3), (1, 2)).copy_(v[:2, :3]))(x)
    assert rl.equal(found, x[:, :2, :3])
    found = vmap(lambda v: rl.tensor(v.new_empty_strided((2, 3), (1, 2)).stride()))(x)
    assert found.tolist() == [[1, 2]] * 2


def test_each_example_has_its_own_edges():
    x = rl.tensor([[0.0, 1.0, 2.0, 8.0], [3.0, 3.0, 3.0, 3.0]])
    counts, edges = vmap(lambda v: rl.histogram(v, 4))(x)
    assert counts.tolist() == [[2, 1, 0, 1], [0, 0, 4, 0]]
    assert edges.tolist() == [[0, 2, 4, 6, 8], [2.5, 2.75, 3, 3.25, 3.5]]
    with pytest.raises(RuntimeError, match="finite"):
        vmap(lambda v: rl.histogram(v / 0, 4))(x)
