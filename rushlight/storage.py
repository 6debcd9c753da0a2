"""Typed storages: the memory behind a tensor as a flat run of one dtype (deprecated in PyTorch in
favour of `UntypedStorage`, kept for programs and files that name them).

`UntypedStorage` itself is native. To add a legacy type: one entry in `_LEGACY`.
"""

import rushlight as rl
from rushlight._native import UntypedStorage

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
        source: a number of elements, or a sequence of them; nothing for an empty storage.
        wrap_storage: the untyped storage to show instead.
        dtype: of the elements; the default dtype if None.
        device: where fresh memory lies.

    Example::

        >>> rl.TypedStorage([1, 2], dtype=rl.int32).tolist()
        [1, 2]
    """

    dtype = None
    is_sparse = is_cuda = False

    def __init__(self, source=0, *, wrap_storage=None, dtype=None, device=None, _internal=False):
        dtype = dtype or type(self).dtype or rl.get_default_dtype()
        if wrap_storage is None:
            if hasattr(source, "__index__") and not hasattr(source, "__len__"):
                tensor = rl.empty(source.__index__(), dtype=dtype, device=device)
            else:
                tensor = rl.tensor(source, dtype=dtype, device=device)
            wrap_storage = tensor.untyped_storage()
        elif not isinstance(wrap_storage, UntypedStorage):
            raise TypeError(
                "TypedStorage: argument 'wrap_storage' must be UntypedStorage, but got "
                f"{type(wrap_storage)}"
            )
        self.dtype, self._untyped_storage = dtype, wrap_storage

    def _flat(self):
        """All elements as a tensor on the same memory."""
        storage = self._untyped_storage
        return rl.empty(0, dtype=self.dtype, device=storage.device).set_(storage)

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
        return self._flat()[index].item()

    def __setitem__(self, index, value):
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

    def _like(self, storage, dtype=None):
        return TypedStorage(wrap_storage=storage, dtype=dtype or self.dtype, _internal=True)

    def clone(self):
        """A copy in fresh memory."""
        return self._like(self._untyped_storage.clone())

    def cpu(self):
        """The storage itself: it is on the CPU."""
        return self

    def fill_(self, value):
        """Sets every element."""
        self._flat().fill_(value)
        return self

    def copy_(self, source, non_blocking=False):
        """Copies the elements of another storage, converting them."""
        self._flat().copy_(source._flat(), non_blocking)
        return self

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

    def pin_memory(self, device=None):
        """RuntimeError: memory is pinned for GPUs, of which there are none."""
        return self._flat().pin_memory()

    def cuda(self, device=None, non_blocking=False):
        """AssertionError: there is no CUDA backend."""
        return self._flat().cuda(device, non_blocking)

    def new(self, *args, **kwargs):
        """RuntimeError: removed from PyTorch; the class makes a storage."""
        raise RuntimeError("storage.new() has been removed from PyTorch. Use type(storage)(size)")

    @classmethod
    def from_file(cls, filename, shared=False, size=0):
        """A storage of ``size`` elements that are those of a file: see `UntypedStorage.from_file`.

        Example::

            >>> rl.FloatStorage.from_file("values.bin", shared=True, size=2)  # doctest: +SKIP
        """
        bytes_ = UntypedStorage.from_file(filename, shared, size * cls.dtype.itemsize)
        return cls._over(bytes_)

    @classmethod
    def _over(cls, untyped):
        return TypedStorage(wrap_storage=untyped, dtype=cls.dtype, _internal=True)

    @classmethod
    def from_buffer(cls, buffer, byte_order=None, count=-1, offset=0):
        """A storage with a copy of the elements in a buffer of bytes.

        Args:
            buffer: bytes, or anything that has them.
            byte_order: "native", "little" or "big"; needed for elements of more than a byte.
            count: how many elements; all of them if negative.
            offset: where to begin, in bytes.

        Raises:
            ValueError: if the bytes are no whole number of elements, or too few.

        Example::

            >>> rl.ShortStorage.from_buffer(bytes([0, 1]), "big").tolist()
            [1]
        """
        return cls._over(_bytes_of(cls.dtype, buffer, byte_order, count, offset))

    def type(self):
        """The legacy name, such as ``"torch.FloatStorage"``."""
        name = str(self.dtype).rpartition(".")[2]
        return "torch." + next((k for k, v in _LEGACY.items() if v == name), "TypedStorage")

    def _converted(self, dtype):
        return (
            self
            if dtype == self.dtype
            else self._like(self._flat().to(dtype).untyped_storage(), dtype)
        )

    def __repr__(self):
        lines = "".join([f" {v}\n" for v in self.tolist()])
        about = f"dtype={self.dtype}, device={self.device}"
        return f"{lines}[torch.storage.TypedStorage({about}) of size {len(self)}]"


for _method, _dtype in (
    ("double", "float64"),
    ("float", "float32"),
    ("half", "float16"),
    ("bfloat16", "bfloat16"),
    ("long", "int64"),
    ("int", "int32"),
    ("short", "int16"),
    ("char", "int8"),
    ("byte", "uint8"),
    ("bool", "bool"),
):

    def _convert(self, _dtype=_dtype):
        """The elements in another dtype."""
        return self._converted(getattr(rl, _dtype))

    _convert.__name__ = _method
    setattr(TypedStorage, _method, _convert)

for _name, _dtype in _LEGACY.items():
    globals()[_name] = type(
        _name,
        (TypedStorage,),
        {
            "dtype": getattr(rl, _dtype),
            "__module__": "torch",
            "__doc__": f"A storage of {_dtype} elements.",
        },
    )

Storage = globals()["FloatStorage"]  # the type that the default dtype has at first

__all__ = ["Storage", "UntypedStorage", "TypedStorage", *_LEGACY]


def _from_file(filename, shared=False, nbytes=0):
    """A storage whose bytes are those of a file, read as they are needed.

    Args:
        filename: a path.
        shared: whether changes are written to the file, which is made and lengthened as needed;
            otherwise they stay in memory.
        nbytes: how many bytes; of a file that is not shared, at most as many as it has.

    Raises:
        RuntimeError: if the file is shorter.
    """
    import mmap

    if not nbytes:
        return rl.empty(0, dtype=rl.uint8).untyped_storage()
    with open(filename, "a+b" if shared else "rb") as file:
        length = file.seek(0, 2)
        if length < nbytes and not shared:
            raise RuntimeError(
                f"UntypedStorage.from_file: {filename} has {length} bytes, {nbytes} were asked for"
            )
        if length < nbytes:
            file.truncate(nbytes)
        access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
        mapping = mmap.mmap(file.fileno(), nbytes, access=access)
    return rl.frombuffer(mapping, dtype=rl.uint8).untyped_storage()


def _bytes_of(dtype, buffer, byte_order, count, offset):
    """An untyped storage of the elements in a buffer, in this machine's order of bytes."""
    import sys

    step, view = dtype.itemsize, memoryview(buffer).cast("B")
    if byte_order is None and step > 1:
        raise RuntimeError("from_buffer: byte_order is needed: 'native', 'little' or 'big'")
    order = sys.byteorder if byte_order in (None, "native") else byte_order
    if order not in ("little", "big"):
        raise ValueError(f"from_buffer: byte_order must be native, little or big, got {order!r}")
    if not 0 <= offset <= len(view):
        raise ValueError(f"from_buffer: offset {offset} is outside of {len(view)} bytes")
    length = len(view) - offset if count < 0 else count * step
    if length % step:
        raise ValueError(f"buffer size ({length}) must be a multiple of element size ({step})")
    if offset + length > len(view):
        raise ValueError(f"from_buffer: {count} elements do not fit into {len(view)} bytes")
    values = rl.tensor(list(view[offset : offset + length]), dtype=rl.uint8)
    if order != sys.byteorder:
        part = step // 2 if dtype.is_complex else step
        values = values.reshape(-1, part).flip(1).reshape(-1)
    return values.clone().untyped_storage()


UntypedStorage.from_file = staticmethod(_from_file)


def _load_from_bytes(b):
    """A storage that a plain pickle holds as bytes."""
    import io

    return rl.load(io.BytesIO(b), weights_only=False)
