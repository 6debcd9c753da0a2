"""What a stack of encoder layers gives at positions that a padding mask leaves out."""

import warnings

import pytest
import rushlight as torch
from rushlight import nn

PREFIX = torch.tensor([[False] * 5, [False, False, False, True, True]])
HOLES = torch.tensor([[False] * 5, [False, True, False, True, True]])


def stack(**options):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    return nn.TransformerEncoder(layer, 2, **options).eval()


def test_padding_is_zero_in_evaluation_without_gradients():
    encoder, x = stack(), torch.randn(2, 5, 8)
    recorded = encoder(x, src_key_padding_mask=PREFIX)
    assert bool((recorded[PREFIX] != 0).all())
    with torch.no_grad():
        plain = encoder(x, src_key_padding_mask=PREFIX)
    assert bool((plain[PREFIX] == 0).all())
    assert torch.allclose(plain[~PREFIX], recorded[~PREFIX])


def test_the_last_norm_sees_the_zeros():
    encoder = stack(norm=nn.LayerNorm(8))
    encoder.norm.bias.data.fill_(0.5)
    with torch.no_grad():
        out = encoder(torch.randn(2, 5, 8), src_key_padding_mask=PREFIX)
    assert torch.allclose(out[PREFIX], torch.full((2, 8), 0.5))


@pytest.mark.parametrize(
    "change",
    [
        lambda e: (e.train(), HOLES & False)[1],
        lambda e: HOLES,
        lambda e: (setattr(e, "use_nested_tensor", False), PREFIX)[1],
    ],
    ids=["training", "holes", "switched off"],
)
def test_otherwise_padding_is_computed_like_the_rest(change):
    encoder = stack()
    mask = change(encoder)
    with torch.no_grad():
        out = encoder(torch.randn(2, 5, 8), src_key_padding_mask=mask)
    assert bool((out != 0).all())


def test_layers_that_keep_padding_say_why():
    cases = {
        "norm_first was True": {"batch_first": True, "norm_first": True},
        "self_attn.batch_first was not True": {},
        "self_attn was passed bias=False": {"batch_first": True, "bias": False},
    }
    for reason, options in cases.items():
        layer = nn.TransformerEncoderLayer(8, 2, 16, **options)
        with pytest.warns(UserWarning, match=reason):
            encoder = nn.TransformerEncoder(layer, 1)
        assert not encoder.use_nested_tensor
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        assert stack().use_nested_tensor


def test_masks_of_two_kinds_are_warned_of():
    x, floats = torch.randn(2, 5, 8), torch.zeros(5, 5)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        attention(x, x, x, key_padding_mask=PREFIX, attn_mask=floats)
    with pytest.warns(UserWarning, match="mismatched src_key_padding_mask and mask"):
        stack()(x, mask=floats, src_key_padding_mask=PREFIX)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        attention(x, x, x, key_padding_mask=PREFIX, attn_mask=floats.bool())


def test_a_mask_that_is_said_to_be_causal_is_not_read():
    layer, x = torch.nn.MultiheadAttention(4, 1), torch.ones(1, 2, 4)
    mask = torch.ones(2, 2).triu(1).bool()
    assert layer(x, x, x, attn_mask=mask, need_weights=False, is_causal=True)[0].shape == x.shape
    with pytest.raises(RuntimeError, match="attn_mask"):
        layer(x, x, x, attn_mask=mask, is_causal=True)


@pytest.mark.parametrize("training", [True, False])
def test_batches_of_none_have_outputs_of_none(training):
    x, memory = torch.zeros(3, 0, 8), torch.zeros(2, 0, 8)
    assert nn.TransformerEncoderLayer(8, 2).train(training)(x).shape == x.shape
    decoder = nn.TransformerDecoderLayer(8, 2).train(training)
    out = decoder(x, memory)
    out.sum().backward()
    assert out.shape == x.shape and decoder.linear1.weight.grad.eq(0).all()
