"""Transforms give torchvision's pictures from the same seeds, on tensors and on Pillow images.

Recorded digests are in tests/data/vision_transforms.json; programs in `vision_programs.py`.
"""

import json
import pathlib

import numpy as np
import pytest

import rushlight as rl
import vision_programs as programs
from rushlight.vision import transforms as T

RECORDED = json.loads(
    (pathlib.Path(__file__).parent.parent / "data/vision_transforms.json").read_text()
)


def assert_near(ours, recorded, where):
    """Digests agree: dtype and shape exactly; means to rounding in single precision."""
    if isinstance(recorded[0], list):
        assert len(ours) == len(recorded), where
        for a, b in zip(ours, recorded):
            assert_near(a, b, where)
        return
    assert ours[:2] == recorded[:2], where
    # A byte whose exact value is half-way may round either way: one unit in one of the bytes.
    unit = 1.0 / np.prod(recorded[1]) if recorded[0] == "torch.uint8" else 0.0
    assert ours[2:] == pytest.approx(recorded[2:], rel=2e-5, abs=2e-5 + 3.1 * unit), where


@pytest.mark.parametrize("expression", RECORDED)
def test_transform_equals_recorded(expression):
    ours = programs.transform(rl, T, expression, programs.TRANSFORMS[expression])
    recorded = RECORDED[expression]
    assert ours.keys() == recorded.keys()
    assert ours["repr"] == recorded["repr"]
    for key in ours.keys() - {"repr"}:
        assert ours[key][1] == recorded[key][1], f"{key}: the generator went on differently"
        assert_near(ours[key][0], recorded[key][0], key)


def test_to_tensor_scales_bytes_and_keeps_other_types():
    from PIL import Image

    tensor = T.ToTensor()(Image.new("RGB", (3, 2), (0, 51, 255)))
    assert tensor.shape == (3, 2, 3) and tensor.dtype == rl.float32
    assert tensor[:, 0, 0].tolist() == pytest.approx([0.0, 0.2, 1.0])
    assert T.ToTensor()(np.ones((2, 3), np.float64)).dtype == rl.float64
    assert T.ToTensor()(Image.new("1", (2, 2), 1)).tolist() == [[[1.0, 1.0], [1.0, 1.0]]]
    assert T.ToTensor()(Image.new("I", (1, 1), 70000)).tolist() == [[[70000]]]


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pictures_survive_the_way_to_tensors_and_back(mode):
    from PIL import Image

    picture = Image.frombytes(mode, (3, 2), bytes(range(6 * len(mode))))
    again = T.ToPILImage()(T.PILToTensor()(picture))
    assert again.mode == mode and again.tobytes() == picture.tobytes()
    assert T.ToPILImage()(T.ToTensor()(picture)).tobytes() == picture.tobytes()


def test_augmix_keeps_shape_and_is_reproducible():
    picture = programs.images(rl)
    for kind in "up":
        rl.manual_seed(3)
        first = T.AugMix()(picture[kind])
        rl.manual_seed(3)
        again = T.AugMix()(picture[kind])
        assert rl.equal(*(T.PILToTensor()(v) if kind == "p" else v for v in (first, again)))
        assert T.functional.get_dimensions(first) == [3, 13, 17]


def test_linear_transformation_whitens():
    matrix = rl.tensor([[0.0, 2.0], [1.0, 0.0]])
    moved = T.LinearTransformation(matrix, rl.tensor([1.0, 1.0]))(rl.tensor([[[3.0, 5.0]]]))
    assert moved.tolist() == [[[4.0, 4.0]]]
    with pytest.raises(ValueError, match="square"):
        T.LinearTransformation(rl.ones(2, 3), rl.ones(2))


def test_gradients_flow_through_warps_and_colours():
    image = rl.rand(3, 8, 9, dtype=rl.float64, requires_grad=True)
    F = T.functional
    out = F.rotate(
        F.adjust_contrast(F.resize(image, [7, 8]), 0.8), 20, T.InterpolationMode.BILINEAR
    )
    out.sum().backward()
    assert image.grad.shape == image.shape and image.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "error, call",
    [
        (TypeError, lambda x: T.functional.to_tensor([1, 2])),
        (TypeError, lambda x: T.functional.hflip("picture")),
        (ValueError, lambda x: T.functional.normalize(x, [0.5], [0.0])),
        (TypeError, lambda x: T.functional.normalize(x.byte(), [0.5], [1.0])),
        (ValueError, lambda x: T.RandomCrop(100)(x)),
        (ValueError, lambda x: T.ColorJitter(brightness=-1)),
        (ValueError, lambda x: T.ColorJitter(hue=0.6)),
        (ValueError, lambda x: T.GaussianBlur(4)),
        (ValueError, lambda x: T.RandomErasing(p=2)),
        (TypeError, lambda x: T.functional.posterize(x, 3)),
        (ValueError, lambda x: T.functional.posterize(x, 9)),
        (TypeError, lambda x: T.Resize(3, interpolation="linear")),
        (ValueError, lambda x: T.Resize(3, T.InterpolationMode.LANCZOS)(x)),
        (ValueError, lambda x: T.functional.rotate(x, 3, T.InterpolationMode.BICUBIC)),
        (ValueError, lambda x: T.functional.five_crop(x, 100)),
        (RuntimeError, lambda x: T.functional.convert_image_dtype(x, rl.int64)),
        (AttributeError, lambda x: T.v2.SanitizeBoundingBoxes),
    ],
)
def test_errors(error, call):
    with pytest.raises(error):
        call(rl.rand(3, 8, 8))


def test_v2_has_the_same_transforms():
    from rushlight.vision.transforms import v2

    assert v2.RandomCrop is T.RandomCrop and v2.functional is T.functional
