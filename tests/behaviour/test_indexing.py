"""x[...] and x[...] = v against recorded PyTorch behaviour, with gradients and views."""

import sys

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl
from rushlight.utils._pytree import tree_map

SETUP, ANSWERS = answers("indexing")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


def test_basic_indexing_is_a_view():
    x = rl.zeros(3, 4)
    x[1, 1:3].fill_(5)
    assert x[1].tolist() == [0, 5, 5, 0]
    x[0][0] = 2
    assert x[0, 0].item() == 2


def test_advanced_indexing_is_a_copy():
    x = rl.zeros(3)
    x[rl.tensor([0])].fill_(5)
    assert x.sum().item() == 0


def test_writing_through_a_view_is_recorded():
    x = rl.ones(3, requires_grad=True)
    y = x * 2
    y[0] = 10.0
    y.sum().backward()
    assert x.grad.tolist() == [0, 2, 2]


def test_values_written_get_gradients():
    v = rl.ones(2, requires_grad=True)
    x = rl.zeros(4)
    x[1:3] = v * 3
    (x * rl.arange(4.0)).sum().backward()
    assert v.grad.tolist() == [3, 6]


def test_writing_to_a_leaf_is_refused():
    x = rl.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="leaf"):
        x[0] = 1
    with rl.no_grad():
        x[0] = 5
    assert x[0].item() == 5


def test_messages():
    x = rl.zeros(2, 3)
    with pytest.raises(IndexError, match="index 5 is out of bounds for dimension 0 with size 2"):
        x[5]
    with pytest.raises(IndexError, match="too many indices for tensor of dimension 2"):
        x[0, 0, 0]


def test_repeated_positions_accumulate_in_one_order():
    i = rl.zeros(1000, dtype=rl.int64)
    v = rl.arange(1000.0) * 0.1
    once = rl.zeros(1).index_put((i,), v, accumulate=True)
    assert all(rl.zeros(1).index_put((i,), v, accumulate=True) == once for _ in range(3))


def test_second_order_through_indexing():
    x = rl.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (g,) = rl.autograd.grad((x[rl.tensor([0, 2, 2])] ** 3).sum(), x, create_graph=True)
    (h,) = rl.autograd.grad(g[1:].sum(), x)
    assert h.tolist() == [0, 0, 36]


@pytest.mark.parametrize(
    "dim, shape, index_shape", [(0, (700, 900), (500, 850)), (1, (3, 600, 200), (3, 400, 200))]
)
@pytest.mark.parametrize("reduce", ["sum", "amax", "set"])
def test_scatter_into_more_than_a_cache(dim, shape, index_shape, reduce):
    """Strips of the target, met apart, hold what single columns do."""
    rl.manual_seed(0)
    out, source = rl.randint(0, 9, shape).float(), rl.randint(0, 9, index_shape).float()
    index = rl.randint(0, shape[dim], index_shape)

    def write(out, index, source):
        if reduce == "set":
            return out.scatter(dim, index, source)
        return out.scatter_reduce(dim, index, source, reduce)

    whole = write(out, index, source)
    for k in range(0, index_shape[-1], 61):
        column = write(out[..., k : k + 1], index[..., k : k + 1], source[..., k : k + 1])
        assert rl.equal(whole[..., k : k + 1], column), k
    assert rl.equal(whole[..., index_shape[-1] :], out[..., index_shape[-1] :])
    index[..., -1] = shape[dim]
    with pytest.raises((RuntimeError, IndexError), match="out of bounds"):
        write(out, index, source)


