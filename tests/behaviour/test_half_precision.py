"""Where 16-bit floats are rounded: sums by index at the end, formulas as often as PyTorch does."""

import math
import struct

import pytest

import rushlight as rl

HALVES = [rl.float16, rl.bfloat16]


def half_step(dtype):
    """Less than what 1 in the dtype can be increased by."""
    return rl.finfo(dtype).eps / 2


@pytest.mark.parametrize("dtype", HALVES)
def test_small_terms_are_not_lost_in_sums_by_index(dtype):
    start, terms = rl.ones(1, dtype=dtype), rl.full((8,), half_step(dtype), dtype=dtype)
    index = rl.zeros(8, dtype=rl.int64)
    want = 1 + 8 * half_step(dtype)
    for total in (
        start.scatter_add(0, index, terms),
        start.scatter(0, index, terms, reduce="add"),
        start.scatter_reduce(0, index, terms, "sum"),
        start.index_add(0, index, terms),
        start.clone().index_add_(0, index, terms),
    ):
        assert total.dtype == dtype and total.item() == want


@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_by_index_are_summed_before_rounding(dtype):
    given = rl.full((9,), half_step(dtype), dtype=dtype)
    given[0] = 1
    for read in (
        lambda x: x.gather(0, rl.zeros(9, dtype=rl.int64)),
        lambda x: x.index_select(0, rl.zeros(9, dtype=rl.int64)),
        lambda x: rl.nn.functional.interpolate(x.view(1, 1, 1), 9).view(9),
    ):
        x = rl.ones(1, dtype=dtype, requires_grad=True)
        read(x).backward(given)
        assert x.grad.item() == 1 + 8 * half_step(dtype)


@pytest.mark.parametrize("dtype", HALVES)
def test_gates_and_binary_logarithms_round_once(dtype):
    x = rl.linspace(-3, 3, 400)
    narrow = x.to(dtype)
    glu = rl.nn.functional.glu
    assert rl.equal(glu(narrow), glu(narrow.float()).to(dtype))
    pairs = narrow.flip(0)
    assert rl.equal(
        rl.logaddexp2(narrow, pairs), rl.logaddexp2(narrow.float(), pairs.float()).to(dtype)
    )


def test_second_derivative_of_soft_margin_is_small_far_from_the_margin():
    x = rl.tensor([6.0, -6.0], dtype=rl.float16, requires_grad=True)
    loss = rl.nn.functional.soft_margin_loss(x, rl.ones(2, dtype=rl.float16), reduction="sum")
    (slope,) = rl.autograd.grad(loss, x, create_graph=True)
    (bend,) = rl.autograd.grad(slope.sum(), x)
    assert rl.allclose(bend.float(), rl.full((2,), 2.4665e-3), rtol=1e-2)


def test_rules_run_in_the_order_of_the_record():
    """A quotient's second derivatives add up their terms as PyTorch adds them."""
    a = rl.tensor([1.1, 0.7], dtype=rl.float16, requires_grad=True)
    b = rl.tensor([1.3, -2.1], dtype=rl.float16, requires_grad=True)
    a_grad, b_grad = rl.autograd.grad((a / b).sum(), (a, b), create_graph=True)
    assert rl.equal(a_grad, 1 / b) and rl.equal(b_grad, -((a / b) / b))
    (second,) = rl.autograd.grad(a_grad.sum(), b)
    assert rl.equal(second, -((1 / b) / b))


def test_linear_cross_entropy_with_options_works_in_single_precision():
    rl.manual_seed(0)
    x, weight = rl.randn(8, 16), rl.randn(5, 16)
    target, options = rl.arange(8) % 5, rl.nn.LinearCrossEntropyOptions()
    narrow = [t.half().requires_grad_() for t in (x, weight)]
    wide = [t.detach().float().requires_grad_() for t in narrow]
    for inputs in (narrow, wide):
        rl.nn.functional.linear_cross_entropy(*inputs, target, options=options).backward()
    for a, b in zip(narrow, wide):
        assert a.grad.dtype == rl.float16 and rl.equal(a.grad, b.grad.half())


def test_positions_on_the_border_of_a_grid_have_no_gradient():
    image = rl.arange(4.0).view(1, 1, 2, 2)
    grid = rl.tensor([[[[1.0, -1.0], [0.0, 0.0], [3.0, 0.0]]]], requires_grad=True)
    rl.nn.functional.grid_sample(
        image, grid, padding_mode="border", align_corners=True
    ).sum().backward()
    assert grid.grad.tolist() == [[[[0, 0], [0.5, 1], [0, 1]]]]


def test_gradient_of_a_matrix_times_a_batch_is_one_product():
    a = rl.ones(2, 3, dtype=rl.bfloat16, requires_grad=True)
    batch = rl.full((64, 3, 2), 1 / 64, dtype=rl.bfloat16)
    batch[0] = 2
    (a @ batch).sum().backward()
    assert a.grad.tolist() == [[5.96875] * 3] * 2


def second_derivatives(function, inputs):
    """The gradients of a weighted sum of the gradients of a weighted sum."""

    def weighted(tensors):
        sums = []
        for t in tensors:
            weights = (rl.arange(t.numel(), dtype=rl.float64) * 1.7).cos().view(t.shape)
            sums.append((t * weights.to(t.dtype)).sum())
        return sum(sums)

    inputs = [x.detach().requires_grad_() for x in inputs]
    total = weighted([function(*inputs)]) + weighted(inputs)
    slopes = rl.autograd.grad(total, inputs, create_graph=True)
    linked = [t for t in slopes if t.requires_grad]
    return rl.autograd.grad(weighted(linked), inputs, allow_unused=True, materialize_grads=True)


