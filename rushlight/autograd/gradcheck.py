"""`gradcheck` and `gradgradcheck`: gradients against central differences.

Complex tensors are treated as pairs of reals throughout: a gradient is the vector of derivatives
with respect to real and imaginary parts, so one real Jacobian compares everything. A further
property to check is a function taking a `_Case`, called from `_run_checks`.
"""

import rushlight as rl

from .function import Function

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """A gradient that `gradcheck` or `gradgradcheck` found to be wrong."""


def gradcheck(
    func,
    inputs,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_batched_forward_grad=False,
    check_forward_ad=False,
    check_backward_ad=True,
    fast_mode=False,
    masked=None,
):
    """Whether the gradients of ``func`` agree with central differences.

    Args:
        func: a function of tensors returning a tensor or a tuple of them.
        inputs: its arguments; those requiring grad are checked, and should be double precision.
        eps (float): the step of the differences.
        atol, rtol (float): how far the two Jacobians may lie apart.
        raise_exception (bool): False to return False instead of raising.
        nondet_tol (float): how far two runs of backward may lie apart.
        check_undefined_grad (bool): check that missing output gradients are handled as zeros.
        check_grad_dtypes (bool): check that each gradient has its input's dtype.
        check_backward_ad (bool): False to leave reverse mode, and what builds on it, unchecked.
        fast_mode (bool): compare the Jacobians in one random direction only.
        check_forward_ad (bool): also check the derivatives of forward mode.
        check_batched_grad (bool): also check that gradients computed in one batch are the same.
        check_batched_forward_grad (bool): also check that tangents are the same in one batch.
        masked (bool): whether elements that a sparse input does not hold are left out; they always
            are by `sparse.as_sparse_gradcheck`, which checks sparse inputs.

    Raises:
        AssertionError: if no mode is to be checked, or batches of one that is not.
        GradcheckError: if a check fails.
        ValueError: if no input requires grad.

    Example::

        >>> x = rl.rand(3, dtype=rl.float64, requires_grad=True)
        >>> rl.autograd.gradcheck(rl.sin, x)
        True
    """
    _need("check_forward_ad or check_backward_ad", check_forward_ad or check_backward_ad)
    _need("check_backward_ad", check_backward_ad, check_batched_grad=check_batched_grad)
    _need(
        "check_forward_ad", check_forward_ad, check_batched_forward_grad=check_batched_forward_grad
    )
    _refuse_sparse(inputs)
    try:
        case = _Case(func, inputs, eps, atol, rtol, nondet_tol, check_grad_dtypes)
        if check_backward_ad:
            _run_checks(case, fast_mode, check_undefined_grad)
        if check_forward_ad or check_batched_grad:
            forward = check_forward_ad, check_batched_forward_grad, fast_mode
            _check_transforms(case, check_batched_grad, *forward)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _check_transforms(case, batched, forward, batched_forward, fast_mode):
    from . import gradcheck_transforms as checks

    which = [i for i, o in enumerate(case.outputs()) if _requires_grad(o)]
    if forward and which:
        (checks.compare_direction if fast_mode else checks.check_forward)(case, which)
    if batched_forward and which:
        checks.check_batched_forward(case, which)
    if batched:
        checks.check_batched(case)


def _gradients_of(func, inputs, starts):
    """func's gradients, as a function of its inputs and of gradients of its outputs."""
    followed = [_requires_grad(x) for x in inputs + starts]

    def gradients(*arguments):
        # forward mode is given tensors without a graph
        values = [x.requires_grad_() if f else x for x, f in zip(arguments, followed)]
        ins, grad_outs = values[: len(inputs)], values[len(inputs) :]
        outputs = _differentiable(func(*ins))
        wanted = [x for x, f in zip(ins, followed) if f]
        found = _grad(outputs, wanted, grad_outs, create_graph=True)
        return tuple([g for g in found if g is not None])

    return gradients


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps=1e-6,
    atol=1e-5,
    rtol=1e-3,
    gen_non_contig_grad_outputs=False,
    raise_exception=True,
    nondet_tol=0.0,
    check_undefined_grad=True,
    check_grad_dtypes=False,
    check_batched_grad=False,
    check_fwd_over_rev=False,
    check_rev_over_rev=True,
    fast_mode=False,
    masked=False,
):
    """Whether the second derivatives of ``func`` agree with differences of its gradients.

    The function checked maps ``inputs`` and ``grad_outputs`` (random ones if None) to the
    gradients of the inputs. It is checked by reverse mode (check_rev_over_rev), by forward mode
    (check_fwd_over_rev) or both. The other arguments are those of `gradcheck`.

    Raises:
        AssertionError: if neither is to be checked, or what needs reverse mode without it.
        GradcheckError: if a check fails.

    Example::

        >>> x = rl.rand(3, dtype=rl.float64, requires_grad=True)
        >>> rl.autograd.gradgradcheck(rl.sin, x)
        True
    """
    by_reverse = {
        "check_undefined_grad": check_undefined_grad,
        "check_batched_grad": check_batched_grad,
    }
    _need("check_fwd_over_rev or check_rev_over_rev", check_fwd_over_rev or check_rev_over_rev)
    _need("check_rev_over_rev", check_rev_over_rev, **by_reverse)
    _refuse_sparse(inputs)
    inputs = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*inputs))
        starts = tuple([_random_like(o, gen_non_contig_grad_outputs) for o in outputs])
    else:
        starts = _as_tuple(grad_outputs)
    return gradcheck(
        _gradients_of(func, inputs, starts),
        inputs + starts,
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_grad_dtypes=check_grad_dtypes,
        check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
        fast_mode=fast_mode,
        masked=masked,
        **by_reverse,
    )


