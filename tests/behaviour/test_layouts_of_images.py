"""Results for images and volumes lie in memory as PyTorch's do: as their inputs, of which parts may
be left out.
"""

import pytest

import rushlight as rl

F = rl.nn.functional

OF_IMAGES = {
    "max_pool": lambda x: F.max_pool2d(x, 2),
    "avg_pool": lambda x: F.avg_pool2d(x, 2),
    "adaptive_avg_pool": lambda x: F.adaptive_avg_pool2d(x, 2),
    "adaptive_max_pool": lambda x: F.adaptive_max_pool2d(x, 2),
    "max_unpool": lambda x: F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2),
    "constant": lambda x: F.pad(x, (1, 2)),
    "reflect": lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"),
    "replicate": lambda x: F.pad(x, (1, 1, 1, 1), mode="replicate"),
    "nearest": lambda x: F.interpolate(x, scale_factor=2),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "antialias": lambda x: F.interpolate(x, 3, mode="bicubic", antialias=True),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "group_norm": lambda x: F.group_norm(x, 1),
    "conv": lambda x: F.conv2d(x, rl.ones(4, x.shape[1], 3, 3)),
    "roll": lambda x: x.roll(1, 1),
}
CUTS = {
    "batch": lambda x: x[::2],
    "channels": lambda x: x[:, 1:-1],
    "columns": lambda x: x[..., 1:-3],
    "rows and columns": lambda x: x[:, :, ::2, ::2],
}


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("name", OF_IMAGES)
def test_parts_of_channels_last_images_give_channels_last(name, cut):
    images = rl.randn(4, 5, 12, 16).contiguous(memory_format=rl.channels_last)
    part = CUTS[cut](images)
    out, expected = OF_IMAGES[name](part), OF_IMAGES[name](part.contiguous())
    assert out.is_contiguous(memory_format=rl.channels_last) and expected.is_contiguous()
    assert rl.allclose(out, expected, atol=1e-5)


def test_gradients_through_parts_of_channels_last_images():
    images = rl.randn(4, 5, 12, 16, dtype=rl.float64).contiguous(memory_format=rl.channels_last)
    for cut in CUTS.values():
        for name in ("max_pool", "avg_pool", "batch_norm", "group_norm", "bilinear", "replicate"):
            part = cut(images).detach()
            slopes = []
            for x in (part.requires_grad_(True), part.detach().contiguous().requires_grad_(True)):
                slopes.append(rl.autograd.grad((OF_IMAGES[name](x) ** 3).sum(), x)[0])
            assert rl.allclose(*slopes), name


def test_averages_of_volumes_are_row_major():
    volumes = rl.randn(2, 3, 4, 4, 4).contiguous(memory_format=rl.channels_last_3d)
    for pool in (F.avg_pool3d, F.adaptive_avg_pool3d, F.adaptive_max_pool3d):
        assert rl.allclose(pool(volumes, 2), pool(volumes.contiguous(), 2), atol=1e-6)
        assert pool(volumes, 2).is_contiguous()
    assert F.max_pool3d(volumes, 2).is_contiguous(memory_format=rl.channels_last_3d)
    assert F.instance_norm(volumes[:1]).is_contiguous()


def test_an_image_that_is_made_a_batch_is_no_channels_last_batch():
    image = rl.randn(1, 3, 4, 5).contiguous(memory_format=rl.channels_last)[0]
    assert F.interpolate(image[None], 7, mode="bilinear").stride() == (147, 49, 7, 1)


def test_batch_norm_keeps_channels_last_where_a_size_of_1_leaves_doubt():
    x = rl.arange(6.0).reshape(1, 3, 2, 1).permute(0, 2, 1, 3)
    out = F.batch_norm(x, rl.zeros(2), rl.ones(2))
    assert out.is_contiguous(memory_format=rl.channels_last)
    assert rl.allclose(out, F.batch_norm(x.contiguous(), rl.zeros(2), rl.ones(2)))
