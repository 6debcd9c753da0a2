"""`PyTorchFileReader`: the records of a checkpoint file, for packages that read it themselves.

Everything else reads through `reader.ZipReader`.
"""

import rushlight as rl

from .reader import ZipReader


class PyTorchFileReader:
    """The records of a checkpoint in the zip format.

    Args:
        file: a path, or a file opened for reading.
    """

    def __init__(self, file):
        opened = open(file, "rb") if isinstance(file, str) else file
        self._reader = ZipReader(opened, str(file))

    def has_record(self, name):
        """Is there a record of that name?"""
        return name in self._reader

    def get_record(self, name):
        """A record's bytes; RuntimeError if there is none."""
        return self._reader.bytes(name)

    def get_all_records(self):
        """The names of all records."""
        return list(self._reader.records)

    def get_storage_from_record(self, name, numel, dtype):
        """A record as a tensor with ``numel`` elements."""
        storage = self._reader.into_storage(name)
        return rl.empty(0, dtype=dtype).set_(storage, 0, (numel,))

    def read_record(self, name, dtype, numel):
        """A record as a tensor with ``numel`` elements."""
        return self.get_storage_from_record(name, numel, dtype)

    def serialization_id(self):
        """The text that names this file's contents; empty if it has none."""
        name = ".data/serialization_id"
        return self._reader.bytes(name).decode() if name in self._reader else ""
