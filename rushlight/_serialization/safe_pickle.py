"""A reader of pickles that executes nothing.

It knows the instructions that describe data; those that only move plain values are run by
`pickle_steps` of the native module. Names resolve to a fixed table (`names.known_global`)
and to what the user allowed; only those may be called, and only tensors, ordered dicts and allowed
classes may be given state. There is no import, no attribute look-up by the file and no copyreg
extension.
"""

import struct
from pickle import UnpicklingError

import rushlight as rl
from rushlight._native import pickle_steps

from . import rebuild
from .names import StorageType, file_name_of, known_global

_DTYPE_OR_LAYOUT = (rl.dtype, type(rl.strided))
_MARK = object()
_READ_AHEAD = 1 << 16
_UINT4, _UINT8, _DOUBLE = (struct.Struct(f) for f in ("<I", "<Q", ">d"))

# What instructions raise when they do not fit what is on the stack.
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, OverflowError, struct.error)
_allowed = {}  # "module.name" -> object, extended by the user


def written_name(obj):
    """The name under which files refer to an object that the user allows."""
    if isinstance(obj, tuple):
        return obj[1]
    return ".".join(file_name_of(obj, obj.__module__, obj.__qualname__))


class SafeUnpickler:
    """Reads one pickle from `file`; `persistent_load(pid)` resolves storages."""

    def __init__(self, file, persistent_load, encoding="utf-8"):
        self.file, self.persistent_load, self.encoding = file, persistent_load, encoding
        self.data, self.at = b"", 0  # what was read ahead, and how far in it the pickle is
        self.memo, self.stack = {}, []
        self.wanted = None  # collects refused names instead of failing
        self.calls = True

    def load(self):
        steps = _STEPS
        try:
            while True:
                at, needed = pickle_steps(self.data, self.at, self.stack, self.memo, _MARK)
                self.at = at
                if needed:
                    self._read_ahead(needed)
                    continue
                code = self.data[at]
                self.at = at + 1
                if code == 0x2E:  # STOP
                    return self._finished()
                step = steps.get(code)
                if step is None:
                    raise UnpicklingError(
                        f"weights_only load: unsupported pickle instruction {code:#04x}"
                    )
                step(self)
        except _MALFORMED as error:
            raise UnpicklingError(f"weights_only load: invalid pickle: {error}") from error

    def _finished(self):
        """The result; the file is left behind the pickle."""
        if self.at < len(self.data):
            self.file.seek(self.at - len(self.data), 1)
        self.data, self.at = b"", 0
        return self.stack.pop()

    def dry_run(self):
        """Read the whole pickle, making nothing,
        and note in `wanted` the names a load would refuse.
        """
        self.calls = False
        self.load()

    def _read_ahead(self, count):
        """Brings at least so many bytes that are not taken yet."""
        self.data, self.at = self.data[self.at :], 0
        while len(self.data) < count:
            more = self.file.read(max(_READ_AHEAD, count - len(self.data)))
            if not more:
                raise UnpicklingError("weights_only load: the pickle ends too early")
            self.data += more

    def _take(self, count):
        at, end = self.at, self.at + count
        if end > len(self.data):
            self._read_ahead(count)
            at, end = 0, count
        self.at = end
        return self.data[at:end]

    def _byte(self):
        at = self.at
        if at == len(self.data):
            self._read_ahead(1)
            at = 0
        self.at = at + 1
        return self.data[at]

    def _line(self):
        end = self.data.find(b"\n", self.at)
        while end < 0:
            self._read_ahead(len(self.data) - self.at + 1)
            end = self.data.find(b"\n")
        return self._take(end + 1 - self.at)[:-1].decode("utf-8")

    def _number(self, form):
        return form.unpack(self._take(form.size))[0]

    def _marked(self):
        """What was pushed since the last mark."""
        at = len(self.stack) - 1
        while self.stack[at] is not _MARK:
            at -= 1
            if at < 0:
                raise IndexError("no mark")
        items = self.stack[at + 1 :]
        del self.stack[at:]
        return items

    def _push_global(self, module, name):
        full = f"{module}.{name}"
        obj = _allowed.get(full)
        if obj is None:
            obj = known_global(module, name)
        if obj is None and self.wanted is not None:
            self.wanted.add(full)
            obj = _Stranger
        if obj is None:
            raise UnpicklingError(
                f"weights_only load: the file refers to {full}, which is not among the names that "
                "are safe without running code. If you trust it, allow it with "
                f"`{rl.__name__}.serialization.add_safe_globals([...])` or the "
                "`safe_globals([...])` context manager; if you trust the whole file, "
                "weights_only=False loads it and may run any code it contains."
            )
        self.stack.append(obj)

    def _global(self):
        module = self._line()
        self._push_global(module, self._line())

    def _stack_global(self):
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str):
            raise TypeError("a global's name must be text")
        self._push_global(module, name)

    def _reduce(self):
        args, function = self.stack.pop(), self.stack.pop()
        self.stack.append(_call(function, args) if self.calls else _Stranger())

    def _new_object(self):
        args, cls = self.stack.pop(), self.stack.pop()
        if not isinstance(cls, type):
            raise TypeError("only classes can be instantiated")
        self.stack.append(cls.__new__(cls, *args) if self.calls else _Stranger())

    def _build(self):
        state, target = self.stack.pop(), self.stack[-1]
        _set_state(target, state)

    def _append(self):
        value = self.stack.pop()
        self._extend([value])

    def _appends(self):
        self._extend(self._marked())

    def _extend(self, values):
        target = self.stack[-1]
        if isinstance(target, _Stranger):
            return
        if type(target) is not list and type(target) not in _allowed.values():
            raise TypeError(f"cannot append to {type(target).__name__}")
        target.extend(values)

    def _set_items(self, pairs):
        target = self.stack[-1]
        if isinstance(target, _Stranger):
            return
        if not isinstance(target, dict) or isinstance(target, type):
            raise TypeError(f"cannot set items of {type(target).__name__}")
        for key, value in zip(pairs[::2], pairs[1::2]):
            target[key] = value

    def _set_item(self):
        value, key = self.stack.pop(), self.stack.pop()
        self._set_items([key, value])

    def _add_items(self):
        values = self._marked()
        if not isinstance(self.stack[-1], _Stranger):
            _exactly(self.stack[-1], set).update(values)

    def _mark_to_dict(self):
        pairs = self._marked()
        self.stack.append(dict(zip(pairs[::2], pairs[1::2])))

    def _old_text(self, length):
        """Text that Python 2 wrote."""
        data = self._take(length)
        self.stack.append(data if self.encoding == "bytes" else data.decode(self.encoding))

    def _long(self, length):
        self.stack.append(int.from_bytes(self._take(length), "little", signed=True))

    def _protocol(self):
        version = self._byte()
        if not 2 <= version <= 5:
            raise ValueError(f"unsupported pickle protocol: {version}")

    def _long_text(self):
        self.stack.append(self._take(self._number(_UINT8)).decode("utf-8", "surrogatepass"))

    def _bytes(self, form):
        self.stack.append(self._take(self._number(form)))


