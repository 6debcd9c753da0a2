"""Runs recurrent layers over a sequence: layer by layer, direction by direction, step by step.

A layer's input projections are one matrix product for all steps; a step adds the hidden state's.
To add a kind of layer, write its step function and put it into `STEPS`.
"""

import rushlight as rl
from rushlight.ops.recurrent import steps_at_once

from .. import functional as F


def _rnn_tanh(gates, state, weights):
    return [rl.tanh(gates + F.linear(state[0], weights.hh, weights.bias_hh))]


def _rnn_relu(gates, state, weights):
    return [rl.relu(gates + F.linear(state[0], weights.hh, weights.bias_hh))]


def _lstm(gates, state, weights):
    h, c = state
    i, f, g, o = (gates + F.linear(h, weights.hh, weights.bias_hh)).chunk(4, -1)
    c = rl.sigmoid(f) * c + rl.sigmoid(i) * rl.tanh(g)
    h = rl.sigmoid(o) * rl.tanh(c)
    return [h if weights.hr is None else F.linear(h, weights.hr), c]


def _gru(gates, state, weights):
    (h,) = state
    reset_x, update_x, new_x = gates.chunk(3, -1)
    reset_h, update_h, new_h = F.linear(h, weights.hh, weights.bias_hh).chunk(3, -1)
    new = rl.tanh(new_x + rl.sigmoid(reset_x + reset_h) * new_h)
    return [new + rl.sigmoid(update_x + update_h) * (h - new)]


STEPS = {"RNN_TANH": _rnn_tanh, "RNN_RELU": _rnn_relu, "LSTM": _lstm, "GRU": _gru}


class _Weights:
    """The weights of one layer in one direction."""

    __slots__ = ("ih", "hh", "bias_ih", "bias_hh", "hr")

    def __init__(self, values, bias, projected):
        values = list(values)
        self.ih, self.hh = values[:2]
        self.bias_ih, self.bias_hh = values[2:4] if bias else (None, None)
        self.hr = values[-1] if projected else None


def run_cell(cell, mode, input, states):
    """The next states of one step, from the weights of a cell module."""
    biases = [cell.bias_ih, cell.bias_hh] if cell.bias else []
    weights = _Weights([cell.weight_ih, cell.weight_hh, *biases], cell.bias, False)
    gates = F.linear(input, weights.ih, weights.bias_ih)
    found = steps_at_once(gates.unsqueeze(0), states, weights, mode)
    return STEPS[mode](gates, states, weights) if found is None else found[1]


def run_layers(module, input, states, batch_sizes):
    """(output, states) of all layers of `module`.

    Args:
        input: `(T, N, size)`, or packed data `(sum of lengths, size)`.
        states: hidden state, and cell state of an LSTM, `(layers * directions, N, size)`.
        batch_sizes: a list, how many sequences reach each step; None if all do.
    """
    weights = [_Weights(w, module.bias, module.proj_size > 0) for w in module.all_weights]
    directions = 2 if module.bidirectional else 1
    last = []
    for layer in range(module.num_layers):
        if layer > 0 and module.dropout > 0 and module.training:
            input = F.dropout(input, module.dropout, True)
        outputs = []
        for direction in range(directions):
            k = layer * directions + direction
            start = [s[k] for s in states]
            walk = _walk if batch_sizes is None else _walk_packed
            output, end = walk(module.mode, input, start, weights[k], batch_sizes, direction == 1)
            outputs.append(output)
            last.append(end)
        input = outputs[0] if directions == 1 else rl.cat(outputs, -1)
    return input, [rl.stack(list(parts)) for parts in zip(*last)]


def _walk(mode, input, state, weights, _, backwards):
    """All sequences are of the same length: (outputs of all steps, last state)."""
    gates = F.linear(input, weights.ih, weights.bias_ih)
    found = steps_at_once(gates.flip(0) if backwards else gates, state, weights, mode)
    if found is not None:
        output, state = found
        return output.flip(0) if backwards else output, state
    outputs, gates = [], gates.unbind(0)
    for g in reversed(gates) if backwards else gates:
        state = STEPS[mode](g, state, weights)
        outputs.append(state[0])
    if backwards:
        outputs.reverse()
    return rl.stack(outputs), state


def _walk_packed(mode, input, state, weights, batch_sizes, backwards):
    """Sequences of falling length: short ones end early, or, backwards, start late."""
    gates = F.linear(input, weights.ih, weights.bias_ih).split(batch_sizes)
    start, outputs, ended = state, [], []
    if backwards:
        state = [s[: batch_sizes[-1]] for s in start]
    for t in reversed(range(len(gates))) if backwards else range(len(gates)):
        n, have = batch_sizes[t], state[0].size(0)
        if n > have:
            state = [rl.cat([s, first[have:n]]) for s, first in zip(state, start)]
        elif n < have:
            ended.append([s[n:] for s in state])
            state = [s[:n] for s in state]
        state = STEPS[mode](gates[t], state, weights)
        outputs.append(state[0])
    if backwards:
        outputs.reverse()
    if ended:
        state = [rl.cat(list(parts)) for parts in zip(state, *reversed(ended))]
    return rl.cat(outputs), state
