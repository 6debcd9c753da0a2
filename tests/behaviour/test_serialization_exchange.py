"""What PyTorch saved goes on here: every dtype and layout, state dicts of layers and optimizers.

The files are written by tests/data/record_checkpoints.py.
"""

import io
import json
import pathlib

import pytest

import rushlight as rl

DATA = pathlib.Path(__file__).parent.parent / "data"
FILES, FACTS = DATA / "checkpoints", json.loads((DATA / "checkpoint_facts.json").read_text())


def facts(x):
    stride = list(x.stride()) if x.layout == rl.strided else str(x.layout)
    dense = x.detach().to_dense() if x.layout != rl.strided else x
    if x.is_complex():
        dense = rl.view_as_real(x)
    whole = not (dense.is_floating_point() or dense.dtype == rl.bool)
    values = None if x.is_meta else dense.to(rl.int64 if whole else rl.float64).tolist()
    return [str(x.dtype), list(x.shape), stride, values]


@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("mmap", [True, False])
def test_every_kind_of_tensor(weights_only, mmap):
    got = rl.load(FILES / "kinds.pt", weights_only=weights_only, mmap=mmap)
    assert {name: facts(x) for name, x in got.items()} == FACTS["kinds"]
    assert rl.equal(got["int32_view"], got["int32"][1::2])
    got["int32"][1] = 7
    assert got["int32_view"][0] == 7, "views share the storage of their base"


def test_every_kind_of_tensor_of_the_stream_format():
    got = rl.load(FILES / "kinds_legacy.pt")
    assert len(got) > 40
    assert all(facts(x) == FACTS["kinds"][name] for name, x in got.items())


@pytest.mark.parametrize("zipped", [True, False])
def test_what_was_read_is_written_and_read_again(zipped):
    name = "kinds.pt" if zipped else "kinds_legacy.pt"
    buffer = io.BytesIO()
    rl.save(rl.load(FILES / name), buffer, _use_new_zipfile_serialization=zipped)
    buffer.seek(0)
    for name, x in rl.load(buffer).items():
        assert facts(x) == FACTS["kinds"][name]


@pytest.mark.parametrize("name", FACTS["after"])
def test_optimizers_go_on_where_pytorchs_stopped(name):
    state, weights = rl.load(FILES / "optimizers.pt")[name]
    layer = rl.nn.Linear(3, 2)
    layer.load_state_dict(weights)
    optimizer = getattr(rl.optim, name)(layer.parameters(), lr=5.0)
    optimizer.load_state_dict(state)
    assert str(optimizer.state_dict()) == str(state)

    def loss():
        optimizer.zero_grad()
        value = layer(rl.ones(2, 3)).pow(2).sum()
        value.backward()
        return value

    optimizer.step(loss)
    for param, want in zip(layer.parameters(), FACTS["after"][name]):
        rl.testing.assert_close(param.detach(), rl.tensor(want), rtol=1e-5, atol=1e-6)


def test_layers_take_pytorchs_state_dicts():
    nn, parametrizations = rl.nn, rl.nn.utils.parametrizations
    layers = {
        "lstm": nn.LSTM(2, 3, 2, bidirectional=True),
        "transformer": nn.TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 4), 1),
        "conv": nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU()),
        "weight_norm": parametrizations.weight_norm(nn.Linear(2, 3)),
        "spectral_norm": parametrizations.spectral_norm(nn.Linear(2, 3)),
        "bag": nn.EmbeddingBag(4, 3),
    }
    states = rl.load(FILES / "models.pt")
    assert set(states) == set(layers)
    for name, layer in layers.items():
        assert list(layer.state_dict()) == list(states[name])
        layer.load_state_dict(states[name])
        for key, value in layer.state_dict().items():
            assert rl.equal(value, states[name][key])


def test_a_whole_recurrent_layer_computes_what_it_did():
    got = rl.load(FILES / "lstm.pt", weights_only=False)
    rl.testing.assert_close(got(rl.ones(2, 2))[0].detach(), rl.tensor(FACTS["lstm"]))
    buffer = io.BytesIO()
    rl.save(got, buffer)
    buffer.seek(0)
    assert b"_flat_weights" in buffer.getvalue(), (
        "PyTorch's layer has the list among its attributes"
    )
    again = rl.load(buffer, weights_only=False)
    assert rl.equal(again(rl.ones(2, 2))[0], got(rl.ones(2, 2))[0])
