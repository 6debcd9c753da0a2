"""Operators that programs define with `library`, and `torch.ops`; the profiler that sees calls."""

import gzip
import json
import pickle

import pytest

import rushlight as rl
from rushlight import library, profiler


@pytest.fixture
def scale():
    @library.custom_op("trial::scale", mutates_args=())
    def scale(x: rl.Tensor, factor: float = 2.0, *, shift: int = 0) -> rl.Tensor:
        return x * factor + shift

    yield scale
    library._operator.namespaces.pop("trial", None)


def test_custom_operator_is_called_by_all_its_names(scale):
    x = rl.ones(2)
    assert str(scale._op.schema) == (
        "trial::scale(Tensor x, float factor=2.0, *, SymInt shift=0) -> Tensor"
    )
    assert scale(x, 3.0, shift=1).tolist() == [4, 4]
    assert rl.ops.trial.scale(x).tolist() == rl.ops.trial.scale.default(x).tolist() == [2, 2]
    again = pickle.loads(pickle.dumps(rl.ops.trial.scale.default))
    assert again is rl.ops.trial.scale.default and again.name() == "trial::scale"
    with pytest.raises(AttributeError, match="nothing"):
        rl.ops.trial.nothing  # noqa: B018
    with pytest.raises(RuntimeError, match="color"):
        scale(x, color=1)


def test_kernel_for_shapes_and_gradients(scale):
    x = rl.tensor([1.0, 2.0], requires_grad=True)
    result = scale(x)
    with pytest.raises(NotImplementedError, match="register_autograd"):
        result.sum().backward()

    def keep(ctx, inputs, keyword_only_inputs, output):
        ctx.factor = inputs[1]

    scale.register_autograd(lambda ctx, grad: grad * ctx.factor, setup_context=keep)
    scale(x, 5.0).sum().backward()
    assert x.grad.tolist() == [5, 5]

    @scale.register_fake
    def _(x, factor=2.0, *, shift=0):
        return rl.empty_like(x)

    assert scale(rl.empty(7, device="meta")).shape == (7,)
    assert rl.autograd.gradcheck(lambda v: scale(v, 3.0), x.double().detach().requires_grad_())


def test_library_defines_operators_from_schemas():
    lib = library.Library("trial2", "DEF")
    lib.define("add_into(Tensor(a!) x, Tensor y) -> ()")
    lib.define("pair(Tensor x, int[] sizes=[1, 2]) -> (Tensor, Tensor)")
    lib.impl("add_into", lambda x, y: x.add_(y), "CPU")
    lib.impl("pair", lambda x, sizes: (x * sizes[0], x * sizes[1]), "CompositeImplicitAutograd")
    x = rl.zeros(1)
    rl.ops.trial2.add_into(x, rl.ones(1))
    assert x.item() == 1
    w = rl.ones(1, requires_grad=True)
    sum(rl.ops.trial2.pair(w)).backward()
    assert w.grad.item() == 3
    with pytest.raises(NotImplementedError, match="no kernel for the device 'meta'"):
        rl.ops.trial2.add_into(rl.empty(1, device="meta"), rl.empty(1, device="meta"))
    with pytest.raises(ValueError, match="taken"):
        library.Library("random", "DEF").define("f(Tensor x) -> Tensor")
    lib._destroy()
    with pytest.raises(RuntimeError, match="does not exist"):
        library.impl("trial2::pair", "cpu", lambda x: x)


def test_schemas_come_from_annotations():
    def f(x: rl.Tensor, y: rl.Tensor | None, n: list[int], s: str = "a") -> tuple[rl.Tensor, int]:
        return x, 1

    assert library.infer_schema(f, mutates_args=["x"]) == (
        '(Tensor(a0!) x, Tensor? y, SymInt[] n, str s="a") -> (Tensor, SymInt)'
    )
    with pytest.raises(ValueError, match="annotation"):
        library.infer_schema(lambda x: x, mutates_args=())


def test_own_operators_are_found_in_aten():
    x = rl.ones(2, 3)
    assert rl.ops.aten.add.Tensor(x, x).sum().item() == 12
    assert rl.ops.aten.softmax.int(x, 1).shape == (2, 3)
    with pytest.raises(AttributeError):
        rl.ops.aten.no_such_operator  # noqa: B018


def test_calls_are_seen_by_modes_and_graphs(scale):
    traced = rl.fx.symbolic_trace(lambda x: rl.ops.trial.scale(x) + 1)
    assert [n.op for n in traced.graph.nodes][1] == "call_function"
    assert traced(rl.ones(1)).item() == 3
    recorded = rl.jit.trace(lambda x: scale(x, 4.0), rl.ones(1))
    assert recorded(rl.ones(1) * 2).item() == 8 and "trial" in recorded.code


