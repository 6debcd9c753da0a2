"""What all distributions share: shapes, expansion, pickling, validation, lazy values, examples."""

import doctest
import importlib
import math
import pickle
import pkgutil
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import rushlight as rl
from rushlight.testing import assert_close

d = rl.distributions
CASES = runpy.run_path(str(Path(__file__).parent.parent / "data/distributions_cases.py"))["CASES"]


@pytest.fixture(autouse=True)
def _double():
    rl.set_default_dtype(rl.float64)


def test_lazy_values_may_be_asked_for_while_they_are_set():
    class Asking:
        def __setattr__(self, name, value):
            hasattr(self, name)
            super().__setattr__(name, value)

        @d.utils.lazy_property
        def answer(self):
            return 42

    asking = Asking()
    assert asking.answer == 42 and vars(asking) == {"answer": 42}


def made(name):
    return eval(CASES[name], {"d": d, "t": rl.tensor})


@pytest.mark.parametrize("name", CASES)
def test_expansion(name):
    small = made(name)
    batch = rl.Size([4]) + small.batch_shape
    big = small.expand(batch)
    assert type(big) is type(small)
    assert big.batch_shape == batch and big.event_shape == small.event_shape
    drawn = big.sample((2,))
    assert drawn.shape == (2,) + batch + small.event_shape
    assert_close(big.log_prob(drawn), small.log_prob(drawn))
    for moment in ("mean", "variance"):
        try:
            expected = getattr(small, moment)
        except NotImplementedError:
            continue
        got = getattr(big, moment)
        assert got.shape == batch + small.event_shape
        assert_close(got, expected.expand_as(got), equal_nan=True)
    assert big.expand(batch).log_prob(drawn).shape == (2,) + batch
    assert big.mean is not None if "mean" in vars(type(big)) else True


@pytest.mark.parametrize("name", CASES)
def test_pickling(name):
    original = made(name)
    drawn = original.sample((3,))
    expected = original.log_prob(drawn)
    copy = pickle.loads(pickle.dumps(original))
    assert rl.equal(copy.log_prob(drawn), expected)
    assert repr(copy) == repr(original)


@pytest.mark.parametrize("name", CASES)
def test_validation_of_values(name):
    distribution = made(name)
    drawn = distribution.sample()
    assert distribution.support.check(drawn).all()
    if not isinstance(distribution, d.Independent):
        with pytest.raises(ValueError, match="must be a Tensor"):
            distribution._validate_sample(0.5)
    if distribution.batch_shape or distribution.event_shape:
        with pytest.raises(ValueError, match="size|broadcast"):
            distribution.log_prob(rl.zeros(7, 7))
    if drawn.is_floating_point() and not isinstance(distribution, d.OneHotCategorical):
        with pytest.raises(ValueError, match="within the support"):
            distribution.log_prob(rl.full_like(drawn, math.nan))


@pytest.mark.parametrize(
    "bad, message",
    [
        (lambda: d.Normal(0.0, -1.0), "scale"),
        (lambda: d.Normal(math.nan, 1.0), "loc"),
        (lambda: d.Normal("0", 1.0), "instances of Number"),
        (lambda: d.Beta(-1.0, 1.0), "concentration"),
        (lambda: d.Bernoulli(1.5), "probs"),
        (lambda: d.Bernoulli(), "not both"),
        (lambda: d.Bernoulli(0.5, 0.0), "not both"),
        (lambda: d.Binomial(-1, rl.tensor(0.5)), "total_count"),
        (lambda: d.Categorical(rl.tensor(1.0)), "one-dimensional"),
        (lambda: d.Categorical(rl.tensor([-1.0, 2.0])), "probs"),
        (lambda: d.ContinuousBernoulli(1.5), "probs"),
        (lambda: d.Dirichlet(rl.tensor(1.0)), "one-dimensional"),
        (lambda: d.Geometric(0.0), "positive"),
        (lambda: d.Independent(d.Normal(0.0, 1.0), 1), "batch_shape"),
        (lambda: d.LKJCholesky(1), "dim"),
        (lambda: d.MultivariateNormal(rl.zeros(2)), "Exactly one"),
        (lambda: d.MultivariateNormal(rl.zeros(()), rl.eye(2)), "one-dimensional"),
        (lambda: d.MultivariateNormal(rl.zeros(2), rl.ones(2)), "two-dimensional"),
        (lambda: d.MultivariateNormal(rl.zeros(2), -rl.eye(2)), "covariance_matrix"),
        (lambda: d.LowRankMultivariateNormal(rl.zeros(2), rl.ones(3, 1), rl.ones(2)), "cov_factor"),
        (lambda: d.LowRankMultivariateNormal(rl.zeros(2), rl.ones(2, 1), rl.ones(3)), "cov_diag"),
        (lambda: d.MixtureSameFamily(d.Normal(0.0, 1.0), d.Normal(0.0, 1.0)), "Categorical"),
        (lambda: d.MixtureSameFamily(d.Categorical(rl.ones(2)), 3), "Distribution"),
        (
            lambda: d.MixtureSameFamily(d.Categorical(rl.ones(2)), d.Normal(rl.zeros(3), 1.0)),
            "2 weights for 3",
        ),
        (lambda: d.TransformedDistribution(d.Normal(0.0, 1.0), 3), "Transform"),
        (
            lambda: d.TransformedDistribution(d.Normal(0.0, 1.0), d.StickBreakingTransform()),
            "at least 1",
        ),
        (lambda: d.Uniform(1.0, 0.0), "low >= high"),
        (lambda: d.Wishart(1.0, rl.eye(2)), "df must be greater"),
        (lambda: d.ReshapeTransform((2,), (3,)), "different numbers"),
        (lambda: d.Distribution.set_default_validate_args(3), "True or False"),
    ],
)
def test_invalid_parameters(bad, message):
    with pytest.raises(ValueError, match=message):
        bad()


