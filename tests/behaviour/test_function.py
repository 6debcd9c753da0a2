"""Custom functions: `rushlight.autograd.Function`."""

import gc
import weakref

import pytest
import rushlight as torch
from rushlight.autograd import Function
from rushlight.autograd.function import once_differentiable
from rushlight.testing import assert_close


def leaf(*values):
    return torch.tensor(values, requires_grad=True)


class Exp(Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, grad):
        (y,) = ctx.saved_tensors
        return grad * y


class Scale(Function):
    @staticmethod
    def forward(ctx, x, factor, offset=0.0):
        ctx.factor = factor
        return x * factor + offset

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.factor, None, None


class MulWithSetup(Function):
    @staticmethod
    def forward(x, y, scale=1.0):
        return x * y * scale

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, y, ctx.scale = inputs
        ctx.save_for_backward(x, y)

    @staticmethod
    def backward(ctx, grad):
        x, y = ctx.saved_tensors
        return grad * y * ctx.scale, grad * x * ctx.scale, None


def test_forward_and_backward():
    x = leaf(0.0, 1.0)
    y = Exp.apply(x)
    assert type(y.grad_fn).__name__ == "ExpBackward"
    assert repr(y).endswith("grad_fn=<ExpBackward>)")
    y.sum().backward()
    assert_close(x.grad, y.detach())


