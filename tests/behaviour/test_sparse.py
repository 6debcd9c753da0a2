"""Sparse tensors: against recorded PyTorch behaviour, and stories that end in training."""

import copy
import io
import pickle

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("sparse")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


def sample(dtype=rl.float32):
    values = rl.tensor([3.0, 4.0, 5.0], dtype=dtype)
    return rl.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], values, (2, 3)).coalesce()


LAYOUTS = {
    "coo": lambda x: x,
    "csr": lambda x: x.to_sparse_csr(),
    "csc": lambda x: x.to_sparse_csc(),
    "bsr": lambda x: x.to_sparse_bsr((1, 3)),
    "bsc": lambda x: x.to_sparse_bsc((2, 1)),
}
every_layout = pytest.mark.parametrize("to", LAYOUTS.values(), ids=LAYOUTS)


@every_layout
def test_copies_and_files_keep_layout_and_elements(to):
    x = to(sample())
    file = io.BytesIO()
    rl.save({"x": x}, file)
    file.seek(0)
    for y in (pickle.loads(pickle.dumps(x)), copy.deepcopy(x), x.clone(), rl.load(file)["x"]):
        assert y.layout is x.layout and y is not x and rl.equal(y.to_dense(), x.to_dense())


@every_layout
def test_gradients_pass_every_layout(to):
    def function(values):
        x = rl.sparse_coo_tensor([[0, 1, 1], [2, 0, 2]], values, (2, 3))
        return to(x).to_dense() ** 2

    values = rl.tensor([3.0, 4.0, 5.0], dtype=rl.float64, requires_grad=True)
    assert rl.autograd.gradcheck(function, (values,))
    assert rl.autograd.gradgradcheck(function, (values,))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: rl.sparse.mm(x, rl.arange(6.0, dtype=rl.float64).reshape(3, 2)),
        lambda x: rl.sparse.mm(x, x.t()),
        lambda x: rl.sparse.softmax(x, 1),
        lambda x: rl.sparse.sum(x * x, 0),
        lambda x: x.sin() + x * 2,
        lambda x: x * rl.arange(6.0, dtype=rl.float64).reshape(2, 3),
        lambda x: rl.cat([x, x.index_select(0, rl.tensor([1, 0]))]),
        lambda x: rl.sparse.mm(x.to_sparse_csr(), rl.ones(3, 2, dtype=rl.float64), "mean"),
    ],
)
def test_gradcheck(function):
    check = rl.sparse.as_sparse_gradcheck(rl.autograd.gradcheck)
    assert check(function, (sample(rl.float64).requires_grad_(),))
    check = rl.sparse.as_sparse_gradcheck(rl.autograd.gradgradcheck)
    assert check(function, (sample(rl.float64).requires_grad_(),))


def test_gradient_of_a_sparse_leaf_is_sparse():
    x = sample().requires_grad_()
    (rl.sparse.mm(x, rl.ones(3, 1)).sum() * 2).backward()
    assert x.grad.is_sparse and x.grad.values().tolist() == [2.0, 2.0, 2.0]
    assert x.is_leaf and x.grad.layout is rl.sparse_coo


@pytest.mark.parametrize("name", ["cumsum", "exp", "cos", "sort", "argmax", "eq"])
@every_layout
def test_what_has_no_handler_is_refused(to, name):
    with pytest.raises(NotImplementedError, match="sparse_"):
        getattr(to(sample()), name)(*([0] if name in ("cumsum", "eq") else []))


def test_strided_kernels_never_see_a_sparse_operand():
    x, dense = sample(), rl.ones(2, 3)
    for use in (
        lambda: rl.where(dense > 0, x, dense),
        lambda: dense.maximum(x),
        lambda: rl.exp(dense, out=x),
        lambda: dense.__setitem__(0, x),
        lambda: rl.nn.functional.conv1d(dense.unsqueeze(0), x.unsqueeze(0)),
        lambda: rl.zeros(2).set_(x),
        lambda: x.__dlpack__(),
        lambda: x.reshape(-1),
        lambda: x[:1],
    ):
        with pytest.raises(RuntimeError, match="sparse|Sparse|COO|layout"):
            use()


