"""Attention without its matrix of weights agrees with its definition, derivatives included."""

import itertools
import math

import pytest

import rushlight as rl
from rushlight.nn.functional import scaled_dot_product_attention as attention


def defined(query, key, value, mask=None, causal=False, scale=None):
    """softmax(query key^T scale + mask) value, in double."""
    query, key, value = query.double(), key.double(), value.double()
    scores = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if causal:
        mask = rl.ones(scores.shape[-2:], dtype=rl.bool).tril()
    if mask is not None and mask.dtype == rl.bool:
        scores = scores.masked_fill(~mask, -math.inf)
    elif mask is not None:
        scores = scores + mask
    return scores.softmax(-1).nan_to_num(0) @ value


def inputs(rows, keys, size, width, dtype, heads=3):
    """Heads as models make them: slices of one projection."""
    query = rl.randn(2, rows, heads * size, dtype=dtype).view(2, rows, heads, size).transpose(1, 2)
    key = rl.randn(2, heads, keys, size, dtype=dtype)
    value = rl.randn(2, heads, keys, width, dtype=dtype)
    return [t.requires_grad_() for t in (query, key, value)]


@pytest.mark.parametrize("dtype", [rl.float32, rl.float64])
@pytest.mark.parametrize(
    "rows, keys, size, width, causal, mask",
    [
        (1, 1, 1, 1, False, None),
        (5, 7, 3, 4, False, None),
        (5, 7, 3, 4, True, None),
        (9, 4, 16, 16, True, None),
        (130, 130, 32, 8, True, None),
        (100, 300, 17, 33, False, None),
        (40, 600, 64, 64, False, "bool"),
        (33, 20, 8, 8, False, "float"),
        (33, 20, 8, 8, False, "row"),
        (33, 20, 8, 8, False, "column"),
        (1, 9, 5, 3, True, None),
        (1, 300, 64, 40, False, "bool"),
        (2, 65, 33, 32, False, "float"),
        (4, 64, 16, 16, True, None),
        (4, 130, 16, 7, True, None),
        (3, 700, 24, 64, False, None),
        (5, 130, 16, 16, False, "row"),
    ],
)
def test_values_and_gradients(dtype, rows, keys, size, width, causal, mask):
    tensors = inputs(rows, keys, size, width, dtype)
    masks = {
        None: lambda: None,
        "bool": lambda: rl.rand(2, 1, rows, keys) > 0.3,
        "float": lambda: rl.randn(rows, keys, dtype=dtype),
        "row": lambda: rl.randn(2, 1, 1, keys, dtype=dtype),
        "column": lambda: rl.randn(1, 3, rows, 1, dtype=dtype),
    }
    bias = masks[mask]()
    got = attention(*tensors, attn_mask=bias, is_causal=causal)
    want = defined(*tensors, mask=bias, causal=causal)
    weight = rl.randn_like(want)
    near = {"rtol": 1e-9, "atol": 1e-11} if dtype == rl.float64 else {"rtol": 1e-4, "atol": 2e-5}
    rl.testing.assert_close(got.double(), want, **near)
    pairs = zip(
        rl.autograd.grad((got * weight.to(dtype)).sum(), tensors),
        rl.autograd.grad((want * weight).sum(), tensors),
    )
    for one, other in pairs:
        rl.testing.assert_close(one, other.to(dtype), **near)


@pytest.mark.parametrize("causal, masked", [(False, False), (True, False), (False, True)])
def test_derivatives_of_both_orders(causal, masked):
    tensors = inputs(4, 5, 3, 2, rl.float64, heads=2)
    mask = rl.randn(4, 5, dtype=rl.float64) if masked else None

    def f(*tensors):
        return attention(*tensors, attn_mask=mask, is_causal=causal, scale=0.7)

    assert rl.autograd.gradcheck(f, tensors)
    assert rl.autograd.gradgradcheck(f, tensors)


def test_queries_that_may_look_at_nothing_give_zeros():
    query, key, value = inputs(4, 6, 8, 8, rl.float32)
    mask = rl.ones(4, 6, dtype=rl.bool)
    mask[2] = False
    result = attention(query, key, value, attn_mask=mask)
    assert (result[:, :, 2] == 0).all()
    result.sum().backward()
    assert (query.grad[:, :, 2] == 0).all() and rl.isfinite(key.grad).all()


def test_nan_and_infinity_are_passed_on():
    query, key, value = [t.detach() for t in inputs(4, 6, 8, 8, rl.float32)]
    query[0, 0, 1, 0] = math.nan
    value[1, 2, 3, 4] = math.inf
    result = attention(query, key, value)
    assert result[0, 0, 1].isnan().all() and rl.isfinite(result[0, 1:]).all()
    assert (result[1, 2, :, 4] == math.inf).all()


def test_threads_do_not_change_a_bit():
    tensors, threads = inputs(150, 200, 32, 32, rl.float32), rl.get_num_threads()
    results = []
    try:
        for n in (1, 3):
            rl.set_num_threads(n)
            y = attention(*tensors)
            results.append([y, *rl.autograd.grad(y.square().sum(), tensors)])
    finally:
        rl.set_num_threads(threads)
    assert all(itertools.starmap(rl.equal, zip(*results)))


def test_transforms_see_through_it():
    tensors = [t.detach() for t in inputs(3, 3, 2, 2, rl.float64)]
    slopes = rl.func.vmap(rl.func.grad(lambda q, k, v: attention(q, k, v).sum()))
    rl.testing.assert_close(
        slopes(*[t.unsqueeze(1) for t in tensors]).squeeze(1),
        rl.func.grad(lambda q, k, v: attention(q, k, v).sum())(*tensors),
    )
    _, tangent = rl.func.jvp(attention, tuple(tensors), tuple(rl.ones_like(t) for t in tensors))
    assert tangent.shape == tensors[0].shape


@pytest.mark.parametrize("causal, mask", [
    (False, None), (True, None), (False, (2, 1, 1, 20)), (False, (20,)), (False, (5, 20)),
    (False, (2, 8, 5, 20)),
])  # fmt: skip
@pytest.mark.parametrize("rows", [1, 5])
def test_heads_that_share_keys(rows, causal, mask):
    query, key, value = inputs(rows, 20, 6, 7, rl.float64, heads=8)
    key, value = (t.detach()[:, ::4].requires_grad_() for t in (key, value))
    allowed = None if mask is None else rl.rand([min(n, rows) if n == 5 else n for n in mask]) > 0.3
    got = attention(query, key, value, allowed, is_causal=causal, enable_gqa=True)
    spread = (t.repeat_interleave(4, 1) for t in (key, value))
    want = defined(query, *spread, mask=allowed, causal=causal)
    rl.testing.assert_close(got, want)
    leaves, slope = (query, key, value), rl.randn_like(got)
    for a, b in zip(rl.autograd.grad(got, leaves, slope), rl.autograd.grad(want, leaves, slope)):
        rl.testing.assert_close(a, b)