def test_profiler_counts_and_nests():
    with profiler.profile(record_shapes=True, profile_memory=True) as prof:
        with profiler.record_function("part"):
            x = rl.ones(2, 3) @ rl.ones(3, 4)
            x.relu()
        x.relu()
    averages = {e.key: e for e in prof.key_averages()}
    assert averages["aten::relu"].count == 2 and averages["aten::matmul"].count == 1
    assert averages["aten::relu"].cpu_memory_usage == 2 * 2 * 4 * 4
    part = averages["part"]
    assert 0 <= part.self_cpu_time_total < part.cpu_time_total
    table = prof.key_averages(group_by_input_shape=True).table(sort_by="count", row_limit=2)
    assert "aten::relu" in table and "[[2, 4]]" in table and "# of Calls" in table


def test_profiler_follows_a_schedule_and_writes_traces(tmp_path):
    done = []
    handler = profiler.tensorboard_trace_handler(tmp_path / "log", use_gzip=True)

    def ready(prof):
        done.append(len(prof.events()))
        handler(prof)

    steps = profiler.schedule(wait=1, warmup=1, active=2, repeat=1)
    with profiler.profile(schedule=steps, on_trace_ready=ready) as prof:
        for _ in range(6):
            rl.ones(1) + 1
            prof.step()
    assert done == [6]  # two ops and the step itself, twice
    (written,) = (tmp_path / "log").iterdir()
    names = [e["name"] for e in json.loads(gzip.open(written).read())["traceEvents"]]
    assert names.count("aten::add") == 2 and "ProfilerStep#2" in names
    with pytest.raises(NotImplementedError, match="with_flops"):
        profiler.profile(with_flops=True)


def test_models_come_from_a_local_folder(tmp_path):
    (tmp_path / "hubconf.py").write_text(
        "def tiny(size=1):\n    'A tiny one.'\n    import rushlight as rl\n"
        "    return rl.nn.Linear(size, 1)\n"
    )
    assert rl.hub.list(str(tmp_path), source="local") == ["tiny"]
    assert rl.hub.help(str(tmp_path), "tiny", source="local") == "A tiny one."
    assert rl.hub.load(str(tmp_path), "tiny", source="local", size=3).in_features == 3
    with pytest.raises(NotImplementedError, match="downloads nothing"):
        rl.hub.load("someone/models", "tiny")
    rl.hub.set_dir(str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    rl.save({"w": rl.ones(1)}, tmp_path / "checkpoints" / "w-1234.pth")
    loaded = rl.hub.load_state_dict_from_url("https://example.org/w-1234.pth")
    assert loaded["w"].item() == 1


def test_extensions_in_cpp_are_refused():
    from rushlight.utils import cpp_extension

    with pytest.raises(NotImplementedError, match="torch.library"):
        cpp_extension.load(name="x", sources=["x.cpp"])


def test_flexible_attention_equals_masked_attention():
    from rushlight.nn.attention.flex_attention import create_block_mask, flex_attention

    q, k, v = rl.randn(3, 2, 4, 6, 8)
    mask = create_block_mask(lambda b, h, q, kv: q >= kv, None, None, 6, 6)
    expected = rl.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
    rl.testing.assert_close(flex_attention(q, k, v, block_mask=mask), expected)
    biased = flex_attention(q, k, v, score_mod=lambda s, b, h, q, kv: s + (q - kv))
    bias = (rl.arange(6)[:, None] - rl.arange(6)).float()
    expected = rl.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    rl.testing.assert_close(biased, expected)


def test_operations_are_counted_forward_and_backward():
    from rushlight.utils.flop_counter import FlopCounterMode

    net = rl.nn.Sequential(rl.nn.Linear(3, 4), rl.nn.ReLU(), rl.nn.Linear(4, 2))
    with FlopCounterMode(display=False) as counter:
        net(rl.ones(5, 3))
    assert counter.get_total_flops() == 2 * 5 * (3 * 4 + 4 * 2)
    counts = counter.get_flop_counts()
    assert sum(counts["Sequential.2"].values()) == 2 * 5 * 4 * 2
    with FlopCounterMode(display=False) as counter:
        rl.nn.functional.conv2d(rl.ones(1, 2, 5, 5), rl.ones(3, 2, 3, 3))
    assert counter.get_total_flops() == 2 * 3 * 9 * 2 * 9
    assert "aten.convolution" in counter.get_table()
