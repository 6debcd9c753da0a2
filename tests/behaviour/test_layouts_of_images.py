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


@pytest.mark.parametrize(
    "size, strides", [((2, 3, 1, 1), (3, 1, 3, 3)), ((2, 1, 3, 4), (12, 1, 4, 1))]
)
def test_channels_last_where_sizes_leave_no_difference(size, strides):
    rows = rl.randn(size)
    x = rows.to(memory_format=rl.channels_last)
    assert rows.contiguous(memory_format=rl.channels_last) is rows
    assert x.stride() == strides and x.to(memory_format=rl.channels_last) is x
    for same in (x.clone(), rl.empty_like(x), rl.rand_like(x), x.double(), x.flip(1), x + 1):
        assert same.stride() == strides
    assert (x + x).stride() == x.relu().stride() == rows.stride()  # as all lie in rows
    assert x.clone(memory_format=rl.contiguous_format).stride() == rows.stride()
    for image in (F.pad(x, (1, 1)), F.interpolate(x, scale_factor=2), rl.cat([x, x])):
        assert image.stride()[1] == 1


def test_to_a_memory_format_goes_by_the_strides():
    x = rl.randn(3, 4).t()
    assert x.to(memory_format=rl.contiguous_format) is x
    assert x.to(memory_format=rl.preserve_format) is x
    images = rl.randn(2, 8, 4, 5).to(memory_format=rl.channels_last)[:, :3]
    assert images.to(memory_format=rl.channels_last) is images
    assert images.to(memory_format=rl.contiguous_format).is_contiguous()


def test_maxima_of_a_volume_without_a_batch_lie_as_it_does():
    x = rl.randn(1, 3, 4, 4, 4).to(memory_format=rl.channels_last_3d)[0]
    for out in F.max_pool3d(x, 2, return_indices=True):
        assert out.stride() == (1, 12, 6, 3)
    assert F.max_pool3d(x, 2).equal(F.max_pool3d(x.contiguous(), 2))
    assert F.avg_pool3d(x, 2).is_contiguous()
