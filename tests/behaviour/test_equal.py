"""`equal`: one difference anywhere, in every layout and dtype."""

import pytest
import rushlight as rl

LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: x.t(),
    "every second row": lambda x: x[::2],
    "every third column": lambda x: x[:, ::3],
    "one row many times": lambda x: x[:1].expand(70, -1),
}
DTYPES = (
    rl.float32,
    rl.float64,
    rl.float16,
    rl.bfloat16,
    rl.int64,
    rl.uint8,
    rl.bool,
    rl.complex64,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("place", (0, -1))
def test_one_difference_is_found(layout, dtype, place):
    x = LAYOUTS[layout](rl.arange(51 * 70).reshape(51, 70).fmod(7).to(dtype))
    y = x.clone()
    assert rl.equal(x, y) and rl.equal(y, x)
    y[place, place] = 0 if y[place, place] else 1
    assert not rl.equal(x, y) and not rl.equal(y, x)


def test_large_tensors_between_threads():
    x = rl.arange(200_000)
    y = x.clone()
    assert rl.equal(x, y)
    y[123_456] = -1
    assert not rl.equal(x, y)


def test_special_values_and_shapes():
    nan = rl.tensor([0.0, float("nan")])
    assert not rl.equal(nan, nan)
    assert rl.equal(rl.tensor([0.0]), rl.tensor([-0.0]))
    assert rl.equal(rl.empty(0, 3), rl.empty(0, 3))
    assert not rl.equal(rl.empty(0, 3), rl.empty(3, 0))
    assert not rl.equal(rl.ones(3), rl.ones(1, 3))
    assert rl.equal(rl.tensor(2), rl.tensor(2.0))
    small = rl.tensor([0.0, 1.5]).to(rl.float8_e4m3fn)
    assert rl.equal(small, small.clone())
    assert not rl.equal(small, rl.tensor([0.0, 1.0]).to(small.dtype))


def test_under_vmap_says_why_not():
    with pytest.raises(RuntimeError, match="vmap"):
        rl.vmap(lambda a: rl.tensor(rl.equal(a, a)))(rl.ones(2, 3))
