"""Forward mode: dual tensors, and the one rule by which every op differentiates them.

No op has a formula here. A pointwise op of real numbers has a diagonal Jacobian, so that its
gradient rule, applied to tangents, gives the tangent; an op that is linear is applied to tangents
as it is; of any other, the recorded gradient is a linear function of a dummy cotangent, and the
gradient of that is the tangent. Which op is of which kind is read off its record.
"""

import rushlight as rl
from rushlight import _native
from rushlight.func.levels import Level, call, map_tensors, payload, payload_at
from rushlight.func.tape import Tape, is_inexact, probe, transposed
from rushlight.ops._decisions import reach
from rushlight.ops._record import pointwise


class Dual:
    """What a wrapper of a `JvpLevel` holds: a primal, and its tangent or None for zero.

    A view has the `source` that it is a view of, and the function that takes the view: if the
    source is given another tangent, the view shows it. A tangent that others may hold too is not
    changed: what writes to it replaces it by one that is `owned`.
    """

    __slots__ = ("level", "primal", "known", "source", "basis", "owned")

    def __init__(self, level, primal, tangent, source=None):
        self.level, self.primal, self.known, self.source = level, primal, tangent, source
        self.basis = None  # the tangent of the source that `known` is a view of
        self.owned = False
        if source is not None:
            self._look()

    def _look(self):
        whole, view = self.source
        tangent = whole.tangent
        if tangent is not self.basis:
            self.known, self.basis = view(tangent), tangent

    @property
    def tangent(self):
        if self.source is not None:
            self._look()
        return self.known

    @property
    def root(self):
        """What it is a view of, or itself."""
        return self if self.source is None else self.source[0].root

    def own(self, zeros=None):
        """Makes sure that its tangent may be changed; with `zeros` that there is one, mapped where
        they are.
        """
        root = self.root
        if zeros is not None:
            made = zeros(root.primal)
            root.known = made if root.known is None else root.known + made
        elif not root.owned:
            root.known = root.known.clone()
        root.owned = True

    @property
    def outer(self):
        return self.primal

    def __repr__(self):
        if self.tangent is None:
            return repr(self.primal)
        return f"{repr(self.primal)[:-1]}, tangent={self.tangent})"


