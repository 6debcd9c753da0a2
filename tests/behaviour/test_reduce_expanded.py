"""Reductions of expanded tensors are those of the elements written out."""

import itertools

import pytest

import rushlight as rl

REDUCTIONS = {
    "sum": lambda x, dims, keep: x.sum(dims, keep),
    "mean": lambda x, dims, keep: x.mean(dims, keep),
    "nansum": lambda x, dims, keep: x.nansum(dims, keep),
    "amax": lambda x, dims, keep: x.amax(dims, keep),
    "amin": lambda x, dims, keep: x.amin(dims, keep),
    "any": lambda x, dims, keep: x.any(dims, keep),
    "all": lambda x, dims, keep: x.all(dims, keep),
    "count_nonzero": lambda x, dims, keep: x.count_nonzero(dims),
    "var": lambda x, dims, keep: x.var(dims, keepdim=keep),
    "std_mean": lambda x, dims, keep: rl.std_mean(x, dims, keepdim=keep),
    "norm": lambda x, dims, keep: x.norm(3, dims, keep),
    "norm0": lambda x, dims, keep: x.norm(0, dims, keep),
    "norminf": lambda x, dims, keep: x.norm(float("inf"), dims, keep),
    "logsumexp": lambda x, dims, keep: x.logsumexp(dims, keep),
    "prod": lambda x, dims, keep: x.prod(dims[0], keep),
    "max": lambda x, dims, keep: x.max(dims[0], keep),
    "argmin": lambda x, dims, keep: x.argmin(dims[0], keep),
    "argmax of all": lambda x, dims, keep: x.argmax(),
    "aminmax": lambda x, dims, keep: rl.aminmax(x, dim=dims[0], keepdim=keep),
}
INTEGRAL = {
    "sum",
    "amax",
    "amin",
    "any",
    "all",
    "count_nonzero",
    "prod",
    "max",
    "argmin",
    "aminmax",
}
SHAPES = [((1,), (700,)), ((3, 1, 5), (3, 40, 5)), ((1, 6, 1), (4, 6, 33)), ((1, 1, 2), (9, 2, 2))]
CASES = [
    (name, dtype)
    for name in REDUCTIONS
    for dtype in (rl.float32, rl.float64, rl.bfloat16, rl.int64, rl.uint8)
    if dtype.is_floating_point or name in INTEGRAL
]


def flat(result):
    return result if isinstance(result, tuple) else (result,)


@pytest.mark.parametrize("name, dtype", CASES)
def test_results_of_expanded_dimensions(name, dtype):
    reduce = REDUCTIONS[name]
    for narrow, shape in SHAPES:
        x = rl.rand(narrow, generator=rl.Generator().manual_seed(1)) * 1.5
        x = x.to(dtype).expand(shape)
        written = x.clone(memory_format=rl.contiguous_format)
        for n in range(1, len(shape) + 1):
            for dims, keep in itertools.product(
                itertools.combinations(range(len(shape)), n), (False, True)
            ):
                got, want = flat(reduce(x, dims, keep)), flat(reduce(written, dims, keep))
                for a, b in zip(got, want, strict=True):
                    assert a.is_contiguous() and a.dtype == b.dtype and a.shape == b.shape
                    tolerance = 1e-2 if dtype == rl.bfloat16 else 1e-5
                    assert rl.allclose(a.double(), b.double(), tolerance, 1e-6), (dims, keep)


def test_a_repeated_sum_loses_nothing():
    x = rl.tensor([0.1], dtype=rl.float64).expand(1_000_003)
    assert x.sum().item() == pytest.approx(100_000.3, rel=1e-15)
    assert rl.tensor([2**62]).expand(3).sum().item() == 3 * 2**62 - 2**64  # wraps
    assert rl.tensor([3.0]).expand(5).prod().item() == 243
    for value in (float("inf"), float("nan"), -0.0):
        total = rl.tensor([value]).expand(7).sum()
        assert rl.equal(total.nan_to_num(5), rl.tensor(value).nan_to_num(5))


def test_gradients_that_arrive_expanded():
    x = rl.randn(5, 4, requires_grad=True)
    b = rl.randn(4, requires_grad=True)
    (x + b).sum().backward()  # what reaches b is one number, expanded
    assert b.grad.tolist() == [5.0] * 4 and x.grad.tolist() == [[1.0] * 4] * 5
