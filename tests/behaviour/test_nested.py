"""Nested tensors: functions of them are functions of their components."""

import warnings

import pytest

import rushlight as rl
from rushlight.nested import (
    as_nested_tensor,
    masked_select,
    narrow,
    nested_tensor,
    nested_tensor_from_jagged,
    to_padded_tensor,
)

F = rl.nn.functional
A, B = rl.arange(6.0).view(2, 3), rl.arange(3.0).view(1, 3) + 10
LAYOUTS = (rl.strided, rl.jagged)


@pytest.fixture(params=LAYOUTS, ids=str)
def x(request):
    return nested_tensor([A, B], layout=request.param)


def same(made, parts):
    assert made.is_nested
    for a, b in zip(made.unbind(), parts, strict=True):
        rl.testing.assert_close(a, b)


def test_components_and_padding(x):
    same(x, [A, B])
    assert x.dim() == 3 and x.size(0) == 2 and x.size(-1) == 3 and x.numel() == 9
    assert x.dtype is rl.float32 and rl.equal(x[-1], B) and len(list(x)) == 2
    padded = to_padded_tensor(x, -1.0)
    assert padded.tolist() == [A.tolist(), [B[0].tolist(), [-1, -1, -1]]]
    assert x.to_padded_tensor(0.0, (2, 4, 3)).shape == (2, 4, 3)
    with pytest.raises(RuntimeError, match="truncated"):
        to_padded_tensor(x, 0.0, (2, 1, 3))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x + 1, lambda x: 2 * x, lambda x: x * x, lambda x: -x, F.relu, F.gelu,
        lambda x: x.sin(), lambda x: F.softmax(x, -1), lambda x: x.double(), lambda x: x > 2,
        lambda x: F.linear(x, rl.ones(2, 3), rl.ones(2)), lambda x: x.clone(),
        lambda x: F.layer_norm(x, (3,), rl.ones(3), rl.zeros(3)), lambda x: F.dropout(x, 0.0),
        lambda x: x.masked_fill(x > 1, 0.0), lambda x: rl.zeros_like(x), lambda x: x.detach(),
    ],
)  # fmt: skip
def test_functions_of_nested_tensors_are_of_their_components(x, function):
    same(function(x), [function(A), function(B)])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.transpose(1, 2), lambda x: x.unsqueeze(-1), lambda x: rl.cat([x, x], -1),
        lambda x: x.unsqueeze(-1).squeeze(-1), lambda x: x.chunk(3, -1)[1],
    ],
)  # fmt: skip
def test_shapes_change_in_the_components(x, function):
    same(function(x), [function(p[None])[0] for p in (A, B)])


def test_views_keep_the_ragged_dimension(x):
    same(x.view(2, -1, 3, 1), [A[..., None], B[..., None]])
    jagged = nested_tensor([A, B], layout=rl.jagged)
    same(jagged.view(*jagged.shape[:2], 3, 1), [A[..., None], B[..., None]])
    same(jagged.unflatten(-1, [1, 3]), [A[:, None], B[:, None]])


def test_jagged_tensors_have_offsets_and_a_size_of_their_own():
    x = nested_tensor([A, B], layout=rl.jagged)
    assert x.offsets().tolist() == [0, 2, 3] and x.lengths() is None
    assert rl.equal(x.values(), rl.cat([A, B])) and x.layout is rl.jagged
    ragged = x.shape[1]
    assert (x + 1).shape[1] == ragged and nested_tensor([A, B], layout=rl.jagged).shape[1] != ragged
    assert (
        repr(x)
        == f"NestedTensor(size=(2, {ragged}, 3), offsets=tensor([0, 2, 3]), contiguous=True)"
    )  # noqa: E501
    with pytest.raises(RuntimeError, match="cannot call binary pointwise function add"):
        x + nested_tensor([B, A], layout=rl.jagged)


@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin", "prod", "argmax"])
def test_reductions_of_jagged_tensors(name):
    x, function = nested_tensor([A, B], layout=rl.jagged), getattr(rl, name)
    rl.testing.assert_close(function(x), function(rl.cat([A, B])))
    rl.testing.assert_close(function(x, 1), rl.stack([function(A, 0), function(B, 0)]))
    same(function(x, -1), [function(A, -1), function(B, -1)])
    same(function(x, -1, keepdim=True), [function(A, -1, True), function(B, -1, True)])


def test_strided_tensors_are_reduced_along_the_last_dimension():
    x = nested_tensor([A, B])
    same(x.sum(-1, keepdim=True), [A.sum(-1, True), B.sum(-1, True)])
    with pytest.raises(RuntimeError, match="keepdim=True"):
        x.sum(-1)
    with pytest.raises(RuntimeError, match="last dimension"):
        x.sum(1)


def test_dense_tensors_broadcast_with_jagged_ones_only():
    jagged = nested_tensor([A, B], layout=rl.jagged)
    same(jagged + rl.ones(3), [A + 1, B + 1])
    rows = rl.tensor([[[1.0, 2, 3]], [[4.0, 5, 6]]])
    same(jagged * rows, [A * rows[0], B * rows[1]])
    same(jagged @ rl.ones(3, 2), [A @ rl.ones(3, 2), B @ rl.ones(3, 2)])
    with pytest.raises(RuntimeError, match="go with nested ones"):
        nested_tensor([A, B]) + rl.ones(3)


