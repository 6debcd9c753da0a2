"""Names that ask about what is not there (GPUs, other processes, a compiler), and what they answer;
tests of operators that programs define. Answers about one process are in test_run_single_process.
"""

import datetime

import pytest

import rushlight as rl
from rushlight import distributed as dist


def test_memory_of_gpus_answers_and_the_rest_refuses():
    assert rl.cuda.host_memory_stats() == {} and rl.cuda.memory_stats_as_nested_dict() == {}
    with rl.cuda.caching_allocator_disabled():
        rl.cuda.caching_allocator_enable(False)
    rl.cuda.check_error(0)
    with pytest.raises(rl.cuda.CudaError, match="2"):
        rl.cuda.check_error(2)
    for need in (rl.cuda.FloatStorage, rl.cuda.clock_rate):
        with pytest.raises(AssertionError, match="CUDA"):
            need()
    with pytest.raises(RuntimeError, match="CUDA"):
        rl.cuda.GreenContext()


def test_kept_results_of_a_compiler_are_refused():
    assert rl.compiler.save_cache_artifacts() is None
    with pytest.raises(NotImplementedError, match="load_cache_artifacts"):
        rl.compiler.load_cache_artifacts(b"")
    with pytest.raises(NotImplementedError, match="load_compiled_function"):
        rl.compiler.load_compiled_function(None)
    info = rl.compiler.CacheInfo()
    info.add("kind", "name")
    assert not info.empty() and info.artifacts == {"kind": ["name"]}


def test_the_default_compiler_can_be_named():
    try:
        rl.compiler.set_default_backend("eager")
        assert rl.compiler.get_default_backend() == "eager"
        with pytest.raises(TypeError, match="int"):
            rl.compiler.set_default_backend(3)
    finally:
        rl.compiler.set_default_backend(None)
    assert rl.compiler.get_default_backend() == "inductor"


def test_options_of_exchanges_have_the_defaults_of_pytorch():
    options = dist.ReduceOptions()
    assert (options.rootRank, options.rootTensor, options.asyncOp) == (0, 0, True)
    assert options.reduceOp == dist.ReduceOp.SUM
    options.timeout = datetime.timedelta(seconds=3)
    first, second = dist.BarrierOptions(), dist.BarrierOptions()
    first.device_ids.append(1)
    assert second.device_ids == []
    assert dist.supports_complex(dist.ReduceOp.SUM)
    assert not dist.supports_complex(dist.ReduceOp.MAX)
    assert str(dist.BackendConfig("gloo")) == "cpu:gloo,cuda:gloo"
    with pytest.raises(ValueError, match="pairs"):
        dist.BackendConfig("cpu:gloo,nccl")
    with pytest.raises(NotImplementedError, match="Reducer"):
        dist.Reducer()


def test_debug_level_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("TORCH_DISTRIBUTED_DEBUG", "info")
    dist.set_debug_level_from_env()
    assert dist.get_debug_level() is dist.DebugLevel.INFO
    monkeypatch.setenv("TORCH_DISTRIBUTED_DEBUG", "loud")
    with pytest.raises(RuntimeError, match="LOUD"):
        dist.set_debug_level_from_env()
    dist.set_debug_level(dist.DebugLevel.OFF)


def test_one_process_meets_itself(tmp_path, monkeypatch):
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "0")
    store, rank, size = next(dist.rendezvous("env://", 0, 1))
    store.set("a", "b")
    assert (store.get("a"), rank, size) == (b"b", 0, 1)
    assert next(dist.rendezvous(f"file://{tmp_path}/f?rank=0&world_size=1"))[1:] == (0, 1)
    with pytest.raises(ValueError, match="world_size 2 and rank 2"):
        next(dist.rendezvous("env://", 2, 2))
    with pytest.raises(RuntimeError, match="foo://"):
        dist.rendezvous("foo://", 0, 1)
    with pytest.raises(RuntimeError, match="already"):
        dist.register_rendezvous_handler("env", None)


def test_parts_of_a_group_are_counted():
    assert dist.get_pg_count() == 0
    dist.init_process_group("gloo", rank=0, world_size=1)
    try:
        mine, groups = dist.new_subgroups_by_enumeration([[0]])
        assert groups == [mine] and dist.get_pg_count() == 2
        dist.destroy_process_group(mine)
        assert dist.get_pg_count() == 1 and dist.split_group(None, [[0]]).size() == 1
        with pytest.raises(ValueError, match="more than one"):
            dist.new_subgroups_by_enumeration([[0], [0]])
        with pytest.raises(ValueError, match="cannot leave out"):
            dist.shrink_group([0])
        outputs = [[rl.zeros(2), rl.zeros(1)]]
        dist.all_gather_coalesced(outputs, [rl.ones(2), rl.ones(1)])
        assert outputs[0][0].tolist() == [1, 1] and outputs[0][1].tolist() == [1]
        with pytest.raises(ValueError, match="no other process"):
            dist.send_object_list([1], 0)
    finally:
        dist.destroy_process_group()


def test_operators_of_programs_are_checked():
    check = rl.library.opcheck

    @rl.library.custom_op("answers::sine", mutates_args=())
    def sine(x: rl.Tensor) -> rl.Tensor:
        return x.sin()

    assert set(check(sine, (rl.randn(3),)).values()) == {"SUCCESS"}
    with pytest.raises(Exception, match="no gradients"):
        check(sine, (rl.randn(3, requires_grad=True),))
    sine.register_autograd(lambda ctx, g: g, setup_context=lambda ctx, inputs, output: None)
    assert set(check(sine, (rl.randn(3, requires_grad=True),)).values()) == {"SUCCESS"}
    sine.register_fake(lambda x: rl.empty(x.shape[0] + 1, device="meta"))
    wrong = check(sine, (rl.randn(3),), raise_exception=False)
    assert "shape" in str(wrong["test_faketensor"]) and wrong["test_schema"] == "SUCCESS"

    @rl.library.custom_op("answers::grow", mutates_args=())
    def grow(x: rl.Tensor) -> rl.Tensor:
        return x.add_(1).clone()

    with pytest.raises(Exception, match="'x' changed"):
        check(grow, (rl.randn(3),))
