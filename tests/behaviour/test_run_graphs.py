"""Programs as graphs: symbolic tracing, changing and running a graph, generated code."""

import copy
import operator
import pickle

import pytest

import rushlight as rl
from rushlight import fx, nn
from rushlight.fx import _symbolic_trace as tracing
from rushlight.fx._compatibility import compatibility
from rushlight.fx.passes.shape_prop import ShapeProp


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
        self.shift = nn.Parameter(rl.ones(4))
        self.register_buffer("scale", rl.tensor(3.0))

    def forward(self, x, factor=2.0):
        left, right = (self.inner(x) + self.shift).chunk(2, dim=-1)
        flat = rl.cat([left, right.relu()], 1).view(x.shape[0], -1)
        return {
            "out": rl.nn.functional.softmax(flat * factor, dim=1),
            "sum": flat.sum() * self.scale,
        }


NET_CODE = """
def forward(self, x, factor = 2.0):
    inner_0 = getattr(self.inner, "0")(x)
    inner_1 = getattr(self.inner, "1")(inner_0);  inner_0 = None
    shift = self.shift
    add = inner_1 + shift;  inner_1 = shift = None
    chunk = add.chunk(2, dim = -1);  add = None
    getitem = chunk[0]
    getitem_1 = chunk[1];  chunk = None
    relu = getitem_1.relu();  getitem_1 = None
    cat = torch.cat([getitem, relu], 1);  getitem = relu = None
    getattr_1 = x.shape;  x = None
    getitem_2 = getattr_1[0];  getattr_1 = None
    view = cat.view(getitem_2, -1);  cat = getitem_2 = None
    mul = view * factor;  factor = None
    softmax = torch.nn.functional.softmax(mul, dim = 1);  mul = None
    sum_1 = view.sum();  view = None
    scale = self.scale
    mul_1 = sum_1 * scale;  sum_1 = scale = None
    return {'out': softmax, 'sum': mul_1}
"""


def assert_same(a, b):
    rl.testing.assert_close(a, b)


def test_traced_module_has_readable_code_and_the_same_result():
    net = Net()
    traced = fx.symbolic_trace(net)
    assert traced.code.strip() == NET_CODE.strip()
    for rows in (2, 5):
        x = rl.randn(rows, 3)
        assert_same(traced(x), net(x))
        assert_same(traced(x, 3.0), net(x, 3.0))
    assert traced.shift is net.shift and list(traced.state_dict()) == list(net.state_dict())
    traced(rl.randn(1, 3))["sum"].backward()
    assert net.inner[0].weight.grad is not None


