"""Reductions of matrices with few columns, both ways, against the same of float64 or one by one."""

import pytest

import rushlight as rl

WIDTHS = [1, 2, 3, 4, 5, 8, 15, 16, 17, 24, 25, 31, 33, 64, 65]
OPS = {
    "sum": lambda x, dim: x.sum(dim),
    "mean": lambda x, dim: x.mean(dim),
    "amax": lambda x, dim: x.amax(dim),
    "amin": lambda x, dim: x.amin(dim),
    "var": lambda x, dim: x.var(dim),
    "norm": lambda x, dim: x.norm(dim=dim),
    "prod": lambda x, dim: (1 + x / 1000).prod(dim),
    "logsumexp": lambda x, dim: x.logsumexp(dim),
    "argmax": lambda x, dim: x.argmax(dim),
    "any": lambda x, dim: (x > 2.5).any(dim),
}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("width", WIDTHS)
def test_equals_float64(op, width):
    rl.manual_seed(width)
    for length in (1, 31, 200, 3001):
        x = rl.randn(length, width)
        for dim in (0, 1):
            if op == "var" and x.shape[dim] == 1:
                continue
            got, want = OPS[op](x, dim), OPS[op](x.double(), dim)
            rl.testing.assert_close(got.double(), want.double(), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("width", WIDTHS)
def test_nan_and_infinity_stay_in_their_column(width):
    x = rl.randn(4000, width)
    x[1234, width // 2] = float("nan")
    x[77, 0] = float("inf") if width > 1 else float("nan")
    for op in (rl.sum, rl.amax, rl.prod):
        out = op(x, 0)
        assert out[width // 2].isnan() and not out[width // 2 + 1 :].isnan().any()
        by_row = op(x, 1)
        assert by_row[1234].isnan() and not by_row[1235:].isnan().any()


@pytest.mark.parametrize("dtype", [rl.float64, rl.int32, rl.bool, rl.bfloat16, rl.complex64])
@pytest.mark.parametrize("width", [2, 3, 8, 17])
def test_other_dtypes(dtype, width):
    x = rl.randint(0, 3, (1000, width)).to(dtype)
    for dim in (0, 1):
        want = x.to(rl.complex128 if dtype.is_complex else rl.float64).sum(dim)
        assert rl.equal(x.sum(dim).to(want.dtype), want.to(x.sum(dim).dtype).to(want.dtype))


def test_threads_and_layouts_agree():
    x, before = rl.randn(70001, 7), rl.get_num_threads()
    results = []
    for threads in (1, 2):
        rl.set_num_threads(threads)
        results.append([f(x, dim) for f in OPS.values() for dim in (0, 1)])
    rl.set_num_threads(before)
    assert all(rl.equal(a, b) for a, b in zip(*results))
    every_other = rl.randn(500, 14)[:, ::2]
    for f in OPS.values():
        for dim in (0, 1):
            want = f(every_other.contiguous(), dim).double()
            rl.testing.assert_close(f(every_other, dim).double(), want, rtol=1e-5, atol=1e-5)
