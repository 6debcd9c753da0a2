"""Whole modules in files: what they hold and how functions are named."""

import copy
import io

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
