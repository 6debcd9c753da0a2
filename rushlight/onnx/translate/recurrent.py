"""Recurrent layers: all steps of a layer and direction are one node."""

import rushlight as rl

from .._table import translates

#: mode -> (node, the gates in the node's order, attributes)
_NODES = {
    "LSTM": ("LSTM", (0, 3, 1, 2), {}),
    "GRU": ("GRU", (1, 0, 2), {"linear_before_reset": 1}),
    "RNN_TANH": ("RNN", (0,), {"activations": ["Tanh"]}),
    "RNN_RELU": ("RNN", (0,), {"activations": ["Relu"]}),
}


@translates("_rnn_steps")
def _(g, gates, hidden, cell, weight, bias, mode, keep):
    kind, order, options = _NODES[mode]
    size, dtype = hidden.shape[-1], gates.dtype
    rows = [i for gate in order for i in range(gate * size, (gate + 1) * size)]
    first, places = g.ints([0]), g.ints(rows)

    def sorted_rows(x):
        return g.op("Unsqueeze", g.op("Gather", x, places, axis=0), first)

    # The input's part is multiplied already: the node only puts its gates in order.
    take = rl.eye(len(rows), dtype=dtype)[rows].unsqueeze(0)
    zeros = rl.zeros(1, len(rows), dtype=dtype)
    biases = None if bias is None else g.op("Concat", zeros, sorted_rows(bias), axis=1)
    states = [hidden] if cell is None else [hidden, cell]
    made = g.op(kind, gates, take, sorted_rows(weight), biases, None,
                *[g.op("Unsqueeze", x, first) for x in states],
                outputs=1 + len(states), hidden_size=size, dtype=dtype, **options)  # fmt: skip
    output = g.op("Squeeze", made[0], g.ints([1]), dtype=dtype)
    last = g.op("Squeeze", made[-1], first, dtype=dtype)
    return output, last, output, output  # the last two are for gradients alone
