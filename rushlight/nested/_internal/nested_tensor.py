"""`NestedTensor`: several tensors that differ in some sizes, as a batch without padding.

Its components lie in `Packed` values if they differ in one dimension only, as sequences do, or in
a list (`Listed`). Both are ordinary tensors in the graph: a function of a nested tensor is one of
them, and gradients are theirs. What a function does is a rule in `rules`; elementwise ones need
none. What has no rule raises NotImplementedError.
"""

import rushlight as rl
from rushlight import _interpose, _native
from rushlight._interpose import DisableTorchFunctionSubclass
from rushlight.nested._internal.kept import Listed, Packed, keep

__all__ = ["NestedTensor"]

# ---- the class -----------------------------------------------------------------------------------


def _refused(function, args, kwargs):
    name = _name(function)
    if name in _GEOMETRY:
        return NotImplemented
    raise NotImplementedError(f"{name}(): not implemented for nested tensors")


_kind = _interpose.register_kind("nested", _refused)


class NestedTensor(rl.Tensor):
    """Several tensors in one; see `rushlight.nested.nested_tensor`."""

    @staticmethod
    def __new__(cls, kept, layout):
        first = kept.tensors()[0]
        dims = len(kept.shapes()[0])
        made = _native.make_wrapper_instance(
            cls, _kind, (0,) * (dims + 1), (0,) * (dims + 1), 0, first.dtype, first.device, 0
        )
        made._kept, made._layout = kept, layout
        return made

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = _name(func)
        rule = rules.get(name)
        if rule is not None:
            return rule(*args, **kwargs)
        if name in _GEOMETRY:
            with DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if _is_elementwise(func, name):
            return _elementwise(func, name, args, kwargs)
        _refused(func, args, kwargs)

    def __repr__(self):
        grad = _history(self)
        if self._layout is rl.jagged:
            shape = "(" + ", ".join(map(str, _shape(self))) + ")"
            offsets = f"offsets={_offsets(self)}"
            return f"NestedTensor(size={shape}, {offsets}{grad}, contiguous=True)"
        parts = [repr(p.detach()).replace("\n", "\n  ") for p in self._kept.parts()]
        return "nested_tensor([\n  " + ",\n  ".join(parts) + f"\n]{grad})"

    __str__ = __repr__

    def __reduce_ex__(self, protocol):
        return _again, (self._kept.parts(), self._layout)


def _again(parts, layout):
    return NestedTensor(keep(parts), layout)


def _history(x):
    for t in x._kept.tensors():
        if t.grad_fn is not None:
            return f", grad_fn=<{t.grad_fn.name()}>"
        if t.requires_grad:
            return ", requires_grad=True"
    return ""


def _name(func):
    name = getattr(func, "__name__", "")
    if name in ("__get__", "__set__"):
        owner = getattr(func, "__self__", None)
        return f"{getattr(owner, '__name__', None) or owner.fget.__name__}.{name}"
    return name


#: attributes and methods that the instance's own geometry answers
_GEOMETRY = {
    *("dim", "ndimension", "ndim.__get__", "dtype.__get__", "device.__get__", "is_cpu.__get__"),
    *("is_floating_point", "is_complex", "is_meta.__get__", "is_cuda.__get__", "is_sparse.__get__"),
    *("element_size", "itemsize.__get__", "is_quantized.__get__", "is_inference", "_is_view"),
    *("get_device", "is_mkldnn.__get__", "names.__get__", "__hash__", "is_signed"),
    *("is_mps.__get__", "is_sparse_csr.__get__", "output_nr.__get__", "is_pinned"),
    *("is_conj", "is_neg"),
}


def _made(kept, like):
    return NestedTensor(kept, like._layout)


def _rebuilt(parts, like):
    return _made(keep(list(parts), like._kept), like)


def _is_jagged(x):
    return x._layout is rl.jagged


# ---- elementwise functions -----------------------------------------------------------------------

_ELEMENTWISE = set(
    """clone detach type
    gelu relu silu elu leaky_relu sigmoid tanh softplus mish selu celu hardtanh hardswish relu6
    dropout alpha_dropout masked_fill clamp where zeros_like ones_like rand_like randn_like
    empty_like full_like isnan isinf isfinite square fill_ zero_ nan_to_num logit hardsigmoid
    copy_ bernoulli __pow__ __rpow__ __rsub__ __rtruediv__ __and__ __or__ __xor__
    logsigmoid""".split()
)


def _is_elementwise(func, name):
    record = getattr(func, "record", None)
    if name.startswith("__") and record is None:
        method = getattr(rl.Tensor, name.strip("_"), None)
        record = getattr(method, "record", None)
    return name in _ELEMENTWISE or (record is not None and record.kind == "pointwise")


