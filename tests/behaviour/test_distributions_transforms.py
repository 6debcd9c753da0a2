"""Transforms invert, and their log-determinants are those of autograd's Jacobians; constraints."""

import math
import pickle

import pytest

import rushlight as rl
from rushlight.autograd.functional import jacobian
from rushlight.testing import assert_close

d = rl.distributions
c = d.constraints


def t(x):
    return rl.tensor(x, dtype=rl.float64)


X = t([0.3, -1.2, 0.9])
ELEMENTWISE = [
    d.AffineTransform(1.0, -2.0),
    d.AffineTransform(t([0.0, 1.0, 2.0]), t([2.0, -1.0, 3.0])),
    d.ComposeTransform([d.AffineTransform(0.5, 2.0), d.ExpTransform()]),
    d.ComposeTransform([d.ExpTransform(), d.PowerTransform(t(-0.5)), d.AffineTransform(0.0, 3.0)]),
    d.CumulativeDistributionTransform(d.Normal(t(0.0), t(2.0))),
    d.ExpTransform(),
    d.SigmoidTransform(),
    d.SoftplusTransform(),
    d.TanhTransform(),
    d.identity_transform,
]
WHOLE = [
    d.AffineTransform(1.0, t([2.0, -1.0, 3.0]), event_dim=1),
    d.AffineTransform(1.0, -2.0, event_dim=1),
    d.CatTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)], -1, [1, 2]),
    d.ComposeTransform([d.ExpTransform(), d.IndependentTransform(d.TanhTransform(), 1)]),
    d.IndependentTransform(d.ExpTransform(), 1),
    d.ReshapeTransform((3,), (3, 1)),
    d.StackTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0), d.TanhTransform()], -1),
]


def named(transform):
    return repr(transform).replace("\n", "")


@pytest.mark.parametrize("transform", ELEMENTWISE, ids=named)
def test_elementwise(transform):
    y = transform(X)
    assert transform.domain.check(X).all() and transform.codomain.check(y).all()
    assert_close(transform.inv(y), X)
    slope = jacobian(transform, X).diagonal()
    assert_close(transform.log_abs_det_jacobian(X, y), slope.abs().log())
    assert_close(transform.inv.log_abs_det_jacobian(y, X), -slope.abs().log())
    assert ((slope.sign() - transform.sign) == 0).all()
    assert transform.inv.inv is transform and transform == transform


@pytest.mark.parametrize("transform", WHOLE, ids=named)
def test_whole_events(transform):
    y = transform(X)
    assert_close(transform.inv(y), X)
    assert transform.forward_shape(rl.Size([5, 3]))[1:] == y.shape
    assert transform.inverse_shape(rl.Size([5]) + y.shape) == (5, 3)
    if isinstance(transform, d.StackTransform):
        assert transform.log_abs_det_jacobian(X, y).shape == (3,)  # elementwise slices
        return
    square = jacobian(lambda x: transform(x).reshape(-1), X)
    log_det = transform.log_abs_det_jacobian(X, y).sum()
    assert_close(log_det, rl.linalg.slogdet(square).logabsdet)


def test_simplex_and_correlation():
    sticks = d.StickBreakingTransform()
    y = sticks(X)
    assert y.shape == (4,) and c.simplex.check(y)
    assert_close(sticks.inv(y), X)
    square = jacobian(lambda x: sticks(x)[:-1], X)
    assert_close(sticks.log_abs_det_jacobian(X, y), rl.linalg.slogdet(square).logabsdet)
    corr = d.CorrCholeskyTransform()
    y = corr(X)
    assert y.shape == (3, 3) and c.corr_cholesky.check(y)
    assert_close(corr.inv(y), X)
    square = jacobian(lambda x: d.utils.tril_matrix_to_vec(corr(x), -1), X)
    assert_close(corr.log_abs_det_jacobian(X, y), rl.linalg.slogdet(square).logabsdet)
    assert corr.forward_shape((7, 3)) == (7, 3, 3) and corr.inverse_shape((7, 3, 3)) == (7, 3)


def test_matrices():
    x = t([[0.3, 5.0], [1.0, -0.7]])
    lower, definite = d.LowerCholeskyTransform(), d.PositiveDefiniteTransform()
    assert c.lower_cholesky.check(lower(x)) and c.positive_definite.check(definite(x))
    assert_close(lower.inv(lower(x)), x.tril())
    assert_close(definite.inv(definite(x)), x.tril())
    soft = d.SoftmaxTransform()
    assert_close(soft(soft.inv(soft(X))), soft(X))


@pytest.mark.parametrize(
    "constraint",
    [
        c.real,
        c.positive,
        c.nonnegative,
        c.greater_than(2.0),
        c.greater_than_eq(-1),
        c.less_than(0.5),
        c.unit_interval,
        c.interval(-3.0, 1.0),
        c.half_open_interval(t([0.0, 1.0, 2.0]), t([3.0, 3.0, 3.0])),
        c.simplex,
        c.corr_cholesky,
        c.independent(c.positive, 1),
        c.cat([c.positive, c.unit_interval], -1, [2, 1]),
        c.stack([c.real, c.positive, c.less_than(0)], -1),
    ],
    ids=repr,
)
def test_registries_reach_the_constraint(constraint):
    for registry in (d.biject_to, d.transform_to):
        transform = registry(constraint)
        y = transform(X)
        assert constraint.check(y).all()
        if registry is d.biject_to:
            assert transform.bijective
            assert_close(transform.inv(y), X)


