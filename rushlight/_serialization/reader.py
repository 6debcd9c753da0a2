"""The zip container, read: records by name, as bytes, into a storage, or mapped into memory.

Finding the records is left to the standard library; checksums are verified here. Writing is in
`writer.py`.
"""

import io
import struct

import rushlight as rl

from rushlight._native import copied, crc32

from .buffers import bytes_of

_READ_AT_ONCE = 1 << 18  # bytes, which are in the cache when their checksum is made


class ZipReader:
    """The records of a checkpoint. Raises RuntimeError, saying which record, for damaged files."""

    def __init__(self, file, shown_name):
        import zipfile

        self.file, self.shown_name = file, shown_name
        try:
            self.zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
            raise RuntimeError(
                f"load: {shown_name} is not a complete checkpoint: failed finding central "
                f"directory ({error}); it was probably cut short while being written or copied"
            ) from error
        names = self.zip.namelist()
        if not names:
            raise RuntimeError(f"load: {shown_name} is an empty archive")
        self.root = names[0].split("/", 1)[0]
        self.records = {info.filename.partition("/")[2]: info for info in self.zip.infolist()}
        self.length = file.seek(0, 2)
        # The bytes themselves, not a copy; a buffer of the file would copy what others hold too.
        self.whole = memoryview(file.getvalue()) if type(file) is io.BytesIO else None

    def __contains__(self, name):
        return name in self.records

    def _info(self, name):
        if name not in self.records:
            raise RuntimeError(f"load: {self.shown_name} has no record {name!r}")
        return self.records[name]

    def size(self, name):
        return self._info(name).file_size

    def bytes(self, name):
        info = self._info(name)
        start = self._offset(info)
        data = bytearray(info.file_size)
        self._read(info, start, memoryview(data))
        return bytes(data)

    def into_storage(self, name):
        """A new storage with the record's bytes."""
        info = self._info(name)
        start = self._offset(info)
        storage = rl.empty(info.file_size, dtype=rl.uint8).untyped_storage()
        if info.file_size:
            self._read(info, start, bytes_of(storage))
        return storage

    def mapped(self, name, mapping):
        """A storage that is a window of the mapped file."""
        info = self._info(name)
        if not info.file_size:
            return rl.empty(0, dtype=rl.uint8).untyped_storage()
        start = self._offset(info)
        window = memoryview(mapping)[start : start + info.file_size]
        return rl.frombuffer(window, dtype=rl.uint8).untyped_storage()

    def _offset(self, info):
        """Where the record's bytes begin; the local header has a length of its own."""
        if info.compress_type:
            raise RuntimeError(f"load: record {info.filename!r} of {self.shown_name} is compressed")
        if not 0 <= info.header_offset <= self.length - info.file_size - 30:
            raise RuntimeError(
                f"load: record {info.filename!r} lies outside {self.shown_name}; the file is "
                "damaged"
            )
        self.file.seek(info.header_offset)
        header = self.file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise RuntimeError(f"load: record {info.filename!r} of {self.shown_name} has no header")
        return info.header_offset + 30 + sum(struct.unpack("<HH", header[26:30]))

    def _read(self, info, start, target):
        if self.whole is None:
            done, checksum = self._read_pieces(start, target)
        else:
            found = self.whole[start : start + len(target)]
            done = len(found)
            checksum = copied(target[:done], found)
        if done < len(target):
            raise RuntimeError(
                f"load: {self.shown_name} ends inside record {info.filename!r}: "
                f"{done} of {len(target)} bytes"
            )
        if info.CRC and checksum != info.CRC:  # files may be written without checksums: zero
            raise RuntimeError(
                f"load: record {info.filename!r} of {self.shown_name} is damaged (wrong checksum)"
            )

    def _read_pieces(self, start, target):
        """How many bytes there were, and their checksum."""
        self.file.seek(start)
        done = checksum = 0
        while done < len(target):
            part = target[done : done + _READ_AT_ONCE]
            count = _read_some(self.file, part)
            if not count:
                break
            checksum = crc32(part[:count], checksum)
            done += count
        return done, checksum


def _read_some(file, part):
    if hasattr(file, "readinto"):
        return file.readinto(part)
    data = file.read(len(part))
    part[: len(data)] = data
    return len(data)
