"""Contractions: einsum in all its spellings and tensordot, reduced to batched matrix products.

To change the order in which several operands are contracted, see `_cheapest_pair`.
"""

from math import prod

import rushlight as rl
from rushlight import _native
from rushlight.ops._record import op

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _parse_terms(equation, count):
    """The operands' subscripts as lists of labels, and the output's (None: implicit)."""
    if not count:
        raise ValueError("einsum(): at least one operand must be provided")
    if "." in equation.replace("...", ""):
        raise RuntimeError(f"einsum(): a point that is not part of an ellipsis in {equation!r}")
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if len(terms) != count:
        raise RuntimeError(
            f"einsum(): {'more' if len(terms) > count else 'fewer'} operands were provided "
            f"than specified in the equation {equation!r}: {count} operands"
        )
    return [_labels(t, equation) for t in terms], _labels(right, equation) if arrow else None


def _labels(term, equation):
    parts, dots, rest = term.partition("...")
    for c in parts + rest:
        if c not in _LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {equation.find(c)} in the equation "
                f"string, subscripts must be in [a-zA-Z], got {c!r} in {equation!r}"
            )
    return list(parts) + ([...] if dots else []) + list(rest)


def _of_sublists(arguments):
    """(equation, operands) of einsum(a, [0, 1], b, [1, 2], [0, 2])."""

    def term(sublist):
        for i in sublist:
            if i is not ... and not (isinstance(i, int) and 0 <= i < 52):
                raise ValueError(
                    "einsum(): subscripts in a sublist must be integers in [0, 52) or Ellipsis, "
                    f"got {i!r}"
                )
        return "".join(["..." if i is ... else _LETTERS[i] for i in sublist])

    pairs = len(arguments) // 2
    equation = ",".join([term(arguments[2 * i + 1]) for i in range(pairs)])
    if len(arguments) % 2:
        equation += "->" + term(arguments[-1])
    return equation, list(arguments[: 2 * pairs : 2])


def _expand_dots(terms, output, shapes):
    """Replaces each ellipsis with labels ('.0' is the last of the dimensions it covers)."""
    covered = []
    for labels, shape in zip(terms, shapes):
        named = len(labels) - (... in labels)
        if named > len(shape) or (... not in labels and named != len(shape)):
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the "
                f"number of dimensions ({len(shape)}) for an operand of shape {tuple(shape)}"
            )
        covered.append(len(shape) - named if ... in labels else 0)
    most = max(covered, default=0)

    def filled(labels, n):
        return [
            m
            for label in labels
            for m in ([f".{i}" for i in range(n - 1, -1, -1)] if label is ... else [label])
        ]

    full = [filled(labels, n) for labels, n in zip(terms, covered)]
    if output is None:
        seen = [label for labels in full for label in labels]
        output = filled([...], most) + sorted(
            {m for m in seen if seen.count(m) == 1 and m[0] != "."}
        )
    else:
        output = filled(output, most)
    return full, output


# ---- plans: what is called on each operand is settled from labels and sizes alone, once for all
# calls of an equation with operands of the same shapes


class _Operand:
    """An operand being planned: its dimensions' labels and sizes, and the calls that lead there."""

    __slots__ = ("calls", "labels", "sizes")

    def __init__(self, labels, sizes):
        self.labels, self.sizes, self.calls = list(labels), list(sizes), []

    def size(self, label):
        return self.sizes[self.labels.index(label)]

    def take_diagonals(self):
        """Merges repeated labels into their diagonal."""
        for label in set(self.labels):
            while self.labels.count(label) > 1:
                i = self.labels.index(label)
                j = self.labels.index(label, i + 1)
                size = self.sizes[i]
                if size != self.sizes[j]:
                    raise RuntimeError(
                        f"einsum(): subscript {label} is repeated for an operand but the sizes "
                        f"don't match, {self.sizes[j]} != {size}"
                    )
                self.calls.append(("diagonal", (0, i, j)))
                for at in (j, i):
                    del self.labels[at], self.sizes[at]
                self.labels.append(label)
                self.sizes.append(size)

    def sum_out(self, keep):
        """Sums the dimensions that nothing else needs."""
        gone = tuple([i for i, m in enumerate(self.labels) if m not in keep])
        if gone:
            self.calls.append(("sum", (gone,)))
            kept = [i for i in range(len(self.labels)) if i not in gone]
            self.labels = [self.labels[i] for i in kept]
            self.sizes = [self.sizes[i] for i in kept]

    def sum_to_one(self, label):
        i = self.labels.index(label)
        self.calls.append(("sum", (i, True)))
        self.sizes[i] = 1

    def permute(self, labels):
        order = tuple([self.labels.index(m) for m in labels])
        if order != tuple(range(len(order))):
            self.calls.append(("permute", (order,)))
        self.labels, self.sizes = list(labels), [self.sizes[i] for i in order]

    def reshape(self, sizes):
        """To what matmul takes, or back; labels are the caller's."""
        if sizes != self.sizes:
            self.calls.append(("reshape", (tuple(sizes),)))
            self.sizes = sizes


