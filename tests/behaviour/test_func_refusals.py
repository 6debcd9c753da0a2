"""What function transforms refuse, and what they hand through as it is."""

import pytest

import rushlight as rl
from rushlight.func import grad, jacfwd, jacrev, jvp, vjp, vmap

X = rl.tensor([1.0, 2.0, 3.0])


@pytest.mark.parametrize("transform", [grad, jacrev, jacfwd])
@pytest.mark.parametrize("argnums", [0.0, [0], ("0",), (0, 1.0), (0, 0), (), 2, -3])
def test_argnums_are_checked(transform, argnums):
    with pytest.raises(RuntimeError, match="argnums"):
        transform(lambda x, y: (x * y).sum(), argnums=argnums)(X, X)


@pytest.mark.parametrize("output", [1, 1.0, "abc", None, ()])
def test_outputs_have_to_be_tensors(output):
    for call in (
        lambda: vjp(lambda x: output, X),
        lambda: jvp(lambda x: output, (X,), (X,)),
        lambda: jacrev(lambda x: output)(X),
        lambda: jacfwd(lambda x: output)(X),
        lambda: grad(lambda x: output)(X),
    ):
        with pytest.raises(RuntimeError):
            call()


@pytest.mark.parametrize("aux", [1, 1.0, "abc", None, [X, 1]])
def test_aux_has_to_be_tensors(aux):
    for call in (
        lambda: grad(lambda x: (x.sum(), aux), has_aux=True)(X),
        lambda: vjp(lambda x: (x, aux), X, has_aux=True),
        lambda: jacfwd(lambda x: (x, aux), has_aux=True)(X),
    ):
        with pytest.raises(RuntimeError, match="aux"):
            call()


def test_primals_have_to_be_tensors():
    with pytest.raises(ValueError):
        vjp(lambda x: x, 1)
    with pytest.raises(ValueError):
        grad(lambda x: x)(1)
    with pytest.raises(RuntimeError):
        jvp(lambda x: x, (X,), (1,))


@pytest.mark.parametrize("transform", [jacrev, jacfwd])
def test_jacobians_are_of_real_numbers(transform):
    with pytest.raises(RuntimeError, match="complex"):
        transform(rl.abs)(X + 1j)
    with pytest.raises(RuntimeError, match="complex"):
        transform(lambda x: x * 1j)(X)


def test_dims_of_vmap_are_int_or_tuples():
    with pytest.raises(ValueError):
        vmap(rl.mul, [0, 0])(X, X)
    with pytest.raises(ValueError):
        vmap(lambda x: (x, x), out_dims=(0,))(X)
    with pytest.raises(ValueError):
        vmap(lambda x: {"a": x}, out_dims=(0,))(X)
    made = vmap(lambda x: [x, x], out_dims=[1, 0])(rl.ones(2, 3))
    assert [x.shape for x in made] == [(3, 2), (2, 3)]


def test_outputs_without_a_mapped_dimension_may_be_anything():
    assert vmap(lambda x: (x, "text"), out_dims=(0, None))(X)[1] == "text"
    with pytest.raises(ValueError):
        vmap(lambda x: (x, "text"))(X)


def test_products_under_vmap_check_the_dimensions_of_examples():
    for op, a, b in [(rl.mm, 3, 1), (rl.bmm, 3, 1), (rl.mv, 3, 1), (rl.dot, 3, 1), (rl.mv, 2, 2)]:
        factors = [rl.ones((7,) + (2,) * n) for n in (a, b)]
        with pytest.raises(RuntimeError, match="dimensions"):
            vmap(op)(*factors)


def test_memory_format_is_not_ignored_under_vmap():
    with pytest.raises(RuntimeError, match="memory_format"):
        vmap(lambda x: x.clone(memory_format=rl.channels_last))(rl.ones(3, 2, 3, 4, 5))


def test_strides_of_examples():
    seen = []

    def look(x):
        seen.append((x.stride(), x.is_contiguous(), x.stride(0)))
        return x

    vmap(look)(rl.ones(2, 4, 5, 7).movedim(1, 0))
    vmap(look)(rl.ones(4, 6)[:, :3])
    assert seen == [((140, 7, 1), False, 140), ((1,), True, 1)]


def test_in_place_under_vmap_gives_the_same_tensor():
    x = rl.ones(3, 2)
    assert vmap(rl.Tensor.neg_)(x) is x and (x == -1).all()


def test_one_hot_under_vmap():
    classes = rl.tensor([[0, 2], [1, 1]])
    found = vmap(lambda x: rl.nn.functional.one_hot(x, 3))(classes)
    assert found.equal(rl.nn.functional.one_hot(classes, 3))


def test_random_ops_broadcast_within_examples():
    def mapped(function, *args, in_dims=0):
        return vmap(function, in_dims, randomness="different")(*args).shape

    ones, half = rl.ones(4, 3), rl.full((4,), 0.5)
    assert mapped(lambda p: rl.multinomial(p, 2, True), rl.ones(4, 3, 5)) == (4, 3, 2)
    assert mapped(lambda c, p: c.bernoulli_(p), ones.clone(), half) == (4, 3)
    assert mapped(rl.binomial, ones, half) == (4, 3)


def test_a_vjp_without_grad_mode_has_no_graph():
    x = rl.tensor(3.0, requires_grad=True)
    out, pull = vjp(lambda x: x**2, x)
    with rl.no_grad():
        (y,) = pull(rl.tensor(1.0))
    assert y == 6 and not y.requires_grad and out.requires_grad


def test_a_vmap_staticmethod_returns_a_pair():
    class One(rl.autograd.Function):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, x):
            return x

    with pytest.raises(RuntimeError, match="pair"):
        vmap(One.apply)(X)


def test_a_vmap_staticmethod_sees_the_dimensions_within_lists():
    class Both(rl.autograd.Function):
        @staticmethod
        def forward(x, ys):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, x, ys):
            assert in_dims == (0, [0, None]) and ys[0].shape == (3,)
            return x + ys[0], 0

    made = vmap(lambda x: Both.apply(x, [x, X]))(X)
    assert made.tolist() == [2, 4, 6]


def test_draws_have_the_tangent_zero():
    for draw in (
        lambda x: rl.normal(x, 1.0),
        lambda x: rl.normal(0.0, x),
        lambda x: rl.normal(x, x),
        rl.poisson,
    ):
        assert not jvp(draw, (X,), (X,))[1].any()


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clone(memory_format=rl.channels_last),
        lambda x: x.to(memory_format=rl.channels_last),
        lambda x: rl.empty_like(x, memory_format=rl.channels_last),
        lambda x: x.contiguous(memory_format=rl.channels_last),
    ],
)
def test_other_memory_formats_are_refused_under_vmap(function):
    with pytest.raises(NotImplementedError, match="memory_format"):
        vmap(function)(rl.zeros(2, 3, 4, 5, 6))
