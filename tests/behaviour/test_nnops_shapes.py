"""Dropout, embeddings, padding, resampling, attention: against definitions, and their gradients."""

import pytest
import rushlight as rl

F = rl.nn.functional
gradcheck, gradgradcheck = rl.autograd.gradcheck, rl.autograd.gradgradcheck


def leaf(*sizes):
    return rl.randn(*sizes, dtype=rl.float64).requires_grad_(True)


def test_dropout_scales_what_it_keeps():
    rl.manual_seed(0)
    y = F.dropout(rl.ones(2000), 0.25)
    assert set(y.tolist()) == {0.0, (rl.ones(()) / 0.75).item()}
    assert abs((y == 0).float().mean().item() - 0.25) < 0.05
    channels = F.dropout2d(rl.ones(4, 8, 3, 3), 0.5)
    assert (channels.amax((2, 3)) == channels.amin((2, 3))).all()
    x = rl.ones(3)
    assert F.dropout(x, 0.5, training=False) is x or rl.equal(F.dropout(x, 0.5, training=False), x)
    with pytest.raises(ValueError, match="between 0 and 1"):
        F.dropout(x, 1.5)


def test_embedding_gradients_leave_padding_alone():
    weight, at = leaf(5, 3), rl.tensor([[1, 2], [2, 0]])
    y = F.embedding(at, weight, padding_idx=0)
    assert rl.equal(y[0, 1], weight[2])
    y.sum().backward()
    assert weight.grad.sum(1).tolist() == [0.0, 3.0, 6.0, 0.0, 0.0]
    assert gradcheck(lambda w: F.embedding(at, w), (leaf(5, 3),))
    dense, weight.grad = weight.grad, None
    F.embedding(at, weight, padding_idx=0, sparse=True).sum().backward()
    assert weight.grad.is_sparse and rl.equal(weight.grad.to_dense(), dense)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_pools_its_bags(mode):
    weight = rl.randn(6, 2)
    at, offsets = rl.tensor([1, 2, 3, 4, 5]), rl.tensor([0, 2, 2])
    y = F.embedding_bag(at, weight, offsets, mode=mode)
    pool = {"sum": lambda v: v.sum(0), "mean": lambda v: v.mean(0), "max": lambda v: v.amax(0)}[
        mode
    ]
    assert rl.allclose(y[0], pool(weight[1:3]))
    assert y[1].tolist() == [0.0, 0.0]
    assert rl.allclose(y[2], pool(weight[3:6]))


def test_padding_modes():
    x = rl.tensor([[[1, 2, 3]]])
    assert F.pad(x, (1, 2)).tolist() == [[[0, 1, 2, 3, 0, 0]]]
    assert F.pad(x, (-1, 1), value=9).tolist() == [[[2, 3, 9]]]
    assert F.pad(x, (2, 1), "reflect").tolist() == [[[3, 2, 1, 2, 3, 2]]]
    assert F.pad(x, (1, 2), "replicate").tolist() == [[[1, 1, 2, 3, 3, 3]]]
    assert F.pad(x, (1, 2), "circular").tolist() == [[[3, 1, 2, 3, 1, 2]]]
    with pytest.raises(RuntimeError, match="less than the corresponding input dimension"):
        F.pad(x, (3, 0), "reflect")


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_gradients(mode):
    assert gradcheck(lambda x: F.pad(x, (1, 2, 2, 0), mode), (leaf(1, 2, 4, 3),))
    assert gradgradcheck(lambda x: F.pad(x, (1, 2, 2, 0), mode), (leaf(1, 2, 4, 3),))


def test_rearrangements_invert_each_other():
    x = rl.randn(2, 8, 3, 4)
    assert rl.equal(F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2), x)
    assert rl.equal(F.channel_shuffle(F.channel_shuffle(x, 2), 4), x)
    ones = F.fold(F.unfold(rl.ones(1, 1, 5, 5), 3, padding=1), (5, 5), 3, padding=1)
    assert ones[0, 0, 2, 2].item() == 9.0 and ones[0, 0, 0, 0].item() == 4.0


def test_interpolation_reproduces_linear_ramps():
    ramp = rl.arange(8.0).view(1, 1, 1, 8).expand(1, 1, 8, 8)
    for mode in ("bilinear", "bicubic"):
        y = F.interpolate(ramp, size=(8, 15), mode=mode, align_corners=True)
        inner = y[0, 0, 0, 4:-4]
        assert rl.allclose(inner, rl.arange(15.0)[4:-4] / 2, atol=1e-5)
    assert F.interpolate(ramp, scale_factor=2).shape == (1, 1, 16, 16)
    assert rl.equal(F.interpolate(ramp, scale_factor=0.5, mode="area"), F.avg_pool2d(ramp, 2))
    with pytest.raises(ValueError, match="size or scale_factor"):
        F.interpolate(ramp)


@pytest.mark.parametrize(
    "mode,antialias",
    [("bilinear", False), ("bicubic", False), ("bilinear", True), ("nearest", False)],
)
def test_interpolation_gradients(mode, antialias):
    assert gradcheck(
        lambda x: F.interpolate(x, size=(3, 5), mode=mode, antialias=antialias), (leaf(1, 2, 4, 4),)
    )


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_at_cell_centres_is_the_identity(mode, padding):
    x = rl.randn(2, 3, 4, 5)
    grid = F.affine_grid(rl.eye(3)[:2].expand(2, 2, 3), (2, 3, 4, 5), align_corners=False)
    assert rl.allclose(F.grid_sample(x, grid, mode, padding, align_corners=False), x, atol=1e-5)


