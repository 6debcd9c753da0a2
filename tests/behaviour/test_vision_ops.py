"""Operators, drawing and files of vision, against values worked out by hand and by definition."""

import math
from collections import OrderedDict

import pytest

import rushlight as rl
from rushlight.vision import io, ops, utils


@pytest.fixture
def boxes():
    return rl.tensor([[0.0, 0.0, 4.0, 4.0], [1.0, 1.0, 5.0, 5.0], [8.0, 8.0, 9.0, 10.0]])


def test_nms_drops_the_worse_of_two_that_overlap(boxes):
    scores = rl.tensor([0.3, 0.9, 0.5])
    assert ops.nms(boxes, scores, 0.3).tolist() == [1, 2]
    assert ops.nms(boxes, scores, 9 / 23 + 1e-4).tolist() == [1, 2, 0]
    assert ops.batched_nms(boxes, scores, rl.tensor([0, 1, 1]), 0.3).tolist() == [1, 2, 0]
    assert ops.nms(boxes[:0], scores[:0], 0.5).shape == (0,)
    with pytest.raises(RuntimeError, match="scores"):
        ops.nms(boxes, scores[:2], 0.5)


def test_overlaps(boxes):
    iou = ops.box_iou(boxes, boxes)
    assert rl.allclose(iou.diagonal(), rl.ones(3)) and iou[0, 2] == 0
    assert float(iou[0, 1]) == pytest.approx(9 / 23)
    assert float(ops.generalized_box_iou(boxes, boxes)[0, 1]) == pytest.approx(9 / 23 - 2 / 25)
    assert float(ops.distance_box_iou(boxes, boxes)[0, 1]) == pytest.approx(9 / 23 - 2 / 50)
    # Equal aspect ratios cost nothing; 1:1 against 1:2 does.
    assert float(ops.complete_box_iou(boxes, boxes)[0, 1]) == pytest.approx(9 / 23 - 2 / 50)
    v = 4 / math.pi**2 * (math.atan(1) - math.atan(0.5)) ** 2
    apart = 6.5**2 + 7**2
    wanted = -apart / (81 + 100) - v * v / (1 + v)
    assert float(ops.complete_box_iou(boxes, boxes)[0, 2]) == pytest.approx(wanted)


def test_losses_are_one_minus_the_overlaps_of_pairs(boxes):
    other = boxes.flip(0).clone().requires_grad_()
    for name in ("generalized", "distance", "complete"):
        loss = getattr(ops, f"{name}_box_iou_loss")(boxes, other)
        overlap = getattr(ops, f"{name}_box_iou")(boxes, other).diagonal()
        assert rl.allclose(loss, 1 - overlap, atol=1e-5)
        loss.sum().backward()
    assert other.grad.isfinite().all()
    assert float(ops.sigmoid_focal_loss(rl.zeros(1), rl.ones(1))) == pytest.approx(
        0.25 * 0.25 * math.log(2)
    )
    with pytest.raises(ValueError, match="reduction"):
        ops.sigmoid_focal_loss(rl.zeros(1), rl.ones(1), reduction="max")


def test_box_utilities(boxes):
    assert ops.box_area(boxes).tolist() == [16, 16, 2]
    assert ops.box_convert(boxes, "xyxy", "cxcywh")[2].tolist() == [8.5, 9, 1, 2]
    for fmt in ("xywh", "cxcywh"):
        there = ops.box_convert(boxes, "xyxy", fmt)
        assert rl.equal(ops.box_convert(there, fmt, "xyxy"), boxes)
    assert ops.clip_boxes_to_image(boxes, (3, 8.5))[2].tolist() == [8, 3, 8.5, 3]
    assert ops.remove_small_boxes(boxes, 2).tolist() == [0, 1]
    mask = rl.zeros(1, 5, 6)
    mask[0, 1:3, 2:5] = 1
    assert ops.masks_to_boxes(mask).tolist() == [[2, 1, 4, 2]]