def _need(needed, given, **options):
    """AssertionError unless what is `needed` is given, or no option asks for it."""
    for name, wanted in options.items() or [("gradcheck", True)]:
        if wanted and not given:
            raise AssertionError(f"{name} needs {needed}, which is False")


def _refuse_sparse(inputs):
    if any([isinstance(x, rl.Tensor) and x.layout is not rl.strided for x in _as_tuple(inputs)]):
        raise NotImplementedError(
            "gradcheck: sparse inputs are not supported by itself; call "
            "torch.sparse.as_sparse_gradcheck(torch.autograd.gradcheck)"
        )


# ---- helpers ---------------------------------------------------------------------------------


def _as_tuple(values):
    return (values,) if isinstance(values, rl.Tensor) else tuple(values)


def _requires_grad(value):
    return isinstance(value, rl.Tensor) and value.requires_grad


def _differentiable(outputs):
    return tuple([o for o in _as_tuple(outputs) if _requires_grad(o)])


def _grad(outputs, inputs, starts, create_graph=False):
    return rl.autograd.grad(
        outputs, inputs, starts, retain_graph=True, create_graph=create_graph, allow_unused=True
    )


def _reals(tensor):
    """The real numbers of a tensor, flat; real and imaginary parts alternate."""
    tensor = tensor.detach()
    if tensor.is_complex():
        tensor = rl.view_as_real(tensor.resolve_conj())
    return tensor.reshape(-1)


def _from_reals(flat, like):
    """The inverse of `_reals`: a tensor of the shape and dtype of ``like``."""
    if like.is_complex():
        return rl.view_as_complex(flat.reshape(tuple(like.shape) + (2,)))
    return flat.reshape(like.shape)


def _random_like(tensor, non_contiguous):
    return rl.testing.make_tensor(
        tensor.shape,
        dtype=tensor.dtype,
        device=tensor.device,
        low=-1,
        high=1,
        requires_grad=True,
        noncontiguous=non_contiguous,
    )


class _Case:
    """What is being checked: the function, the inputs that require grad, the tolerances."""

    def __init__(self, func, inputs, eps, atol, rtol, nondet_tol, check_dtypes):
        self.func, self.arguments = func, _as_tuple(inputs)
        self.eps, self.atol, self.rtol = eps, atol, rtol
        self.nondet_tol, self.check_dtypes = nondet_tol, check_dtypes
        self.inputs = [x for x in self.arguments if _requires_grad(x)]
        if not self.inputs:
            raise ValueError(
                "gradcheck expects at least one input tensor to require gradient, but none of "
                "them have requires_grad=True."
            )
        for i, x in enumerate(self.arguments):
            if _requires_grad(x):
                _check_input(i, x)

    def outputs(self):
        return _as_tuple(self.func(*self.arguments))

    def values(self, which):
        """Copies of the chosen outputs as real vectors, since an output may alias an input."""
        outputs = self.outputs()
        return [_reals(outputs[i]).clone() for i in which]


def _check_input(i, x):
    if x.dtype not in (rl.float64, rl.complex128):
        from warnings import warn

        warn(
            f"gradcheck: Input #{i} requires gradient and is not a double precision floating "
            "point or complex. This check will likely fail if all the inputs are not of double "
            "precision floating point or complex.",
            stacklevel=4,
        )
    if any(step == 0 and size > 1 for size, step in zip(x.shape, x.stride())):
        raise RuntimeError(
            f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs that "
            "are non-overlapping to be able to compute the numerical gradients correctly. You "
            "should call .contiguous on the input before passing it to gradcheck."
        )


def _run_checks(case, fast_mode, check_undefined_grad):
    outputs = case.outputs()
    which = [i for i, o in enumerate(outputs) if _requires_grad(o)]
    if not which:
        return _check_constant(case, outputs)
    if fast_mode:
        from .gradcheck_directions import compare_directions

        compare_directions(case, which)
    else:
        _compare_jacobians(case, which)
    _check_zero_grad(case)
    if check_undefined_grad:
        _check_undefined(case)


# ---- Jacobians -------------------------------------------------------------------------------


