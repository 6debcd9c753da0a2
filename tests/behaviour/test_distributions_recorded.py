"""With one seed, distributions draw PyTorch's numbers and give them PyTorch's log probabilities.

Cases are in tests/data/distributions_cases.py, values are by tools/record_distributions.py.
"""

import json
import pathlib
import runpy

import numpy as np
import pytest

import rushlight as rl

DATA = pathlib.Path(__file__).parent.parent / "data"
SOURCE = runpy.run_path(str(DATA / "distributions_cases.py"))
RECORDED = json.loads((DATA / "distributions_recorded.json").read_text())


@pytest.mark.parametrize("name", SOURCE["CASES"])
def test_draws_what_pytorch_draws(name):
    expected, got = RECORDED[name], SOURCE["draw"](rl, SOURCE["CASES"][name])
    assert got["repr"] == expected["repr"]
    assert got["dtype"] == expected["dtype"]
    for part in ("sample", "single", "log_prob"):
        # PyTorch takes Bessel functions of von Mises densities from single-precision polynomials
        rough = name == "VonMises" and part == "log_prob"
        rtol, atol = (1e-6, 1e-6) if rough else (1e-10, 1e-12)
        np.testing.assert_allclose(got[part], expected[part], rtol=rtol, atol=atol)


def test_every_distribution_is_recorded():
    d = rl.distributions
    classes = {n: getattr(d, n) for n in d.__all__ if isinstance(getattr(d, n), type)}
    kinds = {n for n, value in classes.items() if issubclass(value, d.Distribution)}
    covered = {n.split(" ")[0] for n in RECORDED}
    elsewhere = {"Distribution", "ExponentialFamily", "OneHotCategoricalStraightThrough"}
    assert kinds - covered == elsewhere