def _elementwise(func, name, args, kwargs):
    """The function of the values, with other nested tensors' values and dense tensors to match."""
    first = next((a for a in args if isinstance(a, NestedTensor)), None)
    if first is None:
        _refused(func, args, kwargs)
    _same_structure(name, first, args)
    if all(isinstance(a._kept, Packed) for a in args if isinstance(a, NestedTensor)):
        values = [_matched(name, first, a) for a in args]
        made = _on(first._kept, func(*values, **kwargs))
    else:
        parts = [
            func(*[_part(first, a, i) for a in args], **kwargs)
            for i in range(len(first._kept.parts()))
        ]
        made = Listed(parts)
    if name.endswith("_") and not name.endswith("__"):
        return args[0]
    return _made(made, first)


def _on(kept, values):
    return Packed(values, kept.lengths, kept.at, kept.size)


def _same_structure(name, first, args):
    for other in args:
        if not isinstance(other, NestedTensor) or other is first:
            continue
        ours, theirs = first._kept, other._kept
        if _is_jagged(first):
            if ours.size is not theirs.size:
                raise RuntimeError(
                    f"cannot call binary pointwise function {name}.Tensor with inputs of shapes "
                    f"{tuple(_shape(first))} and {tuple(_shape(other))}"
                )
        elif ours.shapes() != theirs.shapes():
            raise RuntimeError(f"{name} does not support broadcasting when given a NestedTensor")


def _matched(name, first, x):
    """What stands for an argument where `first` is replaced by its packed values."""
    if isinstance(x, NestedTensor):
        return x._kept.values
    kept = first._kept
    if not isinstance(x, rl.Tensor) or x.dim() == 0:
        return x
    if not _is_jagged(first):
        raise RuntimeError(
            f"{name}: nested tensors of strided layout go with nested ones, got a nested self and "
            "non-nested other"
        )
    dims = kept.values.dim()
    if x.dim() <= dims and (x.dim() < dims - kept.at or x.shape[kept.at - dims] == 1):
        return x
    if x.dim() == dims + 1 and x.shape[kept.at + 1] == 1:
        if x.shape[0] == 1:
            return x.squeeze(0)
        return rl.cat([row.expand(*_put(row.shape, kept.at, n)) for row, n in
                       zip(x.unbind(), kept.lengths)], kept.at)  # fmt: skip
    raise RuntimeError(
        f"cannot call binary pointwise function {name}.Tensor with inputs of shapes "
        f"{tuple(_shape(first))} and {tuple(x.shape)}"
    )


def _put(sizes, at, n):
    return (*sizes[:at], n, *sizes[at + 1 :])


def _part(first, x, i):
    if isinstance(x, NestedTensor):
        return x._kept.parts()[i]
    if isinstance(x, rl.Tensor) and x.dim() and not _is_jagged(first):
        raise RuntimeError(
            "nested tensors of strided layout go with nested tensors and numbers, got a tensor "
            "that is not nested"
        )
    return x


# ---- rules ---------------------------------------------------------------------------------------

rules = {}


def _rule(*names):
    def add(function):
        rules.update(dict.fromkeys(names, function))
        return function

    return add


@_rule("unbind")
def _unbind(x, dim=0):
    if dim != 0:
        raise RuntimeError(f"NestedTensor can only be unbound along dimension 0, got {dim}")
    return tuple(x._kept.parts())


@_rule("__iter__")
def _iterate(x):
    return iter(_unbind(x))


@_rule("__len__")
def _len(x):
    return len(x._kept.shapes())


@_rule("numel", "nelement")
def _numel(x):
    return sum(t.numel() for t in x._kept.tensors())


def _shape(x):
    shapes = x._kept.shapes()
    size = getattr(x._kept, "size", None)
    differ = [len(set(s)) > 1 for s in zip(*shapes)]
    if isinstance(x._kept, Packed):
        differ[x._kept.at] = True
    return rl.Size([len(shapes), *[size if d else n for d, n in zip(differ, shapes[0])]])


def _need_sizes(x):
    if not _is_jagged(x):
        raise RuntimeError(
            "nested tensors of strided layout have no sizes; ask for those of their components, "
            "or use layout=torch.jagged"
        )


@_rule("nbytes.__get__")
def _nbytes(x):
    return sum(t.nbytes for t in x._kept.tensors())


@_rule("is_same_size")
def _is_same_size(x, other):
    return x.is_nested and other.is_nested and x._kept.shapes() == other._kept.shapes()


def _conversion(name):
    method = getattr(rl.Tensor, name)

    def convert(x, *args, **kwargs):
        args = tuple(a.dtype if isinstance(a, rl.Tensor) else a for a in args)
        if not isinstance(x, NestedTensor):
            return method(x, *args, **kwargs)
        first = x._kept.tensors()[0]
        same = method(first, *args, **kwargs) is first
        return x if same else _elementwise(method, name, (x, *args), kwargs)

    return convert


for _each in "to float double half bfloat16 int long short bool char byte cpu".split():
    rules[_each] = _conversion(_each)
rules["type_as"] = rules["to"]