def _called(x, calls):
    for name, arguments in calls:
        x = getattr(x, name)(*arguments)
    return x


def _check_sizes(operands):
    """The size of every label, which operands share unless theirs is 1."""
    sizes = {}
    for x in operands:
        for label, n in zip(x.labels, x.sizes):
            if sizes.setdefault(label, n) != n and n != 1:
                if sizes[label] != 1:
                    raise RuntimeError(
                        "einsum(): operands do not broadcast with remapped shapes: subscript "
                        f"{label} has sizes {sizes[label]} and {n}"
                    )
                sizes[label] = n
    return sizes


def _of_one_dtype(x, y):
    """Integers that were summed are int64 where others may not be."""
    if x.dtype != y.dtype and rl.int64 in (x.dtype, y.dtype):
        common = rl.promote_types(x.dtype, y.dtype)
        return (
            (x, y)
            if common.is_floating_point or common.is_complex
            else (x.to(common), y.to(common))
        )
    return x, y


def _plan_product(a, b, keep):
    """Brings a and b into shape for matmul, and returns the operand that their product is.

    Labels that are not in `keep` are summed.
    """
    # A label of size 1 against a larger one is broadcast: it takes no part in the product.
    a.sum_out(keep | set(b.labels))
    b.sum_out(keep | set(a.labels))
    shared = [m for m in a.labels if m in b.labels]
    batch = [m for m in shared if m in keep]
    summed = [m for m in shared if m not in keep]
    for m in summed:
        if a.size(m) != b.size(m):
            (a if a.size(m) > 1 else b).sum_to_one(m)
    left = [m for m in a.labels if m not in shared]
    right = [m for m in b.labels if m not in shared]
    a.permute(batch + left + summed)
    b.permute(batch + summed + right)
    n, rows, inner = len(batch), a.sizes[len(batch) :][: len(left)], a.sizes[len(batch + left) :]
    columns = b.sizes[len(batch + summed) :]
    sizes = [max(p, q) if p and q else 0 for p, q in zip(a.sizes, b.sizes[:n])]
    a.reshape(a.sizes[:n] + [prod(rows), prod(inner)])
    b.reshape(b.sizes[:n] + [prod(inner), prod(columns)])
    product = _Operand(batch + left + right, sizes + [prod(rows), prod(columns)])
    product.reshape(sizes + rows + columns)
    return product


def _multiply(a, b, calls_a, calls_b):
    """What `_plan_product` planned, of tensors."""
    return rl.matmul(*_of_one_dtype(_called(a, calls_a), _called(b, calls_b)))


def _cheapest_pair(operands, sizes):
    """The pair whose product takes the fewest multiplications."""
    best, found = None, (0, 1)
    for i in range(len(operands)):
        for j in range(i + 1, len(operands)):
            cost = prod([sizes[m] for m in set(operands[i].labels) | set(operands[j].labels)])
            if best is None or cost < best:
                best, found = cost, (i, j)
    return found


def _checked(terms, output, shapes):
    """Subscripts and output with a label for every dimension."""
    terms, output = _expand_dots(terms, output, shapes)
    for m in output:
        if output.count(m) > 1:
            raise RuntimeError(
                f"einsum(): output subscript {m} appears more than once in the output"
            )
        if not any(m in t for t in terms):
            raise RuntimeError(
                f"einsum(): output subscript {m} does not appear in the equation for any input "
                "operand"
            )
    return terms, output


def _plan(equation, shapes):
    """[(i, j, calls on i, calls on j)]: the product of i and j takes i's place; and last calls."""
    terms, output = _checked(*_parse_terms(equation, len(shapes)), shapes)
    operands = [_Operand(labels, shape) for labels, shape in zip(terms, shapes)]
    for x in operands:
        x.take_diagonals()
    sizes, steps = _check_sizes(operands), []
    while len(operands) > 1:
        i, j = _cheapest_pair(operands, sizes) if len(operands) > 2 else (0, 1)
        b = operands.pop(j)
        a = operands[i]
        others = [m for k, x in enumerate(operands) if k != i for m in x.labels]
        operands[i] = _plan_product(a, b, set(output + others))
        steps.append((i, j, a.calls, b.calls))
    last = operands[0]
    last.sum_out(output)
    last.permute(output)
    if not steps and not last.calls:  # a view all the same
        last.calls.append(("permute", (tuple(range(len(output))),)))
    return steps, last.calls


