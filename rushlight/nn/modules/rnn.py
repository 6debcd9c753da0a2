"""Recurrent layers: `RNN`, `LSTM`, `GRU`, and single steps of them, the cells.

Layers, directions and lengths are walked, and the steps of a sequence computed, by
`_rnn_layers.py`.
"""

import math

import rushlight as rl

from .. import init
from ..parameter import Parameter
from ..utils.rnn import PackedSequence
from ._rnn_layers import run_cell, run_layers
from .module import Module

__all__ = ["RNNBase", "RNN", "LSTM", "GRU", "RNNCellBase", "RNNCell", "LSTMCell", "GRUCell"]

GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}


class RNNBase(Module):
    """What recurrent layers share: sizes, weights and checks.

    Weights are named `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, with the layer's
    number and `_reverse` for the second direction; projections are `weight_hr_l0`.
    """

    __constants__ = [
        "mode",
        "input_size",
        "hidden_size",
        "num_layers",
        "bias",
        "batch_first",
        "dropout",
        "bidirectional",
        "proj_size",
    ]

    def __init__(
        self,
        mode,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        dropout=0.0,
        bidirectional=False,
        proj_size=0,
        device=None,
        dtype=None,
    ):
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options(dropout)
        self._make_weights({"device": device, "dtype": dtype})
        self.reset_parameters()

    def _check_types(self):
        for name, kind in (
            ("input_size", int),
            ("hidden_size", int),
            ("bias", bool),
            ("batch_first", bool),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                )
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")

    def _check_options(self, dropout):
        hidden, proj = self.hidden_size, self.proj_size
        self._check_types()
        number = isinstance(dropout, (int, float)) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            import warnings

            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=4,
            )
        if proj < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if proj >= hidden:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _make_weights(self, options):
        directions = 2 if self.bidirectional else 1
        rows, proj = GATES[self.mode] * self.hidden_size, self.proj_size
        state = proj if proj > 0 else self.hidden_size
        self._flat_weights_names, self._all_weights = [], []
        for layer in range(self.num_layers):
            size = self.input_size if layer == 0 else state * directions
            for suffix in ("", "_reverse")[:directions]:
                shapes = {"weight_ih": (rows, size), "weight_hh": (rows, state)}
                if self.bias:
                    shapes.update(bias_ih=(rows,), bias_hh=(rows,))
                if proj > 0:
                    shapes["weight_hr"] = (proj, self.hidden_size)
                names = [f"{name}_l{layer}{suffix}" for name in shapes]
                for name, shape in zip(names, shapes.values()):
                    setattr(self, name, Parameter(rl.empty(shape, **options)))
                self._flat_weights_names += names
                self._all_weights.append(names)

    @property
    def _flat_weights(self):
        return [getattr(self, name) for name in self._flat_weights_names]

    @property
    def all_weights(self):
        """The weights, one list per layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    def flatten_parameters(self):
        """Nothing: weights need no special memory layout here."""

    def reset_parameters(self):
        """Draw new initial values, uniform in ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def check_input(self, input, batch_sizes):
        """Raise ValueError or RuntimeError if dtype, dimensions or size of `input` do not fit."""
        dtype = self._flat_weights[0].dtype
        if input.dtype != dtype and not rl.is_autocast_enabled("cpu"):
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert "
                "input: input.to(dtype), or convert model: model.to(dtype)"
            )
        dims = 2 if batch_sizes is not None else 3
        if input.dim() != dims:
            raise RuntimeError(f"input must have {dims} dimensions, got {input.dim()}")
        if input.size(-1) != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.size(-1)}"
            )

    def check_hidden_size(self, hx, expected, msg="Expected hidden size {}, got {}"):
        """Raise RuntimeError if `hx` is not of the expected shape."""
        if tuple(hx.size()) != tuple(expected):
            raise RuntimeError(msg.format(tuple(expected), list(hx.size())))

    def _state_shapes(self, batch):
        """Shapes of the hidden state, and of the cell state of an LSTM."""
        n = self.num_layers * (2 if self.bidirectional else 1)
        shapes = [(n, batch, self.proj_size if self.proj_size > 0 else self.hidden_size)]
        return shapes + [(n, batch, self.hidden_size)] if self.mode == "LSTM" else shapes

    def forward(self, input, hx=None):
        states = None if hx is None else list(hx) if self.mode == "LSTM" else [hx]
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, states)
        if input.dim() not in (2, 3):
            raise ValueError(
                f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead"
            )
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        if not batched:
            input = input.unsqueeze(batch_dim)
        states = self._unbatched_states(states, batched)
        batch = input.size(batch_dim)
        if states is None:
            states = [input.new_zeros(shape) for shape in self._state_shapes(batch)]
        self._check_all(input, states, None, batch)
        steps = input.transpose(0, 1) if self.batch_first else input
        output, states = run_layers(self, steps, states, None)
        if self.batch_first:
            output = output.transpose(0, 1)
        if not batched:
            output, states = output.squeeze(batch_dim), [s.squeeze(1) for s in states]
        return output, self._as_hidden(states)

    def _unbatched_states(self, states, batched):
        if states is None:
            return None
        dims = 3 if batched else 2
        if any(s.dim() != dims for s in states):
            kind = "batched 3-D" if batched else "unbatched 2-D"
            got = ", ".join(f"{s.dim()}-D" for s in states)
            raise RuntimeError(f"For {kind} input, hx should also be {dims}-D but got {got} tensor")
        return states if batched else [s.unsqueeze(1) for s in states]

    def _forward_packed(self, sequence, states):
        data, batch_sizes, sorted_indices, unsorted_indices = sequence
        batch = int(batch_sizes[0])
        if states is None:
            states = [data.new_zeros(shape) for shape in self._state_shapes(batch)]
        elif sorted_indices is not None:
            states = [s.index_select(1, sorted_indices) for s in states]
        self._check_all(data, states, batch_sizes, batch)
        output, states = run_layers(self, data, states, batch_sizes.tolist())
        if unsorted_indices is not None:
            states = [s.index_select(1, unsorted_indices) for s in states]
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self._as_hidden(states)

    def _check_all(self, input, states, batch_sizes, batch):
        self.check_input(input, batch_sizes)
        names = ("hidden[0]", "hidden[1]") if self.mode == "LSTM" else ("hidden",)
        for state, shape, name in zip(states, self._state_shapes(batch), names):
            self.check_hidden_size(state, shape, f"Expected {name} size {{}}, got {{}}")

    def _as_hidden(self, states):
        return tuple(states) if self.mode == "LSTM" else states[0]

    def __getstate__(self):
        """With the list of weights that PyTorch expects among the attributes."""
        return {**self.__dict__, "_flat_weights": self._flat_weights}

    def __setstate__(self, state):
        state = {k: v for k, v in state.items() if k not in ("_flat_weights", "_flat_weight_refs")}
        super().__setstate__(state)
        self.__dict__.setdefault("proj_size", 0)
        if "all_weights" in state:
            self._all_weights = self.__dict__.pop("all_weights")
        if "_flat_weights_names" not in self.__dict__:
            self._flat_weights_names = [n for names in self._all_weights for n in names]

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        shown = (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        )
        for name, default in shown:
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class RNN(RNNBase):
    """`h' = tanh(W_ih x + b_ih + W_hh h + b_hh)` over a sequence (Elman 1990).

    Args:
        input_size, hidden_size: sizes of x and h.
        num_layers: layers on top of each other.
        nonlinearity: 'tanh' or 'relu'.
        bias: whether there are the two biases.
        batch_first: whether input and output are `(N, L, *)` rather than `(L, N, *)`.
        dropout: probability of dropping values between layers.
        bidirectional: also run backwards, and join both outputs.

    Called with `(input, hx=None)`, input `(L, N, input_size)`, `(L, input_size)` or packed; hx is
    `(layers * directions, N, hidden_size)`. Returns `(output, last hidden state)`.

    Example::

        >>> import rushlight as rl
        >>> out, h = rl.nn.RNN(10, 20, 2)(rl.randn(5, 3, 10))
        >>> out.shape, h.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__("RNN_" + nonlinearity.upper(), *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter & Schmidhuber 1997) over a sequence.

    Arguments as for `RNN`, and `proj_size`: if not 0, h is projected to that size. The hidden state
    is a pair (h, c).

    Example::

        >>> import rushlight as rl
        >>> out, (h, c) = rl.nn.LSTM(10, 20)(rl.randn(5, 3, 10))
        >>> out.shape, c.shape
        (torch.Size([5, 3, 20]), torch.Size([1, 3, 20]))
    """

    def __init__(self, *args, **kwargs):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units (Cho et al. 2014) over a sequence; arguments as for `RNN`."""

    def __init__(self, *args, **kwargs):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """What the cells share: weights and checks."""

    __constants__ = ["input_size", "hidden_size", "bias"]

    def __init__(self, input_size, hidden_size, bias, num_chunks, device=None, dtype=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        shapes = {"weight_ih": (rows, input_size), "weight_hh": (rows, hidden_size)}
        for name, shape in shapes.items():
            setattr(self, name, Parameter(rl.empty(shape, device=device, dtype=dtype)))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(rl.empty(rows, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw new initial values, uniform in ±1/sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for weight in self.parameters():
            init.uniform_(weight, -bound, bound)

    def extra_repr(self):
        text = f"{self.input_size}, {self.hidden_size}"
        if self.bias is not True:
            text += f", bias={self.bias}"
        nonlinearity = getattr(self, "nonlinearity", "tanh")
        return text if nonlinearity == "tanh" else f"{text}, nonlinearity={nonlinearity}"

    def _step(self, mode, input, states):
        """The list of next states; `states` None means zeros."""
        kind = type(self).__name__
        if input.dim() not in (1, 2):
            raise ValueError(f"{kind}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        for i, state in enumerate(states or ()):
            if state.dim() not in (1, 2):
                name = f"hx[{i}]" if len(states) > 1 else "hidden"
                raise ValueError(
                    f"{kind}: Expected {name} to be 1D or 2D, got {state.dim()}D instead"
                )
        batched = input.dim() == 2
        if not batched:
            input = input.unsqueeze(0)
            states = states and [s.unsqueeze(0) for s in states]
        if states is None:
            zeros = input.new_zeros((input.size(0), self.hidden_size))
            states = [zeros] * (2 if mode == "LSTM" else 1)
        self._check_sizes(input, states)
        result = run_cell(self, mode, input, states)
        return result if batched else [r.squeeze(0) for r in result]

    def _check_sizes(self, input, states):
        batch, size = input.shape
        if size != self.input_size:
            raise RuntimeError(
                f"input has inconsistent input_size: got {size} expected {self.input_size}"
            )
        expected = (batch, self.hidden_size)
        for i, state in enumerate(states):
            if state.shape == expected:
                continue
            if state.size(0) != batch:
                raise RuntimeError(
                    f"Input batch size {batch} doesn't match hidden{i} batch size {state.size(0)}"
                )
            if state.size(1) != self.hidden_size:
                raise RuntimeError(
                    f"hidden{i} has inconsistent hidden_size: got {state.size(1)}, expected "
                    f"{self.hidden_size}"
                )


class RNNCell(RNNCellBase):
    """One step of an `RNN`: `cell(input, hx=None)` returns the next hidden state.

    Shapes: `(N, input_size)` and `(N, hidden_size)`, or without N.
    """

    __constants__ = ["input_size", "hidden_size", "bias", "nonlinearity"]

    def __init__(
        self, input_size, hidden_size, bias=True, nonlinearity="tanh", device=None, dtype=None
    ):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        if self.nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        mode = "RNN_" + self.nonlinearity.upper()
        return self._step(mode, input, None if hx is None else [hx])[0]


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`: `cell(input, (h, c))` returns the next (h, c)."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        return tuple(self._step("LSTM", input, None if hx is None else list(hx)))


class GRUCell(RNNCellBase):
    """One step of a `GRU`: `cell(input, hx=None)` returns the next hidden state."""

    def __init__(self, input_size, hidden_size, bias=True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        return self._step("GRU", input, None if hx is None else [hx])[0]
