"""Whole modules and objects of classes in files, several in one file, and how all are named."""

import copy
import io
import pickle

import rushlight as rl


class WithMask(rl.nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = rl.ones(2, 2)  # neither parameter nor buffer
        self.activation = rl.nn.functional.relu


def test_modules_keep_plain_tensors_and_functions_and_name_functions_as_pytorch_does(tmp_path):
    path = tmp_path / "whole.pt"
    rl.save(WithMask(), path)
    names = rl.serialization.get_unsafe_globals_in_checkpoint(path)
    assert "torch.nn.functional.relu" in names
    with rl.serialization.safe_globals([WithMask, rl.nn.functional.relu, set]):
        module = rl.load(path)
    assert module.activation is rl.nn.functional.relu
    assert module.mask.tolist() == [[1.0, 1.0], [1.0, 1.0]]


class Slotted(rl.Tensor):
    __slots__ = ["scale"]


class Stating(rl.Tensor):
    def __getstate__(self):
        return "state", self.__dict__

    def __setstate__(self, state):
        self.told, self.kept = state


class Pair(rl.Tensor):
    """Computes with another tensor."""

    @staticmethod
    def __new__(cls, inner):
        return rl.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError(str(function))


def _through_a_file(obj):
    file = io.BytesIO()
    rl.save(obj, file)
    file.seek(0)
    with rl.serialization.safe_globals([type(obj)]):
        return rl.load(file), file.getvalue()


def test_files_and_copies_keep_what_is_in_slots():
    x = rl.ones(2).as_subclass(Slotted)
    x.scale, x.other = 3, "here"
    for again in (_through_a_file(x)[0], copy.deepcopy(x)):
        assert type(again) is Slotted and again.scale == 3 and again.other == "here"


def test_files_hold_the_state_that_a_class_says():
    x = rl.ones(2).as_subclass(Stating)
    x.label = "here"
    again, _ = _through_a_file(x)
    assert again.told == "state" and again.kept == {"label": "here"}


def test_files_name_the_rebuilding_of_wrappers_as_pytorch_does():
    again, data = _through_a_file(Pair(rl.ones(2)))
    assert type(again) is Pair and again.inner.tolist() == [1.0, 1.0]
    assert b"_rebuild_wrapper_subclass" in data and b"rushlight" not in data


def test_streams_of_several_objects_are_read_one_after_another():
    file = io.BytesIO()
    for number in (1, 2):
        pickle.dump(number, file)
        rl.save(rl.ones(number), file, _use_new_zipfile_serialization=False)
    file.seek(0)
    for number in (1, 2):
        assert pickle.load(file) == number and len(rl.load(file)) == number


def test_saved_files_can_be_read_before_they_are_closed(tmp_path):
    with open(tmp_path / "x.pt", "wb") as file:
        rl.save(rl.ones(2), file)
        assert rl.load(tmp_path / "x.pt", mmap=True).tolist() == [1.0, 1.0]


def test_the_way_of_mapping_can_hold_for_a_block():
    import mmap

    with rl.serialization.set_default_mmap_options(mmap.MAP_SHARED):
        assert rl.serialization.get_default_mmap_options() == mmap.MAP_SHARED
    assert rl.serialization.get_default_mmap_options() == mmap.MAP_PRIVATE


def test_texts_of_python_2_can_be_taken_as_bytes():
    file = io.BytesIO()
    rl.save([rl.ones(2), "name"], file, _use_new_zipfile_serialization=False)
    data = file.getvalue()
    for text in (b"storage", b"cpu", b"0", b"name"):
        length = bytes([len(text)])
        data = data.replace(b"X" + length + bytes(3) + text, b"U" + length + text)
    x, name = rl.load(io.BytesIO(data), encoding="bytes")
    assert x.tolist() == [1.0, 1.0] and name == b"name"