def test_invariants_are_checked_when_asked():
    check = rl.sparse.check_sparse_tensor_invariants
    assert not check.is_enabled()
    rl.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,))
    with check(), pytest.raises(RuntimeError, match="size is inconsistent"):
        rl.sparse_coo_tensor([[0, 5]], [1.0, 2.0], (3,))
    assert not check.is_enabled()


@pytest.mark.parametrize("optimizer", ["SGD", "Adagrad", "SparseAdam"])
def test_sparse_embedding_trains_like_a_dense_one(optimizer):
    losses = []
    for sparse in (True, False):
        rl.manual_seed(0)
        table = rl.nn.Embedding(10, 3, sparse=sparse)
        if optimizer == "SparseAdam" and not sparse:
            break
        steps = getattr(rl.optim, optimizer)(table.parameters(), lr=0.1)
        for words in (rl.tensor([1, 2, 2]), rl.tensor([7, 1, 1]), rl.tensor([2, 2, 3])):
            steps.zero_grad()
            loss = (table(words) - 1).square().sum()
            loss.backward()
            assert table.weight.grad.is_sparse == sparse
            steps.step()
        losses.append((table(rl.arange(10)) - 1).square().sum().item())
    assert losses[0] < 60 and (len(losses) == 1 or abs(losses[0] - losses[1]) < 1e-4)


def test_sparse_and_dense_gradients_add_up():
    table = rl.nn.Embedding(4, 2, sparse=True)
    table(rl.tensor([1, 1, 3])).sum().backward()
    assert table.weight.grad.is_sparse
    table.weight.sum().backward()
    assert table.weight.grad.tolist() == [[1, 1], [3, 3], [1, 1], [2, 2]]
    table(rl.tensor([0])).sum().backward()
    assert table.weight.grad.tolist() == [[2, 2], [3, 3], [1, 1], [2, 2]]
    table.weight.grad = None
    (table(rl.tensor([0])).sum() + table.weight.sum()).backward()
    assert table.weight.grad.tolist() == [[2, 2], [1, 1], [1, 1], [1, 1]]


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_sparse_bags_have_the_gradients_of_dense_ones(mode):
    grads = []
    for sparse in (True, False):
        rl.manual_seed(0)
        bag = rl.nn.EmbeddingBag(5, 2, mode=mode, sparse=sparse)
        bag(rl.tensor([1, 1, 3, 0]), rl.tensor([0, 2])).square().sum().backward()
        grads.append(bag.weight.grad.to_dense())
    assert rl.allclose(grads[0], grads[1])


def test_padding_rows_get_no_sparse_gradient():
    table = rl.nn.Embedding(4, 2, padding_idx=1, sparse=True)
    table(rl.tensor([1, 2])).sum().backward()
    assert table.weight.grad._indices().tolist() == [[2]]


def test_differences_are_of_the_dtype_that_holds_both():
    a, b = rl.tensor([5], dtype=rl.int8), rl.tensor([7], dtype=rl.uint8)
    for first, second in ((a.to_sparse(), b.to_sparse()), (a, b.to_sparse())):
        made = (first - second).to_dense() if first.is_sparse else first - second
        assert made.tolist() == [-2] and made.dtype == rl.int16
    wide = rl.tensor([5], dtype=rl.int16)
    assert wide.sub_(b.to_sparse()).tolist() == [-2]


def test_columns_of_compressed_matrices_lie_one_after_another():
    columns = rl.tensor([[1.0, 0, 2], [0, 3, 0]]).to_sparse_csr().col_indices()
    assert columns.tolist() == [0, 2, 1] and columns.stride() == (1,)


def test_reductions_of_the_namespace_masked():
    x, mask = sample().to_dense(), rl.tensor([[True, False, True], [False, True, True]])
    for kept in (mask.to_sparse(), mask.to_sparse_csr()):
        assert rl.masked.sum(x, 1, mask=kept).tolist() == [3, 5]
        assert rl.masked.softmax(x, 1, mask=kept)[0].tolist()[1] == 0
    result = rl.masked.amin(sample(), 1, mask=mask.to_sparse())
    assert result.layout == rl.sparse_coo and result.to_dense().tolist() == [0, 0]
    result = rl.masked.prod(sample().to_sparse_csr(), 0, keepdim=True, mask=mask)
    assert result.layout == rl.sparse_csr and result.to_dense().tolist() == [[0, 0, 15]]
    assert rl.masked.sum(sample(), 0).coalesce().indices().tolist() == [[0, 2]]
    for refused in (rl.masked.prod, rl.masked.mean, rl.masked.argmax):
        with pytest.raises(ValueError, match="masked"):
            refused(sample(), 0)


