"""Each record's samples through each form and layout, and against doubles and finite differences.

`rushlight.testing.check_op` holds the checks that an extension passes too; here are those that
need the record's other forms: ``out=``, the in-place method, extremes.
"""

import pytest
from records import UNSEEDED, sampled

import rushlight as rl
from rushlight.testing import assert_close, check_op
from rushlight.testing.check import Sample, _with_gaps

DTYPES = [rl.float32, rl.float64]
MORE_DTYPES = [rl.float16, rl.bfloat16]
checked = [case for case in sampled if case.name not in UNSEEDED]
with_samples = pytest.mark.parametrize("case", checked, ids=repr)


def pytest_generate_tests(metafunc):
    if "dtype" in metafunc.fixturenames:
        more = MORE_DTYPES if metafunc.config.getoption("--all-dtypes") else []
        metafunc.parametrize("dtype", DTYPES + more, ids=str)


@with_samples
def test_op(case, dtype):
    for sample in case.samples(dtype):
        check_op(case, dtype, sample)


def _results(value):
    return list(value) if isinstance(value, (tuple, list)) else [value]


@with_samples
def test_strided_equals_contiguous_exactly_in_shape(case, dtype):
    """Expanded and strided operands, and 0-d ones, reach the same kernel."""
    for sample in case.samples(dtype):
        plain = _results(sample.call(case.function))
        gapped = _results(sample.map(_with_gaps).call(case.function))
        assert [r.shape for r in plain] == [r.shape for r in gapped]
        assert_close(gapped, plain, equal_nan=True)


@with_samples
def test_out(case, dtype):
    """``out=`` gets the values, is returned, and may be strided; views refuse it."""
    for sample in case.samples(dtype):
        expected = sample.call(case.function)
        if not isinstance(expected, rl.Tensor):
            return
        for out in (rl.empty_like(expected), _with_gaps(rl.zeros_like(expected))):
            if not _accepts_out(case, sample, rl.empty_like(expected)):
                return
            given = case.function(*sample.args, **sample.kwargs, out=out)
            assert given is out
            assert_close(out, expected, equal_nan=True)


def _accepts_out(case, sample, out):
    if "out=" in case.record.schema:
        return True
    try:
        case.function(*sample.args, **sample.kwargs, out=out)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("case", [c for c in checked if c.inplace], ids=repr)
def test_inplace(case, dtype):
    """The in-place method gives what the function gives, in the same memory, one version later."""
    for sample in case.samples(dtype):
        target = sample.args[0]
        expected = sample.call(case.function)
        if not isinstance(target, rl.Tensor) or not isinstance(expected, rl.Tensor):
            continue
        if expected.shape != target.shape or expected.dtype != target.dtype:
            continue
        target = target.clone()
        version, memory = target._version, target.data_ptr()
        given = case.inplace(target, *sample.args[1:], **sample.kwargs)
        assert given is target and target.data_ptr() == memory and target._version > version
        assert_close(target, expected, equal_nan=True)


@with_samples
def test_gradient_node_is_named_after_the_op(case):
    if not case.record.differentiable_inputs:
        return
    for sample in case.samples(rl.float64):
        wanted = sample.map(lambda t: t.requires_grad_() if t.is_floating_point() else t)
        results = [r for r in _results(wanted.call(case.function)) if r.requires_grad]
        for result in results:
            assert result.grad_fn.name().rstrip("0123456789").endswith("Backward")
        return


def test_sample_repr_names_shapes():
    assert "float32[2]" in repr(Sample(rl.ones(2)))
