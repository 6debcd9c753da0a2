"""`gradcheck` and `gradgradcheck` accept right gradients and reject each kind of wrong one."""

import pytest
import rushlight as torch
from rushlight.autograd import Function, GradcheckError, gradcheck, gradgradcheck
from rushlight.testing import check_grads


def double(*shape):
    return torch.rand(shape, dtype=torch.float64, requires_grad=True)


def unary(forward, backward):
    """A Function of one tensor with the given rules; backward gets (x, grad)."""

    class Made(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return backward(x, grad)

    return Made.apply


wrong_square = unary(lambda x: x * x, lambda x, grad: grad * x * 3)


@pytest.mark.parametrize("fast_mode", [False, True])
class TestBothModes:
    def test_right_gradients_pass(self, fast_mode):
        def function(x, y):
            return x * y.exp(), (x + y).sin().sum()

        inputs = double(2, 3), double(3)
        assert gradcheck(function, inputs, fast_mode=fast_mode)
        assert gradgradcheck(function, inputs, fast_mode=fast_mode)

    def test_complex_gradients_pass(self, fast_mode):
        z = torch.rand(3, dtype=torch.complex128, requires_grad=True)
        for function in (
            lambda z: z * z,
            lambda z: z.abs(),
            lambda z: z.conj() * z.exp(),
            lambda z: torch.view_as_real(z) * 2,
        ):
            assert gradcheck(function, z, fast_mode=fast_mode)
            assert gradgradcheck(function, z, fast_mode=fast_mode)

    def test_wrong_gradients_fail(self, fast_mode):
        with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 .* input 0"):
            gradcheck(wrong_square, double(3), fast_mode=fast_mode)
        assert not gradcheck(wrong_square, double(3), fast_mode=fast_mode, raise_exception=False)

    def test_wrong_second_gradients_fail(self, fast_mode):
        detached = unary(lambda x: x**3, lambda x, grad: grad * (3 * x.detach() ** 2))
        assert gradcheck(detached, double(3), fast_mode=fast_mode)
        with pytest.raises(GradcheckError):
            gradgradcheck(detached, double(3), fast_mode=fast_mode)


def test_the_message_shows_both_jacobians():
    x = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as caught:
        gradcheck(wrong_square, x)
    assert "numerical:tensor([[2.0000]]" in str(caught.value)
    assert "analytical:tensor([[3.]]" in str(caught.value)


def test_inputs_are_restored():
    x = double(3)
    before = x.detach().clone()
    gradcheck(torch.sin, x)
    assert (x == before).all()


def test_strided_empty_and_scalar_inputs():
    assert gradcheck(torch.exp, double(3, 2).detach().t().requires_grad_())
    assert gradcheck(torch.exp, double(0, 3))
    assert gradcheck(torch.exp, double())


def test_inputs_it_refuses():
    with pytest.raises(ValueError, match="at least one input"):
        gradcheck(torch.exp, torch.rand(2, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="stride 0"):
        gradcheck(torch.exp, torch.rand(1, dtype=torch.float64).expand(3).requires_grad_())
    with pytest.warns(UserWarning, match="double precision"):
        gradcheck(torch.exp, torch.rand(2, requires_grad=True), atol=1.0, eps=1e-2)


def test_sparse_inputs_name_what_checks_them():
    with pytest.raises(NotImplementedError, match="as_sparse_gradcheck"):
        gradcheck(torch.Tensor.to_dense, torch.eye(2).to_sparse().requires_grad_(), masked=True)
    assert gradcheck(torch.exp, double(2), masked=True)


def test_tangents_are_checked_in_a_batch():
    both = {"check_forward_ad": True, "check_batched_forward_grad": True}
    assert gradcheck(lambda x, y: (x * y, x.sin()), (double(3), double(3)), **both)

    def drawn(x):
        return x * torch.rand(3, dtype=x.dtype).round().clamp(1, 1)

    assert gradcheck(drawn, double(3), check_forward_ad=True)
    with pytest.raises(GradcheckError, match="batch"):
        gradcheck(drawn, double(3), **both)


def test_second_derivatives_by_forward_mode():
    x, z = double(3), torch.rand(2, dtype=torch.complex128, requires_grad=True)
    forward = {"check_fwd_over_rev": True}
    only = {"check_rev_over_rev": False, "check_undefined_grad": False, **forward}
    for options in (forward, only):
        assert gradgradcheck(lambda a, b: a.sin() * b, (x, double(3)), **options)
        assert gradgradcheck(lambda a: (a * a.conj()).abs(), (z,), **options)
    with pytest.raises(GradcheckError):
        gradgradcheck(lambda a: a * a.detach() ** 2, x, **only)


@pytest.mark.parametrize(
    "check, options",
    [
        (gradcheck, {"check_batched_forward_grad": True}),
        (gradcheck, {"check_backward_ad": False}),
        (
            gradcheck,
            {"check_backward_ad": False, "check_forward_ad": True, "check_batched_grad": True},
        ),
        (gradgradcheck, {"check_rev_over_rev": False, "check_undefined_grad": False}),
        (gradgradcheck, {"check_rev_over_rev": False, "check_fwd_over_rev": True}),
    ],
)
def test_a_check_of_nothing_is_refused(check, options):
    with pytest.raises(AssertionError):
        check(torch.sin, double(2), **options)


def test_backward_that_varies():
    noisy = unary(lambda x: x * 2, lambda x, grad: grad * (2 + 1e-7 * torch.rand_like(x)))
    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(noisy, double(3))
    assert gradcheck(noisy, double(3), nondet_tol=1e-5, check_undefined_grad=False)


def test_backward_that_ignores_its_gradient():
    constant = unary(lambda x: x.sum(), lambda x, grad: torch.ones_like(x))
    with pytest.raises(GradcheckError, match="not multiplied by grad_output"):
        gradcheck(constant, double(3))


def test_missing_gradients():
    class Careless(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            if a is None and not (b is not None and b.any()):
                raise RuntimeError("a gradient is missing")
            return (0 if a is None else a * 2) + (0 if b is None else b * 3)

    with pytest.raises(GradcheckError, match="undefined output grads"):
        gradcheck(Careless.apply, double(2))
    assert gradcheck(Careless.apply, double(2), check_undefined_grad=False)


def test_constant_functions():
    assert gradcheck(lambda x: torch.ones(2), double(2))
    with pytest.raises(GradcheckError, match="expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, double(2))


def test_parameters_used_from_outside():
    weight = double(3)
    assert gradcheck(lambda _: (weight**2).sum(), (weight,))


def test_check_grads():
    check_grads(lambda x, y: x * y, [torch.rand(2), torch.rand(2)])
    with pytest.raises(AssertionError, match="Jacobian mismatch"):
        check_grads(wrong_square, torch.rand(2))
    with pytest.raises(ValueError, match="order"):
        check_grads(torch.sin, torch.rand(2), order=3)


def test_forward_mode_in_one_direction():
    fast = {"check_forward_ad": True, "fast_mode": True}
    big = double(60, 50)  # its Jacobian would take 72 megabytes
    assert gradcheck(torch.sin, big, **fast)
    assert gradcheck(
        lambda z: (z * z, z.abs()),
        (torch.rand(3, dtype=torch.complex128) + 1).requires_grad_(),
        **fast,
    )
    assert gradcheck(lambda x: x.repeat(0), double(2), **fast)

    class WrongTangent(Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output): ...

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * 3

    assert gradcheck(WrongTangent.apply, double(3), fast_mode=True)
    with pytest.raises(GradcheckError):
        gradcheck(WrongTangent.apply, double(3), **fast)
