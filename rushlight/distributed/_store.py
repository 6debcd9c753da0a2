"""Stores: named values that processes leave for each other. Here they are a dictionary, or a file.

`TCPStore` serves this process only.
"""

from datetime import timedelta

from rushlight._notes import unsupported


class Store:
    """Named bytes; values are given as text or bytes, and come back as bytes.

    Example::

        >>> store = rl.distributed.HashStore()
        >>> store.set("key", "value")
        >>> store.get("key")
        b'value'
    """

    def __init__(self):
        self._values = {}
        self.timeout = timedelta(seconds=300)

    def __reduce__(self):
        """Refuses to be pickled or copied: TypeError, as in PyTorch."""
        raise TypeError(f"cannot pickle {type(self).__name__!r}: what it holds is the processes'")

    def set_timeout(self, timeout):
        """How long `get` and `wait` wait for a value."""
        self.timeout = timeout

    def set(self, key, value):  # noqa: A003
        """Keeps a value, in place of an earlier one."""
        self._values[key] = value.encode() if isinstance(value, str) else bytes(value)

    def get(self, key):
        """The value; RuntimeError if it is not set in time, as nobody else sets it."""
        if key not in self._values:
            raise RuntimeError(f"store: nobody will set {key!r}: there is one process")
        return self._values[key]

    def add(self, key, amount):
        """Adds to a number (0 if not set), and returns it."""
        total = int(self._values.get(key, b"0")) + amount
        self._values[key] = str(total).encode()
        return total

    def append(self, key, value):
        """Adds to the end of a value."""
        value = value.encode() if isinstance(value, str) else bytes(value)
        self._values[key] = self._values.get(key, b"") + value

    def check(self, keys):
        """Are all of the keys set?"""
        return all(key in self._values for key in keys)

    def compare_set(self, key, expected_value, desired_value):
        """Sets a value if it is the expected one (or "" and not set); the value then."""
        now = self._values.get(key)
        if now == expected_value.encode() or (now is None and not expected_value):
            self.set(key, desired_value)
        return self._values.get(key, expected_value.encode())

    def delete_key(self, key):
        """Was the key set, and is now forgotten?"""
        return self._values.pop(key, None) is not None

    def num_keys(self):
        """How many keys are set."""
        return len(self._values)

    def wait(self, keys, timeout=None):
        """Returns when all of the keys are set; RuntimeError if they are not."""
        for key in keys:
            self.get(key)

    def multi_get(self, keys):
        """The values of several keys."""
        return [self.get(key) for key in keys]

    def multi_set(self, keys, values):
        """Sets several keys."""
        for key, value in zip(keys, values):
            self.set(key, value)


class HashStore(Store):
    """A store in this process's memory."""


class FileStore(Store):
    """A store that would share a file; the file is made, and values stay in memory."""

    def __init__(self, file_name, world_size=-1):
        if world_size > 1:
            raise unsupported(f"FileStore for {world_size} processes")
        super().__init__()
        self.path = file_name
        with open(file_name, "ab"):  # says early if it cannot be written
            pass


class TCPStore(Store):
    """A store that would serve other processes; it serves this one, and opens no port."""

    def __init__(
        self,
        host_name,
        port,
        world_size=None,
        is_master=False,
        timeout=None,
        wait_for_workers=True,
        multi_tenant=False,
        master_listen_fd=None,
        use_libuv=True,
    ):
        if world_size is not None and world_size > 1:
            raise unsupported(f"TCPStore for {world_size} processes")
        super().__init__()
        self.host, self.port = host_name, port
        self.timeout = timeout or self.timeout


class PrefixStore(Store):
    """Another store's values whose keys begin with a prefix."""

    def __init__(self, prefix, store):
        super().__init__()
        self._prefix, self.underlying_store = prefix, store
        self._values = _Prefixed(prefix + "/", store._values)


class _Prefixed(dict):
    """A dictionary whose entries are another's, under longer keys."""

    def __init__(self, prefix, entries):
        self._prefix, self._entries = prefix, entries

    def __getitem__(self, key):
        return self._entries[self._prefix + key]

    def __setitem__(self, key, value):
        self._entries[self._prefix + key] = value

    def __contains__(self, key):
        return self._prefix + key in self._entries

    def get(self, key, default=None):
        return self._entries.get(self._prefix + key, default)

    def pop(self, key, default=None):
        return self._entries.pop(self._prefix + key, default)

    def __len__(self):
        return sum(key.startswith(self._prefix) for key in self._entries)
