"""Integers as arguments: of one digit or more of Python's, of other types, and where they lead."""

import enum

import numpy
import pytest

import rushlight as rl

DIGIT = 2**30  # what one digit of Python's integers holds


class Two(enum.IntEnum):
    VALUE = 2


@pytest.mark.parametrize("n", [0, 1, -1, DIGIT - 1, -DIGIT + 1, DIGIT, -DIGIT, DIGIT + 1, 2**62])
def test_integers_of_any_size_are_taken_as_they_are(n):
    assert rl.full((1,), n, dtype=rl.int64).item() == n
    assert (rl.zeros(1, dtype=rl.int64) + n).item() == n
    assert rl.empty(3, 0).as_strided((0, 2), (abs(n), 1)).stride() == (abs(n), 1)
    assert rl.empty(0).expand(abs(n), 0).shape == (abs(n), 0)


@pytest.mark.parametrize("n", [2**64, -(2**63) - 1, 2**200])
def test_integers_beyond_64_bits_are_no_elements(n):
    with pytest.raises(OverflowError):
        rl.zeros(1, dtype=rl.int64).add(n)
    with pytest.raises(OverflowError):
        rl.full((1,), n)


def test_integers_of_64_bits_without_a_sign():
    n, x = 2**63 + 5, rl.tensor([2**63 + 5, 3, 2**64 - 1], dtype=rl.uint64)
    assert (x == n).tolist() == [True, False, False]
    assert (x != 2**64 - 1).tolist() == [True, True, False]
    for filled in (
        rl.full((1,), n, dtype=rl.uint64),
        rl.full_like(x, n),
        x.new_full((1,), n),
        x.clone().fill_(n),
    ):
        assert filled.tolist()[0] == n
    assert rl.full((1,), n, dtype=rl.float64).item() == float(n)
    assert (rl.ones(1) + 2**63).item() == 2.0**63
    assert (rl.ones(1, dtype=rl.int64) * (2**63 + 3)).item() == -(2**63) + 3


@pytest.mark.parametrize(
    "call",
    [
        lambda x, n: rl.full((1,), n, dtype=x.dtype),
        lambda x, n: x.fill_(n),
        lambda x, n: x.index_fill(0, rl.tensor([0]), n),
        lambda x, n: x.scatter(0, rl.tensor([0]), n),
        lambda x, n: x.masked_fill(x > 0, n),
        lambda x, n: rl.where(x > 0, x, n),
        lambda x, n: rl.add(x, x, alpha=n),
        lambda x, n: x.index_add(0, rl.tensor([0]), x[:1], alpha=n),
        lambda x, n: rl.addcmul(x, x, x, value=n),
        lambda x, n: rl.threshold(x, 0, n),
        lambda x, n: x**n,
        lambda x, n: rl.scalar_tensor(n, dtype=x.dtype),
        lambda x, n: rl.linspace(0, n, 2, dtype=x.dtype),
    ],
)
@pytest.mark.parametrize("n, dtype", [(2**63, rl.int64), (300, rl.uint8), (-129, rl.int8)])
def test_numbers_to_write_that_do_not_fit_are_refused(call, n, dtype):
    with pytest.raises(RuntimeError):
        call(rl.ones(2, dtype=dtype), n)


def test_bytes_are_divided_by_the_number_that_was_given():
    x = rl.tensor([1, 0], dtype=rl.uint8)
    for got, want in ((x / 256, 1 / 256), (x / -1, -1.0), (300 / (x + 1), 150.0)):
        assert got[0].item() == want
    assert rl.xlogy(x, 300)[0].item() == pytest.approx(5.7038, abs=1e-4)


@pytest.mark.parametrize("n", [2**63, -(2**63) - 1, 2**200])
def test_integers_that_do_not_fit_are_refused(n):
    with pytest.raises((OverflowError, ValueError, RuntimeError)):
        rl.zeros(1).view(n)
    with pytest.raises((OverflowError, ValueError, RuntimeError, IndexError)):
        rl.zeros(1).unsqueeze(n)


