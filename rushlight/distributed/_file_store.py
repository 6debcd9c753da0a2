"""`FileStore`: a store in a file, for processes that share a folder.

The file has packed keys and values by turns, and is rewritten under a lock (`fcntl`) by whatever
changes it. Waiting looks into the file again and again.
"""

import fcntl
import os
import time
import weakref

from ._errors import DistStoreError
from ._store import HIDDEN, OPERATIONS, READING, Store, not_set_in_time, pack, unpack

_LONGEST_PAUSE = 0.05
_CAME, _LEFT = HIDDEN + b"came", HIDDEN + b"left"


class _File:
    def __init__(self, path):
        self._path = path

    def _read(self, file):
        try:
            data = file.read()
            fields = unpack(data) if data else []
        except ValueError as error:
            raise DistStoreError(
                f"FileStore: {self._path} is not the file of a store ({error}); remove it, or name "
                "one that does not exist"
            ) from None
        return dict(zip(fields[::2], fields[1::2]))

    def _locked(self, how):
        """The file, locked, and still the one that is in the folder."""
        while True:
            file = open(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
            fcntl.flock(file, how)
            try:
                if os.path.samestat(os.fstat(file.fileno()), os.stat(self._path)):
                    return file
            except FileNotFoundError:
                pass  # the last that left has taken it away in between
            file.close()

    @staticmethod
    def _write(file, values):
        file.seek(0)
        file.write(pack([field for entry in values.items() for field in entry]))
        file.truncate()

    def _once(self, operation, fields):
        reading = operation in READING
        with self._locked(fcntl.LOCK_SH if reading else fcntl.LOCK_EX) as file:
            values = self._read(file)
            found = OPERATIONS[operation](values, *fields)
            if not reading and found is not None:
                self._write(file, values)
        return found

    def do(self, operation, fields, seconds):
        end, pause = time.monotonic() + seconds, 0.001
        while True:
            found = self._once(operation, fields)
            if found is not None:
                return found
            if time.monotonic() >= end:
                raise not_set_in_time(fields, seconds)
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def leave(self, process, world_size):
        """The last of those that came takes the file away, if as many came as should."""
        if os.getpid() != process or not os.path.exists(self._path):
            return
        with self._locked(fcntl.LOCK_EX) as file:
            values = self._read(file)
            (left,) = OPERATIONS["add"](values, _LEFT, b"1")
            self._write(file, values)
            if left == values[_CAME] and int(left) >= world_size:
                os.unlink(self._path)


class FileStore(Store):
    """A store in a file, for processes that share the folder it is in.

    Args:
        file_name: the file, which is made if it is not there.
        world_size: the number of processes that will use it: when so many stores have gone, so
            does the file. Without it, the file stays.
    """

    def __init__(self, file_name, world_size=-1):
        super().__init__()
        self.path, self._place = os.fspath(file_name), _File(os.fspath(file_name))
        self._do("check")  # says early if it cannot be read or written
        if world_size > 0:
            self._do("add", _CAME, b"1")
            weakref.finalize(self, self._place.leave, os.getpid(), world_size)
