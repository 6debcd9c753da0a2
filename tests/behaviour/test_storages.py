"""Storages as objects of a program: one for one memory, with attributes, copies and conversions."""

import copy
import gc
import io
import os
import pickle
import weakref

import pytest

import rushlight as rl


def test_a_tensors_storage_is_one_object_with_its_attributes():
    x = rl.ones(3)
    storage = x.untyped_storage()
    assert x[1:].untyped_storage() is storage
    storage.tag = "mine"
    alive = weakref.ref(storage)
    del storage
    gc.collect()
    assert alive() is x.untyped_storage() and alive().tag == "mine"
    del x
    assert alive() is None


def test_a_storage_from_a_weak_reference_outlives_its_tensors():
    x = rl.ones(3)
    alive = weakref.ref(x.untyped_storage())
    storage = alive()
    del x
    assert storage.float().tolist()[2:4] == [128.0, 63.0]
    del storage
    assert alive() is None


def test_storages_of_a_subclass_stay_ones():
    class Named(rl.UntypedStorage):
        __slots__ = ()

    storage = Named(8)
    storage.name = "here"
    x = rl.tensor(storage, dtype=rl.int16)
    assert x.untyped_storage() is storage
    del storage
    assert type(x.untyped_storage()) is Named and x.untyped_storage().name == "here"


def test_cycles_through_storages_are_collected():
    gone = []

    class Told:
        def __del__(self):
            gone.append(1)

    first, second = rl.UntypedStorage(2), rl.UntypedStorage(2)
    first.other, second.other, first.told = second, first, Told()
    del first, second
    gc.collect()
    assert gone == [1]


def test_weak_references_to_the_same_memory_are_equal():
    x, y = rl.ones(2), rl.ones(2)
    from rushlight.multiprocessing.reductions import StorageWeakRef

    a, b = StorageWeakRef(x.untyped_storage()), StorageWeakRef(x[1:].untyped_storage())
    assert a == b and hash(a) == hash(b) and a != StorageWeakRef(y.untyped_storage())
    del x
    assert a.expired()


def test_untyped_storages_are_sequences_and_convert():
    storage = rl.UntypedStorage([1, 2, 3, 255])
    assert list(storage) == [1, 2, 3, 255]
    assert storage.float().tolist() == [1.0, 2.0, 3.0, 255.0]
    assert storage.complex_float().tolist()[3] == 255 + 0j
    assert storage.byte().data_ptr() != storage.data_ptr()
    assert storage.type() == "torch.storage.UntypedStorage" and storage.get_device() is None
    storage.byteswap(rl.int16)
    assert storage.tolist() == [2, 1, 255, 3]
    assert repr(storage) == (
        " 2\n 1\n 255\n 3\n[torch.storage.UntypedStorage(device=cpu) of size 4]"
    )


@pytest.mark.parametrize("make", [rl.UntypedStorage, rl.ByteStorage])
def test_copies_and_pickles_of_storages(make):
    storage = make([1, 2])
    for again in (copy.copy(storage), copy.deepcopy(storage), pickle.loads(pickle.dumps(storage))):
        assert again.tolist() == [1, 2] and again.data_ptr() != storage.data_ptr()
        assert isinstance(again, make)


def test_deepcopy_keeps_tensors_and_storages_together():
    x = rl.ones(2)
    y, typed, untyped = copy.deepcopy([x, x.storage(), x.untyped_storage()])
    assert y.untyped_storage() is untyped and typed.untyped() is untyped


def test_tensors_over_storages_share_them():
    storage = rl.UntypedStorage([1, 2, 3, 255])
    x = rl.tensor(storage, dtype=rl.int16)
    assert x.tolist() == [513, -253]
    x.fill_(0)
    assert storage.tolist() == [0, 0, 0, 0]
    with pytest.raises(RuntimeError, match="expected a storage of float32"):
        rl.tensor(rl.IntStorage([1]))
    with pytest.raises(RuntimeError, match="expected a storage of float32"):
        rl.empty(0).set_(rl.IntStorage([1]))


