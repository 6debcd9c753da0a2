"""Stores: named values that processes leave for each other. What every store can do is here.

A store is a place where one of `OPERATIONS` can be carried out at a time (`Store._do`): memory
here, a file in `_file_store.py`, a server in `_tcp_store.py`. To add an operation: an entry in
`OPERATIONS`, and the method of `Store` that asks for it.
"""

import struct
import threading
from datetime import timedelta

from ._errors import DistStoreError, QueueEmptyError

DEFAULT_TIMEOUT = timedelta(seconds=300)
HIDDEN = b"\0"  # keys that begin so are not shown
_QUEUE = HIDDEN + b"queue/"


def pack(fields):
    """Several byte strings as one."""
    parts = [struct.pack("<I", len(fields))]
    for data in fields:
        parts += struct.pack("<Q", len(data)), data
    return b"".join(parts)


def unpack(data):
    """The byte strings that `pack` made one of; ValueError if it did not."""
    fields, at = [], 4
    try:
        for _ in range(struct.unpack_from("<I", data)[0]):
            (length,) = struct.unpack_from("<Q", data, at)
            at += 8
            if at + length > len(data):
                raise ValueError("a field ends behind the data")
            fields.append(bytes(data[at : at + length]))
            at += length
    except struct.error as error:
        raise ValueError(f"not packed fields: {error}") from None
    return fields


def as_bytes(value, what="a value"):
    """Text or bytes as bytes; TypeError for anything else."""
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError(f"store: expected {what} to be str or bytes, got {type(value).__name__}")


def duration(timeout):
    """A timedelta; TypeError if it is none."""
    if not isinstance(timeout, timedelta):
        raise TypeError(
            f"Expected timeout argument to be of type datetime.timedelta, got {timeout}"
        )
    return timeout


# ---- what is done to a dictionary of bytes; None: not yet possible, wait for other values ----


def _set(values, key, value):
    values[key] = value
    return []


def _get(values, *keys):
    return [values[key] for key in keys] if all(key in values for key in keys) else None


def _wait(values, *keys):
    return None if _get(values, *keys) is None else []


def _add(values, key, amount):
    total = int(values.get(key, b"0")) + int(amount)
    values[key] = b"%d" % total
    return [values[key]]


def _append(values, key, value):
    values[key] = values.get(key, b"") + value
    return []


def _check(values, *keys):
    return [b"%d" % all(key in values for key in keys)]


def _compare_set(values, key, expected, desired):
    now = values.get(key)
    if now == expected or (now is None and not expected):
        values[key] = desired
    return [values.get(key, expected)]


def _delete(values, key):
    return [b"%d" % (values.pop(key, None) is not None)]


def _keys(values):
    return [key for key in values if not key.startswith(HIDDEN)]


def _push(values, key, value):
    waiting = unpack(values.get(_QUEUE + key, pack([])))
    values[_QUEUE + key] = pack([*waiting, value])
    return []


def _pop(values, key):
    first, *rest = unpack(values.get(_QUEUE + key, pack([]))) or [None]
    if first is None:
        return None
    values[_QUEUE + key] = pack(rest)
    return [first]


def _length(values, key):
    return [b"%d" % len(unpack(values.get(_QUEUE + key, pack([]))))]


OPERATIONS = {
    "set": _set, "get": _get, "wait": _wait, "add": _add, "append": _append, "check": _check,
    "compare_set": _compare_set, "delete": _delete, "keys": _keys, "push": _push, "pop": _pop,
    "length": _length,
}  # fmt: skip
READING = frozenset(("get", "wait", "check", "keys", "length"))


def not_set_in_time(keys, seconds):
    """The error of a store whose values did not come."""
    names = ", ".join(key.decode(errors="replace") for key in keys)
    return DistStoreError(f"wait timeout after {seconds * 1000:.0f}ms, keys: {names}")


class Values:
    """A dictionary in this process's memory that threads share."""

    def __init__(self):
        self._values, self._changed = {}, threading.Condition()

    def do(self, operation, fields, seconds):
        """Carries out an operation, waiting until it is possible."""
        found = None

        def possible():
            nonlocal found
            found = OPERATIONS[operation](self._values, *fields)
            return found is not None

        with self._changed:
            if not self._changed.wait_for(possible, seconds):
                raise not_set_in_time(fields, seconds)
            if operation not in READING:
                self._changed.notify_all()
        return found


