"""How ops compute with batches: wrappers whose value has the mapped dimension first.

An op whose record says enough gets a rule by its kind: pointwise ops line up their operands, ops
with ``dim`` arguments shift them, others treat leading dimensions as batches anyway. What is
special is in rules.py and rules_nn.py; to give an op a rule, write one there. Compositions need
none: the ops that they call are mapped. What is left is computed example by example.
"""

import rushlight as rl
from rushlight import _native
from rushlight.func.levels import Level, call, map_tensors, payload
from rushlight.ops._record import pointwise, records


class Batched:
    """What a wrapper of a `VmapLevel` holds: a value, with the mapped dimension first if it has
    one.
    """

    __slots__ = ("level", "value", "batched")

    def __init__(self, level, value, batched):
        self.level, self.value, self.batched = level, value, batched

    @property
    def outer(self):
        return self.value

    def __repr__(self):
        return f"BatchedTensor(batched={self.batched}, value={self.value})"


class VmapLevel(Level):
    """One mapped dimension, of `size` examples."""

    draws = True

    def __init__(self, size, randomness):
        super().__init__()
        self.size, self.randomness = size, randomness

    def batched(self, value):
        """A wrapper of a value whose first dimension is mapped."""
        return _native.make_wrapper(self.kind, value, 1, Batched(self, value, True))

    def lift(self, tensor):
        return _native.make_wrapper(self.kind, tensor, 0, Batched(self, tensor, False))

    def check_readable(self, held, name):
        """RuntimeError: control flow must not depend on an example."""
        if held.batched:
            raise RuntimeError(
                f"vmap: {name}() of a tensor that is mapped over has no single value. "
                "Data-dependent control flow is not supported under vmap; use torch.where, or a "
                "Python loop"
            )

    def detached(self, held):
        if payload(held.value) is None:
            return NotImplemented
        value = held.value.detach()
        return self.batched(value) if held.batched else self.lift(value)

    def process(self, record, args):
        batch = Batch(self, record, args)
        if record.mutated >= 0:
            return batch.change()
        if not batch.any:
            return map_tensors(self.lift, call(record, batch.args))
        rule = rules.get(record.name) or rule_by_kind(record)
        result = NotImplemented if rule is None else rule(batch, *batch.args)
        if result is NotImplemented and record.reference:
            if not record.native_name or _is_step(record):
                return NotImplemented  # the composite body: its ops are mapped
        if result is NotImplemented:
            result = one_by_one(batch)
        if isinstance(result, rl.Tensor):
            return self.batched(result)
        return map_tensors(self.batched, result)

    def draw(self, record, args, in_place):
        from rushlight.func.drawing import draw

        return draw(self, record, args, in_place)


def _is_step(record):
    """Is it a part of an op's body whose kernel has no gradient, as that op had the rule?

    The body may be mapped where the tape outside records what it does: then its reference, which
    has gradients, has to run.
    """
    return not record.differentiable and record.at == ("internal",)


_INTS = 7  # the type int[] of an argument


