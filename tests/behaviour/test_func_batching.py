"""How ops compute for batches under `vmap`: in one go, without a warning, and with the values and
gradients of a loop over the examples.
"""

import warnings

import pytest

import rushlight as rl
from rushlight.func import grad, hessian, vjp, vmap

F = rl.nn.functional


def drawn(*sizes):
    return rl.rand(*sizes, generator=rl.Generator().manual_seed(sum(sizes)), dtype=rl.float64)


X = drawn(3, 2, 4, 6) * 2 - 1
W = drawn(3, 4)
LABELS = rl.tensor([[0, 3], [1, -100], [2, 2]])

BATCHED = {
    "max_pool": (lambda x: F.max_pool2d(x, 2), X),
    "max_pool of one": (lambda x: F.max_pool1d(x[0], 2), X),
    "avg_pool": (lambda x: F.avg_pool2d(x, 2), X),
    "adaptive": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), X),
    "layer_norm": (lambda x: F.layer_norm(x, (6,)), X),
    "layer_norm own weights": (lambda x, w: F.layer_norm(x.mT, (4,), w, w), X, W),
    "group_norm": (lambda x, w: F.group_norm(x[0].mT, 2, w, w), X, W),
    "batch_norm": (lambda x: F.batch_norm(x[0], None, None, training=True), X),
    "batch_norm own weights": (lambda x, w: F.batch_norm(x, None, None, w[:4], w, True), X, W),
    "nll mean": (lambda x, t: F.nll_loss(x[:, :, 0], t), X, LABELS),
    "nll sum": (lambda x, t: F.nll_loss(x[:, :, 0], t, reduction="sum"), X, LABELS),
    "nll none": (lambda x, t: F.nll_loss(x[:, :, 0], t, W[0], reduction="none"), X, LABELS),
    "cross_entropy of one": (lambda x, t: F.cross_entropy(x[0, :, 0], t[0]), X, LABELS),
    "numbers": (lambda x: x.sum() + x.amax() + x.mean() + x.cumsum(0) + x.sort()[0], X[:, 0, 0, 0]),
    "take": (lambda x, t: x.take(t.abs() % 5), X, LABELS),
    "index_add": (lambda x, t: x.index_add(0, t % 2, x, alpha=2), X, LABELS),
    "index_copy": (lambda x: x.index_copy(1, rl.tensor([2, 0]), x[:, :2] * 2), X),
    "behind a slice": (lambda x, t: x[:, t % 3], X, LABELS),
    "masked": (lambda x: x.masked_select(X[0] > 0), X),
    "where": (lambda x: rl.where(x > 0, x, 0) + x.clamp(min=0.25), X),
    "prod": (lambda x: x.prod(2), X.round()),
    "median": (lambda x: x.median() + x.max(), X),
    "quantile": (lambda x: x.quantile(0.3, -1), X),
    "pad": (lambda x: F.pad(x, (1, 2), value=3.0), X),
    "diag": (lambda w: rl.diag(w) + w.diag_embed(), W),
    "expm": (lambda x: rl.linalg.matrix_exp(x[0, :, :4] * 2), X),
    "bags": (
        lambda w, t: F.embedding_bag(rl.tensor([0, 1, 1]), w[:, None], t, mode="mean"),
        W,
        rl.tensor([[0, 1], [0, 2], [0, 0]]),
    ),
}


def loop(f, args):
    return rl.stack([f(*[a[i] for a in args]) for i in range(len(args[0]))])


@pytest.mark.parametrize("name", BATCHED)
def test_batches_are_computed_at_once(name):
    f, *args = BATCHED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rl.testing.assert_close(vmap(f)(*args), loop(f, args))

        def slope(x, *rest):
            out, back = vjp(lambda x: f(x, *rest), x)
            return back(out.detach().cos())[0]

        rl.testing.assert_close(vmap(slope)(*args), loop(slope, args))


