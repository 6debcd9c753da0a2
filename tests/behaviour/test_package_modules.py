"""The package's modules that load their parts on first use: what they find when their names change,
and that they are modules to whatever handles these.
"""

import copy
import importlib
import inspect
import pickle
import types

import pytest

import rushlight as rl

MODULES = [rl, rl.nn, rl.nn.functional]


@pytest.fixture(params=MODULES, ids=lambda m: m.__name__)
def module(request):
    return request.param


def test_names_are_what_they_were_last_set_to(module):
    def found():
        return module.some_name

    for _ in range(3):
        with pytest.raises(AttributeError, match="some_name"):
            found()
        for value in (1, "two", None):
            module.some_name = value
            assert all(found() is value for _ in range(20))
            assert getattr(module, "".join(["some", "_name"])) is value
        vars(module)["some_name"] = module
        assert found() is module
        del module.some_name


def test_modules_do_not_take_each_others_names():
    for at, module in enumerate(MODULES):
        module.shared_name = at
    try:
        for _ in range(3):
            assert [module.shared_name for module in MODULES] == [0, 1, 2]
    finally:
        for module in MODULES:
            del module.shared_name


def test_many_names_are_told_apart(module):
    names = [f"name_{i}" for i in range(2000)]
    try:
        for name in names:
            setattr(module, name, name)
        for _ in range(2):
            assert all(getattr(module, name) == name for name in names)
    finally:
        for name in names:
            delattr(module, name)


def test_patched_functions_are_called(monkeypatch):
    def call():
        return rl.nn.functional.relu(rl.tensor([-1.0])).item()

    assert [call() for _ in range(20)] == [0.0] * 20
    with monkeypatch.context() as patch:
        patch.setattr(rl.nn.functional, "relu", rl.neg)
        assert call() == 1.0
    assert call() == 0.0


def test_they_are_modules(module):
    assert isinstance(module, types.ModuleType) and inspect.ismodule(module)
    assert repr(module).startswith(f"<module '{module.__name__}' from")
    assert module.__dict__ is vars(module) and module.__class__ is type(module)
    assert (
        inspect.getmodule(module) is module and importlib.import_module(module.__name__) is module
    )


def test_copies_and_pickles_are_the_module_itself(module):
    assert copy.copy(module) is module and copy.deepcopy([module])[0] is module
    assert pickle.loads(pickle.dumps(module)) is module


def test_names_that_are_no_strings_are_refused(module):
    with pytest.raises(TypeError, match="attribute name must be string"):
        getattr(module, 1)
