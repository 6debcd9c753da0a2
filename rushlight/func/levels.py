"""The stack of active transforms, and the wrappers that carry a tensor's part in them.

`vmap` and `jvp` open a level: tensors that take part are wrapped (`Level.wrap`), and every op that
meets a wrapper is handed to the innermost level among its arguments, which computes with what the
wrappers hold, one level further out. Reverse mode needs no wrappers: `rushlight.func.tape`.
A new transform is a subclass of `Level` with a `process`. Native side: csrc/python/levels.h.
"""

import threading

import rushlight as rl
from rushlight import _interpose, _native
from rushlight.ops._record import records

_FIRST_KIND = 128  # as in csrc/python/levels.h
_DEEPEST = 255 - _FIRST_KIND


class _State(threading.local):
    current = None
    tapes = 0  # transforms of reverse mode at work, which are no levels


_state = _State()
_drawing = 0  # levels, of all threads, that decide how random ops draw


def current():
    """The innermost level at this point of the thread, or None."""
    return _state.current


def level_at(depth):
    """The level of that depth; RuntimeError if it is not active."""
    level = _state.current
    while level is not None and level.depth != depth:
        level = level.parent
    if level is None:
        raise RuntimeError(f"no function transform of depth {depth} is active")
    return level


def is_active():
    """Is any transform at work at this point of the thread?"""
    return _state.current is not None or _state.tapes > 0


def count_tapes(change):
    """Notes that a transform of reverse mode begins (1) or ends (-1)."""
    _state.tapes += change


def drawing():
    """The innermost level that decides how random ops draw, or None."""
    level = _state.current
    while level is not None and not level.draws:
        level = level.parent
    return level


class Level:
    """One active transform.

    Attributes:
        parent: the next level further out.
        kind: of this level's wrappers; larger further in.
    """

    draws = False  # does it decide how random ops draw?

    def __init__(self):
        self.parent, self.alive = _state.current, True
        self.kind = self.parent.kind + 1 if self.parent else _FIRST_KIND
        if self.kind > _FIRST_KIND + _DEEPEST:
            raise RecursionError(f"function transforms are nested more than {_DEEPEST} deep")

    @property
    def depth(self):
        """How many levels there are from the outermost to this one."""
        return self.kind - _FIRST_KIND + 1

    def __enter__(self):
        _interpose.register_kind("wrapped", _member, self.kind)
        _state.current = self
        self._count(1)
        return self

    def __exit__(self, *exception):
        _state.current = self.parent
        self.alive = False
        self._count(-1)

    def _count(self, change):
        global _drawing
        if self.draws:
            _drawing += change
            _native.set_drawing(_drawing > 0)

    def wrap(self, sizes, like, payload):
        """A wrapper of this level; `payload` has attributes ``level`` and ``outer``."""
        return _native.make_kind(self.kind, tuple(sizes), like.dtype, like.device, payload)

    def lift(self, tensor):
        """The tensor as a wrapper that has no part in this transform."""
        raise NotImplementedError

    def detached(self, held):
        """A wrapper of the same values that no transform differentiates; NotImplemented: as any
        tensor is detached.
        """
        return NotImplemented

    def process(self, record, args):
        """Computes an op on arguments of which some are wrappers of this level."""
        raise NotImplementedError

    def draw(self, record, args, in_place):
        """Computes a random op; NotImplemented: it draws as ever."""
        return NotImplemented


def payload(tensor):
    """What a wrapper of any level holds; None for other objects."""
    return _native.payload(tensor) if _native.kind_of(tensor) >= _FIRST_KIND else None


def payload_at(level, tensor):
    """What a wrapper of this level holds; None for anything else."""
    held = payload(tensor)
    return held if held is not None and held.level is level else None


class outside:
    """Context: computes one level further out than `level`, recorded as was asked for there."""

    def __init__(self, level):
        self.level = level

    def __enter__(self):
        self.before, _state.current = _state.current, self.level.parent
        self.token = _native.step_outside(self.level.kind)

    def __exit__(self, *exception):
        _state.current = self.before
        _native.step_back(self.token)


def map_tensors(function, value):
    """`function` of a tensor, or of those in a tuple or list; other values as they are."""
    if isinstance(value, rl.Tensor):
        return function(value)
    if isinstance(value, (tuple, list)):
        return tuple([map_tensors(function, v) for v in value])
    return value


def call(record, args):
    """The op of a record on arguments in the order of its schema."""
    return _native.call_record(record, tuple(args))


def innermost(args):
    """The level of the innermost wrapper."""
    return _native.innermost_payload(args).level


def _without(level, args):
    """Arguments without the wrappers of a level that has ended."""

    def bare(tensor):
        held = payload_at(level, tensor)
        return tensor if held is None else held.outer

    return map_tensors(bare, args)


def _compute(name, args):
    level, record = innermost(args), records[name]
    if not level.alive:
        return call(record, _without(level, args))
    before, token = _state.current, _native.step_outside(level.kind)  # as `outside`
    _state.current = level.parent
    try:
        return level.process(record, args)
    finally:
        _state.current = before
        _native.step_back(token)


def _draw(name, args, in_place):
    level, record = drawing(), records[name]
    return NotImplemented if level is None else level.draw(record, args, in_place)


_members = {}  # name of a method or dunder -> function(tensor, ...)
_native.set_levels(_compute, _draw, _members, _interpose._passing)


def member(*names):
    """Decorator: what methods of Tensor that are no ops do with a wrapper."""

    def add(function):
        _members.update(dict.fromkeys(names, function))
        return function

    return add


def _member(function, args, kwargs):
    name = getattr(function, "__name__", None)
    if name == "__get__":
        name = getattr(function.__self__, "__name__", None)
    found = _members.get(name)
    return NotImplemented if found is None else found(*args, **kwargs)


def _reader(name):
    @member(name)
    def read(tensor, *args, **kwargs):
        held = payload(tensor)
        if held.level.alive:
            held.level.check_readable(held, name)
        return getattr(held.outer, name)(*args, **kwargs)


for _name in "item tolist numpy __bool__ __int__ __float__ __index__ __array__ __complex__".split():
    _reader(_name)


@member("detach", "data")
def _detach(tensor):
    held = payload(tensor)
    return held.level.detached(held) if held.level.alive else NotImplemented


@member("detach_")
def _detach_(tensor):
    made = _detach(tensor)
    if made is not NotImplemented:
        _native.become(tensor, made)
    return NotImplemented  # what remains is to leave the graph


@member("_take_geometry")
def _take_geometry(tensor, view):
    _native.become(tensor, view)
    return NotImplemented  # sizes and place in the graph are taken as ever


def _steps(tensor):
    """The strides of what a wrapper holds, without mapped dimensions, which are the first."""
    outer = payload(tensor).outer
    return outer.stride()[outer.dim() - tensor.dim() :]


@member("is_contiguous")
def _is_contiguous(tensor, memory_format=rl.contiguous_format):
    like = rl.empty_strided(tensor.shape, _steps(tensor), device="meta")
    return like.is_contiguous(memory_format=memory_format)


@member("stride")
def _stride(tensor, dim=None):
    steps = _steps(tensor)
    return steps if dim is None else steps[dim]


@member("storage_offset")
def _storage_offset(tensor):
    return payload(tensor).outer.storage_offset()


@member("__repr__", "__str__", "__format__")
def _text(tensor, *rest, **options):
    return repr(payload(tensor))
