"""Reading a checkpoint: which container it is, where its storages come from, where they go.

The zip container is in `reader.py`, the stream format of before 2020 in `legacy.py`.
"""

import io
import pickle

import rushlight as rl
from rushlight.storage import TypedStorage

from . import locations
from .names import UNTYPED, StorageType, find_own
from .reader import ZipReader
from .safe_pickle import SafeUnpickler


class Options:
    """How to load: the caller's arguments, checked."""

    def __init__(self, map_location, pickle_module, weights_only, pickle_args, settings):
        self.pickle_module, self.weights_only = pickle_module or pickle, weights_only
        self.pickle_args = pickle_args
        unknown = pickle_args.keys() - {"encoding", "fix_imports", "errors", "buffers"}
        if unknown and pickle_module in (None, pickle):
            raise TypeError(f"load() got an unexpected keyword argument {min(unknown)!r}")
        self.place = _placer(map_location)
        self.default_order, self.skip_data = settings["endianness"], settings["skip_data"]

    def unpickle(self, file, persistent_load):
        if self.weights_only:
            encoding = self.pickle_args.get("encoding", "utf-8")
            return SafeUnpickler(file, persistent_load, encoding).load()
        return self._open_unpickler(file, persistent_load).load()

    def _open_unpickler(self, file, persistent_load):
        class Unpickler(self.pickle_module.Unpickler):
            def find_class(self, module, name):
                if module == "torch" or module.startswith("torch."):
                    return find_own(module, name)
                return super().find_class(module, name)

        unpickler = Unpickler(file, **self.pickle_args)
        unpickler.persistent_load = persistent_load
        return unpickler


def _placer(map_location):
    """The function (storage, tag) -> storage that `map_location` means."""
    if map_location is None:
        return locations.place
    if isinstance(map_location, dict):
        return lambda storage, tag: locations.place(storage, map_location.get(tag, tag))
    if isinstance(map_location, (str, bytes)):
        tag = map_location.decode("ascii") if isinstance(map_location, bytes) else map_location
        return lambda storage, _: locations.place(storage, tag)
    if isinstance(map_location, rl.device):
        return lambda storage, _: locations.place(storage, str(map_location))
    if not callable(map_location):
        raise TypeError(
            "load: map_location must be None, a device, its name, a dict of names or a function, "
            f"got {type(map_location).__name__}"
        )
    return lambda storage, tag: _result_or_default(map_location(storage, tag), storage, tag)


def _result_or_default(placed, storage, tag):
    return locations.place(storage, tag) if placed is None else placed


class _Storages:
    """Resolves persistent ids to storages, each read once."""

    def __init__(self, read, options, swaps):
        self.read, self.options, self.swaps, self.loaded = read, options, swaps, {}

    def __call__(self, reference):
        tag, key, location, numel = parse_reference(reference, 5)
        if key not in self.loaded:
            storage = self.read(key, numel * tag.dtype.itemsize)
            if self.swaps:
                swap_bytes(storage, tag.dtype)
            self.loaded[key] = self.options.place(storage, location)
        return self.loaded[key] if tag is UNTYPED else over(self.loaded[key], tag.dtype)


def over(storage, dtype):
    """What a file's typed storage is here."""
    return TypedStorage(wrap_storage=storage, dtype=dtype)


def swap_bytes(storage, dtype):
    """Turns the bytes of each number around, in place; a complex number is two."""
    width = dtype.itemsize // (2 if dtype.is_complex else 1)
    if width > 1:
        flat = rl.empty(0, dtype=rl.uint8).set_(storage)
        numbers = flat[: len(flat) // width * width].view(-1, width)
        numbers.copy_(numbers.flip(1))


def parse_reference(reference, *lengths):
    """The fields after "storage" of a persistent id, checked: files may be forged. Those that
    Python 2 wrote are bytes, if the caller wants its texts as such.
    """
    if isinstance(reference, tuple):
        reference = tuple(f.decode("ascii") if isinstance(f, bytes) else f for f in reference)
    kinds = (str, StorageType, str, str, int)
    if (
        not isinstance(reference, tuple)
        or len(reference) not in lengths
        or not all(map(isinstance, reference, kinds))
        or reference[0] != "storage"
        or reference[4] < 0
    ):
        raise RuntimeError(f"load: unknown kind of reference in the checkpoint: {reference!r}")
    return reference[1:]


def load_zip(file, shown_name, options, mapping):
    reader = ZipReader(file, shown_name)
    _check_kind(reader)
    swaps = _order_differs(reader, options.default_order)
    if swaps and mapping is not None:
        raise RuntimeError(
            f"load: {shown_name} was written on a machine of other byte order; load it with "
            "mmap=False"
        )

    def read(key, nbytes):
        record = f"data/{key}"
        if options.skip_data:
            return rl.zeros(nbytes, dtype=rl.uint8).untyped_storage()
        if reader.size(record) < nbytes:
            raise RuntimeError(
                f"load: record {record!r} of {shown_name} has {reader.size(record)} bytes, the "
                f"pickle expects {nbytes}"
            )
        if mapping is not None:
            return reader.mapped(record, mapping)
        return reader.into_storage(record)

    return options.unpickle(io.BytesIO(reader.bytes("data.pkl")), _Storages(read, options, swaps))


def _check_kind(reader):
    if "constants.pkl" in reader:
        raise RuntimeError(
            f"load: {reader.shown_name} is a TorchScript archive, not a checkpoint; save the "
            "model's state_dict() with PyTorch and load that"
        )


def _order_differs(reader, default):
    """Whether the file's byte order is not this machine's; files that do not tell are `default`."""
    import sys

    if "byteorder" not in reader:
        return default is not None and default != sys.byteorder
    order = reader.bytes("byteorder").decode("ascii", "replace")
    if order not in ("little", "big"):
        raise ValueError(f"load: unknown byte order {order!r} in {reader.shown_name}")
    return order != sys.byteorder