@pytest.mark.parametrize("threads", (1, 2))
@pytest.mark.parametrize("dtype", (rl.uint8, rl.float32, rl.complex128))
@pytest.mark.parametrize("row", (1984, 2048, 2049, 2112, 12_288, 65_472, 65_536))
def test_rows_of_a_table_larger_than_a_cache(row, dtype, threads):
    count = (5 << 20) // row
    width = row // dtype.itemsize
    table = (rl.arange(count * width, dtype=rl.int64).view(count, width) * 2654435761 >> 7) & 127
    table = table.to(dtype)
    for at in ([0], [count - 1] * 3, [*range(count - 1, -1, -3), 0, 5, 5, -1, -count]):
        expected = rl.stack([table[i] for i in at])
        before = rl.get_num_threads()
        rl.set_num_threads(threads)
        try:
            assert table[at].equal(expected)
            assert rl.index_select(table, 0, rl.tensor(at) % count).equal(expected)
        finally:
            rl.set_num_threads(before)
    with pytest.raises(IndexError):
        table[[0, count]]


def test_masks_of_bytes_warn_each_time():
    x, mask = rl.arange(3.0), rl.tensor([1, 0, 1], dtype=rl.uint8)
    for _ in range(2):
        with pytest.warns(UserWarning, match="uint8"):
            assert x[mask].tolist() == [0, 2]
    with pytest.warns(UserWarning, match="uint8"):
        x.index_put_((mask,), rl.tensor(5.0))
    with pytest.warns(UserWarning, match="uint8"):
        assert rl.where(mask, x, 1.0).tolist() == [5, 1, 5]


def test_values_at_positions_are_of_the_tensor_s_dtype():
    x, ints = rl.zeros(4), rl.ones(2, dtype=rl.int64)
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[[0, 1]] = ints
    with pytest.raises(RuntimeError, match="dtypes match"):
        x[x == 0] = rl.ones(4, dtype=rl.int64)
    with pytest.raises(RuntimeError, match="complex"):
        x[[0, 1]] = 1j
    x[:2] = ints  # views convert, and so does one value for a mask
    x[x == 0] = rl.tensor([3])
    assert x.tolist() == [1, 1, 3, 3]


def test_take_along_dim_wants_int64():
    for dtype in (rl.bool, rl.int32, rl.float32):
        with pytest.raises(RuntimeError, match="int64"):
            rl.take_along_dim(rl.ones(2, 2), rl.zeros(2, 2, dtype=dtype), 0)


def test_an_element_of_the_target_may_fill_it():
    x = rl.arange(6).reshape(2, 3)
    x[1] = x[1][1]
    x[0] = x[0][2:]
    assert x.tolist() == [[2, 2, 2], [4, 4, 4]]


def _laid_out(x, how):
    if how == "turned":
        return x.clone().t()
    return rl.cat([x, x], 1)[:, ::2] if how == "stepped" else x.clone()


@pytest.mark.parametrize("how", ["dense", "turned", "stepped"])
@pytest.mark.parametrize("dtype", [rl.float32, rl.int8, rl.complex128, rl.bool], ids=str)
@pytest.mark.parametrize("shape", [(5, 9), (300, 400), (0, 4)])
def test_a_mask_of_all_dimensions_takes_values_in_order(shape, dtype, how):
    x = _laid_out((rl.randn(shape) * 9).to(dtype), how)
    mask = rl.rand(x.shape) > 0.4
    values = rl.randn(int(mask.sum())).to(dtype)
    given, chosen = iter(values.tolist()), mask.flatten().tolist()
    want = [next(given) if m else old for old, m in zip(x.flatten().tolist(), chosen)]
    x[mask] = values
    assert x.flatten().tolist() == want
    x[mask] = 1
    assert x.flatten().tolist() == [1 if m else old for old, m in zip(want, chosen)]


def test_a_mask_may_choose_from_itself():
    mask = rl.tensor([True, False, True])
    mask[mask] = False
    assert not mask.any()


def test_indices_nested_without_end_are_refused():
    index = ()
    for _ in range(200_000):
        index = (index,)
    x = rl.zeros(3)
    with pytest.raises(ValueError):
        x[index]
    with pytest.raises(ValueError):
        x[index] = 1.0
    while index:  # tuples nested so deep are freed one by one
        index = index[0]


