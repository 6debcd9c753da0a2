"""Memory shared with NumPy, buffers and DLPack: both ways, and whichever side dies first."""

import gc
import weakref

import numpy
import pytest

import rushlight as rl


def test_numpy_array_shares_memory_both_ways():
    t = rl.zeros(2, 3)
    a = t.numpy()
    a[0, 1] = 5
    t[1, 2] = 7
    assert t[0, 1].item() == 5 and a[1, 2] == 7


def test_array_outlives_its_tensor():
    a = rl.arange(1000.0).numpy()
    gc.collect()
    rl.zeros(1000).fill_(7)
    assert a.tolist() == list(range(1000))


def test_array_survives_set_on_its_tensor():
    t = rl.arange(1000.0)
    a = t.numpy()
    t.set_()
    rl.ones(1000)
    assert a[999] == 999


def test_tensor_outlives_its_array():
    t = rl.from_numpy(numpy.arange(1000.0))
    gc.collect()
    numpy.zeros(1000)
    assert t.sum().item() == 499500


def test_array_is_released_with_the_last_tensor():
    class Array(numpy.ndarray):
        pass

    a = numpy.arange(3.0).view(Array)
    alive = weakref.ref(a)
    t = rl.from_numpy(a)
    view = t[1:]
    del a, t
    assert alive() is not None
    del view
    gc.collect()
    assert alive() is None


def test_negative_strides_are_refused_with_a_way_out():
    with pytest.raises(ValueError, match="negative"):
        rl.from_numpy(numpy.arange(3)[::-1])
    assert rl.from_numpy(numpy.arange(3)[::-1].copy()).tolist() == [2, 1, 0]


def test_read_only_arrays_warn():
    a = numpy.arange(3)
    a.flags.writeable = False
    with pytest.warns(UserWarning, match="not writable"):
        t = rl.from_numpy(a)
    assert not t.numpy().flags.writeable


def test_storage_shown_to_numpy_does_not_move():
    t = rl.zeros(2)
    t.numpy()
    with pytest.raises(RuntimeError, match="not resizable"):
        t.resize_(5000)


def test_buffers_are_shared_and_kept():
    data = bytearray(8)
    t = rl.frombuffer(data, dtype=rl.int32)
    data[0] = 1
    assert t.tolist() == [1, 0]
    t[1] = 2
    assert data[4] == 2
    with pytest.raises(BufferError):
        data.extend(b"more")
    del t
    gc.collect()
    data.extend(b"more")


@pytest.mark.parametrize(
    "dtype", [rl.float32, rl.float64, rl.int64, rl.uint8, rl.bool, rl.complex64]
)
def test_dlpack_with_numpy(dtype):
    t = rl.tensor([[1, 0, 1], [0, 1, 1]]).to(dtype)
    assert numpy.from_dlpack(t.t()).tolist() == t.t().tolist()
    back = rl.from_dlpack(t.numpy())
    assert back.dtype == dtype and back.tolist() == t.tolist()


def test_dlpack_capsules_are_consumed_once():
    capsule = rl.arange(3).__dlpack__()
    t = rl.from_dlpack(capsule)
    gc.collect()
    assert t.tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="only once"):
        rl.from_dlpack(capsule)


def test_unconsumed_dlpack_capsules_release_memory():
    before = rl.from_dlpack(rl.zeros(3)).data_ptr()
    for _ in range(100):
        rl.zeros(300000).__dlpack__(max_version=(1, 0))
    gc.collect()
    assert before


def test_dlpack_outlives_its_tensor():
    a = numpy.from_dlpack(rl.arange(1000.0))
    gc.collect()
    rl.zeros(1000)
    assert a.sum() == 499500


def test_storage_bytes_through_memoryview():
    t = rl.zeros(2, dtype=rl.int16)
    memoryview(t.untyped_storage())[2] = 9
    assert t.tolist() == [0, 9]


def test_storage_identity_and_lifetime():
    t = rl.arange(4.0)
    s = t.untyped_storage()
    assert s == t[1:].untyped_storage() and s._cdata == t.view(2, 2).untyped_storage()._cdata
    del t
    assert rl.empty(0).set_(s, 1, (2,), (1,)).tolist() == [1, 2]


def test_asarray_keeps_the_graph_unless_told_otherwise():
    leaf = rl.ones(2, requires_grad=True)
    made = leaf + 2
    with pytest.warns(UserWarning, match="requires_grad=False"):
        assert rl.asarray(made) is made
    assert rl.asarray(made, requires_grad=True) is made
    assert rl.asarray(leaf, requires_grad=True, copy=True).grad_fn is not None
    outside = rl.asarray(made, requires_grad=False)
    assert not outside.requires_grad and outside.data_ptr() == made.data_ptr()
    assert rl.asarray([1.0], requires_grad=True).is_leaf


class Producer:
    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **options):
        return self.tensor.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.tensor.__dlpack_device__()


def test_tensors_from_producers_of_dlpack():
    x = rl.arange(3.0)
    made = rl.tensor(Producer(x))
    assert rl.equal(made, x) and made.data_ptr() != x.data_ptr()
    assert rl.as_tensor(Producer(x)).data_ptr() == x.data_ptr()
    assert rl.as_tensor(Producer(x), dtype=rl.float64).dtype == rl.float64
    assert rl.asarray(x.__dlpack__()).data_ptr() == x.data_ptr()


def test_streams_of_dlpack():
    x = rl.ones(2)
    assert x.__dlpack__(stream=-1) is not None
    for stream, error in ((1, AssertionError), ("a", TypeError), (True, TypeError)):
        with pytest.raises(error, match="stream"):
            x.__dlpack__(stream=stream)
    with pytest.raises(ValueError, match="meta"):
        x.to("meta").__dlpack_device__()


def test_arrays_are_compared_with_tensors():
    x, a = rl.tensor([1.0, 2.0]), numpy.array([1.0, 3.0])
    assert (x == a).tolist() == [True, False] and (a == x).tolist() == [True, False]
    assert (x == numpy.array(["a", "b"])) is False
    with pytest.raises(RuntimeError, match="size"):
        assert x == numpy.ones(3)


def test_arrays_are_divided_by_tensors():
    made = numpy.array([1.0, 2.0]) / rl.tensor([4.0, 8.0])
    assert made.tolist() == [0.25, 0.25] and made.dtype == rl.float64
    with pytest.raises(TypeError):
        numpy.ones(2) + rl.ones(2)


def test_arrays_of_no_dimensions_stand_for_numbers():
    made = rl.tensor(((7, numpy.array(5)), (numpy.array(9), 5.0)))
    assert made.tolist() == [[7, 5], [9, 5]] and made.dtype == rl.float32
    made = rl.tensor(((7, 5), (9, numpy.array(5.5))))
    assert made.tolist() == [[7, 5], [9, 5.5]] and made.dtype == rl.float64


def test_numbers_of_numpy_cannot_be_shared_and_count_elements():
    with pytest.raises(RuntimeError, match="NumPy"):
        rl.asarray(numpy.float64(0.5), copy=False)
    assert rl.FloatStorage(numpy.int64(3)).size() == 3
