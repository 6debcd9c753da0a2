"""Operators on one tensor, elementwise: arithmetic, rounding, functions, activations, dtypes."""

import math

import rushlight as rl

from .._table import random, translates

_SAME_TYPE = {"relu": "Relu", "abs": "Abs", "absolute": "Abs", "neg": "Neg", "negative": "Neg",
              "sign": "Sign"}  # fmt: skip
_ROUNDING = {"floor": "Floor", "ceil": "Ceil"}
_FLOATING = {
    "sigmoid": "Sigmoid", "tanh": "Tanh", "exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin",
    "cos": "Cos", "tan": "Tan", "asin": "Asin", "acos": "Acos", "atan": "Atan", "sinh": "Sinh",
    "cosh": "Cosh", "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf",
    "reciprocal": "Reciprocal", "softsign": "Softsign",
}  # fmt: skip
_IDENTITIES = ("contiguous", "clone", "detach", "alias", "cpu", "conj", "resolve_conj",
               "resolve_neg", "positive", "requires_grad_", "lift_fresh", "dense_copy")  # fmt: skip
_CASTS = {"float": rl.float32, "double": rl.float64, "half": rl.float16, "bfloat16": rl.bfloat16,
          "long": rl.int64, "int": rl.int32, "short": rl.int16, "char": rl.int8, "byte": rl.uint8,
          "bool": rl.bool}  # fmt: skip


def _simple(name, kind):
    @translates(name)
    def _(g, self, inplace=False):
        return g.op(kind, self)


def _rounded(name, kind):
    @translates(name)
    def _(g, self):
        return g.op(kind, self) if self.is_floating_point() else g.value(self)


def _function(name, kind):
    @translates(name, "special." + name)
    def _(g, self):
        return g.op(kind, g.floating(self))


def _cast(name, dtype):
    @translates(name)
    def _(g, self, memory_format=None):
        return g.value(self, dtype)


for _table, _make in ((_SAME_TYPE, _simple), (_ROUNDING, _rounded), (_FLOATING, _function),
                      (_CASTS, _cast)):  # fmt: skip
    for _name, _kind in _table.items():
        _make(_name, _kind)


@translates(*_IDENTITIES)
def _(g, self, *args, **kwargs):
    return g.value(self)


@translates("to", "type", "convert")
def _(g, self, *args, **kwargs):
    given = [*args, *kwargs.values()]
    dtypes = [x.dtype if isinstance(x, rl.Tensor) else x for x in given]
    dtypes = [getattr(rl, x.rpartition(".")[2], x) if isinstance(x, str) else x for x in dtypes]
    dtypes = [getattr(x, "dtype", x) for x in dtypes]  # torch.FloatTensor
    found = [x for x in dtypes if isinstance(x, rl.dtype)]
    return g.value(self, found[0] if found else None)


@translates("type_as")
def _(g, self, other):
    return g.value(self, other.dtype)


@translates("round")
def _(g, self, decimals=0):
    if decimals:
        factor = g.constant(10.0**decimals, self.dtype)
        return g.op("Div", g.op("Round", g.op("Mul", self, factor)), factor)
    return g.op("Round", self) if self.is_floating_point() else g.value(self)


@translates("trunc", "fix")
def _(g, self):
    if not self.is_floating_point():
        return g.value(self)
    return g.op("Mul", g.op("Sign", self), g.op("Floor", g.op("Abs", self)))


@translates("frac")
def _(g, self):
    whole = g.op("Mul", g.op("Sign", self), g.op("Floor", g.op("Abs", self)))
    return g.op("Sub", self, whole)


@translates("signbit")
def _(g, self):
    return g.op("Less", self, g.constant(0, self.dtype))


@translates("square")
def _(g, self):
    return g.op("Mul", self, self)


@translates("rsqrt")
def _(g, self):
    return g.op("Reciprocal", g.op("Sqrt", g.floating(self)))


def _scaled_function(name, kind, before=1.0, after=1.0, shift=0.0, shift_after=0.0):
    """``kind(before * x + shift) * after + shift_after``."""

    @translates(name, "special." + name)
    def _(g, self):
        y = _affine(g, self, g.floating(self), before, shift)
        return _affine(g, self, g.op(kind, y), after, shift_after)


def _affine(g, self, x, factor, shift):
    x = x if factor == 1 else g.op("Mul", x, number_of(g, self, factor))
    return x if shift == 0 else g.op("Add", x, number_of(g, self, shift))


def number_of(g, self, number):
    """A number in the dtype that `floating` gives a tensor."""
    dtype = self.dtype if self.is_floating_point() else rl.get_default_dtype()
    return g.constant(number, dtype)


for _arguments in (
    ("exp2", "Exp", math.log(2)),
    ("expm1", "Exp", 1.0, 1.0, 0.0, -1.0),
    ("log1p", "Log", 1.0, 1.0, 1.0),
    ("log2", "Log", 1.0, 1 / math.log(2)),
    ("log10", "Log", 1.0, 1 / math.log(10)),
    ("rad2deg", "Identity", 180 / math.pi),
    ("deg2rad", "Identity", math.pi / 180),
):
    _scaled_function(*_arguments)


@translates("erfc", "special.erfc")
def _(g, self):
    return g.op("Sub", number_of(g, self, 1.0), g.op("Erf", g.floating(self)))