def test_aten_index_keeps_dimensions_of_none_whole():
    x, rows = rl.arange(6).view(2, 3), rl.tensor([1, 0])
    assert rl.ops.aten.index.Tensor(x, [None, rows]).tolist() == [[1, 0], [4, 3]]
    assert rl.ops.aten.index(x, [None, rl.tensor([True, False, True])]).tolist() == [[0, 2], [3, 5]]
    assert rl.ops.aten._unsafe_index.Tensor(x, [rows]).tolist() == [[3, 4, 5], [0, 1, 2]]
    with pytest.raises(IndexError, match="empty list"):
        rl.ops.aten.index.Tensor(x, [])


class Wrapped(rl.Tensor):
    """Computes with the tensor in it."""

    @staticmethod
    def __new__(cls, elem):
        made = rl.Tensor._make_wrapper_subclass(cls, elem.shape, dtype=elem.dtype)
        made.elem = elem
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        plain = tree_map(lambda x: x.elem if isinstance(x, cls) else x, (args, kwargs or {}))
        return func(*plain[0], **plain[1])


def test_positions_and_values_of_classes_that_dispatch():
    x, one = rl.arange(6.0).view(2, 3), Wrapped(rl.tensor(1))
    rows, mask = Wrapped(rl.tensor([1, 0])), Wrapped(rl.tensor([True, False]))
    assert x[rows].tolist() == [[3, 4, 5], [0, 1, 2]]
    assert x[mask].tolist() == [[0, 1, 2]]
    assert x[one].tolist() == [3, 4, 5] and x[:, one].tolist() == [1, 4]
    x[mask], x[1] = 7, Wrapped(rl.tensor(5.0))
    assert x.tolist() == [[7, 7, 7], [5, 5, 5]]
    x[rows] = 2
    assert x.eq(2).all()


class Shown(Wrapped):
    """Notes what it is shown, and makes results of its class."""

    seen = []

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        cls.seen.append((str(func), *args[1:]))
        result = super().__torch_dispatch__(func, types, args, kwargs)
        return tree_map(lambda x: cls(x) if isinstance(x, rl.Tensor) else x, result)


LAST = sys.maxsize
SLICE_OF_LAST = ("aten.slice.Tensor", 2, 1, LAST)


@pytest.mark.parametrize(
    "index, expected",
    [
        (..., [("aten.alias.default",)]),
        ((slice(None), slice(0, 9)), [("aten.alias.default",)]),
        (slice(None), [("aten.slice.Tensor", 0, 0, LAST)]),
        (slice(-2, 9), [("aten.slice.Tensor", 0, -2, 9)]),
        ((..., None), [("aten.unsqueeze.default", 2)]),
        ((None, ..., slice(1, None)), [("aten.unsqueeze.default", 0), SLICE_OF_LAST]),
    ],
)
def test_views_that_classes_are_shown(index, expected):
    plain = rl.arange(6.0).view(2, 3)
    Shown.seen.clear()
    made = Shown(plain)[index]
    assert Shown.seen == expected
    assert made.elem.equal(plain[index])
    assert rl.vmap(lambda x: x[index])(plain.expand(4, 2, 3)).equal(
        plain[index].expand(4, *made.shape)
    )


def test_wrappers_have_no_address_and_results_that_are_arguments_stay_these():
    class Sorted(Wrapped):
        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return args[0], rl.arange(2)

    x = Sorted(rl.tensor([1, 2]))
    assert (x.data_ptr(), x.is_shared()) == (0, False)
    assert x.sort()[0] is x
    assert rl._tensor_str._str_intern(x, tensor_contents="[1, 2]") == "Sorted([1, 2])"
    assert rl._tensor_str._add_suffixes("a", ["b", "c"], 1, True) == "a,\n b, c)"
    assert rl._C._get_default_device() == "cpu"
