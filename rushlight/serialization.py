"""Saving and loading of Python objects with tensors in them, in PyTorch's file format.

Public names and the choice of container are here; the parts are in `_serialization/`. What may be
loaded without running code is decided in `_serialization/names.py` and `safe_pickle.py`.
"""

# The parts and the standard modules they need are imported on first use: loading this file is part
# of importing the package.
import os
import sys

DEFAULT_PROTOCOL = 2
MAP_LOCATION = object  # named in annotations of other packages
FILE_LIKE = object
_ID_DIGITS = 40
_settings = {"crc32": True, "mmap_flags": 2, "endianness": None, "skip_data": False}


class SourceChangeWarning(Warning):
    """The class of warnings about changed sources; kept for programs that filter it."""


def save(
    obj,
    f,
    pickle_module=None,
    pickle_protocol=DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization=True,
    _disable_byteorder_record=False,
):
    """Write `obj` to a path or to a binary file object, in the format PyTorch reads.

    Tensors keep dtype, strides and the sharing of storages. With a path, the file appears under its
    name only once it is complete: a crash leaves what was there before. Classes of this package are
    written by their PyTorch names; with a `pickle_module` other than `pickle` by their own.

    >>> import io, rushlight as rl
    >>> buffer = io.BytesIO()
    >>> rl.save({"w": rl.ones(2)}, buffer)
    >>> _ = buffer.seek(0)
    >>> rl.load(buffer)
    {'w': tensor([1., 1.])}
    """
    import contextlib
    import io

    from ._serialization import legacy
    from ._serialization.pickling import StorageTable, pickler_for
    from ._serialization.writer import replaced_atomically

    _check_path_or_file(f, "save", "write")
    if not isinstance(f, (str, os.PathLike)):
        root, target = "archive", contextlib.nullcontext(f)
    else:
        root = os.path.splitext(os.path.basename(os.fspath(f)))[0] or "archive"
        target = replaced_atomically(f)
    table = StorageTable()

    def make_pickler(file, shown=table):
        return pickler_for(pickle_module, file, pickle_protocol, shown)

    with target as file:
        if not _use_new_zipfile_serialization:
            if _settings["skip_data"]:
                raise RuntimeError("save: skip_data needs the zip format")
            legacy.save_stream(obj, file, make_pickler, pickle_protocol, table)
        else:
            body = io.BytesIO()
            make_pickler(body).dump(obj)
            _write_zip(file, root, body.getbuffer(), table, not _disable_byteorder_record)
        if hasattr(file, "flush"):
            file.flush()


def _write_zip(file, root, body, table, with_byteorder):
    from ._serialization.buffers import bytes_of
    from ._serialization.writer import ZipWriter, most_bytes, with_room

    records = [("data.pkl", body), (".format_version", b"1"), (".storage_alignment", b"64")]
    if with_byteorder:
        records.append(("byteorder", sys.byteorder.encode()))
    stored = [(f"data/{key}", bytes_of(storage)) for key, storage in table.buffers()]
    if _settings["skip_data"]:
        blank = memoryview(bytes(max((len(data) for _, data in stored), default=0)))
        stored = [(name, blank[: len(data)]) for name, data in stored]
    records += stored
    records.append(("version", b"3\n"))
    most = most_bytes(root, [len(data) for _, data in records] + [_ID_DIGITS])
    with with_room(file, most) as file:
        writer = ZipWriter(file, root, _settings["crc32"])
        for name, data in records:
            writer.add(name, data)
        writer.add(".data/serialization_id", _content_id(writer))
        writer.finish()


def _content_id(writer):
    """Digits that depend on the records' names and checksums."""
    import hashlib

    digest = hashlib.sha256(repr(writer.entries).encode()).digest()
    return f"{int.from_bytes(digest[:16], 'big'):0{_ID_DIGITS}d}".encode()


