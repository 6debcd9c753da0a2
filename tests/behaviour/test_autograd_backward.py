"""`backward` and `grad`: what they compute, and what they refuse."""

import pytest
import rushlight as torch
from rushlight.testing import assert_close


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


def test_gradients_accumulate_in_leaves():
    x = leaf(1.0, 2.0)
    for _ in range(2):
        (x * x).sum().backward()
    assert_close(x.grad, torch.tensor([4.0, 8.0]))


def test_backward_of_several_tensors_with_given_gradients():
    x = leaf(1.0, 2.0)
    torch.autograd.backward([x * 2, (x * 3).sum()], [torch.tensor([1.0, 10.0]), None])
    assert_close(x.grad, torch.tensor([5.0, 23.0]))


def test_backward_into_chosen_inputs_only():
    x, y = leaf(1.0), leaf(2.0)
    (x * y).backward(inputs=[x])
    assert_close(x.grad, torch.tensor([2.0]))
    assert y.grad is None
    (x * y).backward(inputs={"y": y})
    assert_close(y.grad, torch.tensor([1.0]))


def test_backward_into_a_non_leaf():
    x = leaf(3.0)
    y = x * 2
    (y * y).backward(inputs=y)
    assert_close(y.grad, torch.tensor([12.0]))
    assert x.grad is None


def test_backward_refusals():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        torch.ones(1).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(torch.ones(3))
    with pytest.raises(RuntimeError, match="cannot be empty"):
        x.sum().backward(inputs=[])
    with pytest.raises(TypeError, match="either Tensors or None"):
        (x * 2).backward(1.0)


def test_complex_outputs_need_a_gradient():
    x = torch.tensor([1 + 1j], requires_grad=True)
    with pytest.raises(RuntimeError, match="only for real scalar outputs"):
        (x * x).backward()
    with pytest.raises(RuntimeError, match="Mismatch in dtype"):
        (x * x).backward(torch.ones(1))


def test_a_graph_is_freed_unless_retained():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    assert_close(x.grad, torch.tensor([8.0]))


def test_grad_touches_no_dot_grad():
    x, y = leaf(2.0), leaf(5.0)
    found = torch.autograd.grad(x * x * y, [x, y])
    assert_close(found, (torch.tensor([20.0]), torch.tensor([4.0])))
    assert x.grad is None and y.grad is None


def test_grad_of_a_dict_is_a_dict():
    x, y = leaf(2.0), leaf(5.0)
    found = torch.autograd.grad(x * y, {"x": x, "y": y})
    assert_close(found, {"x": torch.tensor([5.0]), "y": torch.tensor([2.0])})


def test_higher_derivatives():
    x = leaf(2.0)
    y = x**4
    for expected in (32.0, 48.0, 48.0, 24.0):
        (y,) = torch.autograd.grad(y, x, create_graph=True)
        assert_close(y.detach(), torch.tensor([expected]))


def test_unused_inputs():
    x, y = leaf(2.0), leaf(5.0)
    with pytest.raises(RuntimeError, match="appears to not have been used"):
        torch.autograd.grad(x * 2, [x, y])
    assert torch.autograd.grad(x * 2, [x, y], allow_unused=True)[1] is None
    zero = torch.autograd.grad(x * 2, [x, y], materialize_grads=True)[1]
    assert_close(zero, torch.zeros(1))
    with pytest.raises(ValueError, match="allow_unused"):
        torch.autograd.grad(x * 2, x, allow_unused=False, materialize_grads=True)


def test_inputs_that_require_no_grad():
    x = leaf(2.0)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(x * 2, [torch.ones(1)])


def test_batched_gradients_are_stacked():
    x = leaf(1.0, 2.0, 3.0)
    (found,) = torch.autograd.grad(x * x, x, torch.eye(3), is_grads_batched=True)
    assert_close(found, torch.diag(torch.tensor([2.0, 4.0, 6.0])))
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        torch.autograd.grad(x * x, x, torch.eye(2), is_grads_batched=True)


def test_old_names_warn():
    x = leaf(1.0)
    with pytest.warns(FutureWarning):
        torch.autograd.backward(x * 2, grad_variables=torch.ones(1))
    with pytest.warns(FutureWarning):
        torch.autograd.grad(x * 2, x, only_inputs=False)


