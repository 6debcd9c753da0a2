"""Typed storages: the memory behind a tensor as a flat run of one dtype (deprecated in PyTorch in
favour of `UntypedStorage`, kept for programs and files that name them).

`UntypedStorage` itself is native, with `_storage_methods.py`, where the methods of both are. To add
a legacy type: one entry in `_LEGACY`.
"""

import rushlight as rl
from rushlight._native import UntypedStorage

from ._storage_methods import SHARED

_LEGACY = {
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
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}


class TypedStorage:
    """Elements of one dtype over an `UntypedStorage`.

    Args:
        args: a number of elements, or a sequence of them; nothing for an empty storage.
        wrap_storage: the untyped storage to show instead; the dtype has to be given then.
        dtype: of the elements; the default dtype if None.
        device: where fresh memory lies.

    Example::

        >>> rl.TypedStorage([1, 2], dtype=rl.int32).tolist()
        [1, 2]
    """

    is_sparse = is_cuda = False

    def __init__(self, *args, wrap_storage=None, dtype=None, device=None, _internal=False):
        if wrap_storage is None:
            self.dtype = dtype or rl.get_default_dtype()
            self._untyped_storage = _fresh(type(self).__name__, args, self.dtype, device)
            return
        if args or dtype is None or device is not None:
            raise RuntimeError("TypedStorage: with wrap_storage expected a dtype, and nothing else")
        if not isinstance(wrap_storage, UntypedStorage):
            raise TypeError(
                "TypedStorage: argument 'wrap_storage' must be UntypedStorage, but got "
                f"{type(wrap_storage)}"
            )
        self.dtype, self._untyped_storage = dtype, wrap_storage

    def _flat(self):
        """All elements as a tensor on the same memory."""
        storage = self._untyped_storage
        return rl.empty(0, dtype=self.dtype, device=storage.device).set_(storage)

    def _on(self, untyped):
        """Elements like these over another storage."""
        return TypedStorage(wrap_storage=untyped, dtype=self.dtype)

    def untyped(self):
        """The same memory as bytes."""
        return self._untyped_storage

    def size(self):
        """The number of elements."""
        return self._untyped_storage.nbytes() // self.dtype.itemsize

    def nbytes(self):
        """The number of bytes."""
        return self._untyped_storage.nbytes()

    def __sizeof__(self):
        return object.__sizeof__(self) + self.nbytes()

    def element_size(self):
        """Bytes per element."""
        return self.dtype.itemsize

    def data_ptr(self):
        """The address of the first byte."""
        return self._untyped_storage.data_ptr()

    @property
    def device(self):
        return self._untyped_storage.device

    @property
    def _cdata(self):
        return self._untyped_storage._cdata

    def __len__(self):
        return self.size()

    def __getitem__(self, index):
        if isinstance(index, slice):
            raise RuntimeError("slices are only supported in UntypedStorage.__getitem__")
        if not isinstance(index, int):
            raise RuntimeError(f"a TypedStorage cannot be indexed by a {type(index).__name__}")
        if self.device.type == "meta":
            raise NotImplementedError("storages on the meta device have no elements to read")
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return self._flat()[index].item()

    def __setitem__(self, index, value):
        if not isinstance(index, (int, slice)):
            raise RuntimeError(f"a TypedStorage cannot be indexed by a {type(index).__name__}")
        self._flat()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def __eq__(self, other):
        return isinstance(other, TypedStorage) and self._untyped_storage == other._untyped_storage

    def __hash__(self):
        return hash(self._untyped_storage)

    def tolist(self):
        """The elements as Python numbers."""
        return self._flat().tolist()

    def clone(self):
        """A copy in fresh memory."""
        return self._on(self._untyped_storage.clone())

    def cpu(self):
        """The storage itself, if it is on the CPU."""
        self._untyped_storage.cpu()
        return self

    def fill_(self, value):
        """Sets every element."""
        self._flat().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Copies the bytes of another storage, which must have as many."""
        self._untyped_storage.copy_(source.untyped(), non_blocking)
        return self

    def resizable(self):
        """Whether `resize_` may move the memory."""
        return self._untyped_storage.resizable()

    def resize_(self, size):
        """Changes the number of elements; new ones are unset."""
        self._untyped_storage.resize_(size * self.dtype.itemsize)
        return self

    def is_shared(self):
        """Whether other processes see the memory."""
        return self._untyped_storage.is_shared()

    def share_memory_(self):
        """Moves the memory to where other processes can see it."""
        self._untyped_storage.share_memory_()
        return self

    def is_pinned(self, device=None):
        """False: memory is pinned for GPUs, of which there are none."""
        return False

    def new(self, *args, **kwargs):
        """RuntimeError: removed from PyTorch; the class makes a storage."""
        raise RuntimeError("storage.new() has been removed from PyTorch. Use type(storage)(size)")

    @classmethod
    def from_buffer(cls, buffer, byte_order=None, count=-1, offset=0, *, dtype=None):
        """A storage with a copy of the elements in a buffer of bytes.

        Args:
            buffer: bytes, or anything that has them.
            byte_order: "native", "little" or "big"; needed for elements of more than a byte.
            count: how many elements; all of them if negative.
            offset: where to begin, in bytes.
            dtype: of the elements; the default dtype if None.

        Raises:
            ValueError: if the bytes are no whole number of elements, or too few.

        Example::

            >>> rl.ShortStorage.from_buffer(bytes([0, 1]), "big").tolist()
            [1]
        """
        dtype = dtype or rl.get_default_dtype()
        untyped = UntypedStorage.from_buffer(buffer, byte_order, count, offset, dtype=dtype)
        return TypedStorage(wrap_storage=untyped, dtype=dtype)

    def _new_shared(self, size, *, device="cpu"):
        """A storage of as many elements, in memory that other processes can see."""
        return self._on(UntypedStorage._new_shared(size * self.dtype.itemsize, device=device))

    def pickle_storage_type(self):
        """The name in checkpoints, such as ``"FloatStorage"``."""
        name = str(self.dtype).rpartition(".")[2]
        for legacy, dtype in _LEGACY.items():
            if dtype == name:
                return legacy
        raise KeyError(f"pickle_storage_type: there is no storage type for {self.dtype}")

    def type(self, dtype=None, non_blocking=False):
        """The legacy name, such as ``"torch.FloatStorage"``; with a storage class see
        `UntypedStorage.type`.
        """
        if dtype is not None:
            return self._untyped_storage.type(dtype, non_blocking)
        try:
            return "torch." + self.pickle_storage_type()
        except KeyError:
            return "torch.storage.TypedStorage"


for _name, _member in SHARED.items():
    setattr(TypedStorage, _name, _member)


def _fresh(name, args, dtype, device):
    """The untyped storage for the positional arguments of a typed one."""
    if len(args) > 1:
        raise RuntimeError(f"{name}: expected one size or sequence, got {len(args)} arguments")
    (source,) = args or (0,)
    if hasattr(source, "__index__") and not hasattr(source, "__len__"):
        return rl.empty(source.__index__(), dtype=dtype, device=device).untyped_storage()
    if isinstance(source, (rl.Tensor, TypedStorage, UntypedStorage)) or not hasattr(
        source, "__getitem__"
    ):
        raise TypeError(f"{name}: expected a size or a sequence, got {type(source).__name__}")
    return rl.tensor(source, dtype=dtype, device=device).untyped_storage()


class _LegacyStorageMeta(type):
    """Typed storages are instances of the class of their dtype, though that makes none itself."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, TypedStorage) and instance.dtype == getattr(
            cls, "dtype", instance.dtype
        )


