"""Files of tensors in the safetensors format: names, dtypes and sizes as JSON, then the bytes.

The format holds nothing that could run. It is read and written here without the package of its
name: https://huggingface.co/docs/safetensors describes it. A new dtype is an entry in `_NAMES`.
"""

import json
import math
import os
import sys

import rushlight as rl

__all__ = ["load", "load_file", "save", "save_file"]

_NAMES = {
    "BOOL": "bool",
    "U8": "uint8",
    "I8": "int8",
    "I16": "int16",
    "U16": "uint16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
    "F4": "float4_e2m1fn_x2",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}  # in files -> here
_written_as = {getattr(rl, name): code for code, name in _NAMES.items()}
_LONGEST_HEADER = 100_000_000


def save(tensors, metadata=None):
    """The bytes of a file with the tensors of a dict, and a dict of text besides.

    Raises:
        ValueError: for tensors that share memory, are not strided or contiguous, or on meta; and
            for dtypes that the format does not have.

    Example::

        >>> from rushlight.utils import safetensors
        >>> safetensors.load(safetensors.save({"w": rl.ones(2)}))
        {'w': tensor([1., 1.])}
    """
    return b"".join(_pieces(tensors, metadata))


def save_file(tensors, filename, metadata=None):
    """Writes what `save` returns to a path; a crash leaves the old file."""
    from rushlight._serialization.writer import replaced_atomically

    with replaced_atomically(filename) as file:
        for piece in _pieces(tensors, metadata):
            file.write(piece)


def _pieces(tensors, metadata):
    """The header, and the bytes of each tensor: those of large elements first, then by name."""
    _check_numbers_are_little("save")
    _check_tensors(tensors)
    order = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    header, end = {}, 0
    if metadata is not None:
        header["__metadata__"] = _text_only(metadata)
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.dtype.itemsize
        header[name] = {
            "dtype": _written_as[tensor.dtype],
            "shape": _numbers_shape(tensor, name),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    yield len(text).to_bytes(8, "little") + text
    for name in order:
        yield _bytes_of(tensors[name])


def _numbers_shape(tensor, name):
    """The shape as files say it: they count each of two 4-bit numbers in a byte."""
    shape = list(tensor.shape)
    if tensor.dtype is rl.float4_e2m1fn_x2:
        if not shape:
            raise ValueError(f"safetensors: {name!r} holds two numbers, but has no dimension")
        shape[-1] *= 2
    return shape


def _bytes_of(tensor):
    start = tensor.storage_offset() * tensor.dtype.itemsize
    data = memoryview(tensor.untyped_storage()).cast("B")
    return data[start : start + tensor.numel() * tensor.dtype.itemsize]


def _text_only(metadata):
    if not all(isinstance(part, str) for pair in metadata.items() for part in pair):
        raise ValueError("safetensors: metadata must be a dict of text")
    return dict(metadata)


def _check_tensors(tensors):
    owners = {}
    for name, tensor in tensors.items():
        if not isinstance(tensor, rl.Tensor):
            raise ValueError(f"safetensors: {name!r} is no tensor but {type(tensor).__name__}")
        if tensor.dtype not in _written_as:
            raise ValueError(f"safetensors: {name!r} has {tensor.dtype}, which the format lacks")
        if tensor.layout != rl.strided or tensor.is_meta or not tensor.is_contiguous():
            raise ValueError(
                f"safetensors: {name!r} must be a contiguous strided tensor with memory; call "
                ".to_dense() or .contiguous() before saving"
            )
        address = tensor.untyped_storage().data_ptr()
        if tensor.numel() and owners.setdefault(address, name) != name:
            raise ValueError(
                f"safetensors: {name!r} and {owners[address]!r} share memory, which the format "
                "cannot say; save one of them, or a clone"
            )


def _check_numbers_are_little(what):
    if sys.byteorder != "little":
        raise NotImplementedError(
            f"safetensors.{what}: not supported on machines of high byte first"
        )


def load(data):
    """The tensors in the bytes of a file, as a dict; they have memory of their own.

    Raises ValueError for bytes that are no such file, or a damaged one.
    """
    return _tensors(bytearray(data), "data")


def load_file(filename, device="cpu"):
    """The tensors in a file, as a dict. Their bytes come in as they are used; changes to them stay
    in memory.

    Raises ValueError for a file of another kind, or a damaged one.
    """
    import mmap

    shown = os.fspath(filename)
    with open(filename, "rb") as file:
        if os.fstat(file.fileno()).st_size < 8:
            raise ValueError(f"safetensors: {shown} is too short to have a header")
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return {name: tensor.to(device) for name, tensor in _tensors(data, shown).items()}


def _tensors(data, shown):
    _check_numbers_are_little("load")
    header, start = _header(data, shown)
    header.pop("__metadata__", None)
    view, end, found = memoryview(data)[start:], 0, {}
    for name, entry in sorted(header.items(), key=lambda item: _offsets(item, shown)):
        dtype, shape, (begin, stop) = _entry(name, entry, shown)
        if begin != end or stop > len(view):
            raise ValueError(f"safetensors: {name!r} of {shown} has no place in the file's bytes")
        end = stop
        flat = rl.frombuffer(view[begin:stop], dtype=dtype) if stop > begin else None
        found[name] = rl.empty(shape, dtype=dtype) if flat is None else flat.view(shape)
    if end != len(view):
        raise ValueError(
            f"safetensors: {shown} has {len(view) - end} bytes that belong to no tensor"
        )
    return {name: found[name] for name in header}


def _header(data, shown):
    """The parsed header, and where the bytes of tensors begin."""
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_LONGEST_HEADER, len(data) - 8):
        raise ValueError(f"safetensors: {shown} is no such file, or incomplete: header of {length}")
    try:
        header = json.loads(bytes(data[8 : 8 + length]).decode())
    except ValueError as error:
        raise ValueError(f"safetensors: {shown} has an invalid header: {error}") from None
    if not isinstance(header, dict):
        raise ValueError(f"safetensors: the header of {shown} is no object")
    return header, 8 + length


def _is_count(value):
    return type(value) is int and value >= 0


def _offsets(item, shown):
    offsets = item[1].get("data_offsets") if isinstance(item[1], dict) else None
    if not (isinstance(offsets, list) and len(offsets) == 2 and all(map(_is_count, offsets))):
        raise ValueError(f"safetensors: {item[0]!r} of {shown} has no valid offsets")
    return offsets


def _entry(name, entry, shown):
    """(dtype, shape, offsets) of a tensor, whose sizes fit together."""
    code, shape, offsets = entry.get("dtype"), entry.get("shape"), entry["data_offsets"]
    if code not in _NAMES:
        raise ValueError(f"safetensors: {name!r} of {shown} has the unknown dtype {code!r}")
    if not (isinstance(shape, list) and all(map(_is_count, shape))):
        raise ValueError(f"safetensors: {name!r} of {shown} has the invalid shape {shape!r}")
    dtype = getattr(rl, _NAMES[code])
    if code == "F4":
        if not shape or shape[-1] % 2:
            raise ValueError(f"safetensors: {name!r} of {shown} has an odd last size: {shape}")
        shape = [*shape[:-1], shape[-1] // 2]
    if math.prod(shape) * dtype.itemsize != offsets[1] - offsets[0]:
        raise ValueError(f"safetensors: {name!r} of {shown} has {shape} elements in {offsets}")
    return dtype, tuple(shape), offsets
