"""What the records of elementwise ops share: recording one-argument functions, and the conjugates
that gradients of complex numbers need. The records themselves are in the families' modules.
"""

import rushlight as rl
from rushlight.ops._record import op, pointwise, to_float


def unary(name, doc, rule, dtype=to_float, **more):
    """Records ``name(self)``; the doc's formula is all that differs between these."""

    def body(self): ...

    body.__doc__ = doc
    made = op(f"{name}(Tensor self) -> Tensor", kind=pointwise, dtype=dtype, **more)(body)
    if rule is not None:
        made.vjp(self=rule)
    return made


def conjugate(x):
    """The conjugate of a tensor, which if real is not touched."""
    return x.conj() if x.is_complex() else x


def conj_any(x):
    """`conjugate` of a tensor or a Python number."""
    if isinstance(x, rl.Tensor):
        return conjugate(x)
    return x.conjugate() if isinstance(x, complex) else x


def fused_slope(name, doc, formula):
    """A rule ``(g, result)``: the formula, or its functor where no graph is being recorded."""

    def body(grad, output): ...

    body.__doc__ = doc
    fused = op(
        f"{name}(Tensor grad, Tensor output) -> Tensor",
        kind=pointwise,
        at=("internal",),
        differentiable=False,
        inplace=False,
    )(body)

    def rule(g, result):
        if rl.is_grad_enabled() or result.is_complex():
            return formula(g, result)
        return fused(g, result)

    return rule