class _LegacyStorage(TypedStorage, metaclass=_LegacyStorageMeta):
    """The classes with a dtype in their names."""

    def __new__(cls, *args, wrap_storage=None, **kwargs):
        """A `TypedStorage` of this class's dtype."""
        if kwargs or (args and wrap_storage is not None):
            raise RuntimeError(f"{cls.__name__}: expected a size, a sequence or wrap_storage alone")
        if wrap_storage is None:
            wrap_storage = _fresh(cls.__name__, args, cls.dtype, None)
        return TypedStorage(wrap_storage=wrap_storage, dtype=cls.dtype)

    @classmethod
    def from_file(cls, filename, shared=False, size=0):
        """A storage of ``size`` elements that are those of a file: see `UntypedStorage.from_file`.

        Example::

            >>> rl.FloatStorage.from_file("values.bin", shared=True, size=2)  # doctest: +SKIP
        """
        return cls(
            wrap_storage=UntypedStorage.from_file(filename, shared, size * cls.dtype.itemsize)
        )

    @classmethod
    def from_buffer(cls, buffer, byte_order=None, count=-1, offset=0):
        """See `TypedStorage.from_buffer`; the dtype is the class's."""
        return TypedStorage.from_buffer(buffer, byte_order, count, offset, dtype=cls.dtype)

    @classmethod
    def _new_shared(cls, size):
        """A storage of as many elements, in memory that other processes can see."""
        return cls(wrap_storage=UntypedStorage._new_shared(size * cls.dtype.itemsize))


for _name, _dtype in _LEGACY.items():
    globals()[_name] = type(_LegacyStorage)(
        _name,
        (_LegacyStorage,),
        {
            "dtype": getattr(rl, _dtype),
            "__module__": "torch",
            "__doc__": f"A storage of {_dtype} elements.",
        },
    )

StorageBase = UntypedStorage  # PyTorch has its native half as a class of its own

__all__ = ["Storage", "UntypedStorage", "TypedStorage", *_LEGACY]  # noqa: F822 (`__getattr__`)


def __getattr__(name):
    """`Storage` is the class of the default dtype, whichever that is when it is asked for."""
    if name == "Storage":
        dtype = str(rl.get_default_dtype()).rpartition(".")[2]
        return globals()[next(legacy for legacy, of in _LEGACY.items() if of == dtype)]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _load_from_bytes(b):
    """A storage that a plain pickle holds as bytes."""
    import io

    return rl.load(io.BytesIO(b), weights_only=False)