def load(
    f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args
):
    """Read what `save`, here or in PyTorch, has written.

    Args:
        f: a path or a seekable binary file object.
        map_location: device, its name, {name in file: name here} or function (storage, name) ->
            storage.
        weights_only: True (the default) reads tensors and plain containers and cannot run code;
            other classes must be allowed by `add_safe_globals`. False runs what the file says: only
            for files you trust.
        mmap: map the file (a path) instead of reading it; bytes come in as they are touched.

    Raises `pickle.UnpicklingError` for names that are not allowed and RuntimeError for damaged
    files.
    """
    import contextlib

    from ._serialization import loading

    weights_only = _effective_weights_only(weights_only, pickle_module)
    _check_path_or_file(f, "load", "read")
    path = os.fspath(f) if isinstance(f, (str, os.PathLike)) else None
    shown_name = path if path is not None else f"<{type(f).__name__}>"
    options = loading.Options(
        map_location, pickle_module, weights_only, pickle_load_args, _settings
    )
    with contextlib.nullcontext(f) if path is None else open(path, "rb") as file:
        return _load_opened(file, path, shown_name, options, bool(mmap))


def _load_opened(file, path, shown_name, options, map_file):
    from ._serialization import legacy, loading

    start = file.tell()
    head = file.read(4)
    file.seek(start)
    if not head:
        raise EOFError(f"load: {shown_name} is empty: ran out of input")
    if head[:4] == b"PK\x03\x04":
        mapping = _map(path, shown_name) if map_file else None
        return loading.load_zip(file, shown_name, options, mapping)
    if map_file:
        raise RuntimeError(f"load: mmap needs a file in the zip format, {shown_name} is not")
    if _is_tar(file, start):
        raise NotImplementedError(
            f"load: {shown_name} is a tar file of PyTorch before 0.1.10; load and save it again "
            "with PyTorch first"
        )
    return legacy.load_stream(file, shown_name, options)


def _is_tar(file, start):
    file.seek(start + 257)
    found = file.read(5)
    file.seek(start)
    return found == b"ustar"


