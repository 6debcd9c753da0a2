"""`MaskedTensor`: a tensor and a mask of which of its elements count.

It is a class with ``__torch_dispatch__``: what an op makes of the mask depends on what sort of op
it is (`_SORTS`). Reductions are those of the `masked` namespace. To let another op through, put its
name into one of the sets below.
"""

import warnings

import rushlight as rl
from rushlight._interpose import DisableTorchFunctionSubclass
from rushlight.ops._record import namespaces, records
from rushlight.utils._pytree import tree_map

__all__ = ["MaskedTensor", "as_masked_tensor", "is_masked_tensor", "masked_tensor"]

_DTYPES = (rl.float16, rl.float32, rl.float64, rl.bool, rl.int8, rl.int16, rl.int32, rl.int64)

_UNARY = set(
    """abs absolute acos arccos acosh arccosh angle asin arcsin asinh arcsinh atan arctan atanh
    arctanh bitwise_not ceil clamp clip conj_physical cos cosh deg2rad digamma erf erfc erfinv exp
    exp2 expm1 fix floor frac lgamma log log10 log1p log2 logit i0 isnan nan_to_num neg negative
    positive pow rad2deg reciprocal round rsqrt sigmoid sign sgn signbit sin sinc sinh sqrt square
    tan tanh trunc rsub""".split()
)
_BINARY = set(
    """add atan2 arctan2 bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift
    div divide floor_divide fmod logaddexp logaddexp2 mul multiply nextafter remainder sub subtract
    true_divide eq ne le ge greater greater_equal gt less_equal lt less maximum minimum fmax fmin
    not_equal""".split()
)
_ON_BOTH = set(
    """select transpose split t slice index expand view _unsafe_view cat unsqueeze squeeze unfold
    stack permute alias unbind split_with_sizes restride""".split()
)
_ON_DATA = {"detach", "clone", "ones_like", "zeros_like"}
_REDUCTIONS = "sum mean amin amax argmin argmax prod all norm var std".split()


def is_masked_tensor(obj, /):
    """Is it a `MaskedTensor`?"""
    return isinstance(obj, MaskedTensor)


def masked_tensor(data, mask, requires_grad=False):
    """A tensor whose elements count where the mask is True; a leaf of the graph.

    Args:
        data, mask: tensors of one shape, the mask of dtype bool; both are copied.
        requires_grad: does the graph begin here?

    Example::

        >>> import warnings; warnings.simplefilter("ignore")
        >>> x = rl.masked.masked_tensor(rl.tensor([1., 2.]), rl.tensor([True, False]))
        >>> x.sum()
        MaskedTensor(  1.0000, True)
    """
    return MaskedTensor(data, mask, requires_grad)


def as_masked_tensor(data, mask):
    """The same, as a result that can be differentiated with respect to `data`."""
    return _AsMasked.apply(data, mask)


def _copied(data, mask, requires_grad=False):
    """A masked tensor of new memory, without a word on what it is."""
    made = rl.Tensor._make_wrapper_subclass(
        MaskedTensor,
        data.shape,
        strides=data.stride(),
        dtype=data.dtype,
        device=data.device,
        requires_grad=requires_grad,
    )
    made._masked_data, made._masked_mask = data.detach().clone(), mask.clone()
    return made


def _check(data, mask):
    for name, value in (("data", data), ("mask", mask)):
        if is_masked_tensor(value) or not isinstance(value, rl.Tensor):
            raise TypeError(f"{name} must be a Tensor")
    if data.layout != mask.layout:
        raise TypeError("data and mask must have the same layout.")
    if data.layout != rl.strided:
        raise NotImplementedError(f"MaskedTensor: data of layout {data.layout} is not supported")
    if mask.dtype != rl.bool:
        raise TypeError("mask must have dtype bool.")
    if data.dtype not in _DTYPES:
        raise TypeError(f"{data.dtype} is not supported in MaskedTensor.")
    if data.dim() != mask.dim():
        raise ValueError("data.dim() must equal mask.dim()")
    if data.size() != mask.size():
        raise ValueError("data.size() must equal mask.size()")