class JvpLevel(Level):
    """One derivative in forward mode."""

    def dual(self, primal, tangent, source=None):
        """A wrapper; `tangent` has the size and dtype of `primal`, or is None."""
        return self.wrap(primal.shape, primal, Dual(self, primal, tangent, source))

    def lift(self, tensor):
        return self.dual(tensor, None)

    def parts(self, value, share=True):
        """(primal, tangent or None) of any argument; unless told not to, for others to hold."""
        held = payload_at(self, value)
        if held is None and isinstance(value, rl.Tensor) and self._shows_wrapper(value):
            self._adopt(value)
            held = payload_at(self, value)
        if held is None:
            return value, None
        held.root.owned &= not share
        return held.primal, held.tangent

    def _split(self, args, followed, which):
        """Of all arguments, the primals or the tangents."""

        def of(arg, share):
            return map_tensors(lambda x: self.parts(x, share)[which], arg)

        return tuple([of(arg, i != followed) for i, arg in enumerate(args)])

    def detached(self, held):
        return self.lift(held.primal.detach())

    def _shows_wrapper(self, tensor):
        """Is it a view of what was plain when the view was taken, and no longer is?"""
        return tensor._base is not None and payload_at(self, tensor._base) is not None

    def check_readable(self, held, name):
        """Values may be read; what is done with them has no derivative."""

    def process(self, record, args):
        looks = record.is_view and bool(record.gradients)
        place = 0 if looks else record.mutated  # what goes on to be followed
        primals, tangents = self._split(args, place, 0), self._split(args, place, 1)
        if record.mutated >= 0:
            return self._change(record, args, primals, tangents)
        moving = [t is not None for t in _tensors(tangents, args)]
        if looks:
            return self._views(record, payload_at(self, args[0]), primals)
        if not any(moving) or not record.gradients:
            return self._constant(record, args, primals, any(moving))
        result, change = _derivative(record, primals, tangents, args)
        return _zip(self.dual, result, change)

    def _constant(self, record, args, primals, moving):
        result = call(record, primals)
        inexact = any(map(is_inexact, _flat(result)))
        if moving and inexact and not _is_constant(record):
            raise NotImplementedError(f"{record.public_name}: has no derivative")
        return map_tensors(self.lift, result)

    def _views(self, record, whole, primals):
        result = call(record, primals)
        if whole is None:
            return map_tensors(self.lift, result)
        if record.name == "as_strided":
            return self.dual(result, None, (whole, _strided(whole, *primals[1:])))
        if isinstance(result, rl.Tensor):
            return self.dual(result, None, (whole, lambda t: call(record, (t, *primals[1:]))))
        return tuple(
            [
                self.dual(r, None, (whole, lambda t, i=i: call(record, (t, *primals[1:]))[i]))
                for i, r in enumerate(result)
            ]
        )

    def _change(self, record, args, primals, tangents):
        """An op that writes to an argument: its primal and its tangent change alike."""
        place = record.mutated
        given = [_without(place, values) for values in (primals, tangents, args)]
        others = [*_tensors(given[0], given[2]), *_tensors(given[1], given[2])]
        held = self.hold(args[place], [t for t in others if t is not None])
        call(record, _with(place, primals, held.primal))
        if not record.differentiable_inputs[1:]:  # filled with numbers, or drawn
            held.tangent.zero_()
            return args[place]
        of_tangents = [
            _zeros_if_none(p, t) if isinstance(p, rl.Tensor) and is_inexact(p) else p
            for p, t in zip(primals, tangents)
        ]
        call(record, _with(place, of_tangents, held.tangent))
        return args[place]

    def hold(self, tensor, others=()):
        """The parts of a tensor that is about to be changed, which gets a tangent if need be: one
        that can take what is made of `others`.
        """

        def zeros(primal):
            total = rl.zeros_like(primal)
            for other in others:
                if payload(other) is not None:  # mapped over, perhaps, further out
                    total = total + other.detach().new_zeros((), dtype=primal.dtype)
            return total

        if payload_at(self, tensor) is None:
            self._adopt(tensor)
        held = payload_at(self, tensor)
        if held.tangent is None or not _mapped(held.tangent) >= set().union(*map(_mapped, others)):
            held.own(zeros)
        held.own()
        return held

    def _adopt(self, tensor):
        """Turns a plain tensor, and if it is a view what it is a view of, into wrappers."""
        whole = tensor._base
        if whole is None:
            _native.become(tensor, self.dual(_native.untaped(tensor), None))
            return
        if payload_at(self, whole) is None:
            self._adopt(whole)
        held = payload_at(self, whole)
        steps = tensor.shape, tensor.stride(), tensor.storage_offset()
        view = _same_view(held.primal, *steps)
        _native.become(tensor, self.dual(view(held.primal), None, (held, view)))