def test_variable_is_a_tensor():
    x = torch.autograd.Variable(torch.ones(2), requires_grad=True)
    assert isinstance(x, torch.autograd.Variable) and type(x) is torch.Tensor
    assert x.requires_grad and isinstance(torch.ones(1), torch.autograd.Variable)
    with pytest.warns(UserWarning, match="volatile"):
        torch.autograd.Variable(torch.ones(2), volatile=True)
    with pytest.raises(TypeError, match="has to be a tensor"):
        torch.autograd.Variable([1.0])


def test_long_graphs_run_and_are_freed():
    x = leaf(1.0)
    y = x
    for _ in range(20000):
        y = y + 1
    y.backward()
    assert_close(x.grad, torch.ones(1))


def test_derivative_functions():
    from rushlight.autograd import functional

    x = torch.tensor([1.0, 2.0])
    assert_close(functional.jacobian(lambda x: x**2, x), torch.diag(2 * x))
    assert_close(functional.hessian(lambda x: (x**3).sum(), x), torch.diag(6 * x))
    v = torch.tensor([1.0, 10.0])
    assert_close(functional.vjp(lambda x: x**2, x, v)[1], 2 * x * v)
    assert_close(functional.jvp(lambda x: x**2, x, v)[1], 2 * x * v)
    assert_close(functional.hvp(lambda x: (x**3).sum(), x, v)[1], 6 * x * v)
    assert_close(functional.vhp(lambda x: (x**3).sum(), x, v)[1], 6 * x * v)


def test_derivative_functions_of_tuples():
    from rushlight.autograd import functional

    x, y = torch.tensor([1.0, 2.0]), torch.tensor([3.0])
    rows = functional.jacobian(lambda x, y: (x * y, y * y), (x, y))
    assert_close(rows[0], (3 * torch.eye(2), x.unsqueeze(1)))
    assert_close(rows[1], (torch.zeros(1, 2), torch.tensor([[6.0]])))
    with pytest.raises(RuntimeError, match="independent"):
        functional.jacobian(lambda x, y: (x * y, y * y), (x, y), strict=True)
    with pytest.raises(NotImplementedError, match="forward-mode"):
        functional.jacobian(lambda x: x, x, strategy="forward-mode")


@pytest.mark.parametrize(
    "change",
    ["clamp_(0.1)", "clamp_max_(0.5)", "logit_(0.1)", "renorm_(2, 0, 1.0)", "polygamma_(1)"],
)
def test_compositions_in_place_differentiate_at_the_old_value(change):
    gradients = []
    for form in (change, change.replace("_(", "(")):
        x = torch.linspace(0.01, 0.9, 6, dtype=torch.float64).view(2, 3).requires_grad_()
        y = eval(f"(x * 1).{form}", {"x": x})
        (y * y).sum().backward()
        gradients.append(x.grad)
    assert_close(*gradients)


# ---- changes in place --------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["mul_", "div_", "atan2_", "hypot_", "xlogy_"])
def test_second_derivatives_see_what_a_change_in_place_overwrote(change):
    x = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)

    def second(f):
        (slope,) = torch.autograd.grad(f(x * x, x).sum(), x, create_graph=True)
        return torch.autograd.grad(slope.sum(), x)[0]

    expected = second(getattr(torch.Tensor, change[:-1]))
    assert_close(second(getattr(torch.Tensor, change)), expected)


def test_a_view_that_was_changed_leads_to_all_leaves():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    base = (x * x).clone()
    view = base[None]
    view.mul_(x)
    total = view.sum()  # the view's place in the graph is found here, behind that of the sum
    assert torch.autograd.grad(total, x)[0].tolist() == [3, 12]


def test_equal_bounds_of_clamp_count_as_an_upper_one():
    x, low, high = (
        torch.tensor(v, requires_grad=True) for v in ([0.0, 3, 1], [1.0] * 3, [1.0] * 3)
    )
    torch.clamp(x, low, high).sum().backward()
    assert [t.grad.tolist() for t in (x, low, high)] == [[0, 0, 1], [0, 0, 0], [0, 1, 0]]
    only = torch.tensor(float("inf"), requires_grad=True)
    torch.clamp(x, min=only).sum().backward()
    assert only.grad == 3


def test_options_without_a_truth_value_raise_their_own_error():
    class Undecided:
        def __bool__(self):
            raise ValueError("neither true nor false")

    x = torch.ones(2, requires_grad=True)
    with pytest.raises(ValueError, match="neither"):
        x.sum().backward(retain_graph=Undecided())
    with pytest.raises(ValueError, match="neither"):
        torch.autograd.grad(x.sum(), x, create_graph=Undecided())