class Batch:
    """The arguments of one call without their wrappers.

    Attributes:
        size: of the mapped dimension.
        args: values in the order of the schema.
        flags: for each, whether the mapped dimension is its first; a tuple for a list of tensors.
    """

    def __init__(self, level, record, args):
        self.level, self.record, self.size = level, record, level.size
        taken = [self._taken(a) for a in args]
        if _INTS in record.arg_types:
            taken = [
                ((v,), f) if kind == _INTS and isinstance(v, int) else (v, f)
                for (v, f), kind in zip(taken, record.arg_types)
            ]
        self.args, self.flags = zip(*taken)
        self.any = True in self.flags or any(map(_any, self.flags))

    def of(self, name, args, flags):
        """Another op on values of this batch."""
        other = object.__new__(Batch)
        other.level, other.record, other.size = self.level, records[name], self.size
        other.args, other.flags = tuple(args), tuple(flags)
        other.any = any(map(_any, flags))
        return other

    def _taken(self, arg):
        """The value of an argument, and its flag."""
        if isinstance(arg, rl.Tensor):
            if _native.kind_of(arg) == self.level.kind:
                held = _native.payload(arg)
                if held.level is self.level:
                    return held.value, held.batched
            return arg, False
        if isinstance(arg, (tuple, list)):
            taken = [self._taken(x) for x in arg]
            return tuple([v for v, _ in taken]), tuple([f for _, f in taken])
        return arg, False

    def rank(self, i):
        """The dimensions of an argument as one example sees it."""
        return self.args[i].dim() - self.flags[i]

    def front(self, i):
        """An argument with the mapped dimension first, expanded if it has none."""
        return self.expanded(self.args[i], self.flags[i])

    def expanded(self, x, flag):
        return x if flag else x.expand((self.size, *x.shape))

    def only(self, *places):
        """Is the mapped dimension in these arguments alone?"""
        return all([not f or i in places for i, f in enumerate(map(_any, self.flags))])

    def run(self, *args):
        """The op itself, on values."""
        return call(self.record, args)

    def replaced(self, /, **changes):
        """The op with some arguments, by name, replaced."""
        names = self.record.arg_names
        return call(self.record, [changes.get(n, a) for n, a in zip(names, self.args)])

    def example(self, i):
        """The arguments of the i-th example."""

        def of(x, flag):
            if isinstance(flag, tuple):
                return tuple([of(y, f) for y, f in zip(x, flag)])
            return x.select(0, i) if flag else x

        return tuple([of(a, f) for a, f in zip(self.args, self.flags)])

    def change(self):
        """An op that writes to an argument, which has to have the mapped dimension if any has."""
        place = self.record.mutated
        if self.any and not self.flags[place]:
            raise RuntimeError(
                f"vmap: {self.record.public_name} would write values that differ between examples "
                "into a tensor that is not mapped over. Use the operation that is not in-place, or "
                "make the tensor of one that is mapped: x.new_zeros(...) or zeros_like(x) instead "
                "of torch.zeros(...)"
            )
        rule = rules.get(self.record.name)
        result = NotImplemented if rule is None else rule(self, *self.args)
        if result is NotImplemented and self.any:
            for i in range(self.size):
                call(self.record, self.example(i))
        elif result is NotImplemented:
            call(self.record, self.args)
        return self.args[place]


def _any(flag):
    return any(flag) if isinstance(flag, tuple) else flag


rules = {}  # record name -> rule(batch, *values) -> values with the mapped dimension first


def rule(*names):
    """Decorator: how ops of these names compute with a batch; NotImplemented: example by example.

    The rule is called with a `Batch` and its values, of which at least one is mapped.
    """

    def add(function):
        rules.update(dict.fromkeys(names, function))
        return function

    return add


_by_kind = {}


def rule_by_kind(record):
    """The rule that the record's schema implies, or None."""
    if record not in _by_kind:
        _by_kind[record] = _find_rule(record)
    return _by_kind[record]


def _find_rule(record):
    if record.kind is pointwise:
        return lined_up
    tensors = [t for t in record.arg_types if t in (0, 1, 2)]
    if tensors == [0] and not _DIMS.isdisjoint(record.arg_names):
        return shifted
    return None


# ---- pointwise -------------------------------------------------------------------------------


def lined_up(batch, *args):
    """Operands with their mapped dimensions in line, ahead of all others."""
    if _are_alike(args, batch.flags):
        return batch.run(*args)
    places = [i for i, a in enumerate(args) if isinstance(a, rl.Tensor)]
    rank = max([batch.rank(i) for i in places])
    values = list(args)
    for i in places:
        values[i] = aligned(args[i], batch.flags[i], rank)
    chosen = [i for i in places if batch.record.arg_names[i] != "condition"]
    if len({args[i].dtype for i in chosen}) > 1:
        values = _promoted(batch, chosen, values)
    return batch.run(*values)


def _are_alike(args, flags):
    """Are all tensors mapped, and of one dtype and number of dimensions?"""
    first = None
    for x, flag in zip(args, flags):
        if isinstance(x, rl.Tensor):
            if not flag:
                return False
            kind = x.dtype, x.dim()
            if kind != (first or kind):
                return False
            first = kind
    return True


def aligned(x, flag, rank):
    """x with ones after the mapped dimension, so that an example has `rank` dimensions."""
    missing = rank + 1 - x.dim() if flag else 0
    return x if missing <= 0 else x.reshape((x.shape[0],) + (1,) * missing + tuple(x.shape[1:]))