@pytest.mark.parametrize("remake", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_graph_modules_are_copied_and_pickled(remake):
    traced = fx.symbolic_trace(Net())
    other = remake(traced)
    x = rl.randn(2, 3)
    assert_same(other(x), traced(x))
    assert other.code == traced.code and other.shift is not traced.shift


def test_values_cannot_steer_what_is_traced():
    with pytest.raises(fx.proxy.TraceError, match="control flow"):
        fx.symbolic_trace(lambda x: x if x.sum() > 0 else -x)
    with pytest.raises(fx.proxy.TraceError, match="iterated"):
        fx.symbolic_trace(lambda x: [y for y in x])
    chosen = fx.symbolic_trace(lambda x, up: x + 1 if up else x - 1, concrete_args={"up": True})
    assert chosen(rl.zeros(1), True).item() == 1
    with pytest.raises(AssertionError, match="up has been specialized to have value True"):
        chosen(rl.zeros(1), False)


def test_specialized_arguments_keep_their_places_and_defaults():
    def f(x, y=None, scale=2.0):
        return x * scale if y is None else x * y

    traced = fx.symbolic_trace(f, concrete_args={"y": None, "scale": 2.0})
    assert traced(rl.ones(1)).item() == traced(rl.ones(1), None, 2.0).item() == 2
    with pytest.raises(AssertionError, match="y has been specialized to have value None"):
        traced(rl.ones(1), 3)
    with pytest.raises(AssertionError, match="scale has been specialized to have value 2.0"):
        traced(rl.ones(1), None, 3.0)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    assert "torch._assert(eq, 'scale has been specialized" in traced.code
    with pytest.warns(UserWarning, match="Was not able to add assertion"):
        traced = fx.symbolic_trace(lambda x, t: x + t, concrete_args={"t": rl.ones(1)})
    assert traced(rl.zeros(1), None).item() == 1


def test_nodes_are_inserted_replaced_and_erased():
    traced = fx.symbolic_trace(lambda x: rl.relu(x) + 1)
    relu = next(iter(traced.graph.find_nodes(op="call_function", target=rl.relu)))
    with traced.graph.inserting_after(relu):
        neg = traced.graph.call_function(operator.neg, (relu,))
    relu.replace_all_uses_with(neg, lambda user: user is not neg)
    with pytest.raises(RuntimeError, match="still had 1 users"):
        traced.graph.erase_node(relu)
    traced.graph.lint()
    traced.recompile()
    assert traced(rl.tensor([2.0])).item() == -1
    neg.replace_all_uses_with(relu)
    assert traced.graph.eliminate_dead_code() and neg not in list(traced.graph.nodes)
    with pytest.raises(TypeError, match="mutation"):
        relu.args[0:1] if isinstance(relu.args, list) else fx.immutable_collections.immutable_list(
            [1]
        ).append(2)


def test_patterns_are_replaced():
    traced = fx.symbolic_trace(lambda x, w: rl.relu(x @ w) + rl.relu(x @ w.T))
    matches = fx.replace_pattern(
        traced, lambda a, b: rl.relu(a @ b), lambda a, b: rl.sigmoid(rl.mm(a, b))
    )
    x, w = rl.randn(2, 3), rl.randn(3, 3)
    assert len(matches) == 2
    assert_same(traced(x, w), rl.sigmoid(x @ w) + rl.sigmoid(x @ w.T))


def test_interpreter_transformer_and_shapes():
    net = Net()
    traced = fx.symbolic_trace(net)
    x = rl.randn(2, 3)
    assert_same(fx.Interpreter(traced).run(x), net(x))
    ShapeProp(traced).propagate(x)
    shapes = {n.name: n.meta["tensor_meta"].shape for n in traced.graph.nodes if n.name == "view"}
    assert shapes == {"view": (2, 4)}

    class Sigmoid(fx.Transformer):
        def call_method(self, target, args, kwargs):
            return super().call_method("sigmoid" if target == "relu" else target, args, kwargs)

    changed = Sigmoid(traced).transform()
    assert "sigmoid" in changed.code and "relu()" not in changed.code
    assert changed(x)["out"].shape == (2, 4)


def double(x):
    return x * 2 if x.sum() > 0 else x


fx.wrap("double")


def test_wrapped_functions_and_leaf_modules_are_not_entered():
    traced = fx.symbolic_trace(lambda x: double(x) + 1)
    assert any(n.target is double for n in traced.graph.nodes)
    assert traced(rl.ones(1)).item() == 3 and double(rl.ones(1)).item() == 2

    class Deep(fx.Tracer):
        def is_leaf_module(self, m, module_qualified_name):
            return False

    graph = Deep().trace(nn.Sequential(nn.Linear(2, 2)))
    assert [n.op for n in graph.nodes] == [
        "placeholder",
        "get_attr",
        "get_attr",
        "call_function",
        "output",
    ]


def test_graphs_are_built_by_hand_and_printed(capsys):
    graph = fx.Graph()
    x = graph.placeholder("x")
    graph.output(graph.call_function(rl.add, (x, 1)))
    assert str(graph).splitlines()[1:] == [
        "    %x : [num_users=1] = placeholder[target=x]",
        "    %add : [num_users=1] = call_function[target=torch.add](args = (%x, 1), kwargs = {})",
        "    return add",
    ]
    graph.print_tabular()
    assert (
        capsys.readouterr().out.splitlines()[0].split() == "opcode name target args kwargs".split()
    )
    module = fx.GraphModule(nn.Module(), graph, "Plus")
    assert module(rl.ones(1)).item() == 2 and "Plus" in repr(module)
    with pytest.raises(ZeroDivisionError) as caught:
        fx.symbolic_trace(lambda x: _fails(x))(0)
    assert "_fails" in str(caught.traceback[-2].statement)


def _fails(x):
    return 1 / x


fx.wrap("_fails")


def test_functions_of_several_tensors_are_recorded():
    def program(x, y):
        rows, _ = rl.meshgrid(x, y, indexing="ij")
        return rl.einsum("i,j->ij", x, y) + rl.einsum("ij->ij", [rows]) + rl.block_diag(x, y).sum()

    traced = fx.symbolic_trace(program)
    names = [n.target.__name__ for n in traced.graph.nodes if n.op == "call_function"]
    assert names.count("einsum") == 2 and {"meshgrid", "block_diag"} <= set(names)
    assert "torch.einsum('i,j->ij', x, y)" in traced.code
    one = rl.ones(2)
    assert rl.equal(traced(one, one), program(one, one))


def test_annotations_are_kept():
    def program(x: rl.Tensor, k: int = 2, rest: "list" = None):
        return x * k

    traced = fx.symbolic_trace(program)
    assert "def forward(self, x : torch.Tensor, k : int = 2, rest = None):" in traced.code
    assert "%k : int [num_users=1] = placeholder" in str(traced.graph)
    again = pickle.loads(pickle.dumps(traced))
    assert again.code == traced.code and again(rl.ones(1), 3).item() == 3


def test_places_hold_from_the_call_on_and_each_node_comes_next_to_the_given_one():
    graph = fx.symbolic_trace(lambda x: x + 1).graph
    x, add, output = graph.nodes
    with graph.inserting_after(add):
        graph.call_function(operator.neg, (add,))
        graph.call_function(operator.abs, (add,))
    graph.inserting_after(x)
    graph.call_function(operator.pos, (x,))
    assert [n.name for n in graph.nodes] == ["x", "pos", "add", "abs_1", "neg", "output"]
    with graph.inserting_before():
        graph.placeholder("first")
    with graph.inserting_after():
        graph.call_function(operator.inv, (x,))
    names = [n.name for n in graph.nodes]
    assert (names[0], names[-1]) == ("first", "inv")
    with pytest.raises(AssertionError, match="another graph"):
        graph.inserting_after(fx.Graph().placeholder("x"))


class OwnTracer(fx.Tracer):
    """Traces by itself, as programs do that have more classes whose calls are nodes."""

    leaf = rl.nn.Identity

    @compatibility(is_backward_compatible=True)
    def trace(self, root, concrete_args=None):
        self.root, self.graph = root, fx.Graph(tracer_cls=type(self))
        self.submodule_paths = {m: name for name, m in root.named_modules()}
        self.tensor_attrs = {}
        function, arguments = self.create_args_for_root(type(root).forward, True, concrete_args)

        def call(module, *args, **kwargs):
            return self.call_module(module, module.forward, args, kwargs)

        with tracing._Patcher() as patcher:
            patcher.patch_method(rl.nn.Module, "__call__", call, deduplicate=False)
            patcher.patch_method(self.leaf, "__call__", call, deduplicate=False)
            tracing._patch_wrapped_functions(patcher)
            tracing._autowrap_check(patcher, function.__globals__, self._autowrap_function_ids)
            self.create_node("output", "output", (self.create_arg(function(*arguments)),), {})
        return self.graph


def test_a_tracer_may_trace_by_itself():
    class Program(rl.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.scale = OwnTracer.leaf(), rl.nn.Parameter(rl.ones(()))

        def forward(self, x, *, bias=2.0):
            return self.inner(x) * self.scale + bias

    before = rl.nn.Module.__call__
    graph = OwnTracer().trace(Program())
    ops = [n.op for n in graph.nodes]
    assert ops == [
        *["placeholder"] * 2,
        "call_module",
        "get_attr",
        *["call_function"] * 2,
        "output",
    ]
    assert rl.nn.Module.__call__ is before and "__call__" not in vars(OwnTracer.leaf)
    assert fx.GraphModule(Program(), graph)(rl.ones(1), bias=1.0).item() == 2
    with pytest.raises(TypeError, match="is_backward_compatible"):
        compatibility(lambda: None)
