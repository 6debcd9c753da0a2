"""``torch._foreach_add`` and its kin: an op on each tensor of a list.

Private names in PyTorch, but optimizers and averages outside of it are written with them. An op
here is the method of Tensor of that name, called once for each tensor. To add one: its name in
`_UNARY`, `_BINARY` or `_TERNARY`.
"""

import rushlight as rl

_PREFIX = "_foreach_"
_UNARY = """abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10
    log1p log2 neg reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc max""".split()
_BINARY = {
    **{name: name for name in "add sub mul div pow clamp_min clamp_max mm".split()},
    "maximum": "clamp_min",  # these take a number too
    "minimum": "clamp_max",
}
_TERNARY = ["addcmul", "addcdiv"]
_SECOND = {"pow": ("exponent",), "mm": ("mat2",)}  # how the second argument is named
_ANY_SECOND = ("other", "scalar", "scalars")
_NO_IN_PLACE = {"clone", "max", "mm"}


def _tensors(name, values):
    if not isinstance(values, (list, tuple)):
        raise TypeError(
            f"{name}(): argument 'self' must be a list of Tensors, not {type(values).__name__}"
        )
    if not values:
        raise RuntimeError(f"{name}: the list must have at least one tensor")
    for x in values:
        if not isinstance(x, rl.Tensor):
            raise TypeError(f"{name}(): expected a list of Tensors, got {type(x).__name__} in it")
    return values


def _for_each(name, value, count):
    """An argument for each of `count` tensors: the items of a list, or one for all."""
    if isinstance(value, (list, tuple)):
        if len(value) != count:
            raise RuntimeError(f"{name}: lists must be of one length, got {count} and {len(value)}")
        return value
    if isinstance(value, rl.Tensor) and value.dim():
        raise RuntimeError(
            f"{name}: a tensor for all must have 0 dimensions, got shape {tuple(value.shape)}"
        )
    return [value] * count


def _unary(name, method):
    def function(self, **options):
        if options and method != "clone":
            raise TypeError(f"{name}(): unexpected arguments: {', '.join(options)}")
        return [getattr(x, method)(**options) for x in _tensors(name, self)]

    return function


def _binary(name, method):
    def function(self, other, /, *, alpha=None):
        if method == "pow_" or not isinstance(self, (int, float, complex, rl.Tensor)):
            self = _tensors(name, self)
        elif method == "pow":  # a number to the power of each
            return [rl.pow(self, x) for x in _tensors(name, other)]
        if alpha is not None and not _is("other", other):
            raise TypeError(f"{name}(): alpha is for tensors, not for numbers")
        others, scale = _for_each(name, other, len(self)), {} if alpha is None else {"alpha": alpha}
        return [getattr(x, method)(y, **scale) for x, y in zip(self, others)]

    return _second_named(function, _SECOND.get(method.removesuffix("_"), _ANY_SECOND))


def _second_named(function, names):
    """The function with its second argument under any of the names that overloads have for it."""

    def call(self, *args, **kwargs):
        named = [kwargs.pop(name) for name in names if name in kwargs and _is(name, kwargs[name])]
        return function(self, *args, *named, **kwargs)

    return call


def _is(name, value):
    """Is a named second argument what its overload takes?"""
    several = isinstance(value, (list, tuple))
    of_tensors = isinstance(value[0] if several and value else value, rl.Tensor)
    return {
        "other": several and not value or of_tensors,
        "scalar": not several,
        "scalars": several and not of_tensors,
    }.get(name, True)


def _packed(name, scalars, count):
    """Numbers for `count` tensors: a list, or a tensor of one dimension."""
    if isinstance(scalars, rl.Tensor):
        if scalars.dim() != 1:
            raise RuntimeError(f"{name}: a tensor of scalars must have 1 dimension")
        scalars = scalars.tolist()
    return _for_each(name, list(scalars), count)


def _ternary(name, method):
    def function(self, tensor1, tensor2, value=1, *, scalars=None):
        count = len(_tensors(name, self))
        if isinstance(value, rl.Tensor) and value.dim() or scalars is not None:
            value = _packed(name, value if scalars is None else scalars, count)
        given = [_for_each(name, _tensors(name, v), count) for v in (tensor1, tensor2)]
        given.append(_for_each(name, value, count))
        return [getattr(x, method)(a, b, value=v) for x, a, b, v in zip(self, *given)]

    return function


def _lerp(name, method):
    def function(self, tensors1, weight=None, *, weights=None):
        if (weight is None) == (weights is None):
            raise TypeError(f"{name}(): expected weight or weights")
        count = len(_tensors(name, self))
        ends = _for_each(name, _tensors(name, tensors1), count)
        share = _for_each(name, weight if weights is None else weights, count)
        return [getattr(x, method)(a, w) for x, a, w in zip(self, ends, share)]

    return function


def _changed(function):
    """What changes its list gives that list; what does not gives a tuple."""

    def in_place(self, *args, **kwargs):
        function(self, *args, **kwargs)
        return self

    return in_place


def _made(function):
    return lambda *args, **kwargs: tuple(function(*args, **kwargs))


def _foreach_norm(self, ord=2, dtype=None):
    """The norm of each tensor."""
    return tuple(
        rl.linalg.vector_norm(x, ord, dtype=dtype) for x in _tensors("_foreach_norm", self)
    )


def _foreach_powsum(self, ord=2, dtype=None):
    """The sum of the powers of each tensor's magnitudes."""
    return tuple(x.abs().pow(ord).sum(dtype=dtype) for x in _tensors("_foreach_powsum", self))


def _foreach_copy_(self, src, non_blocking=False):
    """Copies each tensor of another list."""
    count = len(_tensors("_foreach_copy_", self))
    for x, y in zip(self, _for_each("_foreach_copy_", _tensors("_foreach_copy_", src), count)):
        x.copy_(y, non_blocking)
    return self


def _foreach_zero_(self):
    """Zeros each tensor."""
    for x in _tensors("_foreach_zero_", self):
        x.zero_()
    return self


def _build():
    kinds = [
        (_unary, {name: name for name in _UNARY}),
        (_binary, _BINARY),
        (_ternary, {name: name for name in _TERNARY}),
        (_lerp, {"lerp": "lerp"}),
    ]
    for kind, ops in kinds:
        for name, method in ops.items():
            full = _PREFIX + name
            globals()[full] = _named(full, _made(kind(full, method)))
            if name not in _NO_IN_PLACE:
                globals()[full + "_"] = _named(full + "_", _changed(kind(full + "_", method + "_")))


def _named(name, function):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"`Tensor.{name.removeprefix(_PREFIX)}` of each tensor of a list."
    return function


_build()
