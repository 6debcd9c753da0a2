"""Activation functions as layers: they hold the arguments, `nn.functional` computes.

`MultiheadAttention` is in `_attention.py` and listed here as well. To add one: subclass `Module`,
or `_InPlace` if `inplace` is its only argument.
"""

import rushlight as rl

from .. import functional as F
from .. import init
from ..parameter import Parameter
from ._attention import MultiheadAttention
from .module import Module

__all__ = [
    "Threshold",
    "ReLU",
    "RReLU",
    "Hardtanh",
    "ReLU6",
    "Sigmoid",
    "Hardsigmoid",
    "Tanh",
    "SiLU",
    "Mish",
    "Hardswish",
    "ELU",
    "CELU",
    "SELU",
    "GLU",
    "GELU",
    "Hardshrink",
    "LeakyReLU",
    "LogSigmoid",
    "Softplus",
    "Softshrink",
    "MultiheadAttention",
    "PReLU",
    "Softsign",
    "Tanhshrink",
    "Softmin",
    "Softmax",
    "Softmax2d",
    "LogSoftmax",
]


def _shown(text, inplace):
    if not inplace:
        return text
    return f"{text}, inplace=True" if text else "inplace=True"


class _InPlace(Module):
    """An activation whose only argument is `inplace`."""

    __constants__ = ["inplace"]

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def extra_repr(self):
        return _shown("", self.inplace)


class Threshold(Module):
    """`x` where `x > threshold`, else `value`."""

    __constants__ = ["threshold", "value", "inplace"]

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input):
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self):
        return _shown(f"threshold={self.threshold}, value={self.value}", self.inplace)


class ReLU(_InPlace):
    """`max(x, 0)`.

    Example::

        >>> import rushlight as rl
        >>> rl.nn.ReLU()(rl.tensor([-1., 2.]))
        tensor([0., 2.])
    """

    def forward(self, input):
        return F.relu(input, inplace=self.inplace)


class RReLU(Module):
    """`x` where positive, else `a * x`, a random in [lower, upper] in training (Xu 2015)."""

    __constants__ = ["lower", "upper", "inplace"]

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self):
        return _shown(f"lower={self.lower}, upper={self.upper}", self.inplace)


class Hardtanh(Module):
    """`x` clamped to [min_val, max_val]."""

    __constants__ = ["min_val", "max_val", "inplace"]

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        min_val = _renamed("min_value", min_value, "min_val", min_val)
        max_val = _renamed("max_value", max_value, "max_val", max_val)
        if not max_val > min_val:
            raise AssertionError(
                f"Hardtanh: max_val must exceed min_val, got min_val={min_val}, max_val={max_val}"
            )
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input):
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self):
        return _shown(f"min_val={self.min_val}, max_val={self.max_val}", self.inplace)


def _renamed(old_name, old, new_name, new):
    if old is None:
        return new
    import warnings

    warnings.warn(
        f"keyword argument `{old_name}` is deprecated and rename to `{new_name}`",
        FutureWarning,
        stacklevel=3,
    )
    return old


class ReLU6(Hardtanh):
    """`min(max(x, 0), 6)` (Howard et al. 2017)."""

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self):
        return _shown("", self.inplace)


class Sigmoid(Module):
    """`1 / (1 + exp(-x))`."""

    def forward(self, input):
        return rl.sigmoid(input)


class Hardsigmoid(_InPlace):
    """`min(max(x + 3, 0), 6) / 6`."""

    def forward(self, input):
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self):
        return ""


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, input):
        return rl.tanh(input)


class SiLU(_InPlace):
    """`x * sigmoid(x)` (Elfwing et al. 2017)."""

    def forward(self, input):
        return F.silu(input, inplace=self.inplace)


class Mish(_InPlace):
    """`x * tanh(softplus(x))` (Misra 2019)."""

    def forward(self, input):
        return F.mish(input, inplace=self.inplace)


class Hardswish(_InPlace):
    """`x * min(max(x + 3, 0), 6) / 6` (Howard et al. 2019)."""

    def forward(self, input):
        return F.hardswish(input, self.inplace)

    def extra_repr(self):
        return ""