def test_validation_can_be_turned_off():
    wrong = d.Normal(0.0, -1.0, validate_args=False)
    assert wrong.expand((2,)).log_prob(rl.tensor(math.nan)).isnan().all()
    d.Distribution.set_default_validate_args(False)
    try:
        assert d.Uniform(1.0, 0.0).low == 1
    finally:
        d.Distribution.set_default_validate_args(True)


@pytest.mark.parametrize(
    "unsupported",
    [
        lambda: d.Multinomial(rl.tensor([1, 2]), rl.ones(2)),
        lambda: d.Binomial(rl.tensor([1.0, 2.0]), rl.tensor([0.5, 0.5])).entropy(),
        lambda: d.Binomial(rl.tensor([1.0, 2.0]), rl.tensor([0.5, 0.5])).enumerate_support(),
        lambda: d.Independent(d.Bernoulli(rl.ones(2)), 1).enumerate_support(),
        lambda: d.Normal(0.0, 1.0).enumerate_support(),
        lambda: d.Gamma(1.0, 1.0).icdf(rl.tensor(0.5)),
        lambda: d.Poisson(1.0).entropy(),
        lambda: d.AbsTransform().sign,
        lambda: d.AbsTransform().log_abs_det_jacobian(rl.ones(1), rl.ones(1)),
        lambda: d.Distribution().mean,
    ],
)
def test_what_is_missing_says_so(unsupported):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(NotImplementedError):
            unsupported()


def test_subclasses_with_another_constructor_must_expand_themselves():
    class Standard(d.Normal):
        def __init__(self):
            super().__init__(0.0, 1.0)

    with pytest.raises(NotImplementedError, match="custom .expand"):
        Standard().expand((2,))

    class Plain(d.Normal): ...

    assert type(Plain(0.0, 1.0).expand((2,))) is Plain


def test_the_other_parameter_is_computed_once_and_with_gradient():
    logits = rl.tensor([0.0, 2.0], requires_grad=True)
    b = d.Bernoulli(logits=logits)
    with rl.no_grad():
        probs = b.probs
    assert probs is b.probs and probs.requires_grad
    assert isinstance(d.Bernoulli.probs, property)
    assert "probs" not in repr(d.Bernoulli(logits=logits))
    assert b.expand((3, 2)).probs.shape == (3, 2)


def test_enumeration():
    values = d.Categorical(rl.ones(2, 3)).enumerate_support()
    assert values.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert d.Categorical(rl.ones(2, 3)).enumerate_support(expand=False).shape == (3, 1)
    assert d.OneHotCategorical(rl.ones(2, 3)).enumerate_support().shape == (3, 2, 3)
    assert d.Bernoulli(0.5).enumerate_support().tolist() == [0, 1]
    assert d.Binomial(3, 0.5).enumerate_support().tolist() == [0, 1, 2, 3]


def test_parameters_take_the_first_tensors_dtype():
    assert d.Normal(0, 1).loc.dtype == rl.float64
    assert d.Normal(rl.zeros(2, dtype=rl.float32), 1).scale.dtype == rl.float32
    with pytest.warns(FutureWarning):
        assert d.Normal(0.0, 1.0).sample_n(3).shape == (3,)
    with pytest.raises(RuntimeError):
        d.Normal(rl.zeros(2), rl.ones(3))


def test_package_is_loaded_on_first_use():
    code = (
        "import sys, rushlight as rl; assert 'rushlight.distributions' not in sys.modules; "
        "rl.distributions.Normal; assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(rl.__file__).parents[1], check=True)


def modules():
    yield d
    for info in pkgutil.iter_modules(d.__path__, d.__name__ + "."):
        yield importlib.import_module(info.name)


@pytest.mark.parametrize("module", list(modules()), ids=lambda m: m.__name__)
def test_examples(module):
    rl.set_default_dtype(rl.float32)
    finder, said = doctest.DocTestFinder(exclude_empty=True), []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in finder.find(module, extraglobs={"rl": rl}):
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


def test_docs_page():
    rl.set_default_dtype(rl.float32)
    page = Path(__file__).parent.parent.parent / "docs/distributions.md"
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 15 and not failed


def test_subclasses_expand_what_they_add():
    """Inner distributions of a shape of their own are none of the base class's business."""

    class Augmented(rl.distributions.Beta):
        def __init__(self, a, b):
            super().__init__(a, b)
            self.parts = rl.distributions.Gamma(rl.stack([a, b], -1), 1.0)

        def expand(self, batch_shape, _instance=None):
            new = self._get_checked_instance(Augmented, _instance)
            new = super().expand(batch_shape, new)
            new.parts = self.parts.expand(rl.Size(batch_shape) + (2,))
            return new

    wide = Augmented(rl.ones(3, 1), rl.ones(3, 1)).expand((2, 3, 1))
    assert wide.batch_shape == (2, 3, 1) and wide.parts.batch_shape == (2, 3, 1, 2)