def _promoted(batch, places, values):
    """Values, those in some places in the dtype that an example's have together, where 0-d tensors
    count less.
    """
    marks = [
        rl.empty((1,) * min(batch.rank(i), 1), dtype=batch.args[i].dtype, device="meta")
        for i in places
    ]
    common = marks[0]
    for mark in marks[1:]:
        common = rl.empty(
            (1,) * max(common.dim(), mark.dim()), dtype=rl.result_type(common, mark), device="meta"
        )
    return [
        v.to(common.dtype) if i in places and batch.flags[i] else v for i, v in enumerate(values)
    ]


# ---- ops with dim arguments ------------------------------------------------------------------

_DIMS = frozenset("dim dims dim0 dim1 dim2 start_dim end_dim source destination dimension".split())


def shifted(batch, *args):
    """Dimensions count from the second: one tensor, reduced, scanned, sorted, viewed ..."""
    record, rank = batch.record, batch.rank(0)
    if rank == 0:
        return _of_numbers(batch)
    values = list(args)
    for i, name in _dims_of(record):
        if args[i] is None and record.arg_types[i] != _INTS:
            return NotImplemented
        values[i] = shift(args[i], rank, name, record)
    return call(record, values)


_found_dims = {}


def _dims_of(record):
    """The places and names of the arguments that are dimensions."""
    if record not in _found_dims:
        _found_dims[record] = [(i, n) for i, n in enumerate(record.arg_names) if n in _DIMS]
    return _found_dims[record]


def _of_numbers(batch):
    """Examples without dimensions, as vectors of one element; the results are like them."""
    record, x = batch.record, batch.args[0]
    if record.name == "unfold":
        return NotImplemented
    changes = {n: 1 for n in record.arg_names if n in _DIMS}
    for i, name in enumerate(record.arg_names):
        if name in changes:
            dims = batch.args[i] if record.arg_types[i] == _INTS else (batch.args[i] or 0,)
            for dim in dims or ():
                shift(dim, 1)  # IndexError if it is out of range
            changes[name] = (1,) if record.arg_types[i] == _INTS else 1
    result = batch.replaced(**{record.arg_names[0]: x.unsqueeze(1), **changes})
    return map_tensors(lambda r: r.reshape(x.shape), result)


def shift(dim, rank, name="dim", record=None):
    """A dimension of an example, or several, as a dimension of the batch; None means all."""
    if dim is None or (dim == () and record is not None and record.defaults.get(name, 0) is None):
        return tuple(range(1, rank + 1))
    if isinstance(dim, (tuple, list)):
        return tuple([shift(d, rank) for d in dim])
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got "
            f"{dim})"
        )
    return dim % rank + 1


# ---- example by example ----------------------------------------------------------------------


def one_by_one(batch):
    """A result for each example, stacked."""
    from warnings import warn

    warn(
        f"vmap: there is no batching rule for {batch.record.public_name}; it runs once for each "
        "example",
        stacklevel=2,
    )
    if batch.size == 0:
        return _of_none(batch)
    results = [call(batch.record, batch.example(i)) for i in range(batch.size)]
    if isinstance(results[0], rl.Tensor):
        return rl.stack(results)
    return tuple([rl.stack(column) for column in zip(*results)])


def _of_none(batch):
    """The empty stack, of the size that an example of zeros has."""

    def made_up(x, flag):
        if isinstance(flag, tuple):
            return tuple([made_up(y, f) for y, f in zip(x, flag)])
        return x.new_zeros(x.shape[1:]) if flag else x

    args = [made_up(a, f) for a, f in zip(batch.args, batch.flags)]
    return map_tensors(lambda x: x.new_empty((0, *x.shape)), call(batch.record, args))


def flat_examples(value):
    """Each example as a vector; sizes are said, as -1 has no meaning beside a size of 0."""
    return value.reshape(value.shape[0], value.shape[1:].numel())


from rushlight.func import rules as _rules  # noqa: E402, F401 - they register themselves
from rushlight.func import rules_index as _rules_index  # noqa: E402, F401
from rushlight.func import rules_nn as _rules_nn  # noqa: E402, F401

assert not rules.keys() - records.keys(), rules.keys() - records.keys()
