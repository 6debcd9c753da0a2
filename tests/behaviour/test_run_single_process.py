"""Training by one process through `distributed`; asking to be compiled; devices that are absent."""

import pickle
from datetime import timedelta

import pytest

import rushlight as rl
from rushlight import _notes, distributed, nn


@pytest.fixture
def world():
    distributed.init_process_group("gloo", world_size=1, rank=0)
    yield
    distributed.destroy_process_group()


def test_collectives_return_what_one_process_sends(world):
    x = rl.arange(4.0)
    assert distributed.all_reduce(x, distributed.ReduceOp.AVG) is None
    work = distributed.all_reduce(x, async_op=True)
    assert work.wait() and work.is_completed() and x.tolist() == [0, 1, 2, 3]
    gathered, whole = [rl.zeros(4)], rl.zeros(1, 4)
    distributed.all_gather(gathered, x)
    distributed.all_gather_into_tensor(whole, x)
    assert gathered[0].tolist() == whole[0].tolist() == x.tolist()
    out = rl.zeros(4)
    distributed.reduce_scatter(out, [x])
    assert out.tolist() == x.tolist()
    distributed.scatter(out, [x + 1], src=0)
    assert out.tolist() == [1, 2, 3, 4]
    objects = [None]
    distributed.all_gather_object(objects, {"a": [1]})
    assert objects == [{"a": [1]}]
    distributed.broadcast(x, 0)
    distributed.barrier()


def test_mistakes_show_with_one_process(world):
    x = rl.ones(2)
    with pytest.raises(ValueError, match="src 1"):
        distributed.broadcast(x, src=1)
    with pytest.raises(ValueError, match="one entry"):
        distributed.all_gather([x, x], x)
    with pytest.raises(TypeError, match="expected a tensor"):
        distributed.all_reduce([x])
    with pytest.raises(ValueError, match="no other process"):
        distributed.send(x, 1)
    with pytest.raises(ValueError, match="twice"):
        distributed.init_process_group(world_size=1, rank=0)


def test_world_comes_from_the_environment(monkeypatch):
    assert not distributed.is_initialized()
    with pytest.raises(ValueError, match="has not been initialized"):
        distributed.all_reduce(rl.ones(1))
    with pytest.raises(ValueError, match="WORLD_SIZE"):
        monkeypatch.delenv("WORLD_SIZE", raising=False)
        distributed.init_process_group("gloo")
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    distributed.init_process_group("gloo")
    assert (distributed.get_rank(), distributed.get_world_size()) == (0, 1)
    assert distributed.get_process_group_ranks(distributed.group.WORLD) == [0]
    assert distributed.get_rank(distributed.new_group([])) == -1
    distributed.destroy_process_group()
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match="MASTER_ADDR"):
        distributed.init_process_group("gloo", world_size=2, rank=0)


def test_what_needs_processes_is_refused_when_used():
    from rushlight.distributed.fsdp import FullyShardedDataParallel
    from rushlight.distributed.tensor import DTensor, Shard

    assert not isinstance(rl.ones(1), DTensor) and Shard(0).is_shard(0)
    with pytest.raises(NotImplementedError, match="each process has all parameters"):
        FullyShardedDataParallel(nn.Linear(1, 1))


def test_data_parallel_module_trains_as_the_module_does(world):
    rl.manual_seed(0)
    plain = nn.Linear(2, 1)
    wrapped = nn.parallel.DistributedDataParallel(plain)
    assert list(wrapped.state_dict()) == ["module.weight", "module.bias"]
    with wrapped.no_sync():
        wrapped(rl.ones(1, 2)).sum().backward()
    assert plain.weight.grad.tolist() == [[1, 1]] and wrapped.module is plain


def test_stores():
    store = distributed.HashStore()
    inner = distributed.PrefixStore("a", store)
    with pytest.raises(TypeError, match="cannot pickle 'HashStore'"):
        pickle.dumps(store)
    inner.set("key", "value")
    assert store.get("a/key") == b"value" and inner.num_keys() == 1
    assert inner.add("count", 2) == 2 and inner.add("count", 3) == 5
    assert inner.compare_set("key", "value", "new") == b"new"
    assert inner.delete_key("key") and not inner.check(["key"])
    store.set_timeout(timedelta(milliseconds=10))
    with pytest.raises(distributed.DistStoreError, match="timeout after 10ms, keys: a/missing"):
        inner.get("missing")