def test_attention_masks():
    q, k, v = (leaf(2, 3, 4) for _ in range(3))
    causal = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    assert rl.allclose(causal[:, 0], v[:, 0])
    mask = rl.ones(3, 3, dtype=rl.bool).tril()
    assert rl.allclose(causal, F.scaled_dot_product_attention(q, k, v, mask))
    nothing = F.scaled_dot_product_attention(q, k, v, rl.zeros(3, 3, dtype=rl.bool))
    assert (nothing == 0).all()
    assert gradcheck(lambda *t: F.scaled_dot_product_attention(*t, is_causal=True), (q, k, v))


def test_multi_head_attention_with_one_head_is_attention():
    x, eye = rl.randn(5, 2, 4), rl.eye(4)
    out, weights = F.multi_head_attention_forward(
        x, x, x, 4, 1, rl.cat([eye, eye, eye]), None, None, None, False, 0.0, eye, None
    )
    batch_first = x.transpose(0, 1)
    want = F.scaled_dot_product_attention(batch_first, batch_first, batch_first).transpose(0, 1)
    assert rl.allclose(out, want, atol=1e-5)
    assert rl.allclose(weights.sum(-1), rl.ones(2, 5), atol=1e-5)


# ---- what is refused, and nothing at all -------------------------------------------------------


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("mode", ["reflect", "replicate"])
def test_padding_by_what_is_there_needs_channels(mode, dims):
    space, pad = (4,) * dims, (1,) * 2 * dims
    assert F.pad(rl.ones(0, 3, *space), pad, mode).shape == (0, 3, *(6,) * dims)
    for lead in ((3, 0), (0,)):
        with pytest.raises(RuntimeError, match="channel"):
            F.pad(rl.ones(*lead, *space), pad, mode)


def test_circular_padding_by_nothing_takes_an_empty_input():
    assert F.pad(rl.ones(2, 3, 0), (0, 0), "circular").shape == (2, 3, 0)


@pytest.mark.parametrize(
    "kind,options",
    [
        (TypeError, {"size": (4.0, 4.0)}),
        (TypeError, {"size": rl.tensor(4.0)}),
        (TypeError, {"size": True}),
        (TypeError, {"scale_factor": rl.tensor(2.0)}),
        (RuntimeError, {"scale_factor": float("nan")}),
        (RuntimeError, {"scale_factor": float("inf")}),
    ],
)
def test_sizes_of_interpolation_are_ints_and_factors_numbers(kind, options):
    with pytest.raises(kind):
        F.interpolate(rl.ones(1, 1, 8, 8), **options)


def test_interpolation_takes_computed_sizes():
    for size in (rl.tensor(4), (rl.tensor(4), 4)):
        assert F.interpolate(rl.ones(1, 1, 8, 8), size=size).shape == (1, 1, 4, 4)


def test_fractional_pooling_wants_a_ratio_a_dimension():
    with pytest.raises(ValueError, match="output_ratio"):
        F.fractional_max_pool2d(rl.ones(2, 3, 8, 8), 2, output_ratio=(0.5, 0.5, 0.6))


def test_affine_grid_says_what_it_cannot_span():
    theta = rl.ones(1, 2, 3)
    for kind, size in (
        (NotImplementedError, (1, 1, 2)),
        (NotImplementedError, (1, 1, 2, 2, 2, 2)),
        (ValueError, (1, 1, 2, 0)),
        (ValueError, (1, -1, 2, 2)),
    ):
        with pytest.raises(kind):
            F.affine_grid(theta, size, align_corners=False)
    with pytest.warns(UserWarning, match="affine_grid"):
        F.affine_grid(theta, (1, 1, 2, 1), align_corners=True)


def test_groups_of_one_value_are_refused_by_the_function_of_layers():
    with pytest.raises(ValueError, match="more than 1 value"):
        rl.nn.GroupNorm(4, 4)(rl.ones(1, 4, 1))
    assert F.group_norm(rl.ones(2, 4), 4).shape == (2, 4)
    assert rl.group_norm(rl.ones(1, 4, 1), 4).count_nonzero() == 0
    with pytest.raises(RuntimeError, match="element"):
        rl.batch_norm_update_stats(rl.ones(0, 1), rl.ones(1), rl.ones(1), 0.1)


def _attend(key=(4, 3, 6), value=(4, 3, 6), **options):
    given = dict.fromkeys(("bias_k", "bias_v"))
    given.update(options)
    return F.multi_head_attention_forward(
        rl.ones(4, 3, 6), rl.ones(key), rl.ones(value), 6, 2, rl.ones(18, 6), rl.ones(18),
        add_zero_attn=False, dropout_p=0.0, out_proj_weight=rl.ones(6, 6), out_proj_bias=None,
        **given,
    )[0]  # fmt: skip


def test_attention_refuses_arguments_that_do_not_belong_together():
    bias, static = rl.ones(1, 1, 6), rl.ones(6, 5, 3)
    for wrong in (
        {"attn_mask": rl.zeros(4)},
        {"key_padding_mask": rl.zeros(4, dtype=rl.bool)},
        {"value": (5, 3, 6)},
        {"bias_k": bias},
        {"bias_v": bias},
        {"bias_k": bias, "bias_v": bias, "static_k": static, "static_v": static},
        {"static_k": static[:5], "static_v": static},
        {"static_k": static, "static_v": static, "key_padding_mask": rl.zeros(3, 4)},
    ):
        with pytest.raises(AssertionError):
            _attend(**wrong)
    with pytest.raises(RuntimeError):
        _attend(attn_mask=rl.zeros(2, 2))
    padding = rl.zeros(3, 5)
    assert _attend(static_k=static, static_v=static, key_padding_mask=padding).shape == (4, 3, 6)
