"""Small things that packages of PyTorch's world count on: names they import, sizes they add up.

What programs say through ``import torch`` as a whole is in test_run_launcher.py.
"""

import pathlib
import subprocess
import sys

import pytest

import rushlight as rl


def test_memory_counters_see_the_bytes_of_storages():
    few, many = rl.zeros(0), rl.zeros(100)
    for storage in ("untyped_storage", "storage"):
        sizes = [sys.getsizeof(getattr(t, storage)()) for t in (few, many)]
        assert sizes[1] - sizes[0] == 400 and sizes[0] > 0


def test_distribution_helpers_by_the_names_packages_import():
    from rushlight.distributions.transforms import ExpTransform, _InverseTransform
    from rushlight.distributions.utils import _standard_normal, _sum_rightmost

    rl.manual_seed(3)
    drawn = _standard_normal((2, 3), dtype=rl.float64, device="cpu")
    rl.manual_seed(3)
    assert drawn.dtype == rl.float64
    assert rl.equal(drawn, rl.empty(2, 3, dtype=rl.float64).normal_())
    assert _sum_rightmost(rl.ones(2, 3, 4), 2).tolist() == [12, 12]
    assert isinstance(ExpTransform().inv, _InverseTransform)


def test_singular_systems_raise_what_packages_catch():
    from rushlight import _C

    with pytest.raises(_C._LinAlgError):
        rl.linalg.inv(rl.zeros(2, 2))


LATE_MODULES = """autograd.forward_ad distributed.algorithms.join distributed.rpc.api functional
    fx.experimental.proxy_tensor fx.passes.shape_prop jit.annotations nn.common_types
    nn.parallel.distributed nn.parallel.scatter_gather return_types"""


@pytest.mark.parametrize("path", LATE_MODULES.split())
def test_modules_are_reached_by_attributes(path):
    """After ``import rushlight`` alone, in a process that has loaded nothing else."""
    script = f"import rushlight; print(rushlight.{path}.__name__)"
    root = pathlib.Path(rl.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.stdout.strip() == f"rushlight.{path}", done.stderr


def test_annotations_of_layers_arguments():
    from rushlight.nn.common_types import _size_2_t, _size_any_opt_t

    assert _size_2_t.__args__ == (int, tuple[int, int])
    assert type(None) in _size_any_opt_t.__args__


def test_functions_by_their_older_module():
    assert rl.functional.einsum is rl.einsum and rl.functional.stft is rl.stft