def test_legacy_new_makes_sparse_tensors():
    x, values = sample(), rl.tensor([1.0])
    made = x.new(rl.tensor([[1], [2]]), values, (4, 4))
    assert made.layout == rl.sparse_coo and made.to_dense()[1, 2] == 1
    assert x.new(rl.tensor([[1], [2]]), values).shape == x.new(2, 3).shape == (2, 3)
    for given in (values, values.untyped_storage()):
        with pytest.raises(TypeError):
            x.new(given)
    assert x.new().resize_as_(x).zero_().shape == (2, 3)


def test_at_most_one_element_is_coalesced():
    assert rl.sparse_coo_tensor([[], []], [], (2, 2)).is_coalesced()
    assert rl.sparse_coo_tensor([[0], [0]], [1.0], (2, 2)).is_coalesced()
    assert not rl.sparse_coo_tensor([[0, 1]], [1.0, 2.0]).is_coalesced()
    with pytest.raises(RuntimeError, match="overflow"):
        rl.sparse_coo_tensor([[1, 2]] * 4, [1.0, 2.0], (100001,) * 4)


def test_sums_with_empty_tensors_of_other_sparse_dimensions():
    blocks = rl.sparse_coo_tensor([[0, 1]], rl.ones(2, 3), (2, 3))
    empty = rl.sparse_coo_tensor((2, 3))
    assert (blocks + empty).to_dense().tolist() == (empty + blocks).to_dense().tolist()
    assert (empty - blocks).to_dense().sum() == -6


def test_what_sparse_tensors_refuse():
    x, rows = sample(), sample().to_sparse_csr()
    with pytest.raises(TypeError):
        x[0] = 1
    for call in (
        lambda: x.permute(dims=(1,)),
        lambda: x.narrow_copy(-1, 0, 2),
        lambda: rl.empty_like(x, memory_format=rl.contiguous_format),
        lambda: rows.is_contiguous(),
    ):
        with pytest.raises(RuntimeError):
            call()
    assert x.permute(dims=(1, 0)).shape == (3, 2)


def test_values_of_compressed_tensors_are_filled():
    rows = sample().to_sparse_csr()
    assert rl.ones_like(rows).to_dense().sum() == 3
    assert rows.clone().fill_(2).to_dense().sum() == 6
    assert rl.randn_like(rows).layout == rows.clone().normal_().layout == rl.sparse_csr
    narrow = rl.sparse_csr_tensor(
        rl.tensor([0, 1], dtype=rl.int32), rl.tensor([0], dtype=rl.int32), [1.0]
    )
    assert narrow.to_sparse_csc().row_indices().dtype == rl.int32
    assert rl.sparse_csr_tensor([0, 0], [], rl.zeros(0), (1, 0))._nnz() == 0


def test_data_keeps_its_layout():
    dense = rl.ones(2, 2)
    for data in (rl.ones(2, 2).to_sparse(), rl.ones(2, 2).to_sparse_csr()):
        with pytest.raises(RuntimeError):
            dense.data = data
        with pytest.raises(RuntimeError):
            data.data = dense
    data = dense.to_sparse()
    data.data = data * 2
    assert data.to_dense().tolist() == [[2, 2], [2, 2]]


def test_compressed_tensors_grow_in_place():
    x = rl.eye(3).to_sparse_csr()
    assert x.resize_(4, 5) is x and x.shape == (4, 5)
    assert x.crow_indices().tolist() == [0, 1, 2, 3, 3] and x.values().tolist() == [1, 1, 1]
    x = rl.eye(3).to_sparse_csc().resize_((3, 4))
    assert x.shape == (3, 4) and x.ccol_indices().tolist() == [0, 1, 2, 3, 3]
    with pytest.raises(RuntimeError, match="columns"):
        x.resize_(3, 2)
    for size in ((2, 4), (1, 3, 4)):
        with pytest.raises(NotImplementedError):
            x.resize_(size)