@pytest.mark.parametrize("two", [2, numpy.int64(2), numpy.uint8(2), Two.VALUE, rl.tensor(2)])
def test_other_integers_mean_the_same(two):
    t = rl.arange(24).reshape(2, 3, 4)
    assert rl.equal(t.sum(two), t.sum(2))
    assert t.reshape(two, 12).shape == (2, 12) and t.reshape((12, two)).shape == (12, 2)
    assert rl.equal(t.transpose(0, two), t.transpose(0, 2))
    assert rl.equal(t.float().softmax(two), t.float().softmax(2))


def test_bools_count_as_numbers_where_pytorch_takes_them():
    t = rl.arange(6).reshape(2, 3)
    assert (t + True).dtype == rl.int64 and (t + True)[0, 0] == 1
    assert t.size(True) == 3


@pytest.mark.parametrize("dims", range(9))
def test_geometry_of_any_number_of_dimensions(dims):
    sizes = tuple(range(2, 2 + dims))[:4] + (1,) * max(0, dims - 4)
    t = rl.zeros(sizes)
    steps = [1]
    for n in reversed(sizes[1:]):
        steps.insert(0, steps[0] * n)
    assert t.shape == sizes and t.stride() == (tuple(steps) if dims else ())
    flipped = t.permute(tuple(reversed(range(dims))))
    assert flipped.shape == sizes[::-1] and flipped.stride() == t.stride()[::-1]
    assert rl.equal(flipped.contiguous(), rl.zeros(sizes[::-1]))
    t.data = rl.ones(3, 4)  # from many dimensions to few
    assert t.shape == (3, 4) and t.stride() == (4, 1)


def test_what_a_tensor_holds_is_let_go():
    import weakref

    class Held:
        pass

    def gone(hold):
        t, held = rl.zeros(3, requires_grad=True), Held()
        seen = weakref.ref(held)
        hold(t, held)
        del t, held
        return seen() is None

    assert gone(lambda t, held: setattr(t, "held", held))
    assert gone(lambda t, held: t.register_hook(lambda g, held=held: None))
    assert gone(lambda t, held: t.register_post_accumulate_grad_hook(lambda t, held=held: None))

    def hold_by_grad(t, held):
        t.grad = rl.zeros(3)
        t.grad.held = held

    def hold_by_base(t, held):
        base = rl.zeros(3)
        base.held = held
        t.view_of_it = base.view(3)

    assert gone(hold_by_grad) and gone(hold_by_base)


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("dtype", [rl.float32, rl.float64, rl.bfloat16])
def test_compositions_give_the_same_recorded_or_not(recorded, dtype):
    nn = rl.nn.functional
    x = rl.linspace(-3, 3, 35).reshape(5, 7).to(dtype).requires_grad_(recorded)
    weight, bias = rl.linspace(1, 2, 7).to(dtype), rl.linspace(-1, 1, 7).to(dtype)
    target = rl.tensor([0, 6, 3, -100, 1])
    with rl.no_grad():
        plain = [f(x, weight, bias, target) for f in _calls(nn)]
    assert all(
        rl.equal(f(x, weight, bias, target), p) for f, p in zip(_calls(nn), plain, strict=True)
    )


def _calls(nn):
    return [
        lambda x, w, b, t: nn.relu(x),
        lambda x, w, b, t: nn.softmax(x, -1),
        lambda x, w, b, t: rl.log_softmax(x, 0),
        lambda x, w, b, t: nn.layer_norm(x, (7,)),
        lambda x, w, b, t: nn.layer_norm(x, (7,), w, b, 1e-3),
        lambda x, w, b, t: nn.rms_norm(x, (7,), w),
        lambda x, w, b, t: nn.cross_entropy(x, t),
        lambda x, w, b, t: nn.cross_entropy(x, t, weight=w, reduction="sum"),
        lambda x, w, b, t: nn.cross_entropy(x, t.clamp(0), reduction="none", ignore_index=3),
        lambda x, w, b, t: nn.mse_loss(x, x + 1),
        lambda x, w, b, t: x.to(rl.float64),
        lambda x, w, b, t: x.to(rl.float32, memory_format=rl.preserve_format),
        lambda x, w, b, t: rl.hstack((x, x)),
        lambda x, w, b, t: rl.take_along_dim(x, t.clamp(0, 6)[:, None], 1),
        lambda x, w, b, t: rl.cdist(x, x + 1),
    ]


