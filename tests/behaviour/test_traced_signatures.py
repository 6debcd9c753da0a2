"""What is traced, and with which arguments; copies of graph modules; operators in place."""

import operator

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


def test_operators_in_place_rebind_the_name():
    graph = fx.Graph()
    a, b = graph.placeholder("a"), graph.placeholder("b")
    product = graph.call_function(operator.imul, (a, b))
    graph.output((a, product))
    module = fx.GraphModule({}, graph)
    assert "a *= b" in module.code and module(2, 3) == (6, 6)


def test_another_method_may_be_traced():
    class Two(rl.nn.Module):
        def forward(self, x):
            return x + 1

        def other(self, x):
            return x - 1

    tracer, root = fx.Tracer(), Two()
    tracer.traced_func_name = "other"
    assert fx.GraphModule(root, tracer.trace(root))(5) == 4


@fx.wrap
def whole(x):
    return x + 1


def test_wrapped_functions_stay_whole_when_a_graph_is_traced_again():
    traced = fx.symbolic_trace(fx.symbolic_trace(lambda x: whole(x)))
    assert "whole" in traced.code and traced(1) == 2


def test_nodes_have_a_stack_trace():
    node = fx.symbolic_trace(lambda x: x + 1).graph.output_node()
    assert node.stack_trace is None
    node.stack_trace = "here"
    assert node.meta["stack_trace"] == "here"
