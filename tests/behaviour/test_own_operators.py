"""Operators that programs define: their schemas, arguments and kernels."""

import pytest

import rushlight as rl
from rushlight.library import infer_schema


@pytest.fixture
def cast():
    @rl.library.custom_op("own::cast", mutates_args=())
    def cast(
        x: rl.Tensor, dtype: rl.dtype = rl.float64, device: rl.device = rl.device("cpu")
    ) -> rl.Tensor:
        return x.to(device, dtype, copy=True)

    return cast


def test_defaults_may_be_dtypes_and_devices(cast):
    assert (
        infer_schema(cast._init_fn, mutates_args=())
        == '(Tensor x, ScalarType dtype=float64, Device device="cpu") -> Tensor'
    )
    assert cast(rl.ones(1)).dtype is rl.float64
    assert cast(rl.ones(1), rl.int32).dtype is rl.int32


@pytest.mark.parametrize("args, kwargs", [((), {}), ((1,), {}), ((), {"y": 1}), ((1, 2, 3, 4), {})])
def test_wrong_arguments_are_refused(cast, args, kwargs):
    with pytest.raises(RuntimeError, match="own::cast"):
        cast(*args, **kwargs)


def test_kernels_for_devices_in_capitals():
    rl.library.define("own::negated", "(Tensor x) -> Tensor")
    rl.library.impl("own::negated", "CPU")(lambda x: -x)
    assert rl.ops.own.negated(rl.ones(1)).item() == -1
    with pytest.raises(TypeError, match="function"):
        rl.library.impl("own::negated", "cpu", 3)


def test_operators_without_results_change_what_requires_gradients():
    @rl.library.custom_op("own::count", mutates_args={"x"})
    def count(x: rl.Tensor) -> None:
        x.add_(1)

    x = rl.ones(2, requires_grad=True)
    assert count(x) is None and x.tolist() == [2, 2]


def test_kernels_may_read_numbers_of_what_requires_gradients():
    pytest.importorskip("numpy")
    x = rl.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="requires grad"):
        x.numpy()
    with rl.no_grad():
        assert x.numpy().tolist() == [1, 1]