def test_registering_a_constraint():
    class Even(c.Constraint):
        def check(self, value):
            return value % 2 == 0

    with pytest.raises(NotImplementedError):
        d.biject_to(Even())
    d.biject_to.register(Even, lambda constraint: d.AffineTransform(0, 2))
    assert d.biject_to(Even())(3) == 6
    with pytest.raises(TypeError):
        d.biject_to.register(3, lambda constraint: None)


def test_cache_returns_the_very_input():
    transform = d.SigmoidTransform(cache_size=1)
    x = t([100.0]).requires_grad_()
    y = transform(x)
    assert transform.inv(y) is x and transform(x) is y
    plain = d.SigmoidTransform()
    assert plain.inv(plain(x)) < 100
    with pytest.raises(ValueError):
        d.ExpTransform(cache_size=2)
    cached = d.ComposeTransform([d.ExpTransform(), d.TanhTransform()]).with_cache()
    assert all(p._cache_size == 1 for p in cached.parts)
    assert pickle.loads(pickle.dumps(transform)).inv(y) is not None


def test_tails_keep_their_precision():
    x = t([-400.0, 400.0])
    assert_close(d.TanhTransform().log_abs_det_jacobian(x, None), 2 * math.log(2) - 800 + 0 * x)
    assert_close(d.SigmoidTransform().log_abs_det_jacobian(x, None), t([-400.0, -400.0]))


@pytest.mark.parametrize(
    "constraint, inside, outside",
    [
        (c.boolean, t([0.0, 1.0]), t([0.5, 2.0])),
        (c.integer_interval(1, 3), t([1.0, 3.0]), t([0.0, 4.0, 1.5])),
        (c.nonnegative_integer, t([0.0, 3.0]), t([-1.0, 1.5])),
        (c.positive_integer, t([1.0, 3.0]), t([0.0, 1.5])),
        (c.positive, t([1e-9, 3.0]), t([0.0, -1.5, math.nan])),
        (c.nonnegative, t([0.0, 3.0]), t([-1.5, math.nan])),
        (c.less_than(1), t([0.0]), t([1.0, math.nan])),
        (c.unit_interval, t([0.0, 1.0]), t([-0.1, 1.1, math.nan])),
        (c.half_open_interval(0, 1), t([0.0, 0.9]), t([1.0])),
        (c.real, t([0.0, math.inf]), t([math.nan])),
        (c.one_hot, t([[0.0, 1.0]]), t([[1.0, 1.0], [0.5, 0.5], [0.0, 0.0]])),
        (c.simplex, t([[0.2, 0.8]]), t([[0.2, 0.7], [-0.2, 1.2]])),
        (c.multinomial(3), t([[1.0, 2.0]]), t([[2.0, 2.0], [-1.0, 2.0]])),
        (c.lower_triangular, t([[[1.0, 0.0], [2.0, -1.0]]]), t([[[1.0, 1.0], [2.0, 1.0]]])),
        (c.lower_cholesky, t([[[1.0, 0.0], [2.0, 1.0]]]), t([[[1.0, 0.0], [2.0, -1.0]]])),
        (c.corr_cholesky, t([[[1.0, 0.0], [0.6, 0.8]]]), t([[[1.0, 0.0], [0.6, 0.9]]])),
        (c.square, rl.ones(1, 2, 2), rl.ones(1, 2, 3)),
        (c.symmetric, t([[[1.0, 2.0], [2.0, 0.0]]]), t([[[1.0, 2.0], [0.0, 0.0]]])),
        (c.positive_semidefinite, t([[[1.0, 0.0], [0.0, 0.0]]]), t([[[1.0, 2.0], [2.0, 1.0]]])),
        (c.positive_definite, t([[[2.0, 1.0], [1.0, 2.0]]]), t([[[1.0, 2.0], [2.0, 1.0]]])),
        (c.MixtureSameFamilyConstraint(c.positive), t([1.0]), t([-1.0])),
    ],
    ids=lambda x: repr(x) if isinstance(x, c.Constraint) else "",
)
def test_constraints(constraint, inside, outside):
    assert constraint.check(inside).all()
    assert not constraint.check(outside).any()
    assert constraint.check(inside).dim() == inside.dim() - constraint.event_dim


def test_dependent_constraints():
    assert c.is_dependent(c.dependent) and not c.is_dependent(c.real)
    with pytest.raises(NotImplementedError):
        _ = c.dependent.event_dim
    assert c.dependent(event_dim=2).event_dim == 2
    with pytest.raises(ValueError):
        c.dependent.check(X)
    assert c.is_dependent(d.Uniform.support) and d.Uniform.support.event_dim == 0


def test_triangles():
    m = rl.arange(9.0).view(3, 3)
    for diag in (-1, 0):
        vec = d.utils.tril_matrix_to_vec(m, diag)
        assert rl.equal(d.utils.vec_to_tril_matrix(vec, diag), m.tril(diag))
    with pytest.raises(ValueError):
        d.utils.vec_to_tril_matrix(rl.ones(4))
    with pytest.raises(ValueError):
        d.utils.tril_matrix_to_vec(m, 3)


def test_a_transform_may_set_its_domain_on_itself():
    class Clip(d.Transform):
        def __init__(self, bound):
            super().__init__()
            self.domain = c.real
            self.codomain = c.interval(-bound, bound)

        def _call(self, x):
            return x / (1 + x.abs())

    assert Clip(1.0).event_dim == 0
    assert Clip(1.0).inv.codomain is c.real