def test_compile_runs_eagerly_and_says_so_once():
    _notes.forget()
    with pytest.warns(UserWarning, match="eagerly"):
        module = rl.compile(nn.Linear(2, 1), mode="max-autotune", fullgraph=True)
    assert list(module.state_dict()) == ["_orig_mod.weight", "_orig_mod.bias"]
    assert module.in_features == 2 and module(rl.ones(1, 2)).shape == (1, 1)
    module.eval()
    assert not module._orig_mod.training
    with pytest.raises(RuntimeError, match="mode"):
        rl.compile(module, mode="fast")
    double = rl.compile(lambda x: x * 2)
    assert double(rl.ones(1)).item() == 2 and not rl.compiler.is_compiling()

    @rl.compile(dynamic=True)
    def triple(x):
        return x * 3

    assert triple(rl.ones(1)).item() == 3


def test_absent_devices_answer_and_refuse():
    cuda = rl.cuda
    assert not cuda.is_available() and cuda.max_memory_allocated() == 0
    assert cuda.get_rng_state_all() == [] and cuda.memory_stats() == {}
    with pytest.raises(AssertionError, match="not compiled with CUDA"):
        cuda.current_device()
    with pytest.raises(TypeError, match="not compiled with CUDA"):
        cuda.FloatTensor(2)
    for name in ("Stream", "Event", "CUDAGraph"):
        with pytest.raises(RuntimeError, match="not compiled with CUDA"):
            getattr(cuda, name)()
    with cuda.device(None), cuda.stream(None):
        pass
    with pytest.raises(AssertionError):
        with cuda.device(0):
            pass
    assert rl.accelerator.current_accelerator() is None
    with pytest.raises(RuntimeError, match="no accelerator"):
        rl.accelerator.synchronize()


def test_switches_of_back_ends_last_as_long_as_the_context():
    with rl.backends.cudnn.flags(enabled=False, benchmark=True):
        assert not rl.backends.cudnn.enabled
    assert rl.backends.cudnn.enabled and not rl.backends.cudnn.is_available()
    with pytest.raises(TypeError, match="nonsense"):
        with rl.backends.mkldnn.flags(nonsense=1):
            pass
    rl.backends.cuda.enable_flash_sdp(False)
    assert not rl.backends.cuda.flash_sdp_enabled()
    rl.backends.cuda.enable_flash_sdp(True)
    assert not rl.backends.mps.is_available() and rl.backends.openmp.is_available()


def test_devices_that_are_absent_can_be_named():
    device = rl.device("cuda:1")
    assert (device.type, device.index, str(device)) == ("cuda", 1, "cuda:1")
    assert repr(device) == "device(type='cuda', index=1)"
    assert device == rl.device("cuda", 1) == rl.device(1) and device != rl.device("cuda")
    assert pickle.loads(pickle.dumps(device)) == device
    assert rl.zeros(1, device="cpu:0").device == rl.device("cpu")
    with pytest.raises(AssertionError, match="not compiled with MPS.*zeros"):
        rl.zeros(1, device="mps")
    for text, words in (("gpu", "device type at start"), ("cuda:x", "Invalid device string")):
        with pytest.raises(RuntimeError, match=words):
            rl.device(text)


def test_device_as_a_context_is_where_tensors_are_made():
    with rl.device("meta"):
        assert nn.Linear(2, 3).weight.is_meta and rl.zeros(2).is_meta
        assert not rl.zeros(2, device="cpu").is_meta
        with rl.device("cpu"):
            assert not rl.ones(1).is_meta
        assert rl.tensor([1.0]).is_meta and rl.as_tensor([1]).is_meta
        assert rl.get_default_device() == rl.device("meta")
    assert not rl.zeros(1).is_meta
    rl.set_default_device("meta")
    try:
        assert rl.arange(3).is_meta
    finally:
        rl.set_default_device(None)
    assert not rl.arange(3).is_meta
    with pytest.raises(AssertionError, match="no device cuda"):
        rl.set_default_device("cuda")


def test_dtypes_without_tensors_can_be_named():
    kind = rl.int4
    assert (kind.itemsize, kind.is_floating_point, str(kind)) == (1, False, "torch.int4")
    assert pickle.loads(pickle.dumps(kind)) is kind and rl.finfo(rl.complex64).min < 0
    for call in (lambda: rl.zeros(1, dtype=kind), lambda: rl.ones(1).to(rl.quint8)):
        with pytest.raises(NotImplementedError, match="can be named"):
            call()


def test_factors_before_tensors_as_in_early_years():
    _notes.forget()
    x, y = rl.ones(2), rl.full((2,), 3.0)
    with pytest.warns(UserWarning, match="add\\(other, alpha=alpha\\)"):
        assert rl.add(x, 2, y).tolist() == [7, 7]
    assert rl.sub(x, 2, y).tolist() == [-5, -5]
    assert x.addcmul_(0.5, y, y) is x and x.tolist() == [5.5, 5.5]
    assert x.addcdiv_(-1, y, y).tolist() == [4.5, 4.5]
    w = rl.ones(2, requires_grad=True)
    rl.addcmul(x, 2, w, y).sum().backward()
    assert w.grad.tolist() == [6, 6]
