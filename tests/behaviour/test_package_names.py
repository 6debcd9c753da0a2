"""Small things that packages of PyTorch's world count on: names they import, sizes they add up.

What programs say through ``import torch`` as a whole is in test_run_launcher.py.
"""

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