def test_what_no_gradient_needs_is_not_kept():
    """It may be changed in place before the backward pass, and its memory is free."""
    x, w = torch.ones(2, 3), leaf([1.0, 1.0, 1.0])
    for product in (torch.nn.functional.linear, lambda a, b: a @ b.t()):
        weight = w * 1
        result = product(x, weight)
        with torch.no_grad():
            weight.add_(1)
        w.grad = None
        result.sum().backward()
        assert_close(w.grad, torch.full((1, 3), 2.0))
    frozen = torch.nn.functional.linear(leaf([1.0, 1.0, 1.0]), x)
    assert frozen.grad_fn._saved_input is None and frozen.grad_fn._saved_weight is x


def test_tables_are_renormalized_between_look_ups():
    table = torch.nn.Embedding(4, 2, max_norm=1.0)
    first, second = table(torch.tensor([0, 1])), table(torch.tensor([2, 1]))
    (first.sum() + second.sum()).backward()
    assert_close(table.weight.grad[:, 0], torch.tensor([1.0, 2.0, 1.0, 0.0]))


def test_grad_of_what_is_no_leaf_warns():
    x = leaf(1.0)
    y = x * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert y.grad is None
    y.retain_grad()
    y.backward()
    assert y.grad.item() == 1


def test_only_gradients_that_are_asked_for_are_computed():
    a, b = (torch.randn(3).requires_grad_() for _ in range(2))
    unpacked = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: unpacked.append(t) or t):
        y = a * b
    (grad,) = torch.autograd.grad(y.sum(), [a], retain_graph=True)
    assert torch.equal(grad, b) and len(unpacked) == 1
    (grad,) = torch.autograd.grad(y.sum(), [b], retain_graph=True)
    assert torch.equal(grad, a) and len(unpacked) == 2
    y.sum().backward(inputs=[b])
    assert a.grad is None and torch.equal(b.grad, a) and len(unpacked) == 3


def test_targets_behind_in_place_changes_of_views_and_lists():
    a, b = (torch.randn(4, requires_grad=True) for _ in range(2))
    base = a * 1
    base[1:3].mul_(b[:2])
    y = torch.cat([base, b, base]).sum()
    for target in ([a], [b], [a, b]):
        want = {id(a): torch.stack([torch.ones(()), *b[:2], torch.ones(())]) * 2}
        want[id(b)] = torch.cat([2 * a[1:3], torch.zeros(2)]) + 1
        for t, got in zip(target, torch.autograd.grad(y, target, retain_graph=True)):
            assert torch.allclose(got, want[id(t)])


def test_nodes_that_keep_no_tensors_may_run_again():
    x = torch.ones(3, requires_grad=True)
    for made in (x + 1, x.sum(), x.view(3, 1), torch.cat([x, x]), x[1:], x.unbind()[0]):
        ones = torch.ones_like(made)
        made.backward(ones)
        made.backward(ones)
    made = x * x
    made.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        made.sum().backward()


def test_gradients_of_complex_powers_of_negative_numbers():
    base = torch.tensor([-1.0, -2.0], dtype=torch.float64)
    exponent = torch.tensor([0.5 + 1j, 2 - 1j], dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(lambda e: base**e, (exponent,))
    assert torch.autograd.gradcheck(lambda e: torch.pow(-1, e), (exponent,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_first_gradients_get_the_dtype_of_what_they_are_for(dtype):
    x = torch.ones(3, dtype=torch.bfloat16, requires_grad=True)
    (x * 2).backward(torch.ones(3, dtype=dtype))
    assert x.grad.dtype == torch.bfloat16 and x.grad.tolist() == [2, 2, 2]
    (g,) = torch.autograd.grad(x, x, torch.ones(3, dtype=dtype))
    assert g.dtype == torch.bfloat16


def test_a_convolution_in_16_bits_takes_gradients_in_32():
    weight = torch.ones(5, 2, 3, 3, dtype=torch.bfloat16, requires_grad=True)
    out = torch.nn.functional.conv2d(torch.ones(1, 2, 4, 4, dtype=torch.bfloat16), weight)
    out.backward(torch.ones(1, 5, 2, 2))
    assert weight.grad.dtype == torch.bfloat16 and weight.grad.unique().tolist() == [4]
