"""Ops whose out= has to have the result's very dtype, and the form of several results."""

import pytest

import rushlight as rl

x = rl.tensor([[0.5, -1.0], [2.0, 0.25]])
EXACT = {
    "softmax": lambda out: rl.softmax(x, 0, out=out),
    "log_softmax": lambda out: rl.log_softmax(x, 0, out=out),
    "where": lambda out: rl.where(x > 0, x, x, out=out),
    "heaviside": lambda out: rl.heaviside(x, x, out=out),
    "vdot": lambda out: rl.vdot(x[0], x[1], out=out),
    "ormqr": lambda out: rl.ormqr(x, x[0], x, out=out),
    "permute_copy": lambda out: rl.permute_copy(x, (1, 0), out=out),
    "slice_copy": lambda out: rl.slice_copy(x, out=out),
    "view_as_real_copy": lambda out: rl.view_as_real_copy(rl.complex(x, x), out=out),
}


@pytest.mark.parametrize("name", EXACT)
def test_another_dtype_is_refused(name):
    EXACT[name](rl.empty(0))
    for dtype in (rl.float64, rl.float16, rl.complex64):
        with pytest.raises(RuntimeError, match="dtype"):
            EXACT[name](rl.empty(0, dtype=dtype))


def test_float_power_writes_doubles():
    assert rl.float_power(x, 2, out=rl.empty(0, dtype=rl.float64)).equal(x.double() ** 2)
    with pytest.raises(RuntimeError, match="dtype"):
        rl.float_power(x, 2, out=rl.empty(0))


def test_copies_of_several_views_come_as_a_tuple():
    for parts in (rl.split_copy(x, 1), rl.split_with_sizes_copy(x, [1, 1]), rl.unbind_copy(x)):
        assert type(parts) is tuple and len(parts) == 2