def test_typed_storages_of_every_name_are_typed_storages():
    storage = rl.FloatStorage([1, 2])
    assert type(storage) is rl.TypedStorage
    assert isinstance(storage, rl.FloatStorage) and not isinstance(storage, rl.IntStorage)
    assert storage.float().data_ptr() != storage.data_ptr()
    assert rl.FloatStorage(2).copy_(rl.IntStorage([0, 0])).tolist() == [0.0, 0.0]
    storage[:] = 4
    assert storage.tolist() == [4.0, 4.0] and storage.pickle_storage_type() == "FloatStorage"


@pytest.mark.parametrize(
    ("kind", "act"),
    [
        (RuntimeError, lambda: rl.FloatStorage(1, 2)),
        (RuntimeError, lambda: rl.FloatStorage(1, dtype=rl.float32)),
        (TypeError, lambda: rl.FloatStorage(rl.ones(2))),
        (RuntimeError, lambda: rl.TypedStorage(wrap_storage=rl.UntypedStorage(4))),
        (IndexError, lambda: rl.FloatStorage(2)[2]),
        (RuntimeError, lambda: rl.FloatStorage(2)[1.0]),
        (NotImplementedError, lambda: rl.TypedStorage(2, device="meta")[0]),
        (NotImplementedError, lambda: rl.UntypedStorage(2, device="meta").cpu()),
        (RuntimeError, lambda: rl.UntypedStorage(2, device="meta").share_memory_()),
        (RuntimeError, lambda: rl.UntypedStorage(8).copy_(rl.UntypedStorage(4))),
    ],
)
def test_what_storages_refuse(kind, act):
    with pytest.raises(kind):
        act()


def test_resizing_waits_for_buffers_only():
    storage = rl.UntypedStorage(4)
    with memoryview(storage), pytest.raises(RuntimeError, match="not resizable"):
        storage.resize_(9000)
    assert storage.resize_(9000).size() == 9000
    part = storage[:2]
    with memoryview(storage):
        pass
    with pytest.raises(RuntimeError, match="not resizable"):
        storage.resize_(90000)
    assert len(part) == 2


@pytest.mark.parametrize("zip_format", [True, False])
def test_files_keep_storages(zip_format):
    x, file = rl.arange(3.0), io.BytesIO()
    rl.save([x, x.storage()], file, _use_new_zipfile_serialization=zip_format)
    file.seek(0)
    y, storage = rl.load(file)
    assert isinstance(storage, rl.FloatStorage) and storage.data_ptr() == y.data_ptr()
    with pytest.raises(RuntimeError, match="another dtype"):
        rl.save([x, rl.TypedStorage(wrap_storage=x.untyped_storage(), dtype=rl.int32)], file)


def test_methods_that_come_late_are_not_those_of_subclasses():
    import subprocess
    import sys

    place = os.path.dirname(os.path.dirname(os.path.abspath(rl.__file__)))
    program = """
import rushlight as rl

class Loud(rl.UntypedStorage):
    def __repr__(self):
        return "loud " + super().__repr__()

assert repr(Loud(0)).count("loud") == 1
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=place)


def test_the_storage_class_is_that_of_the_default_dtype():
    assert rl.Storage is rl.FloatStorage
    try:
        rl.set_default_dtype(rl.float64)
        assert rl.Storage is rl.DoubleStorage and rl.Storage(3).dtype == rl.float64
    finally:
        rl.set_default_dtype(rl.float32)


def test_storages_know_the_file_that_changes_go_to(tmp_path):
    path = str(tmp_path / "bytes")
    assert rl.UntypedStorage.from_file(path, True, 16).filename == path
    assert rl.FloatStorage.from_file(path, True, 4).filename == path
    shared = rl.from_file(path, shared=True, size=4)
    assert shared.untyped_storage().filename == path and rl.ones(2).storage().filename is None
    assert rl.from_file(path, size=4).untyped_storage().filename is None
    assert rl.from_file(str(tmp_path / "none"), size=0).shape == (0,)
    for name, count in ((str(tmp_path), 4), (path, -4), (str(tmp_path / "none"), 4)):
        with pytest.raises(RuntimeError):
            rl.UntypedStorage.from_file(name, False, count)
