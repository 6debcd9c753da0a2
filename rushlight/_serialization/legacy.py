"""The stream format of PyTorch 0.1.10 to 1.5: pickles one after another, then the raw storages.

The zip format that followed is in `reader.py` and `writer.py`.
"""

import io
import pickle
import struct
import sys

import rushlight as rl

from .buffers import bytes_of
from .loading import over, parse_reference, swap_bytes
from .writer import with_room, write_all

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001


def save_stream(obj, file, pickler_for, protocol, table):
    """Write `obj`; tensors of a dtype without a typed storage need the zip format."""
    body = io.BytesIO()
    pickler_for(body, _StreamTable(table)).dump(obj)
    info = {
        "protocol_version": PROTOCOL_VERSION,
        "little_endian": sys.byteorder == "little",
        "type_sizes": {"short": 2, "int": 4, "long": 4},
    }
    heads = [pickle.dumps(head, protocol) for head in (MAGIC_NUMBER, PROTOCOL_VERSION, info)]
    stored = list(table.stored.values())
    keys = pickle.dumps([key for key, _, _ in stored], protocol)
    parts = [*heads, body.getbuffer(), keys]
    for _, storage, tag in stored:
        parts.append(struct.pack("<q", storage.nbytes() // tag.dtype.itemsize))
        parts.append(bytes_of(storage))
    with with_room(file, sum(map(len, parts))) as file:
        for part in parts:
            write_all(file, part)


class _StreamTable:
    """Adds the sixth field that references had in this format."""

    def __init__(self, table):
        self.table = table

    def box(self, tensor):
        return self._extended(self.table.box(tensor))

    def box_of_storage(self, storage):
        return self._extended(self.table.box_of_storage(storage))

    @staticmethod
    def _extended(box):
        if box.reference[1].module != "torch":
            raise NotImplementedError(
                "save: the format of _use_new_zipfile_serialization=False has no untyped storages"
            )
        box.reference += (None,)
        return box


class _Storages:
    """Resolves references: storages are made empty at once and filled after the pickle."""

    def __init__(self, options, most_bytes):
        self.options, self.most_bytes = options, most_bytes
        self.made, self.views = {}, {}

    def __call__(self, reference):
        if isinstance(reference, tuple) and len(reference) == 4 and reference[0] == "module":
            return reference[1]
        tag, key, location, numel, *view = parse_reference(reference, 5, 6)
        if key not in self.made:
            if numel * tag.dtype.itemsize > self.most_bytes:
                raise RuntimeError(
                    f"load: storage {key!r} has {numel} elements, more than the file"
                )
            storage = rl.empty(numel * tag.dtype.itemsize, dtype=rl.uint8).untyped_storage()
            self.made[key] = (storage, self.options.place(storage, location), tag.dtype)
        placed = self.made[key][1]
        if view and view[0] is not None:
            name, offset, size = view[0]
            return self._window(placed, tag.dtype, name, offset, size)
        return over(placed, tag.dtype)

    def _window(self, storage, dtype, key, offset, size):
        """A part of a storage; shares the bytes."""
        if key not in self.views:
            data = bytes_of(storage)[offset * dtype.itemsize : (offset + size) * dtype.itemsize]
            part = rl.frombuffer(data, dtype=rl.uint8) if len(data) else rl.empty(0, dtype=rl.uint8)
            self.views[key] = over(part.untyped_storage(), dtype)
        return self.views[key]


def load_stream(file, shown_name, options):
    """Read a checkpoint of the stream format."""
    if _head(file, shown_name, options) != MAGIC_NUMBER:
        raise RuntimeError(f"load: {shown_name} is not a checkpoint (invalid magic number)")
    version = _head(file, shown_name, options)
    if version != PROTOCOL_VERSION:
        raise RuntimeError(f"load: {shown_name} has unknown protocol version {version}")
    if options.skip_data:
        raise RuntimeError(f"load: skip_data needs a file in the zip format, {shown_name} is not")
    _head(file, shown_name, options)  # about the machine: numbers have their low byte first anyway
    here = file.tell()
    storages = _Storages(options, file.seek(0, 2))
    file.seek(here)
    result = options.unpickle(file, storages)
    end = file.tell()
    for key in _head(file, shown_name, options):
        key = key.decode("ascii") if isinstance(key, bytes) else key
        _fill(file, shown_name, key, storages)
    after = file.tell()
    if _has_bits(file, here, end):
        result = options.unpickle(file, storages)
    file.seek(after)
    return result


def _has_bits(file, start, end):
    """Whether tensors may be kept conjugated or negated. Those are made from their values, which
    come behind the pickle: then it is read again, from `start`.
    """
    file.seek(start)
    body = file.read(end - start)
    file.seek(start)
    return b"conj" in body or b"neg" in body


def _head(file, shown_name, options):
    try:
        return options.unpickle(file, _no_reference)
    except (EOFError, pickle.UnpicklingError, IndexError, KeyError, ValueError) as error:
        raise pickle.UnpicklingError(
            f"load: {shown_name} is no checkpoint, or an incomplete one: {error}"
        ) from error


def _no_reference(reference):
    raise RuntimeError(f"load: unexpected reference {reference!r} in the head of a checkpoint")


def _fill(file, shown_name, key, storages):
    if key not in storages.made:
        raise RuntimeError(f"load: {shown_name} lists storage {key!r} that no tensor uses")
    storage, _, dtype = storages.made[key]
    head = file.read(8)
    expected = storage.nbytes()
    if len(head) < 8 or struct.unpack("<q", head)[0] * dtype.itemsize != expected:
        raise RuntimeError(f"load: {shown_name} has a storage {key!r} of the wrong size")
    data = file.read(expected)
    if len(data) < expected:
        raise RuntimeError(f"load: {shown_name} ends inside storage {key!r}")
    if expected:
        bytes_of(storage)[:] = data
    if sys.byteorder == "big":
        swap_bytes(storage, dtype)
