"""Matrix products, einsum and convolutions: against plain loops, and their gradients."""

import itertools

import pytest
import rushlight as rl

F = rl.nn.functional
gradcheck, gradgradcheck = rl.autograd.gradcheck, rl.autograd.gradgradcheck


def leaf(*sizes, dtype=rl.float64):
    return rl.randn(*sizes, dtype=dtype).requires_grad_(True)


def product(a, b):
    """The matrix product by broadcasting, in float64."""
    return (a.double().unsqueeze(-1) * b.double().unsqueeze(-3)).sum(-2)


@pytest.mark.parametrize(
    "n,k,m",
    [
        (1, 1, 1),
        (3, 4, 5),
        (1, 300, 7),
        (130, 3, 1),
        (64, 64, 64),
        (120, 90, 110),
        (0, 3, 2),
        (3, 0, 2),
    ],
)
@pytest.mark.parametrize("flip_a,flip_b", list(itertools.product((False, True), repeat=2)))
def test_mm_agrees_with_loops_for_every_layout(n, k, m, flip_a, flip_b):
    a = rl.randn(k, n).t() if flip_a else rl.randn(n, k)
    b = rl.randn(m, k).t() if flip_b else rl.randn(k, m)
    got = rl.mm(a, b)
    assert got.shape == (n, m)
    assert rl.allclose(got.double(), product(a, b), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "dtype", [rl.int64, rl.int32, rl.uint8, rl.float16, rl.bfloat16, rl.float64, rl.complex64]
)
def test_mm_in_other_dtypes(dtype):
    a, b = rl.tensor([[1, 2], [3, 4]]).to(dtype), rl.tensor([[5, 6], [7, 8]]).to(dtype)
    assert rl.mm(a, b).dtype == dtype
    assert rl.mm(a, b).tolist() == [[19, 22], [43, 50]]


@pytest.mark.parametrize(
    "a,b,want",
    [
        ((4,), (4,), ()),
        ((3, 4), (4,), (3,)),
        ((4,), (4, 5), (5,)),
        ((2, 3, 4), (4,), (2, 3)),
        ((2, 1, 3, 4), (5, 4, 2), (2, 5, 3, 2)),
        ((4,), (2, 4, 3), (2, 3)),
        ((0, 4), (4, 3), (0, 3)),
    ],
)
def test_matmul_shapes_and_gradients(a, b, want):
    x, y = leaf(*a), leaf(*b)
    assert rl.matmul(x, y).shape == want
    assert gradcheck(rl.matmul, (x, y))
    assert gradgradcheck(rl.matmul, (x, y))


def test_matmul_reads_expanded_and_overlapping_operands():
    row = rl.randn(1, 4).expand(3, 4)
    assert rl.allclose(row @ rl.ones(4, 2), row.contiguous() @ rl.ones(4, 2))
    windows = rl.arange(6.0).as_strided((4, 3), (1, 1))
    assert rl.equal(windows @ rl.eye(3), windows.contiguous())
    single = rl.randn(5, 1, 4).transpose(0, 1)[0:1].expand(2, 5, 4)
    assert rl.allclose(single @ rl.ones(4, 3), single.contiguous() @ rl.ones(4, 3))


def test_product_errors_name_the_shapes():
    with pytest.raises(RuntimeError, match=r"\[2, 3\].*\[4, 5\]"):
        rl.ones(2, 3) @ rl.ones(4, 5)
    with pytest.raises(RuntimeError, match="float32.*float64"):
        rl.ones(2, 2) @ rl.ones(2, 2, dtype=rl.float64)


def test_addmm_ignores_self_when_beta_is_zero():
    bad = rl.full((2, 2), float("nan"))
    assert rl.addmm(bad, rl.eye(2), rl.eye(2), beta=0).tolist() == [[1, 0], [0, 1]]
    assert gradcheck(
        lambda s, a, b: rl.addmm(s, a, b, beta=0.5, alpha=2), (leaf(4), leaf(3, 2), leaf(2, 4))
    )


def test_linear_gradients():
    assert gradcheck(F.linear, (leaf(2, 3, 4), leaf(5, 4), leaf(5)))
    assert gradgradcheck(F.linear, (leaf(3, 4), leaf(5, 4), leaf(5)))


@pytest.mark.parametrize(
    "equation,shapes",
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ii", [(3, 3)]),
        ("ii->i", [(3, 3)]),
        ("ij->ji", [(2, 3)]),
        ("i,j", [(2,), (3,)]),
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...j->...i", [(5, 2, 3), (3,)]),
        ("ij,ij->", [(2, 3), (2, 3)]),
        ("ab,bc,cd->ad", [(2, 3), (3, 4), (4, 2)]),
        ("ij,ij->ij", [(2, 1), (2, 3)]),
        ("ij->", [(2, 3)]),
    ],
)
def test_einsum_agrees_with_a_loop(equation, shapes):
    operands = [rl.randn(*s, dtype=rl.float64) for s in shapes]
    left, arrow, right = equation.partition("->")
    if "..." not in equation:
        terms = left.split(",")
        letters = sorted(set("".join(terms)))
        out = right if arrow else "".join(c for c in letters if "".join(terms).count(c) == 1)
        size = {
            c: max(x.shape[t.index(c)] for t, x in zip(terms, operands) if c in t) for c in letters
        }
        want = rl.zeros([size[c] for c in out], dtype=rl.float64)
        for at in itertools.product(*[range(size[c]) for c in letters]):
            place, value = dict(zip(letters, at)), 1.0
            for t, x in zip(terms, operands):
                value *= x[tuple(min(place[c], x.shape[i] - 1) for i, c in enumerate(t))].item()
            want[tuple(place[c] for c in out)] += value
        assert rl.allclose(rl.einsum(equation, *operands), want)
    assert gradcheck(
        lambda *xs: rl.einsum(equation, *xs), [x.requires_grad_(True) for x in operands]
    )


