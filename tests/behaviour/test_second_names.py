"""Second names of ops do what the first do: overloads, forms, gradients; and calls that return
otherwise than others do with ``out=``, or let a tensor grow in place.
"""

import pytest

import rushlight as rl
from rushlight.ops import _record


def test_divide_rounds_as_div_does():
    x, y = rl.tensor([7.0, -7.0]), rl.tensor([2.0, 2.0])
    for mode in (None, "trunc", "floor"):
        assert rl.equal(rl.divide(x, y, rounding_mode=mode), rl.div(x, y, rounding_mode=mode))
        assert rl.equal(x.clone().divide_(y, rounding_mode=mode), x.div(y, rounding_mode=mode))
    with pytest.raises(TypeError):
        rl.true_divide(x, y, rounding_mode="floor")


def test_second_names_record_the_first_names_node():
    x = rl.ones(2, requires_grad=True)
    assert x.multiply(2).grad_fn.name() == "MulBackward0"
    assert rl.arcsin(x / 2).grad_fn.name() == "AsinBackward0"
    assert rl.subtract(x, 1, alpha=2).tolist() == [-1.0, -1.0]


def test_second_names_share_text_and_samples():
    record = _record.records["arcsin"]
    assert record.doc.startswith("Another name of `asin`.")
    assert record.sample_function is _record.records["asin"].sample_function


@pytest.mark.parametrize("name, args", [("unbind_copy", ()), ("split_with_sizes_copy", ([1, 1],))])
def test_lists_written_to_out_return_nothing(name, args):
    x, out = rl.arange(4.0).reshape(2, 2), [rl.empty(0), rl.empty(0)]
    assert getattr(rl, name)(x, *args, out=out) is None
    assert rl.equal(rl.cat([o.reshape(-1) for o in out]), x.reshape(-1))


def test_addbmm_grows_in_place():
    x = rl.ones(1)
    assert x.addbmm_(rl.ones(2, 1, 3), rl.ones(2, 3, 2)) is x
    assert x.tolist() == [[7.0, 7.0]]


def test_signal_windows_refuse_sparse_layouts_as_values():
    with pytest.raises(ValueError, match="strided"):
        rl.signal.windows.hann(3, layout=rl.sparse_coo)
    assert rl.torch is rl