def test_aligned_regions_of_a_ramp_are_its_values():
    # Of a linear function every mean of samples is its value in the middle of the bin.
    y, x = rl.meshgrid(rl.arange(12.0), rl.arange(12.0), indexing="ij")
    ramp = rl.stack([x, 10 * y])[None]
    region = rl.tensor([[0.0, 2.5, 3.5, 6.5, 9.5]])
    for sampling_ratio in (-1, 1, 3):
        pooled = ops.roi_align(ramp, region, 2, 1.0, sampling_ratio, aligned=True)
        assert rl.allclose(pooled[0, 0], rl.tensor([[3.0, 5.0], [3.0, 5.0]]))
        assert rl.allclose(pooled[0, 1], rl.tensor([[45.0, 45.0], [75.0, 75.0]]))
    listed = ops.roi_align(ramp, [region[:, 1:]], 2, aligned=True)
    assert rl.equal(listed, ops.roi_align(ramp, region, 2, aligned=True))
    far = ops.roi_align(ramp, rl.tensor([[0.0, 50.0, 50.0, 60.0, 60.0]]), 2)
    assert far.abs().sum() == 0


def test_regions_in_whole_pixels_and_by_position():
    image = rl.arange(16.0).view(1, 1, 4, 4)
    whole = rl.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]])
    assert ops.roi_pool(image, whole, 2).tolist() == [[[[5, 7], [13, 15]]]]
    maps = rl.cat([rl.full((1, 1, 6, 6), float(i)) for i in range(8)], 1)
    region = rl.tensor([[0.0, 1.0, 1.0, 4.0, 4.0]])
    wanted = [[[[0, 1], [2, 3]], [[4, 5], [6, 7]]]]
    assert ops.ps_roi_pool(maps, region, 2).tolist() == wanted
    assert rl.allclose(ops.ps_roi_align(maps, region, 2), rl.tensor(wanted).float())
    with pytest.raises(RuntimeError, match="multiple"):
        ops.ps_roi_pool(maps[:, :3], region, 2)


def test_gradients_of_aligned_regions():
    region = rl.tensor([[0.0, 0.3, 0.7, 3.1, 3.9]], dtype=rl.float64)
    features = rl.rand(1, 2, 5, 5, dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(lambda f: ops.roi_align(f, region, 2), (features,))


def test_layers():
    x = rl.rand(2, 4, 6, 6)
    norm, frozen = rl.nn.BatchNorm2d(4), ops.FrozenBatchNorm2d(4)
    norm.running_mean.normal_()
    frozen.load_state_dict(norm.state_dict())
    assert rl.allclose(frozen(x), norm.eval()(x), atol=1e-6) and not list(frozen.parameters())
    assert ops.SqueezeExcitation(4, 2)(x).shape == x.shape
    assert ops.MLP(6, [5, 3], norm_layer=rl.nn.LayerNorm)(x).shape == (2, 4, 6, 3)
    assert ops.Permute([0, 2, 3, 1])(x).shape == (2, 6, 6, 4)
    conv = ops.Conv2dNormActivation(4, 8, kernel_size=5, dilation=2)
    assert conv(x).shape == (2, 8, 6, 6) and conv[0].bias is None and conv.out_channels == 8


def test_dropping_keeps_the_mean():
    ones = rl.ones(4000, 1, 2, 2)
    dropped = ops.stochastic_depth(ones, 0.25, "row")
    assert sorted(set(dropped.flatten().tolist())) == pytest.approx([0, 4 / 3])
    assert float(dropped.mean()) == pytest.approx(1, abs=0.05)
    assert ops.StochasticDepth(0.5, "batch").eval()(ones) is ones
    blocks = ops.drop_block2d(rl.ones(8, 8, 16, 16), 0.3, 3)
    assert float(blocks.mean()) == pytest.approx(1, abs=1e-3)
    assert 0.15 < float((blocks == 0).float().mean()) < 0.45
    with pytest.raises(ValueError, match="mode"):
        ops.stochastic_depth(ones, 0.5, "column")


def test_feature_pyramid():
    maps = OrderedDict(fine=rl.rand(1, 4, 8, 8), coarse=rl.rand(1, 6, 4, 4))
    pyramid = ops.FeaturePyramidNetwork([4, 6], 5, ops.LastLevelMaxPool())
    out = pyramid(maps)
    assert [(k, tuple(v.shape)) for k, v in out.items()] == [
        ("fine", (1, 5, 8, 8)),
        ("coarse", (1, 5, 4, 4)),
        ("pool", (1, 5, 2, 2)),
    ]
    assert list(pyramid.state_dict())[0] == "inner_blocks.0.0.weight"


# ---- drawing and files


def test_grid_places_images_with_padding_between():
    images = rl.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 2, 2)
    grid = utils.make_grid(images, nrow=2, padding=1, pad_value=9)
    assert grid.shape == (3, 7, 7)
    assert grid[0, 1].tolist() == [9, 0, 0, 9, 1, 1, 9]
    assert grid[2, 4].tolist() == [9, 2, 2, 9, 9, 9, 9]
    scaled = utils.make_grid(images, nrow=3, padding=0, normalize=True)
    assert scaled[0, 0].tolist() == [0, 0, 0.5, 0.5, 1, 1]
    with pytest.raises(TypeError):
        utils.make_grid(3)