class MaskedTensor(rl.Tensor):
    """A tensor and a mask; see `masked_tensor`. Ops on two of them expect equal masks."""

    @staticmethod
    def __new__(cls, data, mask, requires_grad=False):
        _check(data, mask)
        warnings.warn(
            "The PyTorch API of MaskedTensors is in prototype stage: what they do may change",
            UserWarning,
            stacklevel=2,
        )
        if data.requires_grad:
            warnings.warn(
                "no gradient reaches the data that a MaskedTensor is made of here; give it "
                "data.detach(), or use as_masked_tensor()",
                UserWarning,
                stacklevel=2,
            )
        return _copied(data, mask, requires_grad)

    def __repr__(self):
        data, mask = self._masked_data, self._masked_mask
        if self.dim() == 0:
            return f"MaskedTensor({_element(data) if mask.item() else '--'}, {mask.item()})"
        lines = "\n".join("  " + line for line in _rows(data, mask).split("\n"))
        return f"MaskedTensor(\n{lines}\n)"

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        reduction = _reductions().get(func)
        if reduction is not None:
            return _reduced(reduction, *args, **kwargs)
        if func in _masked_functions():
            return _with_own_mask(func, *args, **kwargs)
        if func in (rl.where, rl.Tensor.where):
            return _chosen(*args) if func is rl.where else _chosen(args[1], args[0], args[2])
        if not all(issubclass(cls, kind) for kind in types):
            return NotImplemented
        with DisableTorchFunctionSubclass():
            return func(*args, **kwargs)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        rule = _rule(func)
        if rule is not None:
            return rule(func, *args, **(kwargs or {}))
        warnings.warn(
            f"{func.overloadpacket.__name__} is not implemented in __torch_dispatch__ for "
            "MaskedTensor.",
            stacklevel=2,
        )
        return NotImplemented

    def to_tensor(self, value):
        """The data, with a value where the mask is False."""
        return self.get_data().masked_fill(~self._masked_mask, value)

    def get_data(self):
        """The data, also where the mask is False."""
        return _Data.apply(self)

    def get_mask(self):
        """The mask."""
        return self._masked_mask

    def is_sparse_coo(self):
        """False: the data are strided."""
        return False

    is_sparse_csr = is_sparse_coo


class _AsMasked(rl.autograd.Function):
    """Data with a mask, as a step of the graph."""

    @staticmethod
    def forward(ctx, data, mask):
        _check(data, mask)
        return _copied(data, mask)

    @staticmethod
    def backward(ctx, grad):
        return grad, None


class _Result(rl.autograd.Function):
    """The same of what has been computed from plain data: gradients are plain again."""

    @staticmethod
    def forward(ctx, data, mask):
        return _copied(data, mask)

    @staticmethod
    def backward(ctx, grad):
        return _data(grad), None


class _Data(rl.autograd.Function):
    """The data alone; their gradient has the mask."""

    @staticmethod
    def forward(ctx, masked):
        ctx.mask = masked._masked_mask
        return masked._masked_data.detach()

    @staticmethod
    def backward(ctx, grad):
        return grad if is_masked_tensor(grad) else _copied(grad, ctx.mask)


class _Where(rl.autograd.Function):
    """A choice; each operand's gradient counts where the operand was taken."""

    @staticmethod
    def forward(ctx, condition, self, other):
        ctx.condition = condition
        pairs = [(_data(x), _mask(x, condition)) for x in (self, other)]
        return _copied(*[rl.where(condition, a, b) for a, b in zip(*pairs)])

    @staticmethod
    def backward(ctx, grad):
        taken = ctx.condition
        data, mask = _data(grad), _mask(grad, taken)
        return None, _copied(data, mask & taken), _copied(data, mask & ~taken)


# ---- printing ------------------------------------------------------------------------------------


def _element(x):
    value = x.item()
    return f"{value:8.4f}" if isinstance(value, float) else str(value)


def _rows(data, mask):
    if data.dim() > 1:
        parts = ["  " + _rows(d, m).replace("\n", "\n  ") for d, m in zip(data, mask)]
        return "[\n" + ",\n".join(parts) + "\n]"
    texts, counts = [_element(x) for x in data], mask.tolist()
    width = max((len(t) if c else 8 for t, c in zip(texts, counts)), default=0)
    return "[" + ", ".join(t if c else "--".rjust(width) for t, c in zip(texts, counts)) + "]"


# ---- reductions ----------------------------------------------------------------------------------

_known = {}


def _reductions():
    """The functions and methods that reduce -> what reduces in the `masked` namespace."""
    if "reductions" not in _known:
        _known["reductions"] = {
            getattr(place, name): name for name in _REDUCTIONS for place in (rl, rl.Tensor)
        }
    return _known["reductions"]


def _masked_functions():
    if "functions" not in _known:
        _known["functions"] = set(namespaces["masked"].values())
    return _known["functions"]