def test_sizes_one_by_one_are_those_of_their_own_call():
    base = rl.ones(3, requires_grad=True)
    kept = [base.expand(n, 3) for n in range(1, 6)]  # nodes keep the sizes of their calls
    shapes = [rl.zeros(n, n + 1).shape for n in range(5)]
    assert shapes == [(n, n + 1) for n in range(5)]
    for n, y in enumerate(kept, 1):
        assert y.shape == (n, 3) and rl.equal(rl.autograd.grad(y.sum(), base)[0], base * n)
    sizes = (2, 3)
    assert rl.zeros(6).view(sizes).view(3, 2).view(6, 1).shape == (6, 1) and sizes == (2, 3)
    for n in range(1, 12):  # as many as there may be, and more than are kept
        assert rl.zeros(*[1] * n).shape == rl.zeros(7)[:1].reshape(*[1] * n).shape == (1,) * n


def test_sizes_one_by_one_of_any_kind_of_integer():
    t = rl.arange(24)
    for two in (2, numpy.int64(2), rl.tensor(2), Two.VALUE):
        assert t.view(two, 12).shape == t.view(2, two, 6).shape[:1] + (12,)
        assert t.view(4, 6).shape == (4, 6)
    with pytest.raises((TypeError, RuntimeError)):
        t.view(2, 12.0)
    assert t.view(2, 12).shape == (2, 12)


def test_no_sizes_outlive_their_tensor():
    import weakref

    size = rl.tensor(2)
    seen = weakref.ref(size)
    assert rl.zeros(4).view(size, 2).shape == (2, 2)
    del size
    assert seen() is None


def test_sizes_that_somebody_keeps_do_not_change():
    seen = []

    class Watching(rl.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            seen.append(args[1:])
            return func(*args, **(kwargs or {}))

    with Watching():
        for n in (1, 2, 3):
            rl.zeros(6).view(n, 6 // n)
    assert [s for s in seen if len(s) == 2] == [(1, 6), (2, 3), (3, 2)]


@pytest.mark.parametrize("call", ["max", "min", "sum", "std", "where", "norm", "sort"])
def test_overloads_are_found_by_what_is_given(call):
    t = rl.tensor([[3.0, 1.0], [2.0, 4.0]])
    f = getattr(rl, call)
    if call == "where":
        assert len(f(t > 2)) == 2 and f(t > 2, t, 0.0).shape == (2, 2)
        with pytest.raises(TypeError):
            f(t > 2, t, t, t)
        return
    whole, along = f(t), f(t, dim=1)
    again = getattr(t, call)(dim=1)
    first = lambda r: r if isinstance(r, rl.Tensor) else r[0]  # noqa: E731
    assert rl.equal(first(along), first(again))
    assert first(whole).shape == (t.shape if call == "sort" else ())
    with pytest.raises(TypeError):
        f()


def test_a_bool_is_a_size_where_it_is_not_the_first():
    x = rl.zeros(2, 3)
    for made in (rl.rand(3, True), rl.empty((3, True)), x[:, 0].new_zeros(3, True)):
        assert made.shape == (3, 1)
    assert x.view(6, True).shape == (6, 1) and x.permute(1, False).shape == (3, 2)
    assert repr(rl.Size([2, True])) == "torch.Size([2, 1])"
    for refused in (lambda: rl.ones([True]), lambda: rl.rand(True, 3), lambda: x.sum([True])):
        with pytest.raises(TypeError):
            refused()