def _map(path, shown_name):
    if path is None:
        raise ValueError(f"load: f must be a path for mmap=True, got {shown_name}")
    import mmap

    shared = _settings["mmap_flags"] == 1
    with open(path, "r+b" if shared else "rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)


def _effective_weights_only(weights_only, pickle_module):
    if os.environ.get("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in ("1", "y", "yes", "true"):
        weights_only = False if weights_only is None else weights_only
    if os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0").lower() in ("1", "y", "yes", "true"):
        weights_only = True
    if weights_only is None:
        return pickle_module is None
    if weights_only and pickle_module is not None:
        raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
    return weights_only


def _check_path_or_file(f, op, method):
    if isinstance(f, (str, os.PathLike)) or hasattr(f, method):
        return
    raise AttributeError(
        f"{op}: expected 'f' to be a path or a file object with .{method}(), got {type(f).__name__}"
    )


def add_safe_globals(safe_globals):
    """Allow classes and functions, or (object, "module.name") pairs, in `weights_only` loads."""
    from ._serialization import safe_pickle

    for item in safe_globals:
        obj = item[0] if isinstance(item, tuple) else item
        safe_pickle._allowed[safe_pickle.written_name(item)] = obj


def get_safe_globals():
    """What `add_safe_globals` has allowed."""
    from ._serialization import safe_pickle

    return list(safe_pickle._allowed.values())


def clear_safe_globals():
    """Take back all that `add_safe_globals` allowed."""
    from ._serialization import safe_pickle

    safe_pickle._allowed.clear()


class safe_globals:  # noqa: N801 - PyTorch's name
    """Context manager: allow classes and functions within a block.

    >>> from collections import namedtuple
    >>> import rushlight as rl
    >>> with rl.serialization.safe_globals([dict]):
    ...     len(rl.serialization.get_safe_globals())
    1
    """

    def __init__(self, safe_globals):
        self.safe_globals = safe_globals

    def __enter__(self):
        from ._serialization import safe_pickle

        self.before = dict(safe_pickle._allowed)
        add_safe_globals(self.safe_globals)
        return self

    def __exit__(self, *failure):
        from ._serialization import safe_pickle

        safe_pickle._allowed.clear()
        safe_pickle._allowed.update(self.before)


def get_unsafe_globals_in_checkpoint(f):
    """The names in a checkpoint (zip format) that a `weights_only` load would refuse, sorted."""
    import contextlib
    import io

    from ._serialization import loading, safe_pickle

    path = os.fspath(f) if isinstance(f, (str, os.PathLike)) else None
    with contextlib.nullcontext(f) if path is None else open(path, "rb") as file:
        reader = loading.ZipReader(file, path or f"<{type(f).__name__}>")
        unpickler = safe_pickle.SafeUnpickler(
            io.BytesIO(reader.bytes("data.pkl")), lambda reference: safe_pickle._Stranger()
        )
        unpickler.wanted = set()
        unpickler.dry_run()
        return sorted(unpickler.wanted)


def set_crc32_options(compute_crc32):
    """Whether `save` writes checksums; without them damage goes unnoticed."""
    _settings["crc32"] = bool(compute_crc32)


def get_crc32_options():
    """Whether `save` writes checksums."""
    return _settings["crc32"]


class set_default_mmap_options:  # noqa: N801 - PyTorch's name
    """mmap.MAP_PRIVATE (the default) or mmap.MAP_SHARED for `load(mmap=True)`, from now on or, as a
    context manager, within a block.
    """

    def __init__(self, flags):
        import mmap

        if flags not in (mmap.MAP_PRIVATE, mmap.MAP_SHARED):
            raise ValueError(f"expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, got {flags}")
        self.before, _settings["mmap_flags"] = _settings["mmap_flags"], flags

    def __enter__(self):
        pass

    def __exit__(self, *failure):
        _settings["mmap_flags"] = self.before


def get_default_mmap_options():
    """The flags with which `load(mmap=True)` maps files."""
    return _settings["mmap_flags"]


def get_default_load_endianness():
    """The `LoadEndianness` of files that do not tell their byte order; None: this machine's."""
    order = _settings["endianness"]
    return order if order is None else _lazy("LoadEndianness")[order.upper()]


def set_default_load_endianness(endianness):
    """Sets in which byte order to read files that do not tell it, a `LoadEndianness` or None."""
    kind = _lazy("LoadEndianness")
    if endianness is not None and not isinstance(endianness, kind):
        raise TypeError(
            "set_default_load_endianness: expected a LoadEndianness or None, got "
            f"{type(endianness).__name__}"
        )
    native = endianness in (None, kind.NATIVE)
    _settings["endianness"] = None if native else endianness.name.lower()


class skip_data:  # noqa: N801 - PyTorch's name
    """Context manager: `save` writes zeros in place of the bytes of storages, and `load` leaves
    tensors zero. What tensors there are, and their geometry, is written and read.

    Args:
        materialize_fake_tensors: accepted; tensors without data are written as meta tensors.
    """

    def __init__(self, materialize_fake_tensors=False):
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self):
        self.before, _settings["skip_data"] = _settings["skip_data"], True

    def __exit__(self, *failure):
        _settings["skip_data"] = self.before


def register_package(priority, tagger, deserializer):
    """Teaches `save` and `load` the devices of another package.

    Args:
        priority: lower ones are asked first; the CPU has 10.
        tagger: ``tagger(storage)`` returns the name of its device for files, or None.
        deserializer: ``deserializer(storage, name)`` puts the storage on the device of that name,
            or returns None.
    """
    from ._serialization import locations

    locations.register(priority, tagger, deserializer)


def default_restore_location(storage, location):
    """`storage` on the device that `location` names; RuntimeError if there is no such device."""
    from ._serialization import locations

    return locations.place(storage, location)


def location_tag(storage):
    """The name that files give to the device of a storage."""
    from ._serialization import locations

    return locations.tag_of(storage)


_LAZY = {
    "LoadEndianness": "helpers",
    "StorageType": "names",
    "check_module_version_greater_or_equal": "helpers",
    "mkdtemp": "helpers",
    "normalize_storage_type": "helpers",
    "storage_to_tensor_type": "helpers",
    "validate_cuda_device": "helpers",
    "validate_hpu_device": "helpers",
}  # name -> the part that has it


def _lazy(name):
    import importlib

    return getattr(importlib.import_module(f"{__package__}._serialization.{_LAZY[name]}"), name)


def __getattr__(name):
    if name in _LAZY:
        return _lazy(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *_LAZY})
