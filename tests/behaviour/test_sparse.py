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


def test_masked_sums_of_sparse_tensors_say_that_they_are_missing():
    x = rl.eye(2).to_sparse()
    with pytest.raises(NotImplementedError, match="strided"):
        rl.masked.sum(x, 0, mask=rl.ones(2, 2, dtype=rl.bool).to_sparse())
    assert rl.masked.sum(x).item() == 2.0


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
