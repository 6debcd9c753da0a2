"""The tensor types of early PyTorch, ``FloatTensor`` and its like: names of a dtype that can be
called to make a tensor and asked with ``isinstance``.

A type is no class of its own: every tensor is a `Tensor`. To add one: a line in `NAMES`.
"""

import rushlight as rl
from rushlight._notes import note

#: dtype -> name
NAMES = {
    "float32": "FloatTensor",
    "float64": "DoubleTensor",
    "float16": "HalfTensor",
    "bfloat16": "BFloat16Tensor",
    "uint8": "ByteTensor",
    "int8": "CharTensor",
    "int16": "ShortTensor",
    "int32": "IntTensor",
    "int64": "LongTensor",
    "bool": "BoolTensor",
    "uint16": "UInt16Tensor",
    "uint32": "UInt32Tensor",
    "uint64": "UInt64Tensor",
    "float8_e4m3fn": "Float8_e4m3fnTensor",
    "float8_e4m3fnuz": "Float8_e4m3fnuzTensor",
    "float8_e5m2": "Float8_e5m2Tensor",
    "float8_e5m2fnuz": "Float8_e5m2fnuzTensor",
    "float8_e8m0fnu": "Float8_e8m0fnuTensor",
    "float4_e2m1fn_x2": "Float4_e2m1fn_x2Tensor",
    "complex32": "ComplexHalfTensor",
    "complex64": "ComplexFloatTensor",
    "complex128": "ComplexDoubleTensor",
}
_OFFERED = [
    name for name in NAMES.values() if not name.startswith(("Complex", "Float4", "Float8", "UInt"))
]


class tensortype(type):
    """The type of `FloatTensor` and its like."""

    def __new__(meta, name, bases, members):
        """Refuses subclasses: only `Tensor` can have them."""
        if bases:
            raise TypeError(f"type 'torch.{bases[0].__name__}' is not an acceptable base type")
        return super().__new__(meta, name, bases, members)

    def __call__(cls, *args, device=None):
        """A tensor of this dtype: of the sizes given (elements unset), or with the data given."""
        if device is not None and rl.device(device).type != "cpu":
            raise RuntimeError(
                f"{cls.__name__}(): legacy constructor expects device type cpu, got {device}"
            )
        return _made(cls.__name__, cls.dtype, args)

    def __instancecheck__(cls, value):
        return isinstance(value, rl.Tensor) and value.dtype == cls.dtype

    def __getattr__(cls, name):
        """Methods of tensors, which the types of early PyTorch had."""
        if name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return getattr(rl.Tensor, name)

    def __repr__(cls):
        return f"<class 'torch.{cls.__name__}'>"


def _made(name, dtype, args):
    if not args or all(isinstance(size, int) and not isinstance(size, bool) for size in args):
        return rl.empty(*(args or (0,)), dtype=dtype)
    (data, *rest) = args
    if rest:
        raise TypeError(
            f"{name}(): expected sizes or one sequence of data, got {len(args)} arguments"
        )
    if isinstance(data, rl.Size):
        return rl.empty(data, dtype=dtype)
    if isinstance(data, rl.Tensor):
        if data.dtype != dtype:
            raise TypeError(
                f"{name}(): expected a tensor of {dtype}, got {data.dtype}; use .to({dtype})"
            )
        return data.detach().view_as(data)
    if isinstance(data, (rl.TypedStorage, rl.UntypedStorage)):
        return _over_storage(name, dtype, data)
    if isinstance(data, (str, bytes)) or not hasattr(data, "__len__"):
        raise TypeError(f"{name}(): data must be a sequence (got {type(data).__name__})")
    if not len(data):
        return rl.empty(0, dtype=dtype)
    # Floating-point ones keep all digits; integers are what is left of other numbers.
    return rl.tensor(data, dtype=dtype) if dtype.is_floating_point else rl.tensor(data).to(dtype)


def _over_storage(name, dtype, storage):
    if isinstance(storage, rl.TypedStorage):
        if storage.dtype != dtype:
            raise TypeError(f"{name}(): expected a storage of {dtype}, got {storage.dtype}")
        storage = storage.untyped()
    return rl.empty(0, dtype=dtype).set_(storage)


def _type_of(dtype, name):
    members = {
        "dtype": getattr(rl, dtype),
        "layout": rl.strided,
        "is_cuda": False,
        "is_sparse": False,
        "__module__": "torch",
        "__doc__": f"Tensors of {dtype}: call it to make one, or ask ``isinstance(x, {name})``.",
    }
    return tensortype(name, (), members)


for _dtype, _name in NAMES.items():
    if _name in _OFFERED:
        globals()[_name] = _type_of(_dtype, _name)


def set_default_tensor_type(t):
    """Makes the dtype of a floating-point tensor type, or of its name, the default one.

    Deprecated in PyTorch in favour of `set_default_dtype`.

    Raises:
        TypeError: if it is not a floating-point tensor type.

    Example::

        >>> rl.set_default_tensor_type(rl.DoubleTensor)
        >>> rl.zeros(1).dtype
        torch.float64
        >>> rl.set_default_tensor_type("torch.FloatTensor")
    """
    name = t if isinstance(t, str) else getattr(t, "__name__", repr(t))
    kinds = {f"torch.{n}": d for d, n in NAMES.items()} | {n: d for d, n in NAMES.items()}
    if name not in kinds or not getattr(rl, kinds[name]).is_floating_point:
        raise TypeError(
            "set_default_tensor_type: only floating-point types such as torch.FloatTensor are "
            f"supported as the default type, got {t!r}"
        )
    note(
        "set_default_tensor_type",
        "set_default_tensor_type() is deprecated as of PyTorch 2.1; "
        "set_default_dtype() and set_default_device() are for this",
    )
    rl.set_default_dtype(getattr(rl, kinds[name]))


__all__ = [*_OFFERED, "set_default_tensor_type"]