def test_it_can_be_differentiated_twice():
    x = leaf(0.5)
    (first,) = torch.autograd.grad(Exp.apply(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first, x)
    assert_close(second, x.detach().exp())
    double = torch.rand(3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Exp.apply, double)
    assert torch.autograd.gradgradcheck(Exp.apply, double)


def test_nothing_is_recorded_without_need():
    assert not Exp.apply(torch.ones(2)).requires_grad
    with torch.no_grad():
        assert not Exp.apply(leaf(1.0)).requires_grad


def test_forward_runs_unrecorded():
    class Look(Function):
        @staticmethod
        def forward(ctx, x):
            seen.append(torch.is_grad_enabled())
            return x * 2

        @staticmethod
        def backward(ctx, grad):
            seen.append(torch.is_grad_enabled())
            return grad * 2

    seen = []
    x = leaf(1.0)
    y = Look.apply(x)
    torch.autograd.grad(y, x, retain_graph=True)
    torch.autograd.grad(y, x, create_graph=True)
    assert seen == [False, False, True]


def test_other_arguments_and_needs_input_grad():
    class Two(Function):
        @staticmethod
        def forward(ctx, x, name, y):
            seen.append(ctx.needs_input_grad)
            return x + y

        @staticmethod
        def backward(ctx, grad):
            return grad, None, grad

    seen = []
    x = leaf(1.0)
    Two.apply(x, "name", torch.ones(1)).backward()
    assert seen == [(True, False, False)]
    assert_close(x.grad, torch.ones(1))
    assert Scale.apply(x, 3.0).item() == 3.0
    with pytest.raises(TypeError, match="keyword"):
        Scale.apply(x, factor=3.0)


def test_setup_context_style():
    x, y = leaf(2.0), leaf(5.0)
    z = MulWithSetup.apply(x, y)
    z.backward()
    assert_close([z.item(), x.grad.item(), y.grad.item()], [10.0, 5.0, 2.0])
    assert MulWithSetup.apply(x, y, scale=2.0).item() == 20.0
    assert MulWithSetup.apply(y=y, x=x).item() == 10.0


def test_several_outputs_and_missing_gradients():
    class Split(Function):
        @staticmethod
        def forward(ctx, x, materialize):
            ctx.set_materialize_grads(materialize)
            return x * 2, x * 3, "text"

        @staticmethod
        def backward(ctx, a, b, text):
            seen.append((a, b, text))
            return (a * 2 if a is not None else 0) + (b * 3 if b is not None else 0), None

    seen = []
    x = leaf(1.0)
    a, b, text = Split.apply(x, True)
    assert text == "text"
    a.backward()
    assert_close(seen[0][:2], (torch.ones(1), torch.zeros(1)))
    a, b, text = Split.apply(x, False)
    b.backward()
    assert seen[1][0] is None and seen[1][2] is None
    assert_close(x.grad, torch.tensor([5.0]))


def test_non_differentiable_outputs():
    class SortIt(Function):
        @staticmethod
        def forward(ctx, x):
            values, order = x.sort()
            rank = order.to(x.dtype)
            ctx.mark_non_differentiable(rank)
            ctx.save_for_backward(order)
            return values, order, rank

        @staticmethod
        def backward(ctx, grad, _order, _rank):
            (order,) = ctx.saved_tensors
            return torch.zeros_like(grad).scatter_(0, order, grad)

    x = leaf(3.0, 1.0, 2.0)
    values, order, rank = SortIt.apply(x)
    assert values.requires_grad and not order.requires_grad and not rank.requires_grad
    (values * torch.tensor([1.0, 10.0, 100.0])).sum().backward()
    assert_close(x.grad, torch.tensor([100.0, 1.0, 10.0]))


def test_changing_an_input_in_place():
    class Double(Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = leaf(1.0, 2.0)
    y = x * 3
    z = Double.apply(y)
    assert z is y
    z.sum().backward()
    assert_close(x.grad, torch.tensor([6.0, 6.0]))
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        Double.apply(leaf(1.0))


def test_dirty_inputs_must_be_returned():
    class Forgetful(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.mark_dirty(x)
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return grad

    with pytest.raises(RuntimeError, match="not returned as output"):
        Forgetful.apply(leaf(1.0) * 1)


def test_an_input_handed_through_is_another_tensor():
    class Same(Function):
        @staticmethod
        def forward(ctx, x):
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 10

    x = leaf(1.0)
    y = Same.apply(x)
    assert y is not x and y.data_ptr() == x.data_ptr() and x.is_leaf
    y.backward()
    assert_close(x.grad, torch.tensor([10.0]))
    plain = torch.ones(1)
    assert Same.apply(plain) is not plain


@pytest.mark.parametrize(
    "result, kind, message",
    [
        (lambda g: (g, g), RuntimeError, r"incorrect number of gradients \(expected 1, got 2\)"),
        (lambda g: (), RuntimeError, r"incorrect number of gradients \(expected 1, got 0\)"),
        (lambda g: 3, TypeError, "Tensor or None"),
        (lambda g: torch.ones(5), RuntimeError, "invalid gradient at index 0"),
    ],
)
def test_wrong_results_of_backward(result, kind, message):
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return result(grad)

    with pytest.raises(kind, match=message):
        Wrong.apply(leaf(1.0, 2.0)).sum().backward()


def test_a_gradient_for_a_non_tensor_is_an_error():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x, factor):
            return x * factor

        @staticmethod
        def backward(ctx, grad):
            return grad, grad

    with pytest.raises(RuntimeError, match="position 2.*not a Variable"):
        Wrong.apply(leaf(1.0), 2.0).backward()


def test_surplus_nones_are_dropped():
    class Surplus(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return grad, None, None

    x = leaf(1.0)
    Surplus.apply(x).backward()
    assert_close(x.grad, torch.ones(1))


def test_only_tensors_can_be_saved():
    class Wrong(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x, 3)
            return x * 1

    with pytest.raises(TypeError, match="save_for_backward can only save"):
        Wrong.apply(leaf(1.0))


def test_saved_tensors_are_freed_after_backward():
    x = leaf(1.0)
    y = Exp.apply(x)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()


def test_changed_saved_tensors_are_noticed():
    x = leaf(1.0)
    y = Exp.apply(x)
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_saving_an_output_makes_no_cycle():
    x = leaf(1.0)
    y = Exp.apply(x)
    gone = weakref.ref(y)
    gc.disable()
    try:
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_once_differentiable():
    class Half(Function):
        @staticmethod
        def forward(ctx, x):
            return x / 2

        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            assert not torch.is_grad_enabled()
            return grad / 2

    x = leaf(1.0)
    Half.apply(x).backward()
    assert_close(x.grad, torch.tensor([0.5]))
    (grad,) = torch.autograd.grad((Half.apply(x) ** 2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.backward()


def test_vjp_is_another_name_for_backward():
    class ByVjp(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def vjp(ctx, grad):
            return grad * 2

    class Both(ByVjp):
        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = leaf(1.0)
    ByVjp.apply(x).backward()
    assert_close(x.grad, torch.tensor([2.0]))
    with pytest.raises(RuntimeError, match="'backward' and 'vjp'"):
        Both.apply(x).backward()


def test_missing_methods_and_old_style_use():
    class Nothing(Function):
        pass

    class ForwardOnly(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

    with pytest.raises(NotImplementedError, match="must implement the forward"):
        Nothing.apply(leaf(1.0))
    with pytest.raises(NotImplementedError, match="backward or vjp"):
        ForwardOnly.apply(leaf(1.0)).backward()
    with pytest.warns(DeprecationWarning):
        instance = ForwardOnly()
    with pytest.raises(RuntimeError, match="Legacy autograd function"):
        instance(leaf(1.0))


def test_errors_in_forward_and_backward_pass_through():
    class Fails(Function):
        @staticmethod
        def forward(ctx, x, early):
            if early:
                raise KeyError("forward")
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            raise KeyError("backward")

    with pytest.raises(KeyError, match="forward"):
        Fails.apply(leaf(1.0), True)
    assert torch.is_grad_enabled()
    with pytest.raises(KeyError, match="backward"):
        Fails.apply(leaf(1.0), False).backward()
    assert torch.is_grad_enabled()


@pytest.mark.parametrize("style", ["ctx", "setup"])
def test_what_is_saved_comes_back_in_order(style):
    seen = []

    def compute(x, factor, y):
        return x * factor * y, x + y

    def keep(ctx, inputs, output):
        ctx.factor = inputs[1]
        ctx.save_for_backward(inputs[0], None, output[0], inputs[2])

    class Product(Function):
        @staticmethod
        def backward(ctx, g, h):
            x, nothing, product, y = ctx.saved_tensors
            seen.append((ctx.needs_input_grad, nothing, product.grad_fn is not None))
            assert_close(product, x * ctx.factor * y)
            return g * ctx.factor * y + h, None, g * ctx.factor * x + h

    if style == "setup":
        Product.forward, Product.setup_context = staticmethod(compute), staticmethod(keep)
    else:

        def forward(ctx, *inputs):
            output = compute(*inputs)
            keep(ctx, inputs, output)
            return output

        Product.forward = staticmethod(forward)
    x, y = leaf(1.0, 2.0), torch.tensor([3.0, -4.0])
    with torch.autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), torch.from_numpy):
        product, total = Product.apply(x, 2, y)
    (product.sum() + 3 * total.sum()).backward()
    assert_close(x.grad, 2 * y + 3)
    assert seen[0][:2] == ((True, False, False), None)
    both = x.detach().double().requires_grad_(), y.double().requires_grad_()
    assert torch.autograd.gradcheck(lambda a, b: Product.apply(a, 2, b), both)
    assert torch.autograd.gradgradcheck(lambda a, b: Product.apply(a, 2, b), both)


def test_saved_tensors_are_made_by_functions_alone():
    with pytest.raises(TypeError):
        torch.autograd.SavedTensor()


@pytest.mark.parametrize("other", [2.0, -3, 1 - 2j, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_gradients_of_products_with_numbers_are_conjugated(other, dtype):
    x = torch.randn(3, dtype=dtype, requires_grad=True)
    y = x * other
    (gradient,) = torch.autograd.grad(y, x, torch.ones_like(y))
    expected = torch.ones_like(y) * torch.tensor(other).conj()
    assert_close(gradient, expected if dtype.is_complex else expected.real)


@pytest.mark.parametrize("shape", [(), (3,), (1, 1), (2, 0), (2, 3, 1)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_gradients_of_whole_sums_are_spread(shape, keepdim):
    x = torch.randn(shape, requires_grad=True)
    total = x.sum(dim=None, keepdim=keepdim)
    total.backward(torch.full_like(total, 3.0))
    assert x.grad.shape == x.shape and (x.grad == 3).all()
