"""Graphs of functions that take ``*args`` and ``**kwargs``, and copies of graph modules."""

import pytest

import rushlight as rl
from rushlight import fx


def test_stars_are_placeholders():
    def function(x, *args, k=2, **kw):
        return x + args[0] * k + kw["z"]

    traced = fx.symbolic_trace(function)
    taken = [(n.name, n.target) for n in traced.graph.find_nodes(op="placeholder")]
    assert taken == [("x", "x"), ("k", "k"), ("_args", "*args"), ("_kw", "**kw")]
    assert traced(1, 2, 5, z=7) == 1 + 5 * 2 + 7


def test_a_module_of_any_arguments():
    class Sum(rl.nn.Module):
        def forward(self, *parts):
            return parts[0] + parts[1]

    traced = fx.symbolic_trace(Sum())
    assert traced(rl.ones(1), rl.ones(1)) == 2
    assert fx.Interpreter(traced).run(rl.ones(1), rl.ones(1)) == 2
    assert traced._replicate_for_data_parallel()(rl.ones(1), rl.ones(1)) == 2


def test_values_for_stars_are_refused():
    with pytest.raises(NotImplementedError):
        fx.symbolic_trace(lambda *args: args[0], concrete_args={"args": (1,)})
