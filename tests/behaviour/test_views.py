"""Views and structural copies against recorded PyTorch behaviour."""

import numpy
import pytest
from recorded import answers, evaluate

import rushlight as rl

SETUP, ANSWERS = answers("views")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("text", list(ANSWERS))
def test_recorded(text):
    assert evaluate(text, rl, numpy, SETUP) == ANSWERS[text]


def test_views_share_memory():
    x = rl.zeros(2, 3)
    for view in (
        x.view(6),
        x.t(),
        x.unsqueeze(0),
        x.flatten(),
        x[:, 1:],
        x.permute(1, 0),
        x.split(1)[0],
    ):
        assert view.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


def test_writing_through_a_transposed_view_reaches_the_base():
    x = rl.zeros(2, 3)
    x.t()[2, 1] = 7
    assert x[1, 2].item() == 7


def test_changing_a_tensor_after_taking_its_view_keeps_the_graph_valid():
    x = rl.ones(4, requires_grad=True)
    y = x * 3
    part = y[1:3]
    y.mul_(2)
    part.sum().backward()
    assert x.grad.tolist() == [0, 6, 6, 0]


def test_outputs_of_split_refuse_in_place_changes():
    x = rl.ones(4, requires_grad=True) * 1
    a, _ = x.split(2)
    with pytest.raises(RuntimeError, match="multiple views"):
        a.mul_(2)


def test_real_and_imag_can_be_assigned():
    c = rl.zeros(2, dtype=rl.complex64)
    c.real = rl.tensor([1.0, 2.0])
    c.imag = 3
    assert c.tolist() == [1 + 3j, 2 + 3j]


def test_many_outputs():
    x = rl.arange(100.0, requires_grad=True)
    parts = x.unbind()
    assert len(parts) == 100
    (parts[3] * 2 + parts[99]).backward()
    assert x.grad.nonzero().flatten().tolist() == [3, 99]


def test_second_order_through_views():
    x = rl.arange(1.0, 7.0).reshape(2, 3).requires_grad_()
    (g,) = rl.autograd.grad((x.t()[1:].unfold(1, 2, 1) ** 3).sum(), x, create_graph=True)
    (h,) = rl.autograd.grad(g.sum(), x)
    assert h.tolist() == (6 * x * (x != x[:, :1])).tolist()


def test_methods_that_change_the_shape_in_place():
    x = rl.arange(3.0)
    assert x.unsqueeze_(0) is x and x.shape == (1, 3)
    assert x.t_().shape == (3, 1) and x.squeeze_().shape == (3,)
    leaf = rl.ones(3, requires_grad=True)
    y = leaf * 2
    y.unsqueeze_(1).transpose_(0, 1)
    (y * rl.arange(3.0)).sum().backward()
    assert leaf.grad.tolist() == [0, 2, 4]
    with pytest.raises(RuntimeError, match="leaf"):
        leaf.unsqueeze_(0)


def test_typed_storage_shows_the_tensor():
    x = rl.arange(3.0)
    storage = x.storage()
    storage[1] = 9
    assert storage.tolist() == [0, 9, 2] == x.tolist() and storage.type() == "torch.FloatStorage"
    assert rl.LongStorage([1, 2]).double().tolist() == [1.0, 2.0]


def test_results_that_an_op_lays_out_anew_are_no_views():
    """They may be changed in place, also where they were made without recording."""
    table, ids = rl.eye(3, requires_grad=True), rl.tensor([[0, 2]])
    rows = rl.nn.functional.embedding(ids, table)
    assert not rows._is_view()
    rows *= 2
    rows.sum().backward()
    assert table.grad.tolist() == [[2.0] * 3, [0.0] * 3, [2.0] * 3]
    scale = rl.ones((), requires_grad=True)
    with rl.no_grad():
        made = [
            rl.nn.functional.embedding(ids, table),
            rl.complex(rl.ones(2), rl.ones(2)),
            rl.rot90(rl.ones(2, 3)),
            rl.kron(rl.ones(2, 2), rl.ones(2, 2)),
        ]
        view = rl.ones(2, 3).view(6)
    for result in made:
        result *= scale
        assert result.requires_grad
    with pytest.raises(RuntimeError, match="no_grad"):
        view *= scale


@pytest.mark.parametrize("dtype", [rl.int32, rl.bool, rl.uint8])
def test_views_of_integers_know_their_base(dtype):
    x = rl.ones(4, 4, dtype=dtype)
    for view in (x[0], x.view(-1), x.t(), x.split(2)[1], x[1].view(2, 2), x.expand(2, 4, 4)):
        assert view._base is x and view._is_view()
    assert x._base is None and x.clone()._base is None and x.contiguous() is x


def test_tensors_of_the_common_shape_are_not_viewed():
    x, y = rl.ones(2, 3), rl.ones(3)
    a, b = rl.broadcast_tensors(x, y)
    assert a is x and b.shape == (2, 3)