class ELU(Module):
    """`x` where positive, else `alpha * (exp(x) - 1)` (Clevert et al. 2015)."""

    __constants__ = ["alpha", "inplace"]

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self):
        return _shown(f"alpha={self.alpha}", self.inplace)


class CELU(ELU):
    """`max(0, x) + min(0, alpha * (exp(x / alpha) - 1))` (Barron 2017)."""

    def forward(self, input):
        return F.celu(input, self.alpha, self.inplace)


class SELU(_InPlace):
    """A scaled `ELU` that drives values to mean 0, variance 1 (Klambauer et al. 2017)."""

    def forward(self, input):
        return F.selu(input, self.inplace)


class GLU(Module):
    """`a * sigmoid(b)` for the two halves a, b along `dim` (Dauphin et al. 2016)."""

    __constants__ = ["dim"]

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        return F.glu(input, self.dim)

    def extra_repr(self):
        return f"dim={self.dim}"


class GELU(Module):
    """`x * Φ(x)`, Φ the normal distribution function; `approximate` 'none' or 'tanh'
    (Hendrycks & Gimpel 2016)."""

    __constants__ = ["approximate"]

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        return f"approximate={self.approximate!r}"


class _Shrink(Module):
    __constants__ = ["lambd"]

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def extra_repr(self):
        return f"{self.lambd}"


class Hardshrink(_Shrink):
    """`x` where `|x| > lambd`, else 0."""

    def forward(self, input):
        return F.hardshrink(input, self.lambd)


class Softshrink(_Shrink):
    """`x` moved towards 0 by `lambd`, and 0 within it."""

    def forward(self, input):
        return F.softshrink(input, self.lambd)


class LeakyReLU(Module):
    """`x` where positive, else `negative_slope * x`."""

    __constants__ = ["inplace", "negative_slope"]

    def __init__(self, negative_slope=1e-2, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self):
        return _shown(f"negative_slope={self.negative_slope}", self.inplace)


class LogSigmoid(Module):
    """`log(sigmoid(x))`, without underflow."""

    def forward(self, input):
        return F.logsigmoid(input)


class Softplus(Module):
    """`log(1 + exp(beta * x)) / beta`; the identity where `beta * x > threshold`."""

    __constants__ = ["beta", "threshold"]

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self):
        return f"beta={self.beta}, threshold={self.threshold}"


class PReLU(Module):
    """`x` where positive, else `weight * x` with a learned weight (He et al. 2015).

    Args:
        num_parameters: 1, or the number of channels (dimension 1).
        init: the weight's initial value.
    """

    __constants__ = ["num_parameters"]

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(rl.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self):
        """Set the weight to `init`."""
        init.constant_(self.weight, self.init)

    def forward(self, input):
        return F.prelu(input, self.weight)

    def extra_repr(self):
        return f"num_parameters={self.num_parameters}"


class Softsign(Module):
    """`x / (1 + |x|)`."""

    def forward(self, input):
        return F.softsign(input)


class Tanhshrink(Module):
    """`x - tanh(x)`."""

    def forward(self, input):
        return F.tanhshrink(input)


class _AlongDim(Module):
    __constants__ = ["dim"]
    _function = None

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        return self._function(input, self.dim, _stacklevel=5)

    def extra_repr(self):
        return f"dim={self.dim}"


class Softmin(_AlongDim):
    """`softmax(-x)` along `dim`."""

    _function = staticmethod(F.softmin)


class Softmax(_AlongDim):
    """`exp(x) / sum(exp(x))` along `dim`.

    Example::

        >>> import rushlight as rl
        >>> rl.nn.Softmax(dim=0)(rl.zeros(2))
        tensor([0.5000, 0.5000])
    """

    _function = staticmethod(F.softmax)


class Softmax2d(Module):
    """`softmax` over the channels of `(N, C, H, W)` or `(C, H, W)`."""

    def forward(self, input):
        if input.dim() not in (3, 4):
            raise ValueError(
                f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead"
            )
        return F.softmax(input, -3, _stacklevel=5)


class LogSoftmax(_AlongDim):
    """`log(softmax(x))` along `dim`, without underflow."""

    _function = staticmethod(F.log_softmax)
