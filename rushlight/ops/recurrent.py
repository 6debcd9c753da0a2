"""Recurrent layers as functions: `lstm`, `gru`, `rnn_tanh`, `rnn_relu`, and single steps of them.

They take the weights as a list, layer by layer and direction by direction, as the modules in
nn/modules/rnn.py hold them; the loops are in nn/modules/_rnn_layers.py. To add a kind: a step
there, and a line below.
"""

import rushlight as rl
from rushlight import _native
from rushlight.ops._attach import through_formula
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op


# ---- all steps of a layer
@op(
    "_rnn_steps(Tensor gates, Tensor hidden, Tensor? cell, Tensor weight, Tensor? bias, str mode, "
    "bool keep=True) -> (Tensor output, Tensor last_cell, Tensor cells, Tensor kept)",
    at=("internal",),
)
def _rnn_steps(gates, hidden, cell, weight, bias, mode, keep=True):
    """The hidden states (T, N, H) of all steps, and the last cell state; see recurrent.cpp.
    The gates (T, N, *) are the input's part of them; weight and bias make the hidden state's.
    ``keep`` is whether a gradient may be asked for."""
    ...


@op(
    "_rnn_steps_backward(Tensor? grad_output, Tensor? grad_last_cell, Tensor output, Tensor cells, "
    "Tensor kept, Tensor hidden, Tensor? cell, Tensor weight_t, str mode) -> (Tensor grad_gates, "
    "Tensor grad_side, Tensor grad_hidden, Tensor grad_cell)",
    at=("internal",),
)
def _rnn_steps_backward(
    grad_output, grad_last_cell, output, cells, kept, hidden, cell, weight_t, mode
):
    """The gradients of `_rnn_steps` by the gates' two parts and by the first states."""
    ...


def _steps_in_ops(gates, hidden, cell, weight, bias, mode):
    """`_rnn_steps` in recorded ops: (output, last_cell)."""
    from types import SimpleNamespace

    from rushlight.nn.modules._rnn_layers import STEPS

    weights = SimpleNamespace(hh=weight, bias_hh=bias, hr=None)
    states, outputs = [hidden] if cell is None else [hidden, cell], []
    for step in gates.unbind(0):
        states = STEPS[mode](step, states, weights)
        outputs.append(states[0])
    return rl.stack(outputs), *states[1:]


@_rnn_steps.vjp_all
def _(given, needs, gates, hidden, cell, weight, bias, mode, keep, output, last_cell, cells, kept):
    inputs, needs = (gates, hidden, cell, weight, bias), needs[:5]
    if rl.is_grad_enabled() or any([g is not None and _native.kind_of(g) for g in given]):
        grads = through_formula(_steps_in_ops, given, needs, inputs, mode)
        return *grads, None, None
    grad_gates, side, grad_hidden, grad_cell = _rnn_steps_backward(
        given[0], given[1], output, cells, kept, hidden, cell, weight.t(), mode
    )
    rows = (side if side.numel() else grad_gates).flatten(0, 1)
    grad_weight = grad_bias = None
    if needs[3]:
        one = output.size(0) == 1
        before = hidden if one else rl.cat([hidden.unsqueeze(0), output[:-1]]).flatten(0, 1)
        grad_weight = rows.t() @ before
    if needs[4]:
        grad_bias = rows.sum(0)
    grads = (grad_gates, grad_hidden, grad_cell, grad_weight, grad_bias)
    return *(grads if all(needs) else [g if n else None for g, n in zip(grads, needs)]), None, None


def steps_at_once(gates, states, weights, mode):
    """(output, last states) of a layer by `_rnn_steps`; None if it is not for these tensors."""
    weight, bias, dtype = weights.hh, weights.bias_hh, gates.dtype
    if weights.hr is not None or dtype not in (rl.float32, rl.float64) or gates.dim() != 3:
        return None
    steps, *state_shape = gates.size(0), gates.size(1), weight.size(1)
    tensors = [gates, weight, *states] if bias is None else [gates, weight, bias, *states]
    if not steps or any([_native.kind_of(t) or t.dtype != dtype for t in tensors]):
        return None
    if any([list(s.shape) != state_shape for s in states]):
        return None
    cell = states[1] if mode == "LSTM" else None
    keep = rl.is_grad_enabled() and any([t.requires_grad for t in tensors])
    output, last_cell, *_ = _rnn_steps(gates, states[0], cell, weight, bias, mode, keep)
    if keep and (mode != "LSTM" or steps == 1):
        # Programs change these in place, as PyTorch's gradients do not read them.
        output = output.clone()
        last_cell = last_cell if cell is None else last_cell.clone()
    last = output.squeeze(0) if steps == 1 else output[-1]
    return output, [last] if cell is None else [last, last_cell]


_OPTIONS = (
    "Tensor[] params, bool has_biases, int num_layers, float dropout, bool train, "
    "bool bidirectional"
)


