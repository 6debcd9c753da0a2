"""Sobol's sequence: known points, evenness, and scrambling that the seed determines."""

import importlib.util

import pytest

import rushlight as rl
from rushlight import quasirandom
from rushlight.quasirandom import SobolEngine

pytest.importorskip("scipy")


def _mirrored(i, bits=30):
    """Van der Corput's sequence in base 2, the first dimension in Gray code's order."""
    gray = i ^ (i >> 1)
    return sum(((gray >> b) & 1) * 2.0 ** -(b + 1) for b in range(bits))


def test_points_known_from_the_literature():
    points = SobolEngine(5).draw(8, dtype=rl.float64)
    assert points[:, 0].tolist() == [_mirrored(i) for i in range(8)]
    assert points[1].tolist() == [0.5] * 5
    assert points[2].tolist() == [0.75, 0.25, 0.25, 0.25, 0.75]
    assert points[3].tolist() == [0.25, 0.75, 0.75, 0.75, 0.25]


@pytest.mark.parametrize("scramble", [False, True])
def test_every_interval_of_every_dimension_gets_its_points(scramble):
    points = SobolEngine(300, scramble, seed=2).draw_base2(6, dtype=rl.float64)
    boxes = (points * 64).floor().to(rl.int64).sort(0)[0]
    assert rl.equal(boxes, rl.arange(64).unsqueeze(1).expand(64, 300))


def test_parts_of_the_sequence_are_the_whole():
    whole = SobolEngine(7, True, seed=5).draw(40)
    engine = SobolEngine(7, True, seed=5)
    assert rl.equal(rl.cat([engine.draw(n) for n in (1, 2, 30)]), whole[:33])
    assert rl.equal(engine.fast_forward(3).draw(2), whole[36:38])
    assert rl.equal(engine.reset().draw(4), whole[:4]) and engine.num_generated == 4
    assert rl.equal(engine.reset().fast_forward(1).draw(3), whole[1:4])
    out = rl.empty(0)
    assert engine.reset().draw(2, out=out) is out and rl.equal(out, whole[:2])


def test_scrambling_follows_the_seed():
    rl.manual_seed(9)
    first = SobolEngine(3, scramble=True).draw(4)
    assert not rl.equal(first, SobolEngine(3, scramble=True).draw(4))
    rl.manual_seed(9)
    assert rl.equal(first, SobolEngine(3, scramble=True).draw(4))
    assert SobolEngine(2, scramble=True, seed=3).draw(2, dtype=rl.float64).flatten().tolist() == (
        [0.06846512854099274, 0.22452697157859802, 0.6214853525161743, 0.723084001801908]
    )


def test_what_is_refused(monkeypatch):
    for dimension in (0, 21202):
        with pytest.raises(ValueError, match="dimensionality"):
            SobolEngine(dimension)
    engine = SobolEngine(2)
    engine.draw(3)
    with pytest.raises(ValueError, match="power of 2"):
        engine.draw_base2(3)
    engine.draw_base2(0)
    with pytest.raises(ValueError, match="only"):
        engine.fast_forward(2**30)
    assert repr(SobolEngine(2, True, 1)) == "SobolEngine(dimension=2, scramble=True, seed=1)"
    quasirandom._table.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotImplementedError, match="SciPy"):
        SobolEngine(2)
