"""What ops refuse, with which exception, and what they refuse to differentiate."""

import pytest

import rushlight as rl

nn = rl.nn.functional


@pytest.mark.parametrize("join", [rl.cat, rl.stack, rl.hstack, rl.vstack, rl.dstack])
def test_joins_refuse_an_out_that_cannot_hold_the_result(join):
    parts = [rl.ones(2), rl.ones(2)]
    with pytest.raises(TypeError, match="can't be cast"):
        join(parts, out=rl.zeros(0, dtype=rl.int64))
    wide = join(parts, out=rl.zeros(0, dtype=rl.float64))
    assert wide.dtype == rl.float64 and wide.sum() == 4


@pytest.mark.parametrize(
    "function", [nn.relu, nn.elu, nn.silu, nn.layer_norm, nn.cosine_similarity]
)
def test_functions_of_networks_take_no_out(function):
    with pytest.raises(TypeError, match="out"):
        function(rl.ones(2), out=rl.zeros(2))


@pytest.mark.parametrize("function", [nn.gelu, nn.softplus, nn.logsigmoid, nn.softshrink])
def test_some_functions_of_networks_take_out(function):
    x, out = rl.tensor([-1.0, 2.0]), rl.zeros(2)
    assert function(x, out=out) is out and rl.equal(out, function(x))


@pytest.mark.parametrize(
    "compare", [rl.Tensor.eq_, rl.Tensor.ne_, rl.Tensor.lt_, rl.Tensor.le_, rl.Tensor.gt_]
)
def test_comparing_in_place_ends_the_gradient(compare):
    x = rl.ones(2, requires_grad=True)
    compare(x * 1, 1.0).sum().backward()
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize("name", ["heaviside", "heaviside_", "floor_divide", "floor_divide_"])
def test_what_has_no_derivative_says_so_in_backward(name):
    x = rl.ones(2, requires_grad=True)
    y = getattr(x * 1, name)(rl.ones(2))
    assert y.grad_fn.name() == "NotImplemented"
    with pytest.raises(RuntimeError, match="is not implemented"):
        y.sum().backward()


def test_fill_takes_a_tensor_without_dimensions():
    value = rl.tensor(2.0, requires_grad=True)
    filled = rl.ones(3).fill_(value)
    filled.sum().backward()
    assert filled.tolist() == [2, 2, 2] and value.grad == 3
    with pytest.raises(RuntimeError, match="0-dimension"):
        rl.ones(3).fill_(rl.ones(1))
    with pytest.raises(RuntimeError, match="converted"):
        rl.ones(3).fill_(rl.tensor(1j))


def test_numbers_of_devices_are_refused():
    for place in (lambda: rl.ones(2).to(3), lambda: rl.zeros(2, device=0)):
        with pytest.raises(RuntimeError, match="accelerator"):
            place()
    with pytest.raises(RuntimeError, match="negative"):
        rl.ones(2).to(-1)


def test_images_to_unfold_have_channels():
    with pytest.raises(IndexError, match="3 or 4 dimensions"):
        nn.unfold(rl.ones(3, 3), 2)
    with pytest.raises(RuntimeError, match="3D or 4D"):
        nn.unfold(rl.ones(1, 1, 3, 3, 3), 2)


def test_waiting_times_are_floats():
    for draw in (rl.Tensor.exponential_, rl.Tensor.cauchy_, nn.gumbel_softmax):
        with pytest.raises(RuntimeError, match="floating point") as caught:
            draw(rl.ones(3, dtype=rl.int64))
        assert caught.type is RuntimeError


@pytest.mark.parametrize("mode", ["trunc", "floor"])
def test_rounded_quotients_have_gradients_of_zero_even_where_they_are_infinite(mode):
    a, b = rl.tensor([0.0, 3.0], requires_grad=True), rl.tensor([0.0, 2.0], requires_grad=True)
    quotient = rl.div(a, b, rounding_mode=mode)
    assert quotient.grad_fn.name() == "DivBackward2"
    quotient.sum().backward()
    assert a.grad.tolist() == b.grad.tolist() == [0, 0]


@pytest.mark.parametrize(
    "text",
    "1 - mask; mask - 1; 1.5 - mask; mask - mask; True - mask; x - mask; mask - x; x - True; "
    "rl.rsub(mask, 1); x.sub_(mask); rl.subtract(x, mask); x.sub(mask, alpha=2)".split("; "),
)
def test_masks_are_not_subtracted(text):
    with pytest.raises(RuntimeError, match="bool operands are not supported; use the ~ operator"):
        eval(text, {"rl": rl, "mask": rl.tensor([True, False]), "x": rl.ones(2)})


@pytest.mark.parametrize("name", ["neg", "floor", "round", "abs", "sign", "sgn", "frac"])
def test_results_of_the_operand_s_dtype_go_into_no_other(name):
    function, x = getattr(rl, name), rl.tensor([-1.5, 2.0])
    for out in (rl.empty(2, dtype=rl.float64), rl.empty(0, dtype=rl.complex64)):
        with pytest.raises(RuntimeError, match="dtype"):
            function(x, out=out)
    assert rl.equal(function(x, out=rl.empty(0)), function(x))


@pytest.mark.parametrize("function", [rl.signbit, rl.isposinf, rl.isneginf, rl.nan_to_num])
def test_tests_of_numbers_refuse_an_out_of_another_dtype(function):
    with pytest.raises(RuntimeError, match="dtype"):
        function(rl.ones(2), out=rl.zeros(2, dtype=rl.float64))


@pytest.mark.parametrize("function", [rl.isfinite, rl.isnan, rl.isreal, rl.positive, rl.argwhere])
def test_some_functions_take_no_out(function):
    with pytest.raises(TypeError, match="out"):
        function(rl.ones(2), out=rl.zeros(2))


def test_a_bool_factor_is_for_bools():
    assert rl.add(True, True, alpha=True) is not None
    for call in (rl.add, rl.sub):
        with pytest.raises(RuntimeError, match="alpha"):
            call(rl.ones(2), 1, alpha=True)


def test_sections_in_a_tensor_are_int64_and_of_one_dimension():
    x = rl.arange(4)
    assert [p.tolist() for p in x.tensor_split(rl.tensor([1, 3]))] == [[0], [1, 2], [3]]
    for cuts in (rl.tensor(2.0), rl.tensor([[1]]), rl.tensor(2, dtype=rl.int32)):
        with pytest.raises(RuntimeError, match="tensor_split"):
            x.tensor_split(cuts)


def test_sizes_whose_strides_or_elements_cannot_be_counted():
    for make in (
        lambda: rl.empty(0, 4, 2**61),
        lambda: rl.empty(()).resize_([0, 4, 2**61]),
        lambda: rl.zeros(1).expand(2**40, 2**40),
    ):
        with pytest.raises(RuntimeError, match="overflow"):
            make()


@pytest.mark.parametrize("name", ["sum", "mean", "cumsum", "softmax", "nansum"])
def test_dtype_and_out_have_to_agree(name):
    x, out = rl.ones(3), rl.empty(3 if name in ("cumsum", "softmax") else ())
    with pytest.raises(RuntimeError, match="dtype"):
        getattr(rl, name)(x, 0, dtype=rl.float64, out=out)
    assert getattr(rl, name)(x, 0, dtype=rl.float32, out=out) is out


@pytest.mark.parametrize("name", ["var", "std", "var_mean", "std_mean"])
def test_spreads_of_too_few_elements_warn(name):
    with pytest.warns(UserWarning, match="degrees of freedom"):
        getattr(rl, name)(rl.ones(3, 1), 1)