@translates("isnan")
def _(g, self):
    return g.op("IsNaN", g.floating(self))


@translates("isinf")
def _(g, self):
    return g.op("IsInf", g.floating(self))


@translates("isfinite")
def _(g, self):
    x = g.floating(self)
    return g.op("Not", g.op("Or", g.op("IsNaN", x), g.op("IsInf", x)))


@translates("logical_not")
def _(g, self):
    return g.op("Not", g.value(self, rl.bool))


@translates("bitwise_not", "__invert__")
def _(g, self):
    if self.dtype is rl.bool:
        return g.op("Not", self)
    if g.opset < 18:
        raise g.unsupported("bitwise_not", since=18)
    return g.op("BitwiseNot", self)


# ---- activations -------------------------------------------------------------------------------


@translates("gelu")
def _(g, self, approximate="none"):
    if g.opset >= 20:
        return g.op("Gelu", self, approximate=approximate)
    c = lambda v: number_of(g, self, v)  # noqa: E731
    if approximate == "tanh":
        cube = g.op("Mul", self, g.op("Mul", self, self))
        inner = g.op("Add", self, g.op("Mul", cube, c(0.044715)))
        gate = g.op("Tanh", g.op("Mul", inner, c(math.sqrt(2 / math.pi))))
    else:
        gate = g.op("Erf", g.op("Mul", self, c(1 / math.sqrt(2))))
    return g.op("Mul", g.op("Mul", self, c(0.5)), g.op("Add", gate, c(1.0)))


@translates("silu")
def _(g, self, inplace=False):
    return g.op("Mul", self, g.op("Sigmoid", self))


@translates("mish")
def _(g, self, inplace=False):
    return g.op("Mul", self, g.op("Tanh", g.op("Softplus", self)))


@translates("softplus")
def _(g, self, beta=1, threshold=20):
    c = lambda v: number_of(g, self, float(v))  # noqa: E731
    scaled = self if beta == 1 else g.op("Mul", self, c(beta))
    soft = g.op("Softplus", scaled)
    soft = soft if beta == 1 else g.op("Div", soft, c(beta))
    return g.op("Where", g.op("Greater", scaled, c(threshold)), self, soft)


@translates("logsigmoid", "log_sigmoid")
def _(g, self):
    return g.op("Neg", g.op("Softplus", g.op("Neg", self)))


@translates("leaky_relu")
def _(g, self, negative_slope=0.01, inplace=False):
    return g.op("LeakyRelu", self, alpha=float(negative_slope))


@translates("elu")
def _(g, self, alpha=1.0, inplace=False):
    return g.op("Elu", self, alpha=float(alpha))


@translates("celu")
def _(g, self, alpha=1.0, inplace=False):
    return g.op("Celu", self, alpha=float(alpha))


@translates("selu")
def _(g, self, inplace=False):
    return g.op("Selu", self, alpha=1.6732632423543772, gamma=1.0507009873554805)


@translates("hardtanh")
def _(g, self, min_val=-1.0, max_val=1.0, inplace=False):
    bounds = [number_of(g, self, float(bound)) for bound in (min_val, max_val)]
    return g.op("Clip", self, *bounds)


@translates("relu6")
def _(g, self, inplace=False):
    return g.op("Clip", self, number_of(g, self, 0.0), number_of(g, self, 6.0))


@random("rrelu")
def _(g, self, lower=0.125, upper=1 / 3, training=False, inplace=False):
    if training:
        raise g.unsupported("rrelu", "in training mode: call eval() on the model")
    return g.op("LeakyRelu", self, alpha=(lower + upper) / 2)


@translates("hardsigmoid")
def _(g, self, inplace=False):
    return g.op("HardSigmoid", self, alpha=1 / 6, beta=0.5)


@translates("hardswish")
def _(g, self, inplace=False):
    return g.op("HardSwish", self)


@translates("hardshrink")
def _(g, self, lambd=0.5):
    inside = g.op("LessOrEqual", g.op("Abs", self), number_of(g, self, float(lambd)))
    return g.op("Where", inside, number_of(g, self, 0.0), self)


@translates("softshrink")
def _(g, self, lambd=0.5):
    return g.op("Shrink", self, lambd=float(lambd), bias=float(lambd))


@translates("threshold")
def _(g, self, threshold, value, inplace=False):
    above = g.op("Greater", self, g.constant(threshold, self.dtype))
    return g.op("Where", above, self, g.constant(value, self.dtype))


@translates("prelu")
def _(g, self, weight):
    if weight.numel() > 1 and self.dim() > 2:
        weight = g.op("Reshape", weight, g.ints([-1] + [1] * (self.dim() - 2)))
    return g.op("PRelu", self, weight)


def _softmax_of(kind):
    def translate(g, self, dim=None, _stacklevel=3, dtype=None):
        if isinstance(_stacklevel, rl.dtype):  # torch.softmax(x, dim, dtype)
            dtype = _stacklevel
        x = g.value(self, dtype) if dtype is not None else g.floating(self)
        if dim is None:
            dim = 0 if self.dim() in (0, 1, 3) else 1
        return g.op(kind, x, axis=dim)

    return translate


translates("softmax", "_softmax", "special.softmax")(_softmax_of("Softmax"))
translates("log_softmax", "_log_softmax", "special.log_softmax")(_softmax_of("LogSoftmax"))