def _strided(whole, size, stride, offset):
    """The view of a tangent by steps in the memory of the primal, whose layout it is given."""
    primal, root = whole.primal, whole.root
    start = primal.storage_offset() if offset is None else offset
    if root.known is not None:
        own = root.primal
        layout = own.shape, own.stride(), own.storage_offset()
        scale = own.element_size() // primal.element_size()  # a view may be of parts of numbers
        extent = max(reach(*layout), -(-reach(size, stride, start) // scale))
        outside = extent > reach(*layout) or start < layout[2] * scale
        if outside or root.known.stride() != own.stride():
            # memory that the primal does not show has no tangent
            root.known, root.owned = _laid_out(root.known, layout, extent), True
    return _same_view(primal, size, stride, start)


def _laid_out(tangent, layout, extent):
    """A copy of a tangent in memory of its own, in which it has that layout."""
    made = tangent.new_zeros((extent,))
    made.as_strided(*layout).copy_(tangent)
    return made.as_strided(*layout)


def _same_view(whole, size, stride, offset):
    """The view of a tangent that has these steps in its primal, `whole`."""

    def view(tangent):
        if tangent.stride() != whole.stride():
            raise NotImplementedError(
                "jvp: a view of a tensor that is not contiguous cannot be changed in place by one "
                "that has a tangent; clone() the tensor it is a view of first"
            )
        start = offset - whole.storage_offset() + tangent.storage_offset()
        return tangent.as_strided(size, stride, start)

    return view


def _is_constant(record):
    """Is its derivative zero wherever it exists? Internal ops that are not differentiable are parts
    of a computation: what they give depends on what they get.
    """
    if record.differentiable:
        return record.name in _CONSTANT
    return record.at != ("internal",)


#: have a result of floating point that does not depend on their arguments' values
_CONSTANT = frozenset(
    "empty_like zeros_like ones_like full_like new_empty new_zeros new_ones new_full".split()
)


def _flat(value):
    return [value] if isinstance(value, rl.Tensor) else list(value)


def _tensors(values, like):
    """Of nested values, those that stand where `like` has tensors."""
    for value, model in zip(values, like):
        if isinstance(model, rl.Tensor):
            yield value
        elif isinstance(model, (tuple, list)):
            yield from _tensors(value, model)


def _mapped(tensor):
    """The levels of `vmap` by which a tensor differs."""
    found, held = set(), payload(tensor)
    while held is not None:
        if getattr(held, "batched", False):
            found.add(held.level)
        held = payload(held.outer)
    return found


def _without(place, values):
    return [*values[:place], *values[place + 1 :]]


def _with(place, values, value):
    return [*values[:place], value, *values[place + 1 :]]


def _zip(function, *trees):
    if isinstance(trees[0], (tuple, list)):
        return tuple([_zip(function, *parts) for parts in zip(*trees)])
    return function(*trees)


def _zeros_if_none(primal, tangent):
    return rl.zeros_like(primal) if tangent is None else tangent


def _derivative(record, primals, tangents, args):
    """The op's results and their tangents, of the same form."""
    if _is_linear(record):
        filled = [
            _zip(_zeros_if_none, p, t) if _has_tensor(p) else p for p, t in zip(primals, tangents)
        ]
        result = call(record, primals)
        return result, _zip(_fitting, call(record, filled), result)
    joint, complex_ = -1 in record.gradients, any([x.is_complex() for x in _tensors(primals, args)])
    if record.kind is pointwise and not joint and not complex_:
        result = call(record, primals)
        if not result.is_complex():
            return result, _diagonal(record, primals, tangents, result)
    return _by_transposition(record, primals, tangents, args)


def _has_tensor(value):
    return isinstance(value, rl.Tensor) or (
        isinstance(value, (tuple, list)) and any([isinstance(v, rl.Tensor) for v in value])
    )


def _fitting(tangent, primal):
    return tangent.to(primal.dtype).expand(primal.shape) if is_inexact(primal) else None


_linear = {}  # record -> is it a linear function of its tensors?


def _is_linear(record):
    """One tensor argument, or list of them, and a rule that reads no tensor's data."""
    if record not in _linear:
        kinds = [kind in (0, 1, 2) for kind in record.arg_types]
        read = {name for _, names in record.gradients.values() for name in names}
        data = {n for n, is_tensor in zip(record.arg_names, kinds) if is_tensor}
        reads_result = any(name.startswith("result") for name in read)
        named_result = not read.isdisjoint(record.result_names)
        reads = reads_result or named_result or not read.isdisjoint(data)
        _linear[record] = sum(kinds) == 1 and not reads and record.kind is not pointwise
    return _linear[record]


def _diagonal(record, primals, tangents, result):
    """Where element i of the result depends on element i of the arguments: rules of tangents."""
    given = {"result": result, **dict(zip(record.arg_names, primals))}  # an argument's name counts
    total = None
    for place, (rule, names) in record.gradients.items():
        tangent = tangents[place]
        if not isinstance(tangent, rl.Tensor):
            continue
        values = dict(given, g=tangent.to(result.dtype).expand(result.shape))
        for name in names:
            if name.endswith("_meta"):
                values[name] = given[name[:-5]]
        part = rule(*[values[name] for name in names])
        total = part if total is None else total + part
    return None if total is None else _fitting(total, result)


def _by_transposition(record, primals, tangents, args):
    tape = Tape()
    moved = [t for t in _tensors(tangents, args) if t is not None]
    with tape:
        inputs = _watch_moving(tape, primals, tangents)
        result = call(record, inputs)
        outputs = _flat(result)
        probes, rows = probe(tape, outputs)
        found = [
            t if is_inexact(o) else None
            for t, o in zip(transposed(tape, probes, rows, moved), outputs)
        ]
        released = map_tensors(tape.release, result)
    return released, found[0] if isinstance(result, rl.Tensor) else tuple(found)


def _watch_moving(tape, primals, tangents):
    if isinstance(primals, (tuple, list)) and isinstance(tangents, (tuple, list)):
        return tuple([_watch_moving(tape, p, t) for p, t in zip(primals, tangents)])
    moving = isinstance(primals, rl.Tensor) and isinstance(tangents, rl.Tensor)
    return tape.watch(primals) if moving else primals