@_rule("shape.__get__")
def _get_shape(x):
    _need_sizes(x)
    return _shape(x)


@_rule("size")
def _size(x, dim=None):
    if dim is None:
        _need_sizes(x)
        return _shape(x)
    dim = _dim(x, dim)
    sizes = {len(x._kept.shapes())} if dim == 0 else {s[dim - 1] for s in x._kept.shapes()}
    if _is_jagged(x):
        return _shape(x)[dim]
    if len(sizes) > 1:
        raise RuntimeError(f"Given dimension {dim} is irregular and does not have a size.")
    return sizes.pop()


def _dim(x, dim):
    dims = len(x._kept.shapes()[0]) + 1
    if not -dims <= dim < dims:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-dims}, {dims - 1}], but got "
            f"{dim})"
        )
    return dim % dims


@_rule("layout.__get__")
def _get_layout(x):
    return x._layout


@_rule("is_nested.__get__")
def _is_nested(x):
    return True


@_rule("is_contiguous")
def _is_contiguous(x, memory_format=None):
    return all(t.is_contiguous() for t in x._kept.tensors())


@_rule("contiguous")
def _contiguous(x, *args, **kwargs):
    made = x._kept.map(lambda t: t.contiguous(*args, **kwargs))
    same = all(a is b for a, b in zip(made.tensors(), x._kept.tensors()))
    return x if same else _made(made, x)


def _need_packed(x, what):
    if not _is_jagged(x):
        raise AttributeError(f"'Tensor' object has no attribute '{what}'")


def _offsets(x):
    return rl.tensor([0, *x._kept.lengths]).cumsum(0)


def _set_methods():
    """Methods that ordinary tensors lack, or that ask for another layout there."""

    def offsets(self):
        """Where components begin, and the end of the last."""
        _need_packed(self, "offsets")
        return _offsets(self)

    def lengths(self):
        """None: components lie side by side."""
        _need_packed(self, "lengths")

    def values(self):
        """All elements, component after component."""
        kept = self._kept
        if _is_jagged(self):
            return kept.values
        if isinstance(kept, Packed) and kept.at == 0:
            return kept.values.reshape(-1)
        return rl.cat([p.reshape(-1) for p in self._kept.parts()])

    def padded(self, padding, output_size=None):
        """`rushlight.nested.to_padded_tensor`."""
        return rules["to_padded_tensor"](self, padding, output_size)

    def sizes(self):
        """The sizes of the components, a row for each."""
        return rl.tensor(self._kept.shapes())

    NestedTensor.offsets, NestedTensor.lengths, NestedTensor.values = offsets, lengths, values
    NestedTensor.to_padded_tensor, NestedTensor._nested_tensor_size = padded, sizes


_set_methods()
rules["values"] = NestedTensor.values


@_rule("__getitem__")
def _get_item(x, index):
    index = index if isinstance(index, tuple) else (index,)
    if not index or not isinstance(index[0], int):
        if index and index[0] == slice(None):
            rest = index[1:]
            return _rebuilt([p[rest] for p in x._kept.parts()], x)
        raise NotImplementedError(f"nested tensors: the index {index} is not supported")
    part = x._kept.parts()[index[0]]
    return part[index[1:]] if len(index) > 1 else part


# ---- the graph


@_rule("requires_grad.__get__")
def _requires_grad(x):
    return any(t.requires_grad for t in x._kept.tensors())


@_rule("requires_grad_")
def _set_requires_grad(x, requires_grad=True):
    for t in x._kept.tensors():
        t.requires_grad_(requires_grad)
    return x


@_rule("requires_grad.__set__")
def _assign_requires_grad(x, value):
    _set_requires_grad(x, value)


@_rule("grad_fn.__get__")
def _grad_fn(x):
    return x._kept.tensors()[0].grad_fn


@_rule("is_leaf.__get__")
def _is_leaf(x):
    return all(t.is_leaf for t in x._kept.tensors())


@_rule("retain_grad")
def _retain_grad(x):
    for t in x._kept.tensors():
        t.retain_grad()


@_rule("grad.__get__")
def _grad(x):
    grads = [t.grad for t in x._kept.tensors()]
    if any(g is None for g in grads):
        return None
    kept = x._kept
    return _made(_on(kept, grads[0]) if isinstance(kept, Packed) else Listed(grads), x)


@_rule("grad.__set__")
def _set_grad(x, value):
    parts = [None] * len(x._kept.tensors()) if value is None else value._kept.tensors()
    for t, g in zip(x._kept.tensors(), parts):
        t.grad = g


@_rule("data.__get__")
def _data(x):
    return _made(x._kept.map(lambda t: t.data), x)


@_rule("backward")
def _backward(x, gradient=None, *args, **kwargs):
    if gradient is None:
        raise RuntimeError("grad can be implicitly created only for scalar outputs")
    rl.autograd.backward(x._kept.tensors(), gradient._kept.tensors(), *args, **kwargs)
