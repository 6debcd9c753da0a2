"""The zip container, written: stored records whose bytes start at multiples of 64 in the file.

Sizes are known before a record is written, so any object with `write` will do, seekable or not.
Reading is in `reader.py`.
"""

import contextlib
import io
import os
import struct

from rushlight._native import copied, crc32, room

ALIGNMENT = 64
_LOCAL = struct.Struct("<IHHHHHIIIHH")
_CHECKSUM_AT = 14  # in a local header
_CENTRAL = struct.Struct("<IHHHHHHIIIHHHHHII")
_END = struct.Struct("<IHHHHIIH")
_END64 = struct.Struct("<IQHHIIQQQQ")
_LOCATOR = struct.Struct("<IIQI")
_MAX32 = 0xFFFFFFFF
_UTF8 = 0x800
_LONGEST_NAME = 32  # of a record, without the root


class ZipWriter:
    """Writes records named `<root>/<name>`; `finish` writes the directory of them."""

    def __init__(self, file, root, with_checksums=True):
        self.file, self.root, self.with_checksums = file, root, with_checksums
        self.position = 0
        self.entries = []

    def _write(self, data):
        write_all(self.file, data)
        self.position += len(data)

    def add(self, name, data):
        """Write one record from any object with the buffer protocol."""
        data = memoryview(data).cast("B")
        name = f"{self.root}/{name}".encode()
        start, size = self.position, len(data)
        sizes = struct.pack("<HHQQ", 1, 16, size, size) if size >= _MAX32 else b""
        shown = _MAX32 if sizes else size
        extra = sizes + self._padding(start + _LOCAL.size + len(name) + len(sizes))
        head = (0x04034B50, 45 if sizes else 0, _UTF8, 0, 0, 0, 0, shown, shown)
        head = bytearray(_LOCAL.pack(*head, len(name), len(extra)) + name + extra)
        checksum = self._write_record(head, data)
        self.position += len(head) + size
        self.entries.append((name, checksum, size, start))

    def _write_record(self, head, data):
        """Write both, the checksum of the data in the head; the checksum."""
        if self.with_checksums and isinstance(self.file, _Room):
            return self.file.write_summed(head, data)
        checksum = crc32(data) if self.with_checksums else 0
        _put_checksum(head, checksum)
        write_all(self.file, head)
        write_all(self.file, data)
        return checksum

    @staticmethod
    def _padding(position):
        """An extra field that brings the next byte to a multiple of the alignment."""
        fill = -(position + 4) % ALIGNMENT
        return struct.pack("<2sH", b"FB", fill) + b"Z" * fill

    def finish(self):
        start = self.position
        self._write(b"".join(self._directory_row(*entry) for entry in self.entries))
        count, size = len(self.entries), self.position - start
        if count >= 0xFFFF or start >= _MAX32 or size >= _MAX32:
            end64 = self.position
            self._write(_END64.pack(0x06064B50, 44, 45, 45, 0, 0, count, count, size, start))
            self._write(_LOCATOR.pack(0x07064B50, 0, end64, 1))
        count, size, start = min(count, 0xFFFF), min(size, _MAX32), min(start, _MAX32)
        self._write(_END.pack(0x06054B50, 0, 0, count, count, size, start, 0))

    @staticmethod
    def _directory_row(name, checksum, size, start):
        wide = ()
        if max(size, start) >= _MAX32:
            wide = [value for value in (size, size, start) if value >= _MAX32]
        extra = struct.pack(f"<HH{len(wide)}Q", 1, 8 * len(wide), *wide) if wide else b""
        version = 45 if wide else 0
        shown, start = min(size, _MAX32), min(start, _MAX32)
        head = (0x02014B50, version, version, _UTF8, 0, 0, 0, checksum, shown, shown)
        return _CENTRAL.pack(*head, len(name), len(extra), 0, 0, 0, 0, start) + name + extra


def write_all(file, data):
    """Write to a file that may take only a part at a time."""
    done = file.write(data)
    while done is not None and done < len(data):
        data = memoryview(data)[done:]
        done = file.write(data)


def _put_checksum(head, checksum):
    head[_CHECKSUM_AT : _CHECKSUM_AT + 4] = checksum.to_bytes(4, "little")


class _Room:
    """Writes into memory that is there already."""

    def __init__(self, view):
        self.view, self.at = view, 0

    def write(self, data):
        self.view[self.at : self.at + len(data)] = data
        self.at += len(data)

    def write_summed(self, head, data):
        """A record; one pass over its bytes does for copying and for the checksum."""
        at = self.at + len(head)
        checksum = copied(self.view[at : at + len(data)], data)
        _put_checksum(head, checksum)
        self.write(head)
        self.at = at + len(data)
        return checksum


@contextlib.contextmanager
def with_room(file, most):
    """An empty `io.BytesIO` gets room for `most` bytes, into which is written; any other file is
    written to itself.

    Growing it piece by piece touches new pages of 4 KB: 21 ms for 45 MB, at once 9.
    """
    if type(file) is not io.BytesIO or file.tell() or file.getbuffer().nbytes:
        yield file
        return
    file.__init__(room(most))
    end = 0
    try:
        with file.getbuffer() as view:
            memory = _Room(view)
            yield memory
            end = memory.at
    finally:
        file.truncate(end)
        file.getvalue()  # gives back the room that was too much
        file.seek(end)


def most_bytes(root, sizes):
    """A bound for the size of an archive of records of these sizes."""
    around = _LOCAL.size + _CENTRAL.size + 2 * (len(root.encode()) + _LONGEST_NAME)
    return sum(sizes) + (around + 2 * ALIGNMENT + 48) * (len(sizes) + 1)


@contextlib.contextmanager
def replaced_atomically(path):
    """Open a file next to `path` that takes its place when the block succeeds.

    A crash at any moment leaves either the old file or the new one, whole. What is no regular file
    (a pipe, a device) is opened as it is.
    """
    path = os.path.realpath(os.fspath(path))
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:
            yield file
        return
    file, draft = _open_draft(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)
        raise


def _open_draft(path):
    """A new file in the same directory, with the permissions an ordinary new file (or the old one)
    has.
    """
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        raise RuntimeError(f"Parent directory {parent} does not exist.")
    draft = f"{path}.{os.getpid()}.{os.urandom(4).hex()}.tmp"
    file = open(draft, "xb")
    if os.path.exists(path):
        os.chmod(draft, os.stat(path).st_mode & 0o7777)
    return file, draft