def test_boxes_masks_and_points_are_drawn():
    black = rl.zeros(3, 20, 20, dtype=rl.uint8)
    boxed = utils.draw_bounding_boxes(black, rl.tensor([[2, 3, 9, 8]]), colors="lime")
    assert boxed[:, 3, 2].tolist() == [0, 255, 0] and boxed[:, 5, 5].sum() == 0
    assert black.sum() == 0
    labelled = utils.draw_bounding_boxes(black, rl.tensor([[0, 0, 19, 19]]), ["x"], "white")
    assert labelled[:, 2:18, 2:18].sum() > 0
    mask = rl.zeros(20, 20, dtype=rl.bool)
    mask[:2] = True
    tinted = utils.draw_segmentation_masks(black.float(), mask, alpha=0.5, colors=(255, 0, 0))
    assert tinted[:, 0, 0].tolist() == [0.5, 0, 0] and tinted[:, 2:].sum() == 0
    dotted = utils.draw_keypoints(black, rl.tensor([[[5.0, 6.0]]]), colors="red", radius=1)
    assert dotted[:, 6, 5].tolist() == [255, 0, 0]
    with pytest.raises(ValueError, match="x1 <= x2"):
        utils.draw_bounding_boxes(black, rl.tensor([[9, 3, 2, 8]]))
    with pytest.raises(ValueError, match="boolean"):
        utils.draw_segmentation_masks(black, mask.float())


def test_flow_is_white_where_nothing_moves():
    flow = rl.zeros(2, 1, 3)
    flow[0, 0, 1], flow[0, 0, 2] = 1.0, -1.0
    picture = utils.flow_to_image(flow)
    assert picture[:, 0, 0].tolist() == [255, 255, 255]
    right, left = picture[:, 0, 1].tolist(), picture[:, 0, 2].tolist()
    assert right[0] > 250 > right[2] and left[2] > 250 > left[0]


def test_png_files_keep_pixels_and_jpeg_nearly(tmp_path):
    y, x = rl.meshgrid(rl.arange(16), rl.arange(24), indexing="ij")
    image = rl.stack([8 * x, 9 * y, 3 * x + y]).to(rl.uint8)
    path = str(tmp_path / "a.png")
    io.write_png(image, path)
    assert rl.equal(io.read_image(path), image)
    assert io.read_image(path, io.ImageReadMode.GRAY).shape == (1, 16, 24)
    assert io.read_image(path, "RGB_ALPHA")[3].min() == 255
    near = io.decode_jpeg(io.encode_jpeg(image, quality=95)).float() - image
    assert near.abs().mean() < 5
    utils.save_image(image / 255, path)
    assert rl.equal(io.read_image(path), image)
    with pytest.raises(RuntimeError, match="decoded"):
        io.decode_png(io.encode_jpeg(image))
    with pytest.raises(RuntimeError, match="uint8"):
        io.encode_png(image.float())
