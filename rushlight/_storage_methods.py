"""What `UntypedStorage` has beyond its native methods, and what it shares with `TypedStorage`:
conversions, places, copies, pickles.

To add a method of both: a function here, in `SHARED`. The typed storages are in `storage.py`.
"""

import rushlight as rl
from rushlight._native import UntypedStorage

#: name of a conversion -> dtype of its elements
CONVERSIONS = {
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "bfloat16": "bfloat16",
    "long": "int64",
    "int": "int32",
    "short": "int16",
    "char": "int8",
    "byte": "uint8",
    "bool": "bool",
    "complex_double": "complex128",
    "complex_float": "complex64",
    "float8_e4m3fn": "float8_e4m3fn",
    "float8_e4m3fnuz": "float8_e4m3fnuz",
    "float8_e5m2": "float8_e5m2",
    "float8_e5m2fnuz": "float8_e5m2fnuz",
}


def _conversion(name, dtype):
    def convert(self):
        numbers = self._flat().to(getattr(rl, dtype), copy=True)
        return rl.TypedStorage(wrap_storage=numbers.untyped_storage(), dtype=numbers.dtype)

    convert.__name__ = convert.__qualname__ = name
    convert.__doc__ = f"The elements as numbers of {dtype}, in fresh memory."
    return convert


def _flat(self):
    """All bytes as a tensor on the same memory."""
    return rl.empty(0, dtype=rl.uint8, device=self.device).set_(self)


def _to(self, *, device, non_blocking=False):
    """The storage on a device: itself if it is there, otherwise a copy."""
    device = rl.device(device)
    if device == self.device:
        return self
    if device.type == "cpu":
        return self.cpu()
    return self._on(self._flat().to(device).untyped_storage())


def _cuda(self, device=None, non_blocking=False):
    """AssertionError: there is no CUDA backend."""
    return self._flat().cuda(device, non_blocking)


def _hpu(self, device=None, non_blocking=False):
    """AssertionError: there is no such backend."""
    raise AssertionError("hpu: rushlight has no backend for this device")


def _mps(self):
    """RuntimeError: there is no such backend."""
    raise RuntimeError("mps: rushlight has no backend for this device")


def _pin_memory(self, device=None):
    """RuntimeError: memory is pinned for GPUs, of which there are none."""
    return self._flat().pin_memory()


def _get_device(self):
    """The number of the device: None on the CPU."""
    return self.device.index


def _deepcopy(self, memo):
    from rushlight._tensor_copies import copy_of_storage

    return self._on(copy_of_storage(self.untyped(), memo))


def _reduce(self):
    import io

    from rushlight.storage import _load_from_bytes

    file = io.BytesIO()
    rl.save(self, file)
    return _load_from_bytes, (file.getvalue(),)


def _shown(self):
    """The elements, one a line, and what they are."""
    kind = "TypedStorage" if isinstance(self, rl.TypedStorage) else "UntypedStorage"
    about = f"dtype={self.dtype}, " if kind == "TypedStorage" else ""
    meta = self.device.type == "meta"
    lines = "..." if meta else " " + "\n ".join(map(str, self.tolist()))
    return f"{lines}\n[torch.storage.{kind}({about}device={self.device}) of size {len(self)}]"


SHARED = {
    **{name: _conversion(name, dtype) for name, dtype in CONVERSIONS.items()},
    "to": _to,
    "cuda": _cuda,
    "hpu": _hpu,
    "pin_memory": _pin_memory,
    "get_device": _get_device,
    "is_hpu": property(lambda self: False, doc="False: there is no such backend."),
    "filename": property(
        lambda self: getattr(self.untyped(), "_filename", None),
        doc="The path that `from_file` was given, if changes go to the file; None of other memory.",
    ),
    "__copy__": lambda self: self.clone(),
    "__deepcopy__": _deepcopy,
    "__reduce__": _reduce,
    "__repr__": _shown,
    "__str__": _shown,
}


def _new(self):
    """An empty storage."""
    return UntypedStorage(device=self.device)


def _type(self, dtype=None, non_blocking=False):
    """The name of the class; with a storage class, or its name, a copy of the bytes as one.

    Raises:
        RuntimeError: if a storage of that class and of this size has more bytes.
    """
    if dtype is None:
        return "torch.storage.UntypedStorage"
    cls = getattr(rl, dtype.rpartition(".")[2]) if isinstance(dtype, str) else dtype
    return self if cls is UntypedStorage else cls(self.size()).copy_(self, non_blocking)


def _byteswap(self, dtype):
    """Turns the bytes of each number of a dtype around, in place."""
    from rushlight._serialization.loading import swap_bytes

    swap_bytes(self, dtype)


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
    if nbytes < 0:
        raise RuntimeError(f"from_file: expected a number of bytes, got {nbytes}")
    if not nbytes:
        return rl.empty(0, dtype=rl.uint8).untyped_storage()
    mapping = _mapped(filename, shared, nbytes)
    storage = rl.frombuffer(mapping, dtype=rl.uint8).untyped_storage()
    if shared:
        storage._filename = filename
    return storage


def _mapped(filename, shared, nbytes):
    """The first bytes of a file in memory, which lasts as long as anyone uses it."""
    import mmap
    import os

    mode = "read-write" if shared else "read-only"
    try:
        flags = os.O_RDWR | os.O_CREAT if shared else os.O_RDONLY
        with open(os.open(filename, flags, 0o600), "rb", buffering=0) as file:
            there = os.fstat(file.fileno()).st_size
            if there < nbytes and not shared:
                raise RuntimeError(
                    f"file <{filename}> size <{there}> is smaller than the required mapping size "
                    f"<{nbytes}>"
                )
            if there < nbytes:
                os.ftruncate(file.fileno(), nbytes)
            access = mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY
            return mmap.mmap(file.fileno(), nbytes, access=access)
    except OSError as error:
        raise RuntimeError(
            f"unable to open file <{filename}> in {mode} mode: {error.strerror} ({error.errno})"
        ) from None


def _from_buffer(buffer, byte_order=None, count=-1, offset=0, *, dtype=None):
    """A storage with a copy of the elements in a buffer of bytes.

    Args:
        buffer: bytes, or anything that has them.
        byte_order: "native", "little" or "big"; needed for elements of more than a byte.
        count: how many elements; all of them if negative.
        offset: where to begin, in bytes.
        dtype: of the elements.

    Raises:
        RuntimeError: without a dtype, or without a byte order that is needed.
        ValueError: if the bytes are no whole number of elements, or too few.
    """
    import sys

    if dtype is None:
        raise RuntimeError("from_buffer: a dtype is needed")
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
    storage = UntypedStorage(view[offset : offset + length])
    if order != sys.byteorder:
        storage.byteswap(dtype)
    return storage


def _new_shared(size, *, device="cpu"):
    """A storage in memory that other processes can see."""
    return UntypedStorage(size, device=device).share_memory_()


def _itself(self, untyped):
    return untyped


UNTYPED = {
    **SHARED,
    "_flat": _flat,
    "_on": _itself,
    "mps": _mps,
    "new": _new,
    "type": _type,
    "byteswap": _byteswap,
    "from_file": staticmethod(_from_file),
    "from_buffer": staticmethod(_from_buffer),
    "_new_shared": staticmethod(_new_shared),
    "is_sparse_csr": property(lambda self: False, doc="False: the bytes are all there."),
}
for _name, _member in UNTYPED.items():
    setattr(UntypedStorage, _name, _member)
