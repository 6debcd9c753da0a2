"""Windows, masked reductions, ranges, tensor types and top-level forms against recorded PyTorch.

Cases are in tests/data/families_cases.py; floats are compared to a few roundings, NaN equals NaN.
"""

import numpy
import pytest
from recorded import answers, evaluate
from test_reduce_recorded import agree

import rushlight as rl

SETUP, ANSWERS = answers("families")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    got = evaluate(text, rl, numpy, SETUP)
    assert agree(got, ANSWERS[text]), (got, ANSWERS[text])


def test_packed_and_padded_sequences_run_through_the_functions_as_through_the_modules():
    rl.manual_seed(0)
    layers = rl.nn.LSTM(3, 4, 2, batch_first=True, bidirectional=True)
    weights = [w for group in layers.all_weights for w in group]
    x, state = rl.randn(2, 5, 3), (rl.randn(4, 2, 4), rl.randn(4, 2, 4))
    got = rl.lstm(x, state, weights, True, 2, 0.0, False, True, True)
    output, (h, c) = layers(x, state)
    assert all(rl.equal(a, b) for a, b in zip(got, (output, h, c)))
    packed = rl.nn.utils.rnn.pack_padded_sequence(x, [5, 2], batch_first=True)
    data, *_ = rl.lstm(packed.data, packed.batch_sizes, state, weights, True, 2, 0.0, False, True)
    assert rl.equal(data, layers(packed, state)[0].data)


def test_a_forked_generator_leaves_the_default_one_as_it_was():
    rl.manual_seed(3)
    before = rl.get_rng_state()
    with rl.random.fork_rng():
        rl.rand(5)
    assert rl.equal(before, rl.get_rng_state())
    with pytest.raises(RuntimeError, match="no accelerator"), rl.random.fork_rng(devices=[0]):
        pass


def test_streams_of_the_cpu_nest():
    outer, inner = rl.cpu.Stream(), rl.cpu.Stream()
    with rl.cpu.stream(outer), rl.cpu.stream(inner):
        assert rl.cpu.current_stream() is inner
    assert rl.cpu.current_stream() is not outer
