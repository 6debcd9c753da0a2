"""Code that is made while a program runs: its lines show in tracebacks, and go when it goes."""

import gc
import linecache
import traceback

import pytest

import rushlight as rl
from rushlight import fx, nn


def _kept(stem):
    gc.collect()
    return [file for file in linecache.cache if file.startswith(f"<{stem} ")]


def test_lines_of_a_graph_show_in_tracebacks():
    traced = fx.symbolic_trace(nn.Sequential(nn.Linear(3, 4)))
    with pytest.raises(RuntimeError) as caught:
        traced(rl.ones(2, 5))
    assert 'getattr(self, "0")(input' in "".join(traceback.format_tb(caught.tb))


def _trace():
    fx.symbolic_trace(nn.Sequential(nn.Linear(3, 4)))(rl.ones(2, 3))


def _record():
    rl.jit.trace(nn.Linear(3, 4), rl.ones(2, 3))(rl.ones(2, 3))


@pytest.mark.parametrize("work", [_trace, _record])
def test_lines_of_graphs_go_with_them(work):
    work()
    before = _kept("fx graph")
    for _ in range(5):
        work()
    assert _kept("fx graph") == before


def doubled(x):
    return x * 2


@pytest.mark.filterwarnings("ignore:torch.jit.script")
def test_lines_of_loaded_programs_go_with_them(tmp_path):
    rl.jit.save(rl.jit.script(doubled), tmp_path / "program.pt")
    loaded = [rl.jit.load(tmp_path / "program.pt") for _ in range(3)]
    assert len(_kept("torch.jit.load")) == 3
    assert loaded[0](rl.ones(1)).item() == 2.0
    del loaded
    assert not _kept("torch.jit.load")