class _Stranger:
    """Stands for objects of refused classes while their names are being listed."""

    def __init__(self, *args):
        pass


def _exactly(target, kind):
    if type(target) is not kind:
        raise TypeError(f"expected a {kind.__name__}, found {type(target).__name__}")
    return target


def _call(function, args):
    if isinstance(function, (StorageType, *_DTYPE_OR_LAYOUT)) or not isinstance(args, tuple):
        raise TypeError(f"{function!r} cannot be called")
    if function is rebuild._rebuild_from_type_v2:
        _check_rebuild_type(*args[:2])
    return function(*args)


def _check_rebuild_type(function, kind):
    if getattr(function, "__module__", None) != rebuild.__name__:
        raise TypeError(f"{function!r} cannot rebuild a tensor")
    if not (kind is rl.Tensor or kind is rl.nn.Parameter or kind in _allowed.values()):
        raise TypeError(f"tensor class {kind!r} is not allowed")


def _set_state(target, state):
    import collections

    if isinstance(target, _Stranger):
        return
    if isinstance(target, (rl.Tensor, collections.OrderedDict)) and type(target).__name__ in (
        "Tensor", "Parameter", "OrderedDict",
    ):  # fmt: skip
        target.__dict__.update(_exactly(state, dict))
    elif any(type(target) is cls for cls in _allowed.values()):
        _set_allowed_state(target, state)
    else:
        raise TypeError(f"objects of {type(target).__name__} cannot be given state")


def _set_allowed_state(target, state):
    setter = getattr(target, "__setstate__", None)
    if setter is not None:
        setter(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    target.__dict__.update(state or {})
    for name, value in (slots or {}).items():
        setattr(target, name, value)


def _skip_frame(reader):
    reader._take(8)


_S = SafeUnpickler
_STEPS = {
    0x80: _S._protocol,
    0x95: _skip_frame,
    ord("0"): lambda r: r.stack.pop(),
    ord("1"): lambda r: r._marked(),
    0x8F: lambda r: r.stack.append(set()),
    0x8A: lambda r: r._long(r._byte()),
    0x8B: lambda r: r._long(r._number(_UINT4)),
    ord("G"): lambda r: r.stack.append(r._number(_DOUBLE)),
    0x8D: _S._long_text,
    ord("C"): lambda r: r.stack.append(r._take(r._byte())),
    ord("B"): lambda r: r._bytes(_UINT4),
    0x8E: lambda r: r._bytes(_UINT8),
    0x96: lambda r: r.stack.append(bytearray(r._take(r._number(_UINT8)))),
    ord("U"): lambda r: r._old_text(r._byte()),
    ord("T"): lambda r: r._old_text(r._number(_UINT4)),
    ord("l"): lambda r: r.stack.append(r._marked()),
    ord("d"): _S._mark_to_dict,
    0x91: lambda r: r.stack.append(frozenset(r._marked())),
    ord("a"): _S._append,
    ord("e"): _S._appends,
    ord("s"): _S._set_item,
    ord("u"): lambda r: r._set_items(r._marked()),
    0x90: _S._add_items,
    ord("c"): _S._global,
    0x93: _S._stack_global,
    ord("R"): _S._reduce,
    0x81: _S._new_object,
    ord("b"): _S._build,
    ord("Q"): lambda r: r.stack.append(r.persistent_load(r.stack.pop())),
}
