"""What ``import rushlight`` loads, and that the rest comes when it is asked for.

Modules are counted rather than seconds: each costs about as much as the next.
"""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import rushlight as rl
from rushlight import _late
from rushlight.ops import FAMILIES

#: what the whole import may load besides the families of ops; the number may only fall
MOST_MODULES = 18


def in_new_interpreter(code):
    """What the code prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(rl.__file__).parents[1],  # not the source tree, which may lack the native module
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def loaded():
    """The modules that importing the package adds to those of an interpreter without `site`'s."""
    return set(
        in_new_interpreter(
            "import sys; before = set(sys.modules); import rushlight;"
            "print(*sorted(set(sys.modules) - before))"
        )
    )


def test_few_modules_are_loaded(loaded):
    families = {f"rushlight.ops.{family}" for family in FAMILIES}
    assert families <= loaded
    assert len(loaded - families) <= MOST_MODULES, sorted(loaded - families)


@pytest.mark.parametrize(
    "name",
    """collections contextlib copy ctypes dataclasses enum functools inspect json multiprocessing
    numpy pickle random re tempfile threading types typing warnings weakref
    rushlight.autograd rushlight.nn rushlight.optim rushlight.overrides rushlight.serialization
    rushlight.sparse rushlight.storage""".split(),
)
def test_what_is_not_needed_is_not_loaded(loaded, name):
    assert name not in loaded


def test_names_are_those_that_the_modules_offer():
    for module, names in _late.NAMES.items():
        found = importlib.import_module(f"rushlight.{module}")
        for name in names.split():
            assert getattr(rl, name) is getattr(found, name), name
        if module.startswith("_") and hasattr(found, "__all__"):
            assert set(names.split()) == set(found.__all__), module


def test_members_of_tensor_are_those_that_the_modules_set():
    _late.load_all()
    for members in _late.METHODS.values():
        for name in members.split():
            assert not isinstance(vars(rl.Tensor)[name], _late.Member), name


def test_modules_of_the_package_are_found():
    assert {rl.nn, rl.linalg, rl.autograd} == {
        sys.modules["rushlight." + name] for name in ("nn", "linalg", "autograd")
    }
    assert _late.MODULES <= set(dir(rl))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        rl.nothing  # noqa: B018


@pytest.mark.parametrize(
    "code, printed",
    [
        ("x = rl.eye(2); print(x.to_sparse().values().sum().item())", "2.0"),
        ("print(rl.zeros(2, layout=rl.sparse_coo).is_sparse)", "True"),
        ("print(rl.Tensor.to_sparse.__name__)", "to_sparse"),
        ("print(rl.UntypedStorage.from_file('', nbytes=0).nbytes())", "0"),
        ("from rushlight import *; print(isinstance(zeros(1), FloatTensor))", "True"),
        ("print(rl.ones(1).type())", "torch.FloatTensor"),
        ("print(rl.ones(2).dim_order())", "(0,)"),
        ("print(rl.__version__ == rl.version.__version__)", "True"),
        (
            "rl.install_as_torch(); import torch; from torch.autograd.gradcheck import gradcheck; "
            "import torch.nn.parallel.data_parallel, torch.multiprocessing.spawn; "
            "print(torch.autograd.gradcheck is gradcheck, callable(torch.multiprocessing.spawn), "
            "callable(torch.nn.parallel.data_parallel))",
            "True True True",
        ),
        ("print(rl.max(rl.ones(1), 0).values.item())", "1.0"),
    ],
)
def test_the_rest_comes_when_asked_for(code, printed):
    assert " ".join(in_new_interpreter("import rushlight as rl\n" + code)) == printed