def test_einsum_sublists_and_errors():
    a, b = rl.randn(2, 3), rl.randn(3, 4)
    assert rl.allclose(rl.einsum(a, [0, 1], b, [1, 2], [0, 2]), a @ b)
    with pytest.raises(RuntimeError, match="does not appear"):
        rl.einsum("ij->ik", a)
    with pytest.raises(RuntimeError, match="do not broadcast"):
        rl.einsum("ij,jk", a, rl.randn(2, 4))
    assert rl.tensordot(a, b, 1).shape == (2, 4)


def test_einsum_shows_traces_one_spelling():
    traced = rl.fx.symbolic_trace(lambda a, b: rl.einsum("ij,jk->ik", [a, b]))
    (node,) = traced.graph.find_nodes(op="call_function", target=rl.einsum)
    assert [str(x) for x in node.args] == ["ij,jk->ik", "a", "b"]
    a, b = rl.randn(2, 3), rl.randn(3, 4)
    assert rl.allclose(traced(a, b), a @ b)


CONVOLUTIONS = [
    (1, (2, 4, 9), (6, 2, 3), dict(stride=2, padding=1, groups=2)),
    (2, (2, 3, 7, 6), (4, 3, 3, 2), dict(stride=(2, 1), padding=(1, 0))),
    (2, (1, 2, 8, 8), (2, 1, 3, 3), dict(dilation=2, groups=2)),
    (2, (2, 3, 5, 5), (4, 3, 1, 1), dict()),
    (2, (2, 3, 6, 5), (4, 3, 2, 3), dict(padding="same")),
    (3, (1, 2, 4, 5, 4), (3, 2, 2, 3, 2), dict(padding=1)),
]


@pytest.mark.parametrize("dims,x,w,options", CONVOLUTIONS)
def test_float32_and_float64_convolutions_agree(dims, x, w, options):
    conv = getattr(F, f"conv{dims}d")
    x, w, b = rl.randn(*x), rl.randn(*w), rl.randn(w[0])
    assert rl.allclose(
        conv(x, w, b, **options).double(),
        conv(x.double(), w.double(), b.double(), **options),
        atol=1e-4,
        rtol=1e-4,
    )


@pytest.mark.parametrize("dims,x,w,options", CONVOLUTIONS)
def test_convolution_gradients_of_both_orders(dims, x, w, options):
    conv = getattr(F, f"conv{dims}d")
    inputs = (leaf(*x), leaf(*w), leaf(w[0]))
    assert gradcheck(lambda *t: conv(*t, **options), inputs)
    assert gradgradcheck(lambda *t: conv(*t, **options), inputs)


def test_conv2d_is_unfold_times_weight():
    x, w = rl.randn(2, 3, 6, 7), rl.randn(4, 3, 3, 2)
    columns = F.unfold(x, (3, 2), padding=1, stride=2)
    want = (w.reshape(4, -1) @ columns).view(2, 4, 3, 4)
    assert rl.allclose(F.conv2d(x, w, padding=1, stride=2), want, atol=1e-5)


@pytest.mark.parametrize(
    "options", [dict(), dict(stride=2, padding=1, output_padding=1), dict(dilation=2, groups=2)]
)
def test_transposed_convolution_is_the_adjoint(options):
    x, w = leaf(2, 4, 4, 3), leaf(4, 3, 3, 2)
    y = F.conv_transpose2d(x, w, **options)
    back = {k: v for k, v in options.items() if k != "output_padding"}
    g = rl.randn(*y.shape, dtype=rl.float64)
    assert rl.allclose((y * g).sum(), (x * F.conv2d(g, w, **back)[:, :, :4, :3]).sum())
    assert gradcheck(lambda *t: F.conv_transpose2d(*t, **options), (x, w))


def test_channels_last_is_kept():
    x = rl.randn(2, 3, 6, 6).contiguous(memory_format=rl.channels_last)
    w = rl.randn(8, 3, 3, 3)
    y = F.conv2d(x, w)
    assert y.is_contiguous(memory_format=rl.channels_last)
    assert rl.allclose(y, F.conv2d(x.contiguous(), w), atol=1e-5)
    assert F.max_pool2d(y, 2).is_contiguous(memory_format=rl.channels_last)


def test_convolution_errors():
    with pytest.raises(RuntimeError, match="channels"):
        F.conv2d(rl.ones(1, 3, 4, 4), rl.ones(2, 4, 3, 3))
    with pytest.raises(RuntimeError, match="[Kk]ernel size can't be greater"):
        F.conv2d(rl.ones(1, 1, 2, 2), rl.ones(1, 1, 3, 3))
    with pytest.raises(RuntimeError, match="strided"):
        F.conv2d(rl.ones(1, 1, 4, 4), rl.ones(1, 1, 3, 3), stride=2, padding="same")


def test_products_of_strided_batches_stay_within_their_result():
    # What is written past the end only shows under `make sanitize`; the values show here.
    weight = rl.randn(4, 2, dtype=rl.float64)
    base = rl.randn(64, dtype=rl.float64)
    for strides in ((16, 16, 8, 8, 2), (1, 1, 2, 2, 4), (8, 8, 4, 4, 1), (2, 2, 1, 1, 8)):
        x = base.as_strided((2, 1, 2, 1, 2), strides)
        expected = (x.unsqueeze(-2) * weight).sum(-1)
        assert rl.allclose(rl.nn.functional.linear(x, weight), expected)
        assert rl.allclose(rl.matmul(x, weight.t()), expected)
