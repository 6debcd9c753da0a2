"""Recurrent layers in one native pass agree with their definition, step by step in ops."""

import pytest

import rushlight as rl
from rushlight.ops import recurrent

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


def inputs(mode, steps, batch, units, dtype, bias=True):
    shapes = [(steps, batch, GATES[mode] * units), (batch, units)]
    shapes += [(batch, units) if mode == "LSTM" else None]
    shapes += [(GATES[mode] * units, units), (GATES[mode] * units,) if bias else None]
    values = [None if s is None else rl.randn(s, dtype=dtype) for s in shapes]
    values[3] /= units**0.5  # states stay near 1
    return [None if v is None else v.requires_grad_() for v in values]


def both(tensors, mode):
    """The results (output, last cell state) of the native pass and of the definition."""
    native = recurrent._rnn_steps(*tensors, mode)
    return native[: 2 if mode == "LSTM" else 1], recurrent._steps_in_ops(*tensors, mode)


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
# The last has more gates than a block of a product is deep.
@pytest.mark.parametrize(
    "steps, batch, units, bias",
    [(1, 1, 1, True), (3, 2, 5, False), (7, 20, 33, True), (4, 3, 290, True)],
)
def test_values_and_gradients(mode, dtype, steps, batch, units, bias):
    tensors = inputs(mode, steps, batch, units, dtype, bias)
    native, defined = both(tensors, mode)
    near = {"rtol": 1e-10, "atol": 1e-12} if dtype == rl.float64 else {"rtol": 1e-4, "atol": 1e-4}
    given = [rl.randn_like(y) for y in defined]
    wanted = [t for t in tensors if t is not None]
    for one, other in zip(native, defined, strict=True):
        rl.testing.assert_close(one, other, **near)
    for one, other in zip(
        rl.autograd.grad(native, wanted, given), rl.autograd.grad(defined, wanted, given)
    ):
        rl.testing.assert_close(one, other, **near)


@pytest.mark.parametrize("mode", GATES)
def test_derivatives_of_both_orders(mode):
    tensors = inputs(mode, 3, 2, 2, rl.float64)
    present = [t for t in tensors if t is not None]

    def f(*present):
        values = iter(present)
        full = [None if t is None else next(values) for t in tensors]
        return recurrent._rnn_steps(*full, mode)[: 2 if mode == "LSTM" else 1]

    assert rl.autograd.gradcheck(f, present)
    assert rl.autograd.gradgradcheck(f, present)


def test_a_gradient_by_the_last_state_alone():
    layer = rl.nn.LSTM(3, 4)
    x = rl.randn(5, 2, 3, requires_grad=True)
    _, (_, cell) = layer(x)
    cell.sum().backward()
    assert x.grad.abs().sum() > 0 and layer.weight_hh_l0.grad.isfinite().all()


@pytest.mark.parametrize("kind", [rl.nn.LSTM, rl.nn.GRU, rl.nn.RNN])
def test_examples_under_vmap_and_backwards_direction(kind):
    layer = kind(3, 4, bidirectional=True, dtype=rl.float64)
    x = rl.randn(6, 5, 2, 3, dtype=rl.float64)
    one_by_one = rl.stack([layer(example)[0] for example in x])
    rl.testing.assert_close(rl.func.vmap(lambda example: layer(example)[0])(x), one_by_one)


def test_threads_do_not_change_a_bit():
    layer, x, threads = rl.nn.LSTM(40, 130), rl.randn(4, 70, 40), rl.get_num_threads()
    try:
        rl.set_num_threads(1)
        one = layer(x)[0]
        rl.set_num_threads(3)
        assert rl.equal(layer(x)[0], one)
    finally:
        rl.set_num_threads(threads)


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("batch, units", [(2, 0), (0, 3)])
def test_nothing_to_multiply(mode, batch, units):
    shapes = [(4, batch, GATES[mode] * units), (batch, units), (batch, units)]
    weight = rl.zeros(GATES[mode] * units, units)
    gates, hidden, cell = (rl.zeros(s, requires_grad=True) for s in shapes)
    tensors = [gates, hidden, cell if mode == "LSTM" else None, weight, None]
    output = recurrent._rnn_steps(*tensors, mode)[0]
    assert output.shape == (4, batch, units)
    assert rl.autograd.grad(output.sum(), gates)[0].shape == gates.shape


@pytest.mark.parametrize("mode", GATES)
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize("units", [1, 7, 8, 15, 16, 17, 31, 33, 64])
def test_results_do_not_depend_on_what_is_kept_for_gradients(mode, dtype, units):
    tensors = inputs(mode, 5, 3, units, dtype)
    kept = recurrent._rnn_steps(*tensors, mode)
    with rl.no_grad():
        alone = recurrent._rnn_steps(*tensors, mode, keep=False)
        _, *state = recurrent._steps_in_ops(*tensors, mode)
    assert rl.equal(alone[0], kept[0]) and rl.equal(alone[1], kept[1])
    assert alone[2].numel() == alone[3].numel() == 0
    if mode == "LSTM":
        rl.testing.assert_close(alone[1], state[0])


@pytest.mark.parametrize("mode", ["LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
def test_gates_at_their_extremes(mode, dtype):
    nan, inf = float("nan"), float("inf")
    row = rl.tensor([-inf, -1e4, -90.0, -0.0, 0.0, 90.0, 1e4, inf, nan], dtype=dtype)
    units = len(row)
    gates = row.repeat(2, 1, GATES[mode])
    state = rl.full((1, units), 0.5, dtype=dtype)
    cell = state if mode == "LSTM" else None
    weight = rl.zeros(GATES[mode] * units, units, dtype=dtype)
    tensors = (gates, state, cell, weight, None)
    native, defined = both(tensors, mode)
    for one, other in zip(native, defined, strict=True):
        rl.testing.assert_close(one, other, equal_nan=True)


@pytest.mark.parametrize("kind", ["GRU", "RNN", "GRUCell", "LSTMCell"])
def test_outputs_may_be_changed_in_place(kind):
    layer, x = getattr(rl.nn, kind)(3, 4), rl.randn(2, 1, 3)
    x = x[0] if kind.endswith("Cell") else x
    weight = list(layer.parameters())[1]

    def gradient(change):
        made = layer(x)
        change(made[0] if isinstance(made, tuple) else made).sum().backward()
        grad, weight.grad = weight.grad, None
        return grad

    assert gradient(lambda h: h.mul_(2)).equal(gradient(lambda h: h * 2))
