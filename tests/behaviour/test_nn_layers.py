"""Layers look, start and are named as PyTorch's: reprs, state-dict keys, initial values."""

import json
import pathlib

import nn_programs
import pytest
import rushlight as rl

DATA = pathlib.Path(__file__).parent.parent / "data"
LAYERS = json.loads((DATA / "nn_layers.json").read_text())
RECURRENT = json.loads((DATA / "rnn_outputs.json").read_text())


@pytest.mark.parametrize("expression", LAYERS)
def test_layer_equals_recorded(expression):
    got, want = nn_programs.layer(rl, expression), LAYERS[expression]
    assert got["repr"] == want["repr"]
    assert list(got["state"]) == list(want["state"])
    for name, (shape, values) in want["state"].items():
        assert got["state"][name][0] == shape
        assert nn_programs.close(got["state"][name][1], values), name


@pytest.mark.parametrize("expression", RECURRENT)
def test_recurrent_layer_equals_recorded(expression):
    got, want = nn_programs.recurrent(rl, expression), RECURRENT[expression]
    for name, values in want.items():
        assert nn_programs.close(got[name], values, 1e-5), name


def test_lazy_layers_take_their_shape_from_the_first_input():
    net = rl.nn.Sequential(
        rl.nn.LazyConv2d(4, 3), rl.nn.LazyBatchNorm2d(), rl.nn.Flatten(), rl.nn.LazyLinear(2)
    )
    assert net(rl.ones(2, 3, 6, 6)).shape == (2, 2)
    kinds = [type(m).__name__ for m in net]
    assert kinds == ["Conv2d", "BatchNorm2d", "Flatten", "Linear"]
    assert net[0].in_channels == 3 and net[3].in_features == 64


def test_lazy_layer_takes_its_shape_from_a_state_dict():
    layer = rl.nn.LazyLinear(3)
    layer.load_state_dict(rl.nn.Linear(4, 3).state_dict())
    assert layer.weight.shape == (3, 4)


def test_batch_norm_tracks_and_uses_running_statistics():
    layer = rl.nn.BatchNorm1d(2, momentum=0.5)
    layer(rl.tensor([[0.0, 1.0], [2.0, 5.0]]))
    assert layer.running_mean.tolist() == [0.5, 1.5]
    assert layer.num_batches_tracked.item() == 1
    layer.eval()
    before = layer.running_mean.clone()
    layer(rl.ones(2, 2))
    assert rl.equal(layer.running_mean, before)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="divisible by groups"):
        rl.nn.Conv2d(3, 4, 3, groups=2)
    with pytest.raises(ValueError, match="between 0 and 1"):
        rl.nn.Dropout(2)
    with pytest.raises(ValueError, match="proj_size"):
        rl.nn.GRU(2, 3, proj_size=1)
    with pytest.raises(ValueError, match="divisible by num_groups"):
        rl.nn.GroupNorm(2, 3)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_of_channels_says_where_it_takes_other_dimensions(training):
    with pytest.raises(RuntimeError, match="dropout1d"):
        rl.nn.Dropout1d().train(training)(rl.ones(1, 2, 2, 2))
    for layer, shape in (
        (rl.nn.Dropout2d, (2, 3)),
        (rl.nn.Dropout2d, (2, 3, 4)),
        (rl.nn.Dropout3d, (2, 3, 4)),
    ):
        with pytest.warns(UserWarning, match="dropout"):
            assert layer().train(training)(rl.ones(shape)).shape == shape
    assert rl.nn.functional.grad is rl.nn.grad