class Store:
    """Named bytes; values are given as text or bytes, and come back as bytes.

    Example::

        >>> store = rl.distributed.HashStore()
        >>> store.set("key", "value")
        >>> store.get("key")
        b'value'
    """

    def __init__(self):
        self._timeout = DEFAULT_TIMEOUT
        self._place = Values()

    def __reduce__(self):
        """Refuses to be pickled or copied: TypeError, as in PyTorch."""
        raise TypeError(f"cannot pickle {type(self).__name__!r}: what it holds is the processes'")

    @property
    def timeout(self):
        """How long `get` and `wait` wait for a value."""
        return self._timeout

    def set_timeout(self, timeout):
        """Sets how long `get` and `wait` wait for a value."""
        self._timeout = duration(timeout)

    def _do(self, operation, *fields, timeout=None):
        fields = [as_bytes(field, "keys and values") for field in fields]
        seconds = duration(self.timeout if timeout is None else timeout).total_seconds()
        return self._place.do(operation, fields, seconds)

    def set(self, key, value):  # noqa: A003
        """Keeps a value, in place of an earlier one."""
        self._do("set", key, value)

    def get(self, key):
        """The value, when it is set; DistStoreError if it is not in time."""
        return self._do("get", key)[0]

    def add(self, key, amount):
        """Adds to a number (0 if not set), and returns it."""
        return int(self._do("add", key, str(int(amount)))[0])

    def append(self, key, value):
        """Adds to the end of a value."""
        self._do("append", key, value)

    def check(self, keys):
        """Are all of the keys set?"""
        return self._do("check", *keys)[0] == b"1"

    def compare_set(self, key, expected_value, desired_value):
        """Sets a value if it is the expected one (or "" and not set); the value then."""
        return self._do("compare_set", key, expected_value, desired_value)[0]

    def delete_key(self, key):
        """Was the key set, and is now forgotten?"""
        return self._do("delete", key)[0] == b"1"

    def num_keys(self):
        """How many keys are set."""
        return len(self._do("keys"))

    def list_keys(self):
        """The keys that are set."""
        return [key.decode() for key in self._do("keys")]

    def wait(self, keys, timeout=None):
        """Returns when all of the keys are set; DistStoreError if they are not in time."""
        self._do("wait", *keys, timeout=timeout)

    def multi_get(self, keys):
        """The values of several keys, when all are set."""
        return self._do("get", *keys)

    def multi_set(self, keys, values):
        """Sets several keys; DistStoreError if there are not as many values."""
        if len(keys) != len(values):
            raise DistStoreError(f"multi_set: {len(keys)} keys, but {len(values)} values")
        for key, value in zip(keys, values):
            self.set(key, value)

    def queue_push(self, key, value):
        """Puts a value at the end of a queue."""
        self._do("push", key, value)

    def queue_pop(self, key, block=True):
        """Takes the first value of a queue, waiting for one; QueueEmptyError without ``block``."""
        if not block and not self.queue_len(key):
            raise QueueEmptyError("queue is empty")
        return self._do("pop", key)[0]

    def queue_len(self, key):
        """How many values are in a queue."""
        return int(self._do("length", key)[0])

    def has_extended_api(self):
        """True: it has `append`, `multi_get`, `multi_set` and queues."""
        return True


class HashStore(Store):
    """A store in this process's memory, for its threads."""


class PrefixStore(Store):
    """Another store's values whose keys begin with a prefix."""

    def __init__(self, prefix, store):
        self._prefix, self.underlying_store = as_bytes(prefix, "the prefix").decode() + "/", store

    @property
    def timeout(self):
        """How long the other store waits for a value."""
        return self.underlying_store.timeout

    def set_timeout(self, timeout):
        """Sets how long the other store waits for a value."""
        self.underlying_store.set_timeout(timeout)

    def num_keys(self):
        """How many keys the other store has, those without the prefix included."""
        return self.underlying_store.num_keys()

    def list_keys(self):
        """The other store's keys that have the prefix, without it."""
        keys = self.underlying_store.list_keys()
        return [key[len(self._prefix) :] for key in keys if key.startswith(self._prefix)]


def _of_key(name):
    def method(self, key, *args, **kwargs):
        return getattr(self.underlying_store, name)(self._prefix + key, *args, **kwargs)

    return method


def _of_keys(name):
    def method(self, keys, *args, **kwargs):
        keys = [self._prefix + key for key in keys]
        return getattr(self.underlying_store, name)(keys, *args, **kwargs)

    return method


def _pass_on(make, names):
    for name in names.split():
        method, known = make(name), getattr(Store, name)
        method.__name__, method.__doc__ = name, known.__doc__
        method.__qualname__ = f"PrefixStore.{name}"
        setattr(PrefixStore, name, method)


_pass_on(_of_key, "set get add append compare_set delete_key queue_push queue_pop queue_len")
_pass_on(_of_keys, "check wait multi_get multi_set")
