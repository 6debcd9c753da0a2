"""softmax and its relatives along one dimension.

The kernels are in csrc/kernels/softmax.cpp; losses built on them are in ops/loss.py.
"""

import rushlight as rl
from rushlight.ops._decisions import unset
from rushlight.ops._record import op


@op("_softmax(Tensor input, int dim) -> Tensor", at=("internal",), grad_name="SoftmaxBackward0")
def _softmax(input, dim):
    """softmax of a floating tensor."""
    ...


_softmax.vjp(input=lambda g, result, dim: _softmax_backward(g, result, dim))


@op(
    "_softmax_backward(Tensor grad, Tensor output, int dim) -> Tensor",
    at=("internal",),
    grad_name="SoftmaxBackwardDataBackward0",
)
def _softmax_backward(grad, output, dim):
    """The gradient of softmax in one pass, from its result."""
    ...


def _softmax_backward_output(g, grad, output, dim):
    products = [(x * output).sum(dim, keepdim=True) for x in (grad, g)]
    return g * grad - g * products[0] - grad * products[1]


_softmax_backward.vjp(
    grad=lambda g, output, dim: _softmax_backward(g, output, dim), output=_softmax_backward_output
)


@op(
    "_log_softmax(Tensor input, int dim) -> Tensor",
    at=("internal",),
    grad_name="LogSoftmaxBackward0",
)
def _log_softmax(input, dim):
    """log(softmax) of a floating tensor."""
    ...


_log_softmax.vjp(input=lambda g, result, dim: _log_softmax_backward(g, result, dim))


@op(
    "_log_softmax_backward(Tensor grad, Tensor output, int dim) -> Tensor",
    at=("internal",),
    grad_name="LogSoftmaxBackwardDataBackward0",
)
def _log_softmax_backward(grad, output, dim):
    """The gradient of log_softmax in one pass, from its result."""
    ...


_log_softmax_backward.vjp(
    grad=lambda g, output, dim: g - (output.exp() * g).sum(dim, keepdim=True),
    output=lambda g, grad, output, dim: -grad.sum(dim, keepdim=True) * output.exp() * g,
)


def _complex_softmax(x, dim):
    e = (x - x.real.amax(dim, keepdim=True)).exp()
    return e / e.sum(dim, keepdim=True)


def _apply(function, input, dim, dtype):
    if dtype is not None and dtype != input.dtype:
        input = input.to(dtype)
    if input.is_complex():
        y = _complex_softmax(input, dim)
        return y if function is _softmax else y.log()
    return function(input, dim)


def _default_dim(name, dim, ndim):
    """The dimension that old programs rely on when they give none."""
    if dim is None:
        import warnings

        warnings.warn(
            f"Implicit dimension choice for {name} has been deprecated. Change the call to include "
            "dim=X as an argument.",
            stacklevel=4,
        )
        return 0 if ndim in (0, 1, 3) else 1
    return dim


@op(
    "softmax(Tensor input, int dim, dtype? dtype=None, *, Tensor? out=None) -> Tensor",
    at=("torch", "Tensor", "special"),
    out="exact",
)
def softmax(input, dim, dtype):
    """exp(x) / sum(exp(x)) along `dim`, computed without overflow. Integers need `dtype`.

    Example::

        >>> rl.softmax(rl.zeros(4), 0).tolist()
        [0.25, 0.25, 0.25, 0.25]
    """
    return _apply(_softmax, input, dim, dtype)


@softmax.samples
def _(make):
    yield make(3, 4), 0
    yield make(2, 3, 4), 1
    yield make(2, 0), 1


@op(
    "log_softmax(Tensor input, int dim, dtype? dtype=None, *, Tensor? out=None) -> Tensor",
    at=("torch", "Tensor", "special"),
    out="exact",
)
def log_softmax(input, dim, dtype):
    """log(softmax(x)) along `dim`, more exact than the two in turn. Integers need `dtype`.

    Example::

        >>> rl.log_softmax(rl.zeros(1, 1), 1).item()
        0.0
    """
    return _apply(_log_softmax, input, dim, dtype)


@op(
    "softmax.nn(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor",
    at=("nn.functional",),
)
def _nn_softmax(input, dim, _stacklevel, dtype):
    """exp(x) / sum(exp(x)) along `dim`; see `rushlight.softmax`.

    Example::

        >>> rl.nn.functional.softmax(rl.zeros(2), dim=0).tolist()
        [0.5, 0.5]
    """
    return _apply(_softmax, input, _default_dim("softmax", dim, input.dim()), dtype)


@op(
    "log_softmax.nn(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor",
    at=("nn.functional",),
)
def _nn_log_softmax(input, dim, _stacklevel, dtype):
    """log(softmax(x)) along `dim`; see `rushlight.log_softmax`.

    Example::

        >>> rl.nn.functional.log_softmax(rl.zeros(1), dim=0).item()
        0.0
    """
    return _apply(_log_softmax, input, _default_dim("log_softmax", dim, input.dim()), dtype)


@op(
    "softmin(Tensor input, int? dim=None, int _stacklevel=3, dtype? dtype=None) -> Tensor",
    at=("nn.functional",),
)
def softmin(input, dim, _stacklevel, dtype):
    """softmax(-x) along `dim`.

    Example::

        >>> rl.nn.functional.softmin(rl.zeros(2), dim=0).tolist()
        [0.5, 0.5]
    """
    dim = _default_dim("softmin", dim, input.dim())
    return _apply(_softmax, -input, dim, dtype)


@op(
    "gumbel_softmax(Tensor logits, float tau=1, bool hard=False, float eps=1e-10, "
    "int dim=-1) -> Tensor",
    at=("nn.functional",),
)
def gumbel_softmax(logits, tau, hard, eps, dim):
    """Samples from the Gumbel-Softmax distribution (Jang et al. 2017, Maddison et al. 2017).

    With `hard`, the result is one-hot and its gradient that of the soft sample.

    Example::

        >>> rl.nn.functional.gumbel_softmax(rl.zeros(5, 3), hard=True).sum().item()
        5.0
    """
    noise = -unset(logits.shape, logits.dtype, logits.device).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    one_hot = rl.zeros_like(logits).scatter_(dim, index, 1.0)
    return one_hot - soft.detach() + soft