F = rl.nn.functional
TWICE = {
    "layer_norm": lambda x, w, b: F.layer_norm(x, (6,), w, b),
    "layer_norm of all": lambda x, w, b: F.layer_norm(x, (6,)) * w,
    "batch_norm": lambda x, w, b: F.batch_norm(x, None, None, w, b, True),
    "batch_norm of all": lambda x, w, b: F.batch_norm(x, None, None, None, None, True) * w,
    "instance_norm": lambda x, w, b: F.instance_norm(x.view(2, 2, 6), None, None, w[:2], b[:2]),
    "group_norm": lambda x, w, b: F.group_norm(x, 2, w, b),
    "glu": lambda x, w, b: F.glu(x * w, 1),
    "silu": lambda x, w, b: F.silu(x * w),
    "mish": lambda x, w, b: F.mish(x * w),
    "softplus": lambda x, w, b: F.softplus(x * w, 2, 3),
    "mse": lambda x, w, b: F.mse_loss(x, w.expand(x.shape)),
    "huber": lambda x, w, b: F.huber_loss(x, w.expand(x.shape)),
    "smooth_l1": lambda x, w, b: F.smooth_l1_loss(x, w.expand(x.shape), beta=0.5),
    "powers": lambda x, w, b: rl.logaddexp2(x, w) + 2.5**b,
    "bilinear": lambda x, w, b: F.bilinear(x, x, (w * b).expand(2, 6, 6)),
    "logsumexp": lambda x, w, b: rl.logsumexp(x * w, 1),
    "log_softmax": lambda x, w, b: rl.log_softmax(x * w, 1),
    "transposed": lambda x, w, b: F.conv_transpose1d(
        x.view(1, 4, 6), w.view(2, 1, 3).repeat(2, 1, 1)
    ),
    "samples": lambda x, w, b: F.grid_sample(
        x.view(1, 2, 3, 4), (w * 0.6 - 0.5).view(1, 1, 3, 2), "bilinear", "border", True
    ),
    "samples of volumes": lambda x, w, b: F.grid_sample(
        x.view(1, 1, 2, 3, 4), (w * 0.6 - 0.5).view(1, 1, 1, 2, 3), align_corners=True
    ),
}


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", TWICE)
def test_second_derivatives_are_those_of_wide_numbers(name, dtype):
    rl.manual_seed(3)
    narrow = [rl.randn(4, 6).to(dtype), rl.rand(6).to(dtype) + 0.5, rl.randn(6).to(dtype)]
    got = second_derivatives(TWICE[name], narrow)
    want = second_derivatives(TWICE[name], [x.double() for x in narrow])
    scale = max([w.abs().max().item() for w in want])
    for g, w in zip(got, want):
        assert g.dtype == dtype
        assert (g.double() - w).abs().max() <= 24 * rl.finfo(dtype).eps * scale


@pytest.mark.parametrize("dtype", HALVES)
def test_gradients_of_repeated_cells_are_added_one_by_one(dtype):
    """As in PyTorch, where each sum is rounded: small terms after a large one are lost."""
    given = rl.full((9,), half_step(dtype), dtype=dtype)
    given[0] = 1
    for read in (
        lambda x: F.pad(x.view(1, 1, 1), (4, 4), mode="replicate"),
        lambda x: F.max_pool1d(F.pad(x.view(1, 1, 1), (8, 8), value=-1), 9, 1),
        lambda x: F.unfold(F.pad(x.view(1, 1, 1, 1), (8, 8)), (1, 9)).flip(2).diagonal(0, 1, 2),
    ):
        x = rl.ones(1, dtype=dtype, requires_grad=True)
        y = read(x)
        y.backward(given[: y.numel()].view(y.shape))
        assert x.grad.item() == 1


@pytest.mark.parametrize("n", [1, 7, 8, 15, 16, 17, 24, 33, 100])
def test_conversions_are_the_same_at_every_width(n):
    values = [0.0, -0.0, 1.0, 65519.0, 65520.0, -1e9, 6e-8, 2.9e-8, 1 + 2**-11, 1 + 3 * 2**-11]
    values = ([*values, math.inf, -math.inf, math.nan, 0.1] * n)[3 : 3 + n]
    half = rl.tensor(values, dtype=rl.float32).half()
    packed = [struct.pack("<e", v) if abs(v) < 65520 or v - v != 0 else None for v in values]
    for v, known, got in zip(values, packed, half.tolist(), strict=True):
        assert str(got) == str(
            struct.unpack("<e", known)[0] if known else math.copysign(math.inf, v)
        )
    assert list(map(str, half.float().tolist())) == list(map(str, half.tolist()))


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("channels", [1, 3, 16, 33, 300])
def test_batch_norm_rounds_its_output_once(dtype, channels):
    mean, var, weight, bias = (rl.rand(channels).to(dtype) for _ in range(4))
    for sizes in ((5, channels), (2, channels, 3, 7), (2, channels, 17, 31)):
        x = rl.randn(sizes).to(dtype)
        many = [x] if len(sizes) == 2 else [x, x.contiguous(memory_format=rl.channels_last)]
        for given in many:
            operands = (given, mean, var, weight, bias)
            got = rl.nn.functional.batch_norm(*operands)
            want = rl.nn.functional.batch_norm(*(t.float() for t in operands))
            assert got.dtype == dtype and got.stride() == given.stride()
            assert got.equal(want.to(dtype))