def _numerical_jacobian(case, x, which):
    """For each output: a matrix (reals of x, reals of output), by changing x in place."""
    coords = rl.view_as_real(x.data) if x.is_complex() else x.data
    rows = []
    for place in _places(coords.shape):
        original = coords[place].item()
        try:
            coords[place] = original + case.eps
            above = case.values(which)
            coords[place] = original - case.eps
            below = case.values(which)
        finally:
            coords[place] = original
        rows.append([(a - b) / (2 * case.eps) for a, b in zip(above, below)])
    if not rows:
        return [v.new_zeros((0, len(v))) for v in case.values(which)]
    return [rl.stack(column) for column in zip(*rows)]


def _places(shape):
    from itertools import product

    return product(*map(range, shape))


def _analytical_jacobians(case, output):
    """For each input: a matrix (reals of input, reals of output), by one backward per column."""
    columns = [[] for _ in case.inputs]
    count = len(_reals(output))
    for k in range(count):
        start = rl.zeros_like(_reals(output))
        start[k] = 1
        grads = _grad((output,), case.inputs, (_from_reals(start, output),))
        for x, grad, column in zip(case.inputs, grads, columns):
            _check_form(case, x, grad)
            column.append(_reals(rl.zeros_like(x) if grad is None else grad))
    return [
        rl.stack(column, 1) if count else _reals(x).new_zeros((len(_reals(x)), 0))
        for x, column in zip(case.inputs, columns)
    ]


def _check_form(case, x, grad):
    if grad is None:
        return
    if grad.shape != x.shape:
        raise GradcheckError(
            f"grad is incorrect size: the gradient has shape {tuple(grad.shape)}, its input "
            f"{tuple(x.shape)}"
        )
    if case.check_dtypes and grad.dtype != x.dtype:
        raise GradcheckError(
            f"grad has dtype {grad.dtype}, its input {x.dtype}; convert it in the backward"
        )


def _compare_jacobians(case, which):
    numerical = [_numerical_jacobian(case, x, which) for x in case.inputs]
    outputs = case.outputs()
    for nth, o in enumerate(which):
        analytical = _analytical_jacobians(case, outputs[o])
        again = _analytical_jacobians(case, outputs[o])
        for i in range(len(case.inputs)):
            _compare(case, o, i, numerical[i][nth], analytical[i])
            _compare_runs(case, analytical[i], again[i])


def _compare(case, o, i, numerical, analytical):
    if rl.allclose(analytical, numerical.to(analytical.dtype), rtol=case.rtol, atol=case.atol):
        return
    raise GradcheckError(
        f"Jacobian mismatch for output {o} with respect to input {i},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


def _compare_runs(case, first, second):
    if first.numel() and (first - second).abs().max().item() > case.nondet_tol:
        raise GradcheckError(
            "Backward is not reentrant: running it twice with the same input and grad_output "
            f"gives values more than nondet_tol={case.nondet_tol} apart.\n"
            f"first:{first}\nsecond:{second}\n"
        )


# ---- further properties ----------------------------------------------------------------------


def _check_constant(case, outputs):
    """No output requires grad: then none may depend on an input."""
    which = [
        i
        for i, o in enumerate(outputs)
        if isinstance(o, rl.Tensor) and (o.is_floating_point() or o.is_complex())
    ]
    for x in case.inputs:
        for jacobian in _numerical_jacobian(case, x, which):
            if jacobian.numel() and jacobian.abs().max().item() > 0:
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _check_zero_grad(case):
    """Backward is linear in the output gradients: zeros in, zeros out."""
    outputs = _differentiable(case.outputs())
    starts = tuple([rl.zeros_like(o) for o in outputs])
    for i, grad in enumerate(_grad(outputs, case.inputs, starts)):
        if not _is_zero(grad):
            raise GradcheckError(
                f"backward not multiplied by grad_output: input {i} has gradient {grad} for "
                "grad_output zero"
            )


def _is_zero(grad):
    return grad is None or not (grad != 0).any().item()


class _Undefined(Function):
    """The identity, through which no gradient comes back."""

    @staticmethod
    def forward(ctx, x):
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad):
        return None


def _check_undefined(case):
    """With gradients missing for all outputs, or for one of them, the rest being zero."""
    count = len(_differentiable(case.outputs()))
    selections = [set(range(count))]
    if count > 1:
        selections += [{i} for i in range(count)]
    for missing in selections:
        outputs = _differentiable(case.outputs())
        starts = tuple([rl.zeros_like(o) for o in outputs])
        ends = [_Undefined.apply(o) if i in missing else o for i, o in enumerate(outputs)]
        _check_undefined_run(ends, case.inputs, starts)


def _check_undefined_run(ends, inputs, starts):
    try:
        grads = _grad(tuple(ends), inputs, starts)
    except RuntimeError as error:
        raise GradcheckError(
            "Expected backward function to handle undefined output grads: treat None as zeros, "
            "or leave ctx.set_materialize_grads at True"
        ) from error
    if not all(map(_is_zero, grads)):
        raise GradcheckError(
            "Expected all input grads to be undefined or zero when all output grads are "
            "undefined or zero"
        )
