"""No call from Python, however odd, ends the process: a slice of what tools/fuzz_calls.py makes,
and the kinds of calls that once did. To add one: a test that makes the call and names the error.
"""

import importlib.util
import pathlib

import pytest

import rushlight as rl

TOOL = pathlib.Path(__file__).parents[2] / "tools/fuzz_calls.py"


@pytest.mark.slow
def test_random_calls_end_in_results_or_exceptions():
    spec = importlib.util.spec_from_file_location("fuzz_calls", TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.fuzz(seed=0, calls=4000) == []


def test_a_storage_made_smaller_is_not_read_past_its_end():
    t, other = rl.ones(30), rl.ones(30)
    view = t[10:]
    t.untyped_storage().resize_(16)
    for call in (
        lambda: t + 1,
        lambda: other.add_(t),
        lambda: t.mul_(2),
        lambda: view.sum(),
        lambda: t.clone(),
        lambda: t.tolist(),
        lambda: view[0].item(),
        lambda: rl.cat([other, t]),
        lambda: other.copy_(t),
    ):
        with pytest.raises(RuntimeError, match="its storage was resized to 16 bytes"):
            call()
    assert t[:4].tolist() == [1, 1, 1, 1], "what the storage still holds can be read"
    t.untyped_storage().resize_(120)
    assert t.zero_().sum() == 0
    t.untyped_storage().resize_(16)
    for call in (t.numpy, t.__dlpack__):
        with pytest.raises(RuntimeError, match="resized to 16 bytes"):
            call()


def test_devices_are_not_mixed():
    t, meta = rl.ones(3), rl.ones(3, device="meta")
    for call in (
        lambda: t + meta,
        lambda: t.add_(meta),
        lambda: rl.add(meta, meta, out=t),
        lambda: rl.sum(meta, 0, out=rl.ones(())),
        lambda: t.index_add_(0, rl.tensor([0, 1, 2]), meta),
    ):
        with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
            call()
    with pytest.raises(NotImplementedError, match="no data"):
        t.copy_(meta)
    assert (meta + rl.tensor(1.0)).is_meta, "0-d CPU tensors go with any device"
    assert meta.copy_(t) is meta and meta.add_(t) is meta


def test_methods_refuse_what_is_not_a_tensor():
    with pytest.raises(TypeError, match="expected a Tensor"):
        rl.Tensor.add_(3, rl.ones(2))
    with pytest.raises(TypeError, match="expected a Tensor"):
        rl.ones(2).is_same_size(3)
    with pytest.raises(TypeError, match="subclass of Tensor"):
        rl.Tensor._make_subclass(int, rl.ones(2))
    with pytest.raises(TypeError, match="RNG state"):
        rl.Generator().set_state(rl.zeros(5000, dtype=rl.uint8, device="meta"))


def test_blocks_that_do_not_fit_are_refused():
    from rushlight.ops.pad import _fold, _unfold

    one = [1, 1]
    with pytest.raises(RuntimeError, match="two numbers of at least 1"):
        _unfold(rl.ones(1, 1, 4, 4), one, one, [0, 0], [0, 1])
    with pytest.raises(RuntimeError, match=r"expected columns of shape \(N, C \* 4, 9\)"):
        _fold(rl.ones(1, 4, 5), [4, 4], [2, 2], one, [0, 0], one)
    assert _unfold(rl.ones(1, 2, 1, 1), [3, 3], one, [0, 0], one).shape == (1, 18, 0)