def _layers(name, params, has_biases, num_layers, bidirectional):
    """The weights of each layer and direction, from the flat list."""
    count = num_layers * (2 if bidirectional else 1)
    size, rest = divmod(len(params), max(count, 1))
    expected = (4, 5) if has_biases else (2, 3)
    if rest or size not in expected:
        raise RuntimeError(
            f"{name}: expected {expected[0]} weights (or {expected[1]} with projections) for each "
            f"of {count} layers and directions, got {len(params)} in all"
        )
    return [params[i * size : (i + 1) * size] for i in range(count)], size == expected[1]


def _run(name, mode, input, states, batch_sizes, options):
    from types import SimpleNamespace

    from rushlight.nn.modules._rnn_layers import run_layers

    params, has_biases, num_layers, dropout, train, bidirectional = options
    weights, projected = _layers(name, params, has_biases, num_layers, bidirectional)
    layers = SimpleNamespace(
        all_weights=weights,
        bias=has_biases,
        proj_size=int(projected),
        mode=mode,
        num_layers=num_layers,
        dropout=dropout,
        training=train,
        bidirectional=bidirectional,
    )
    output, states = run_layers(layers, input, states, batch_sizes)
    return output, *states


def _hidden(name, mode, hx):
    states = list(hx) if isinstance(hx, (list, tuple)) else [hx]
    if len(states) != (2 if mode == "LSTM" else 1):
        raise RuntimeError(f"{name}: expected {'two hidden states' if mode == 'LSTM' else 'one'}")
    return states


def _gates(mode):
    return {"LSTM": 4, "GRU": 3}.get(mode, 1)


def _zero_state(mode, *sizes):
    """Zeros for the state of an example."""
    zeros = f"rl.zeros({', '.join(map(str, sizes))})"
    return f"({zeros}, {zeros})" if mode == "LSTM" else zeros


def _declare(name, mode, hx, result):
    def body(input, hx, *options):
        *options, batch_first = options
        x = input.transpose(0, 1) if batch_first else input
        output, *states = _run(name, mode, x, _hidden(name, mode, hx), None, options)
        return (output.transpose(0, 1) if batch_first else output), *states

    weights = f"[rl.ones({_gates(mode)}, 2), rl.ones({_gates(mode)}, 1)]"
    body.__doc__ = with_example(
        f"The layers of `nn.{mode.split('_')[0]}` on an input (time, batch, size), or (batch, time,"
        " size) with ``batch_first``: the output and the last states.",
        f"{name}(rl.zeros(3, 1, 2), {_zero_state(mode, 1, 1, 1)}, {weights}, False, 1, 0.0,\n"
        "        ...     False, False, False)[0].shape",
        "torch.Size([3, 1, 1])",
    )
    schema = f"{name}.input(Tensor input, {hx} hx, {_OPTIONS}, bool batch_first) -> {result}"
    op(schema, at="torch", method=False, out=False)(body)

    def packed(data, batch_sizes, hx, *options):
        sizes = batch_sizes.tolist()
        return _run(name, mode, data, _hidden(name, mode, hx), sizes, options)

    packed.__doc__ = "On packed sequences: ``batch_sizes`` counts those that reach each step."
    schema = f"{name}.data(Tensor data, Tensor batch_sizes, {hx} hx, {_OPTIONS}) -> {result}"
    op(schema, at="torch", method=False, out=False)(packed)


def _declare_cell(name, mode, hx, result):
    def body(input, hx, w_ih, w_hh, b_ih, b_hh):
        from types import SimpleNamespace

        from rushlight.nn.modules._rnn_layers import run_cell

        if (b_ih is None) != (b_hh is None):
            raise RuntimeError(f"{name}: give both biases, b_ih and b_hh, or none")
        cell = SimpleNamespace(
            weight_ih=w_ih, weight_hh=w_hh, bias_ih=b_ih, bias_hh=b_hh, bias=b_ih is not None
        )
        states = run_cell(cell, mode, input, _hidden(name, mode, hx))
        return tuple(states) if mode == "LSTM" else states[0]

    weights = f"rl.ones({_gates(mode)}, 2), rl.ones({_gates(mode)}, 1)"
    first = "[0]" if mode == "LSTM" else ""
    body.__doc__ = with_example(
        f"One step of `nn.{mode.split('_')[0]}`: the next states (batch, hidden size).",
        f"{name}(rl.zeros(1, 2), {_zero_state(mode, 1, 1)}, {weights}){first}",
        "tensor([[0.]])",
    )
    op(
        f"{name}(Tensor input, {hx} hx, Tensor w_ih, Tensor w_hh, Tensor? b_ih=None, "
        f"Tensor? b_hh=None) -> {result}",
        at="torch",
        method=False,
        out=False,
    )(body)


for _name, _mode in (("rnn_tanh", "RNN_TANH"), ("rnn_relu", "RNN_RELU"), ("gru", "GRU")):
    _declare(_name, _mode, "Tensor", "(Tensor, Tensor)")
    _declare_cell(_name + "_cell", _mode, "Tensor", "Tensor")
_declare("lstm", "LSTM", "Tensor[]", "(Tensor, Tensor, Tensor)")
_declare_cell("lstm_cell", "LSTM", "Tensor[]", "(Tensor, Tensor)")
