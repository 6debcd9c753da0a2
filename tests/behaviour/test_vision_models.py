"""Models have torchvision's states, initial weights and outputs; weights are refused in words.

Recorded answers are in tests/data/vision_models.json; programs in `vision_programs.py`.
"""

import json
import pathlib

import pytest

import rushlight as rl
import vision_programs as programs
from rushlight.vision import models
from rushlight.vision.models._published import PUBLISHED

RECORDED = json.loads(
    (pathlib.Path(__file__).parent.parent / "data/vision_models.json").read_text()
)


@pytest.fixture
def undrawn(monkeypatch):
    """Leaves weights as they come from memory: names and shapes need no random numbers."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "normal_", "uniform_", "trunc_normal_"):
        monkeypatch.setattr(rl.nn.init, name, lambda tensor, *args, **kwargs: tensor)


def _slow_above(names, parameters):
    """The names, those of models with more parameters marked as slow."""
    slow = {n for n in names if RECORDED["states"][n][0] > parameters}
    return [pytest.param(n, marks=pytest.mark.slow) if n in slow else n for n in names]


def test_the_same_models_are_known():
    assert set(models.list_models()) == set(RECORDED["states"])
    assert set(models.list_models()) == set(PUBLISHED)


@pytest.mark.parametrize("name", _slow_above(RECORDED["states"], 150_000_000))
def test_state_has_recorded_names_and_shapes(name, undrawn):
    assert programs.state_digest(models.get_model(name)) == RECORDED["states"][name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_parameter_counts(name):
    members = models.get_model_weights(name).__members__.values()
    counted = RECORDED["states"][name][0]
    if name == "googlenet":  # published without the auxiliary classifiers
        counted -= 6379984
    if "IMAGENET1K_SWAG_E2E_V1" in models.get_model_weights(name).__members__:
        members = [m for m in members if "E2E" not in m.name]  # trained on larger images
    assert {member.meta["num_params"] for member in members} == {counted}


@pytest.mark.parametrize("name", _slow_above(RECORDED["runs"], 6_000_000))
def test_weights_and_outputs_equal_recorded(name):
    ours = programs.model(rl, models, name, programs.MODELS[name])
    recorded = RECORDED["runs"][name]
    assert ours["next"] == recorded["next"]
    assert ours["weights"] == pytest.approx(recorded["weights"], rel=1e-4, abs=1e-7)
    for row, wanted in zip(ours["logits"], recorded["logits"]):
        assert row == pytest.approx(wanted, rel=2e-3, abs=2e-3)


def test_weights_are_refused_in_words(tmp_path):
    for weights in ("DEFAULT", models.ResNet18_Weights.DEFAULT, True):
        with pytest.raises(RuntimeError, match="load_state_dict"):
            models.resnet18(weights=weights)
    with pytest.raises(RuntimeError, match="pretrained"):
        models.resnet18(pretrained=True)
    with pytest.raises(RuntimeError, match="load_state_dict"):
        models.ResNet18_Weights.IMAGENET1K_V1.get_state_dict()
    small = models.get_model("SqueezeNet1_1", num_classes=3)
    rl.save(small.state_dict(), tmp_path / "file.pth")
    again = models.squeezenet1_1(num_classes=3)
    again.load_state_dict(rl.load(tmp_path / "file.pth"))
    assert rl.equal(again.features[0].weight, small.features[0].weight)


def test_weights_know_their_file_and_preprocessing():
    weights = models.get_weight("ResNet50_Weights.IMAGENET1K_V2")
    assert weights is models.ResNet50_Weights.DEFAULT
    assert weights.url.endswith("/resnet50-11ad3fa6.pth")
    image = (rl.rand(3, 300, 400) * 255).to(rl.uint8)
    ready = weights.transforms()(image)
    assert ready.shape == (3, 224, 224) and ready.dtype == rl.float32
    with pytest.raises(ValueError, match="no weights"):
        models.get_weight("ResNet50_Weights.NONE")


def test_published_files_with_older_names_load():
    dense = models.DenseNet(8, (2, 2), 8, num_classes=2)
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): value
        for key, value in dense.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert str(dense.load_state_dict(old)) == "<All keys matched successfully>"
    vit = models.VisionTransformer(8, 4, 1, 2, 6, 10, num_classes=2)
    old = {
        key.replace("mlp.0.", "mlp.linear_1.").replace("mlp.3.", "mlp.linear_2."): value
        for key, value in vit.state_dict().items()
    }
    assert str(vit.load_state_dict(old)) == "<All keys matched successfully>"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_auxiliary_logits_come_in_training_only(name, undrawn):
    model = models.get_model(name, num_classes=5, transform_input=True)
    images = rl.rand(2, 3, *[299 if name == "inception_v3" else 64] * 2)
    with rl.no_grad():
        out = model(images)
        assert out.logits.shape == (2, 5) and all(part.shape == (2, 5) for part in out)
        assert model.eval()(images).shape == (2, 5)


def test_unknown_models_and_sizes_raise():
    with pytest.raises(ValueError, match="Unknown model"):
        models.get_model("resnet19")
    with pytest.raises(AttributeError, match="ResNet19_Weights"):
        models.ResNet19_Weights  # noqa: B018
    with pytest.raises(ValueError, match="8x8"):
        models.VisionTransformer(8, 4, 1, 2, 6, 10)(rl.rand(1, 3, 12, 8))
    with pytest.raises(TypeError):
        models.resnet18(classes=3)


def test_a_small_network_learns():
    network = models.ShuffleNetV2([1, 1, 1], [8, 16, 16, 16, 32], num_classes=2)
    optimizer = rl.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    y = rl.arange(8) % 2
    x = 0.2 * rl.randn(8, 3, 32, 32) + y.float().view(-1, 1, 1, 1)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = rl.nn.functional.cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.3 * losses[0]


def test_lenet_scores_grey_images():
    network = models.lenet(num_classes=4)
    assert network(rl.zeros(2, 1, 28, 28)).shape == (2, 4)
    assert sum(p.numel() for p in models.LeNet().parameters()) == 61706
