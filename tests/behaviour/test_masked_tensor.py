"""Tensors that carry a mask: what ops and gradients make of data and mask."""

import warnings

import pytest

import rushlight as rl
from rushlight.masked import MaskedTensor, as_masked_tensor, is_masked_tensor, masked_tensor

DATA = rl.arange(6.0).view(2, 3)
MASK = rl.tensor([[True, False, True], [False, False, True]])


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def make(requires_grad=False):
    return masked_tensor(DATA, MASK, requires_grad)


def same(made, data, mask):
    """Is the mask that one, and are the data that where it is True?"""
    assert isinstance(made, MaskedTensor)
    assert rl.equal(made.get_mask(), mask)
    rl.testing.assert_close(made.to_tensor(0), rl.where(mask, data, rl.zeros_like(data)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2, lambda x: 1 / x, lambda x: x.sin(), lambda x: x.exp().log(),
        lambda x: x > 2, lambda x: x + DATA, lambda x: x.clamp(0, 1), lambda x: x**2,
        lambda x: x.double(), lambda x: x.clone(), lambda x: rl.maximum(x, x), lambda x: -x,
    ],
)  # fmt: skip
def test_elementwise_ops_keep_the_mask(function):
    same(function(make()), function(DATA), MASK)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x[0], lambda x: x[:, 1:], lambda x: x.t(), lambda x: x.reshape(6),
        lambda x: x.unsqueeze(0), lambda x: rl.cat([x, x]), lambda x: x.split(1)[1],
        lambda x: x.expand(2, 2, 3), lambda x: x[rl.tensor([1, 0])],
    ],
)  # fmt: skip
def test_moves_move_data_and_mask(function):
    same(function(make()), function(DATA), function(MASK))


@pytest.mark.parametrize(
    "name, expected, of_columns",
    [
        ("sum", 7.0, [0.0, 0.0, 7.0]),
        ("mean", 7 / 3, [0.0, 0.0, 3.5]),
        ("amax", 5.0, [0.0, 0.0, 5.0]),
        ("amin", 0.0, [0.0, 0.0, 2.0]),
        ("prod", 0.0, [0.0, 0.0, 10.0]),
    ],
)
def test_reductions_leave_out_what_is_masked(name, expected, of_columns):
    x = make()
    same(getattr(x, name)(), rl.tensor(expected), rl.tensor(True))
    same(getattr(rl, name)(x, 0), rl.tensor(of_columns), rl.tensor([True, False, True]))
    kept = getattr(x, name)(1, keepdim=True)
    assert kept.shape == (2, 1) and kept.get_mask().all()


def test_softmax_is_over_what_counts():
    made = make().softmax(-1)
    expected = rl.zeros(2, 3)
    expected[0, [0, 2]] = rl.softmax(rl.tensor([0.0, 2.0]), 0)
    expected[1, 2] = 1
    same(made, expected, MASK)


@pytest.mark.parametrize(
    "function, gradient",
    [
        (lambda x: x.sum(), rl.ones(2, 3)),
        (lambda x: (x * x).sum(), 2 * DATA),
        (lambda x: x.sin().mean(), DATA.cos() / 3),
        (lambda x: x.amax(1).sum(), rl.tensor([[0.0, 0, 1], [0, 0, 1]])),
        (lambda x: x.view(6).sum(), rl.ones(2, 3)),
        (lambda x: rl.cat([x, x]).sum(), 2 * rl.ones(2, 3)),
        (lambda x: x.get_data().sum(), rl.ones(2, 3)),
        (lambda x: x.softmax(-1).sum(), rl.zeros(2, 3)),
    ],
)
def test_gradients_have_the_mask(function, gradient):
    x = make(requires_grad=True)
    function(x).backward()
    same(x.grad, gradient, MASK)


def test_choices_mask_the_gradients_of_what_was_not_taken():
    x, y = make(True), masked_tensor(DATA * 10, ~MASK, requires_grad=True)
    made = rl.where(MASK, x, y)
    same(made, rl.where(MASK, DATA, DATA * 10), rl.ones(2, 3, dtype=rl.bool))
    made.sum().backward()
    same(x.grad, rl.ones(2, 3), MASK)
    same(y.grad, rl.ones(2, 3), ~MASK)


def test_as_masked_tensor_is_part_of_the_graph():
    data = DATA.clone().requires_grad_()
    (as_masked_tensor(data, MASK) * 3).sum().backward()
    same(data.grad, 3 * rl.ones(2, 3), MASK)


def test_changes_in_place():
    x = make()
    assert x.add_(1) is x
    same(x, DATA + 1, MASK)


def test_printing():
    assert repr(make()[0]) == "MaskedTensor(\n  [  0.0000,       --,   2.0000]\n)"
    assert repr(make().sum()) == "MaskedTensor(  7.0000, True)"
    assert repr(masked_tensor(rl.tensor(3), rl.tensor(False))) == "MaskedTensor(--, False)"
    assert make().sum().item() == 7 and is_masked_tensor(make())


def test_functions_of_the_namespace_add_their_mask():
    other = rl.tensor([True, True, False])
    assert rl.masked.sum(make(), mask=other).item() == 0
    assert rl.masked.sum(make(), dim=1).tolist() == [2, 5]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="masks must match"):
        make() + masked_tensor(DATA, ~MASK)
    with pytest.raises(TypeError, match="mm"):
        make() @ make().t()
    with pytest.raises(TypeError, match="dtype bool"):
        masked_tensor(DATA, MASK.float())
    with pytest.raises(ValueError, match="dim"):
        masked_tensor(DATA, MASK[0])
    with pytest.raises(TypeError, match="data must be a Tensor"):
        masked_tensor([1.0], MASK)
    with pytest.raises(NotImplementedError, match="layout"):
        masked_tensor(DATA.to_sparse(), MASK.to_sparse())
    with pytest.warns(UserWarning, match="prototype stage"):
        make()


def test_the_modules_of_the_class_and_of_its_makers_can_be_imported():
    from rushlight.masked.maskedtensor.core import MaskedTensor, is_masked_tensor
    from rushlight.masked.maskedtensor.creation import as_masked_tensor, masked_tensor

    made = masked_tensor(rl.ones(2), rl.tensor([True, False]))
    assert is_masked_tensor(made) and isinstance(made, MaskedTensor)
    assert as_masked_tensor is rl.masked.as_masked_tensor
