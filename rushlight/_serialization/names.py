"""Names in checkpoint files and the objects they stand for here.

Files speak of `torch.*`, so that PyTorch reads what is written here and the reverse. A new storage
type, rebuild function or private file of layers is an entry in a table below.
"""

import rushlight as rl

_OWN = "rushlight"  # not `rl.__name__`, which is "torch" where this stands in for it
_STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128",
    "ComplexFloatStorage": "complex64",
}
_DTYPES = (
    *_STORAGES.values(), "uint16", "uint32", "uint64", "complex32",
    "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu",
    "float4_e2m1fn_x2",
)  # fmt: skip
_LAYOUTS = ("strided", "sparse_coo", "sparse_csr", "sparse_csc", "sparse_bsr", "sparse_bsc")
# Private files of layers, and the public file that lists them, in which PyTorch has them.
_LISTED_IN = {
    f"{_OWN}.nn.modules.{private}": f"torch.nn.modules.{public}"
    for private, public in (
        ("_attention", "activation"),
        ("_lazy_conv", "conv"),
        ("_loss_base", "loss"),
        ("_loss_margin", "loss"),
        ("_parameter_containers", "container"),
    )
}


class StorageType:
    """Stands for `torch.<name>`: says what the elements of a stored buffer are."""

    def __init__(self, name, dtype, module="torch"):
        self.name, self.dtype, self.module = name, dtype, module

    def __call__(self, *args):
        raise TypeError(f"{self.module}.{self.name} in a checkpoint is a tag, not a constructor")


UNTYPED = StorageType("UntypedStorage", rl.uint8, "torch.storage")
_by_name = {
    name: StorageType(name, getattr(rl, dtype))
    for name, dtype in _STORAGES.items()
    if hasattr(rl, dtype)
}
_by_dtype = {kind.dtype: kind for kind in _by_name.values()}


def storage_type_of(dtype):
    """The tag for a buffer of `dtype`, or None where PyTorch has no typed storage for it."""
    return _by_dtype.get(dtype)


def file_name_of(obj, module, name):
    """The (module, name) under which an object is written."""
    from . import rebuild

    if isinstance(obj, StorageType):
        return obj.module, obj.name
    if getattr(obj, "__module__", None) == rebuild.__name__:
        return rebuild.FILE_MODULES[name], name
    space = function_space(obj)
    if space:
        return "torch" if space == "torch" else f"torch.{space}", name
    return foreign_module(module), name


def function_space(obj):
    """The namespace of an operator that is a function, for anything else None."""
    return rl.ops.space_of(obj) if isinstance(obj, type(rl.add)) else None


def foreign_module(module):
    """`rushlight.x` as files call it."""
    own = _OWN
    if module in _LISTED_IN:
        return _LISTED_IN[module]
    return "torch" + module[len(own) :] if module == own or module.startswith(own + ".") else module


def own_module(module):
    """The module here that a file's `torch.x` means."""
    if module == "torch" or module.startswith("torch."):
        return _OWN + module[len("torch") :]
    return module


def known_global(module, name):
    """The harmless object a file's global stands for, or None if it is not one of the known."""
    from . import rebuild

    if rebuild.FILE_MODULES.get(name) == module:
        return getattr(rebuild, name)
    if module in ("torch", "torch.cuda") and name in _by_name:
        return _by_name[name]
    if (module, name) in (("torch.storage", "UntypedStorage"), ("torch", "UntypedStorage")):
        return UNTYPED
    if module == "torch" and name in _DTYPES + _LAYOUTS:
        return getattr(rl, name, None)
    if module == "torch" and name in ("Size", "device", "Tensor"):
        return getattr(rl, name)
    if (module, name) == ("torch.nn.parameter", "Parameter"):
        return rl.nn.Parameter
    return _plain_global(module, name)


def _plain_global(module, name):
    if module == "collections" and name in ("OrderedDict", "Counter"):
        import collections

        return getattr(collections, name)
    if module in ("builtins", "__builtin__") and name in ("set", "bytearray", "complex"):
        return {"set": set, "bytearray": bytearray, "complex": complex}[name]
    if (module, name) == ("_codecs", "encode"):
        return _encode
    return None


def _encode(text, encoding="latin1"):
    """How protocol 2 spells bytes."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise ValueError(f"load: bytes encoded as {encoding!r} are not supported")
    return text.encode(encoding)


def find_own(module, name):
    """The object of this package that a file's `torch.*` global names; AttributeError if none."""
    import importlib

    known = known_global(module, name)
    if known is not None:
        return known
    try:
        obj = importlib.import_module(own_module(module))
        for part in name.split("."):
            obj = getattr(obj, part)
    except (ImportError, AttributeError) as error:
        raise AttributeError(
            f"load: the checkpoint names {module}.{name}, which {_OWN} does not have"
        ) from error
    return obj