_known = {}  # (planner, arguments): the plan; programs repeat themselves


def _known_plan(planner, *arguments):
    key = (planner, arguments)
    found = _known.get(key)
    if found is None:
        found = planner(*arguments)
        if len(_known) >= 256:
            _known.clear()
        _known[key] = found
    return found


def einsum(*args):
    """Sums products of operands over named dimensions, in Einstein's notation.

    ``einsum("ij,jk->ik", a, b)``: each operand's dimensions are labelled with letters; labels
    missing on the right are summed. Without ``->`` the output has the labels that occur once, in
    alphabetical order. ``...`` stands for dimensions that are broadcast; a label repeated in an
    operand takes its diagonal. ``einsum(a, [0, 1], b, [1, 2], [0, 2])`` says the same with numbers.
    Raises RuntimeError for malformed equations and sizes that do not fit.

    Example::

        >>> rl.einsum("ij,j->i", rl.ones(2, 3), rl.ones(3)).tolist()
        [3.0, 3.0]
    """
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one "
            "operand and its subscripts list"
        )
    equation, operands = _of_sublists(args) if isinstance(args[0], rl.Tensor) else _spelled(args)
    if any([type(x) is not rl.Tensor for x in operands]):
        taken_over = _asked(equation, operands)
        if taken_over is not NotImplemented:
            return taken_over
    shapes = tuple([x.shape for x in operands])
    steps, last = _known_plan(_plan, equation, shapes)
    for i, j, calls_i, calls_j in steps:
        b = operands.pop(j)
        operands[i] = _multiply(operands[i], b, calls_i, calls_j)
    return _called(operands[0], last)


def _spelled(args):
    """(equation, operands) of einsum("ij,jk->ik", a, b), the operands also in one list."""
    equation, *operands = args
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = list(operands[0])
    if not isinstance(equation, str):
        raise TypeError(
            f"einsum(): argument 'equation' (position 1) must be str, not {type(equation).__name__}"
        )
    return equation, operands


def _asked(equation, operands):
    """What operands that are no plain tensors, such as those of a trace, make of the call.

    They are shown one spelling, equation and operands, whichever was written.
    """
    result = _native.interposed(einsum, (equation, *operands), {})
    for i, x in enumerate(operands):
        if result is NotImplemented and not isinstance(x, rl.Tensor):
            raise TypeError(
                f"einsum(): operands must be Tensors, but number {i} is {type(x).__name__}; "
                "convert it with torch.as_tensor"
            )
    return result


@op(
    "tensordot(Tensor a, Tensor b, any dims=2, *, Tensor? out=None) -> Tensor",
    method=False,
    out="exact",
)
def tensordot(a, b, dims):
    """Sums products over pairs of dimensions: the last `dims` of a with the first of b,
    or two lists.

    Example::

        >>> rl.tensordot(rl.ones(2, 3), rl.ones(3, 4), dims=1).shape
        torch.Size([2, 4])
    """
    left, right = _tensordot_dims(a, b, dims)
    calls_a, calls_b, last = _known_plan(_tensordot_plan, a.shape, b.shape, left, right)
    out = _called(_multiply(a, b, calls_a, calls_b), last)
    return out if out.is_floating_point() or out.is_complex() else out.to(a.dtype)


def _tensordot_plan(shape_a, shape_b, left, right):
    """Calls on a, on b and on their product."""
    for i, j in zip(left, right):
        if shape_a[i] != shape_b[j] and 1 not in (shape_a[i], shape_b[j]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {shape_a[i]} in dim {i} "
                f"and second has size {shape_b[j]} in dim {j}"
            )
    free = [f"a{i}" for i in range(len(shape_a)) if i not in left]
    free += [f"b{j}" for j in range(len(shape_b)) if j not in right]
    x = _Operand([f"a{i}" for i in range(len(shape_a))], shape_a)
    y = _Operand([f"b{j}" for j in range(len(shape_b))], shape_b)
    for i, j in zip(left, right):
        y.labels[j] = x.labels[i]
    product = _plan_product(x, y, set(free))
    product.permute(free)
    return x.calls, y.calls, product.calls


def _tensordot_dims(a, b, dims):
    if isinstance(dims, rl.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return tuple(range(a.dim() - dims, a.dim())), tuple(range(dims))
    left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise RuntimeError(f"both dimension lists should have same length, got {left} and {right}")
    return tuple([d % max(a.dim(), 1) for d in left]), tuple([d % max(b.dim(), 1) for d in right])


def _register():
    from rushlight.ops import _record

    _record.namespaces.setdefault("torch", {})["einsum"] = einsum


_register()
