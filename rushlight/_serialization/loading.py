"""Reading a checkpoint: which container it is, where its storages come from, where they go.

The zip container is in `reader.py`, the stream format of before 2020 in `legacy.py`.
"""

import io
import pickle

import rushlight as rl

from .names import UNTYPED, StorageType, find_own
from .reader import ZipReader
from .rebuild import TypedBuffer
from .safe_pickle import SafeUnpickler


class Options:
    """How to load: the caller's arguments, checked."""

    def __init__(self, map_location, pickle_module, weights_only, pickle_args):
        self.pickle_module, self.weights_only = pickle_module or pickle, weights_only
        self.pickle_args = pickle_args
        self.place = _placer(map_location)

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
        return place_by_tag
    if isinstance(map_location, dict):
        return lambda storage, tag: place_by_tag(storage, map_location.get(tag, tag))
    if isinstance(map_location, (str, bytes)):
        tag = map_location.decode("ascii") if isinstance(map_location, bytes) else map_location
        return lambda storage, _: place_by_tag(storage, tag)
    if isinstance(map_location, rl.device):
        return lambda storage, _: place_by_tag(storage, str(map_location))
    if not callable(map_location):
        raise TypeError(
            "load: map_location must be None, a device, its name, a dict of names or a function, "
            f"got {type(map_location).__name__}"
        )
    return lambda storage, tag: _result_or_default(map_location(storage, tag), storage, tag)


def _result_or_default(placed, storage, tag):
    return place_by_tag(storage, tag) if placed is None else placed


def place_by_tag(storage, tag):
    """The storage on the device that a file's tag names."""
    kind = tag.partition(":")[0]
    if kind == "cpu":
        return storage
    if kind == "meta":
        return rl.empty(storage.nbytes(), dtype=rl.uint8, device="meta").untyped_storage()
    raise RuntimeError(
        f"Attempting to deserialize an object on device {tag!r}, which is not available here. Use "
        "map_location=torch.device('cpu') to load its tensors to the CPU."
    )


class _Storages:
    """Resolves persistent ids to storages, each read once."""

    def __init__(self, read, options):
        self.read, self.options, self.loaded = read, options, {}

    def __call__(self, reference):
        tag, key, location, numel = parse_reference(reference, 5)
        if key not in self.loaded:
            storage = self.read(key, numel * tag.dtype.itemsize)
            self.loaded[key] = self.options.place(storage, location)
        return self.loaded[key] if tag is UNTYPED else TypedBuffer(self.loaded[key], tag.dtype)


def parse_reference(reference, *lengths):
    """The fields after "storage" of a persistent id, checked: files may be forged."""
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
    if _order_differs(reader):
        raise NotImplementedError(
            f"load: {shown_name} was written on a machine of other byte order"
        )

    def read(key, nbytes):
        record = f"data/{key}"
        if reader.size(record) < nbytes:
            raise RuntimeError(
                f"load: record {record!r} of {shown_name} has {reader.size(record)} bytes, the "
                f"pickle expects {nbytes}"
            )
        if mapping is not None:
            return reader.mapped(record, mapping)
        return reader.into_storage(record)

    return options.unpickle(io.BytesIO(reader.bytes("data.pkl")), _Storages(read, options))


def _check_kind(reader):
    if "constants.pkl" in reader:
        raise RuntimeError(
            f"load: {reader.shown_name} is a TorchScript archive, not a checkpoint; save the "
            "model's state_dict() with PyTorch and load that"
        )


def _order_differs(reader):
    """Whether the file's byte order is not this machine's."""
    import sys

    if "byteorder" not in reader:
        return False
    order = reader.bytes("byteorder").decode("ascii", "replace")
    if order not in ("little", "big"):
        raise ValueError(f"load: unknown byte order {order!r} in {reader.shown_name}")
    return order != sys.byteorder