def test_components_of_any_sizes():
    images = [rl.arange(6.0).view(1, 2, 3), rl.arange(4.0).view(1, 4, 1)]
    x = nested_tensor(images)
    same(x * 2, [i * 2 for i in images])
    assert to_padded_tensor(x, 0.0).shape == (2, 1, 4, 3) and x.size(1) == 1
    with pytest.raises(RuntimeError, match="irregular"):
        x.size(2)


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
def test_gradients_reach_components_leaves_and_layers(layout):
    a, b = A.clone().requires_grad_(), B.clone().requires_grad_()
    x = as_nested_tensor([a, b], layout=layout)
    to_padded_tensor(x * x, 0.0).sum().backward()
    rl.testing.assert_close(a.grad, 2 * A)
    rl.testing.assert_close(b.grad, 2 * B)
    leaf = nested_tensor([A, B], layout=layout, requires_grad=True)
    layer = rl.nn.Linear(3, 2)
    to_padded_tensor(layer(leaf), 0.0).sum().backward()
    same(leaf.grad, [layer.weight.sum(0).expand_as(p) for p in (A, B)])
    rl.testing.assert_close(layer.weight.grad, rl.cat([A, B]).sum(0).expand(2, 3))
    assert leaf.is_leaf and leaf.requires_grad and not x.is_leaf


@pytest.mark.parametrize("causal", [False, True])
def test_attention_stays_within_components(causal):
    q, k = [rl.randn(n, 4) for n in (2, 3)], [rl.randn(n, 4) for n in (2, 3)]

    def heads(parts):
        return nested_tensor(parts, layout=rl.jagged).unflatten(-1, [2, 2]).transpose(1, 2)

    made = F.scaled_dot_product_attention(heads(q), heads(k), heads(k), is_causal=causal)
    split = (
        [p.view(-1, 2, 2).transpose(0, 1) for p in q],
        [p.view(-1, 2, 2).transpose(0, 1) for p in k],
    )
    same(made, [F.scaled_dot_product_attention(a, b, b, is_causal=causal) for a, b in zip(*split)])


def test_attention_layers_take_nested_tensors(x):
    layer = rl.nn.MultiheadAttention(3, 1, batch_first=True).eval()
    made, weights = layer(x, x, x, need_weights=False)
    assert weights is None
    same(made, [layer(p[None], p[None], p[None])[0][0] for p in (A, B)])
    with pytest.raises(NotImplementedError, match="need_weights"):
        layer(x, x, x)


def test_other_ways_to_make_them():
    values = rl.arange(8.0).view(4, 2)
    parts = [values[:1], values[1:]]
    same(nested_tensor_from_jagged(values, rl.tensor([0, 1, 4])), parts)
    same(nested_tensor_from_jagged(values, lengths=rl.tensor([1, 3])), parts)
    same(as_nested_tensor(rl.ones(2, 3), layout=rl.jagged), [rl.ones(3)] * 2)
    same(nested_tensor([[1, 2], [3]]), [rl.tensor([1, 2]), rl.tensor([3])])
    table = rl.arange(12.0).view(2, 3, 2)
    made = narrow(table, 1, rl.tensor([0, 1]), rl.tensor([2, 1]), layout=rl.jagged)
    same(made, [table[0, :2], table[1, 1:2]])
    mask = rl.tensor([[True, False, True], [False, True, False]])
    same(masked_select(A, mask), [rl.tensor([0.0, 2]), rl.tensor([4.0])])


def test_what_is_not_supported_says_so(x):
    with pytest.raises(NotImplementedError, match="cumsum.*nested"):
        x.cumsum(1)
    with pytest.raises(TypeError, match="Only lists"):
        nested_tensor(3)
    with pytest.raises(RuntimeError, match="same dim"):
        nested_tensor([A, rl.ones(3)], layout=x.layout)
    with pytest.raises(NotImplementedError, match="holes"):
        nested_tensor_from_jagged(A, rl.tensor([0, 1]), rl.tensor([1]))
    with pytest.raises(NotImplementedError, match="nested"):
        to_padded_tensor(A, 0.0)
    with pytest.raises(NotImplementedError, match="nested"):
        x.numpy()


def test_encoders_leave_padding_out_where_nested_tensors_would():
    layer = rl.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder, x = rl.nn.TransformerEncoder(layer, 2).eval(), rl.randn(2, 4, 8)
    padding = rl.tensor([[False] * 4, [False, False, True, True]])
    whole = encoder(x, src_key_padding_mask=padding).detach()
    with rl.no_grad():
        made = encoder(x, src_key_padding_mask=padding)
        assert (made[1, 2:] == 0).all() and (whole[1, 2:] != 0).any()
        rl.testing.assert_close(made[~padding], whole[~padding])
        right = encoder(x, src_key_padding_mask=padding.flip(1))
        assert (right[1, :2] != 0).any()  # the sequence is not at the left
    with pytest.warns(UserWarning, match="batch_first was not True"):
        rl.nn.TransformerEncoder(rl.nn.TransformerEncoderLayer(8, 2, 16), 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rl.nn.TransformerEncoder(layer, 1)


@pytest.mark.parametrize("layout", [rl.strided, rl.jagged])
def test_conversions_that_change_nothing_give_the_tensor_itself(layout):
    x = rl.nested.nested_tensor([rl.ones(2, 3), rl.ones(4, 3)], layout=layout)
    for same in (x.to(x), x.to(rl.float32), x.to("cpu"), x.cpu(), x.float(), x.type_as(x)):
        assert same is x
    wide = x.to(rl.zeros(0, dtype=rl.float64))
    assert wide.dtype == rl.float64 and wide.is_nested and x.to(wide).dtype == rl.float64
    assert x.nbytes == 72 and not x.is_mps and not x.is_conj() and not x.is_pinned()
    assert x.is_same_size(x.clone()) and not x.is_same_size(rl.ones(2))
    for size in ((), (-1,)):
        with pytest.raises(RuntimeError):
            x.view(size)


def test_values_are_the_memory_of_the_components(x):
    x.values().add_(1)
    same(x, [A + 1, B + 1])
    assert x.contiguous() is x