def _reduced(name, self, dim=None, keepdim=False, **options):
    data, mask = self.get_data(), self._masked_mask
    if dim is None:
        dims = list(range(mask.dim()))
    else:
        dims = [dim] if isinstance(dim, int) else list(dim)
    if name == "all":
        filled = data.masked_fill(~mask, True)
        result = filled.all() if dim is None else filled.all(dim, keepdim)
    else:
        place = {} if dim is None else {"dim": dim, "keepdim": keepdim}
        result = namespaces["masked"][name](data, **place, **options, mask=mask)
    for d in sorted([d % max(mask.dim(), 1) for d in dims], reverse=True):
        mask = mask.any(d, keepdim=keepdim)
    return _Result.apply(result, mask)


def _with_own_mask(function, input, *args, mask=None, **kwargs):  # noqa: A002
    """A function of the `masked` namespace on the data, where both masks are True."""
    if is_masked_tensor(input):
        own = input._masked_mask
        mask = own if mask is None else own & mask
        input = input.get_data()  # noqa: A001
    return function(input, *args, mask=mask, **kwargs)


def _chosen(condition, self, other):
    return _Where.apply(condition, self, other)


# ---- sorts of ops --------------------------------------------------------------------------------


def _data(x):
    return x._masked_data if is_masked_tensor(x) else x


def _mask(x, like):
    """Its mask, in the shape of `like`; that of a plain tensor is True everywhere."""
    if is_masked_tensor(x):
        return x._masked_mask.expand(like.shape)
    return rl.ones(like.shape, dtype=rl.bool)


def _matching_mask(args):
    """The mask that all masked arguments have."""
    masks = [a._masked_mask for a in args if is_masked_tensor(a)]
    if any(m.shape != masks[0].shape or not rl.equal(m, masks[0]) for m in masks[1:]):
        raise ValueError(
            "the masks must match of masked tensors that are combined; give them the same one"
        )
    return masks[0]


def _elementwise(func, *args, **kwargs):
    mask = _matching_mask(args)
    result = func(*map(_data, args), **kwargs)
    if func._schema.is_mutable:
        args[0]._masked_data = result
        return args[0]
    return _copied(result, mask.expand(result.shape))


def _unary(func, *args, **kwargs):
    if any(isinstance(a, rl.Tensor) for a in args[1:]):
        raise TypeError("MaskedTensor unary ops do not support additional Tensor arguments")
    return _elementwise(func, *args, **kwargs)


def _on_both(func, *args, **kwargs):
    data = func(*tree_map(_data, args), **kwargs)
    mask = func(*tree_map(lambda x: x._masked_mask if is_masked_tensor(x) else x, args), **kwargs)
    if isinstance(data, (tuple, list)):
        return type(data)(map(_copied, data, mask))
    return _copied(data, mask)


def _on_data(func, self, *args, **kwargs):
    return _copied(func(self._masked_data, *args, **kwargs), self._masked_mask)


def _number(func, self):
    if not self._masked_mask:
        raise ValueError(f"__torch_dispatch__, {func}: expected a mask tensor")
    return self._masked_data.item()


def _softmax(func, self, dim, *_):
    mask = self._masked_mask
    return _copied(namespaces["masked"]["softmax"](self._masked_data, dim, mask=mask), mask)


def _softmax_backward(func, grad, output, dim, dtype):
    mask = _matching_mask((grad, output))
    g, y = (x._masked_data.masked_fill(~mask, 0) for x in (grad, output))
    return _copied(func(g, y, dim, dtype), mask)


def _copy(func, self, source, *rest):
    _matching_mask((self, source))
    func(self._masked_data, _data(source))
    return self


_OTHERS = {
    "_to_copy": _on_data,
    "_local_scalar_dense": _number,
    "_softmax": _softmax,
    "_softmax_backward_data": _softmax_backward,
    "copy_": _copy,
}
_SORTS = (
    (_ON_BOTH, _on_both),
    (_ON_DATA, _on_data),
    (_UNARY, _unary),
    (_BINARY, _elementwise),
)


def _rule(func):
    """What computes the op on masked tensors, or None."""
    name = func.overloadpacket.__name__
    if name in _OTHERS:
        return _OTHERS[name]
    plain = name.removesuffix("_") if func._schema.is_mutable else name
    for names, rule in _SORTS:
        if plain in names:
            return rule
    record = records.get(name)  # a term of a gradient, which has no public name
    of_gradient = func.namespace == "rushlight" or name.endswith("_backward")
    return _elementwise if of_gradient and record and record.kind == "pointwise" else None