def test_running_statistics_have_to_be_mapped():
    module = rl.nn.BatchNorm1d(4).double()
    x = drawn(3, 2, 4)
    with pytest.raises(RuntimeError, match="running statistics"):
        vmap(module)(x)
    mean, var = rl.zeros(3, 4, dtype=rl.float64), rl.ones(3, 4, dtype=rl.float64)
    vmap(lambda x, m, v: F.batch_norm(x, m, v, training=True))(x, mean, var)
    rl.testing.assert_close(mean, 0.1 * x.mean(1))
    rl.testing.assert_close(vmap(module.eval())(x), rl.stack([module(v) for v in x]))


def test_dropout_differs_between_examples_if_asked_for():
    x = rl.ones(4, 200)
    for drop in (F.dropout, F.alpha_dropout, lambda x, *_: rl.rand_like(x), F.gumbel_softmax):

        def f(x, drop=drop):
            return drop(x, 0.5, True) if drop is not F.gumbel_softmax else drop(x)

        different = vmap(f, randomness="different")(x)
        assert not rl.equal(different[0], different[1])
        same = vmap(f, randomness="same")(x)
        assert rl.equal(same[0], same[1]) and not rl.equal(same[0], x[0])
        with pytest.raises(RuntimeError, match="randomness"):
            vmap(f)(x)
    plain = vmap(lambda x: F.dropout(rl.ones(200)) + 0 * x, randomness="different")(x)
    assert not rl.equal(plain[0], plain[1])


def test_second_derivatives_through_changes_in_place():
    def f(x):
        y = x.clone()
        y.mul_(x)
        y.add_(1)
        return y.sum()

    x = rl.tensor([1.0, 2.0])
    expected = 2 * rl.eye(2)
    rl.testing.assert_close(rl.func.jacrev(grad(f))(x), expected)
    rl.testing.assert_close(hessian(f)(x), expected)


# ---- tangents of what is changed through views -------------------------------------------------


def written(x):
    out = rl.zeros(2, 2)
    row = out[1]
    out.diagonal().copy_(x)
    row.add_(x * x)
    return out


@pytest.mark.parametrize(
    "f", [rl.diag, rl.diag_embed, lambda x: F.pad(x, (1, 1)), written, lambda x: x[[1, 1]] * x]
)
def test_tangents_reach_what_views_show(f):
    x, t = rl.tensor([1.0, 2.0]), rl.tensor([3.0, -1.0])
    out, change = rl.func.jvp(f, (x,), (t,))
    expected = rl.einsum("...i,i->...", rl.func.jacrev(f)(x), t)
    rl.testing.assert_close(out, f(x))
    rl.testing.assert_close(change, expected)
    if f is not written:
        rl.testing.assert_close(rl.func.jacfwd(f)(x), rl.func.jacrev(f)(x))


@pytest.mark.parametrize("f", [rl.linalg.inv, rl.linalg.eigvalsh, rl.linalg.svdvals])
def test_tangents_of_factors(f):
    x = drawn(3, 3) + 3 * rl.eye(3, dtype=rl.float64)

    def factor(x):
        return f(x + x.mT)

    rl.testing.assert_close(rl.func.jacfwd(factor)(x), rl.func.jacrev(factor)(x))


def test_examples_without_elements_are_batches_too():
    def gradient(g, x, weight):
        _, pull = vjp(lambda w: F.conv2d(x, w), weight)
        return pull(g)[0]

    x, weight, g = rl.ones(0, 3, 5, 5), rl.ones(4, 3, 3, 3), rl.ones(2, 0, 4, 3, 3)
    assert (
        vmap(gradient, (0, None, None))(g, x, weight).tolist() == rl.zeros(2, 4, 3, 3, 3).tolist()
    )
    assert vmap(rl.prod)(rl.ones(2, 0)).tolist() == [1, 1]
    assert vmap(rl.take)(rl.ones(2, 3), rl.zeros(2, 0, dtype=rl.int64)).shape == (2, 0)


@pytest.mark.parametrize("chunk_size", [1, 2, 3])
def test_every_chunk_draws_the_same(chunk_size):
    def drawn(chunk_size):
        rl.manual_seed(0)
        return vmap(lambda x: x + rl.rand_like(x), randomness="same", chunk_size=chunk_size)(x)

    x = rl.arange(20.0).view(4, 5)
    assert rl.equal(drawn(chunk_size), drawn(None))
