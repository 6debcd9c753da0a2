"""Copying, pickling, exchange and the other methods of Tensor that are not operations."""

import copy
import pickle

import pytest
import rushlight as torch
from rushlight.testing import assert_close


def test_deepcopy_of_leaves_keeps_grad_and_attributes():
    x = torch.ones(2, requires_grad=True)
    (x * 3).sum().backward()
    x.note = ["kept"]
    y = copy.deepcopy(x)
    assert y is not x and y.requires_grad and y.note == ["kept"] and y.note is not x.note
    assert_close(y.grad, x.grad)
    y.grad.zero_()
    assert x.grad.sum() == 6
    with pytest.raises(RuntimeError, match="created explicitly by the user"):
        copy.deepcopy(x * 2)


def test_deepcopy_keeps_shared_memory_and_strides():
    base = torch.arange(6.0)
    view = base.reshape(2, 3).t()
    one, two, again = copy.deepcopy([base, view, base])
    assert one is again and two.stride() == (1, 3)
    one[1] = 100
    assert two[1, 0] == 100 and base[1] == 1


def test_pickle_round_trip():
    for x in (
        torch.arange(6).reshape(2, 3).t(),
        torch.ones((), dtype=torch.float64, requires_grad=True),
        torch.ones(0, 3, dtype=torch.bfloat16),
        torch.tensor([1 + 2j]),
        torch.nn.Parameter(torch.ones(2)),
    ):
        y = pickle.loads(pickle.dumps(x))
        assert type(y) is type(x) and y.dtype == x.dtype and y.stride() == x.stride()
        assert y.requires_grad == x.requires_grad
        assert_close(y, x)


def test_contains_and_reversed():
    x = torch.tensor([1, 2, 3])
    assert 2 in x and 5 not in x and torch.tensor(3) in x
    assert list(reversed(x)) == [3, 2, 1]
    with pytest.raises(RuntimeError, match="only supports Tensor or scalar"):
        "a" in x  # noqa: B015


def test_type_names():
    x = torch.ones(2)
    assert x.type() == "torch.FloatTensor" and (x > 0).type() == "torch.BoolTensor"
    assert x.type(torch.int64).dtype == torch.int64
    assert x.type("torch.DoubleTensor").dtype == torch.float64
    assert x.type(torch.float32) is x
    with pytest.raises(ValueError, match="invalid type"):
        x.type("torch.QuickTensor")


def test_numpy_sees_tensors():
    np = pytest.importorskip("numpy")
    x = torch.ones(2)
    np.asarray(x)[0] = 5
    assert x[0] == 5
    assert np.array(x, dtype="float64").dtype == np.float64
    with pytest.raises(RuntimeError, match="grad"):
        np.asarray(torch.ones(1, requires_grad=True))


def test_dlpack_round_trip():
    np = pytest.importorskip("numpy")
    x = torch.arange(3.0)
    assert x.__dlpack_device__() == (1, 0)
    array = np.from_dlpack(x)
    assert array.tolist() == [0.0, 1.0, 2.0] and array.ctypes.data == x.data_ptr()
    with pytest.raises(BufferError, match="require gradient"):
        torch.ones(1, requires_grad=True).__dlpack__()


def test_hash_is_identity():
    x, y = torch.ones(1), torch.ones(1)
    assert len({x, y, x}) == 2


def test_subclasses_share_memory_and_history():
    class Metres(torch.Tensor):
        pass

    x = torch.ones(2, requires_grad=True)
    y = (x * 3).as_subclass(Metres)
    assert type(y) is Metres and y.requires_grad
    y.sum().backward()
    assert_close(x.grad, torch.tensor([3.0, 3.0]))
    plain = torch.zeros(2)
    plain.as_subclass(Metres)[0] = 1
    assert plain[0] == 1
    with pytest.raises(TypeError, match="subclass of Tensor"):
        x.as_subclass(int)


def test_devices_that_are_not_there():
    x = torch.ones(2)
    assert x.cpu() is x and not x.is_xpu
    with pytest.raises(AssertionError, match="CUDA"):
        x.cuda()


def test_elementwise_python_functions():
    x = torch.tensor([[1.0, 2.0]])
    assert x.apply_(lambda v: v + 10) is x and x.tolist() == [[11.0, 12.0]]
    x.map_(torch.tensor([1.0, 2.0]), lambda a, b: a * b)
    assert x.tolist() == [[11.0, 24.0]]
    assert x.new(2, 3).shape == (2, 3) and x.new([5]).tolist() == [5.0]
    assert x.is_set_to(x.view(1, 2)) and not x.is_set_to(x.clone())


def test_numbers_that_identify_a_tensor():
    x = torch.ones(2, requires_grad=True)
    assert x._cdata == x._cdata != x.detach()._cdata
    y = x * 2
    assert y._grad_fn is y.grad_fn and x._grad_fn is None
    assert y.detach()._typed_storage().tolist() == [2.0, 2.0]


def test_a_number_is_copied_as_a_tensor_is():
    x = torch.ones(2, dtype=torch.float64)
    assert x.copy_(0.1) is x and x.tolist() == [0.1, 0.1]
    assert torch.ones(2, dtype=torch.uint8).copy_(3.7).tolist() == [3, 3]
    x = torch.ones(2, requires_grad=True)
    (x * 2).copy_(3.0, non_blocking=True).sum().backward()
    assert x.grad.tolist() == [0, 0]
    with pytest.raises(TypeError):
        x.copy_("3")


@pytest.mark.parametrize("device", ["cpu:0", torch.device("cpu", 1)])
def test_numbered_cpus_share_the_memory_of_the_one_there_is(device):
    x = torch.arange(1.0, 7.0, requires_grad=True)
    y = x.to(device)
    assert y.tolist() == [1, 2, 3, 4, 5, 6] and y is not x and y.device == x.device
    assert x.to(device, torch.int64).tolist() == [1, 2, 3, 4, 5, 6]
    assert x.to("cpu") is x and x.to("meta").is_meta
    y.sum().backward()
    assert x.grad.tolist() == [1] * 6
    layer = torch.nn.Linear(2, 2)
    weight = layer.weight.clone()
    assert torch.equal(layer.to(device).weight, weight)
