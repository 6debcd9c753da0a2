"""Contractions: einsum in all its spellings and tensordot, reduced to batched matrix products.

To change the order in which several operands are contracted, see `_cheapest_pair`.
"""

import rushlight as rl
from rushlight.ops._decisions import recording
from rushlight.ops._record import op

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def _parse_terms(equation, count):
    """The operands' subscripts as lists of labels, and the output's (None: implicit)."""
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


def _sublists(arguments):
    """(operands, subscripts, output) of einsum(a, [0, 1], b, [1, 2], [0, 2])."""

    def labels(sublist):
        for i in sublist:
            if i is not ... and not (isinstance(i, int) and 0 <= i < 52):
                raise RuntimeError(
                    "einsum(): subscripts in a sublist must be integers in [0, 52) or Ellipsis, "
                    f"got {i!r}"
                )
        return [... if i is ... else _LETTERS[i] for i in sublist]

    pairs = len(arguments) // 2
    terms = [labels(arguments[2 * i + 1]) for i in range(pairs)]
    output = labels(arguments[-1]) if len(arguments) % 2 else None
    return list(arguments[: 2 * pairs : 2]), terms, output


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


def _diagonal(x, labels):
    """x with repeated labels merged into their diagonal."""
    if len(set(labels)) == len(labels):
        return x, labels
    for label in set(labels):
        while labels.count(label) > 1:
            i = labels.index(label)
            j = labels.index(label, i + 1)
            if x.shape[i] != x.shape[j]:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for an operand but the sizes don't "
                    f"match, {x.shape[j]} != {x.shape[i]}"
                )
            x = x.diagonal(0, i, j)
            labels = [m for k, m in enumerate(labels) if k not in (i, j)] + [label]
    return x, labels


def _sizes(terms, operands):
    sizes = {}
    for labels, x in zip(terms, operands):
        for label, n in zip(labels, x.shape):
            if sizes.setdefault(label, n) != n and n != 1:
                if sizes[label] != 1:
                    raise RuntimeError(
                        "einsum(): operands do not broadcast with remapped shapes: subscript "
                        f"{label} has sizes {sizes[label]} and {n}"
                    )
                sizes[label] = n
    return sizes


def _sum_out(x, labels, keep):
    """Sums the dimensions that nothing else needs."""
    gone = tuple([i for i, m in enumerate(labels) if m not in keep])
    return (x.sum(gone), [m for m in labels if m in keep]) if gone else (x, labels)


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


def _contract(a, la, b, lb, keep):
    """The product of two operands, summed over the labels that are not in `keep`."""
    # A label of size 1 against a larger one is broadcast: it takes no part in the product.
    a, la = _sum_out(a, la, keep | set(lb))
    b, lb = _sum_out(b, lb, keep | set(la))
    shared = [m for m in la if m in lb]
    sizes = {m: (a.shape[la.index(m)], b.shape[lb.index(m)]) for m in shared}
    for m in shared:
        if sizes[m][0] != sizes[m][1]:
            if m not in keep:  # sum the larger one first
                if sizes[m][0] > 1:
                    a = a.sum(la.index(m), keepdim=True)
                else:
                    b = b.sum(lb.index(m), keepdim=True)
    batch = [m for m in shared if m in keep]
    summed = [m for m in shared if m not in keep]
    left = [m for m in la if m not in shared]
    right = [m for m in lb if m not in shared]
    x = a.permute([la.index(m) for m in batch + left + summed])
    y = b.permute([lb.index(m) for m in batch + summed + right])
    n = len(batch)
    if not summed and not recording(x, y):  # its gradient is a product of matrices all the same
        x, y = _of_one_dtype(
            x[(..., *[None] * len(right))], y[(slice(None),) * n + (None,) * len(left)]
        )
        return x * y, batch + left + right
    rows, inner = x.shape[n : n + len(left)], x.shape[n + len(left) :]
    columns = y.shape[n + len(summed) :]
    x = x.reshape(x.shape[:n] + (rows.numel(), inner.numel()))
    y = y.reshape(y.shape[:n] + (inner.numel(), columns.numel()))
    product = rl.matmul(*_of_one_dtype(x, y))
    return product.reshape(product.shape[:n] + rows + columns), batch + left + right


def _cheapest_pair(operands, terms, sizes):
    """The pair whose product takes the fewest multiplications."""
    best, found = None, (0, 1)
    for i in range(len(operands)):
        for j in range(i + 1, len(operands)):
            cost = 1
            for m in set(terms[i]) | set(terms[j]):
                cost *= sizes[m]
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


_known = {}  # (equation, shapes): what `_checked` made of them; programs repeat themselves


def _of_equation(equation, shapes):
    found = _known.get((equation, shapes))
    if found is None:
        found = _checked(*_parse_terms(equation, len(shapes)), shapes)
        if len(_known) >= 256:
            _known.clear()
        _known[equation, shapes] = found
    return found


def _einsum(operands, terms, output):
    pairs = [_diagonal(x, labels) for x, labels in zip(operands, terms)]
    operands, terms = [p[0] for p in pairs], [p[1] for p in pairs]
    sizes = _sizes(terms, operands)
    while len(operands) > 1:
        i, j = _cheapest_pair(operands, terms, sizes) if len(operands) > 2 else (0, 1)
        b, lb = operands.pop(j), terms.pop(j)
        a, la = operands.pop(i), terms.pop(i)
        x, labels = _contract(a, la, b, lb, set(output).union(*terms))
        operands.insert(i, x)
        terms.insert(i, labels)
    x, labels = _sum_out(operands[0], terms[0], set(output))
    return x.permute([labels.index(m) for m in output])


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
    if isinstance(args[0], rl.Tensor):
        operands, *labels = _sublists(args)
        terms, output = _checked(*labels, [x.shape for x in operands])
    else:
        operands = (
            list(args[1])
            if len(args) == 2 and isinstance(args[1], (list, tuple))
            else list(args[1:])
        )
        if not isinstance(args[0], str):
            raise TypeError(
                "einsum(): argument 'equation' (position 1) must be str, not "
                f"{type(args[0]).__name__}"
            )
        terms, output = _of_equation(args[0], tuple([x.shape for x in operands]))
    return _einsum(operands, terms, output)


@op("tensordot(Tensor a, Tensor b, any dims=2, *, Tensor? out=None) -> Tensor", method=False)
def tensordot(a, b, dims):
    """Sums products over pairs of dimensions: the last `dims` of a with the first of b,
    or two lists.

    Example::

        >>> rl.tensordot(rl.ones(2, 3), rl.ones(3, 4), dims=1).shape
        torch.Size([2, 4])
    """
    left, right = _tensordot_dims(a, b, dims)
    for i, j in zip(left, right):
        if a.shape[i] != b.shape[j] and 1 not in (a.shape[i], b.shape[j]):
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {a.shape[i]} in dim {i} "
                f"and second has size {b.shape[j]} in dim {j}"
            )
    la = [f"a{i}" for i in range(a.dim())]
    lb = [f"b{j}" for j in range(b.dim())]
    for i, j in zip(left, right):
        lb[j] = la[i]
    free = [m for i, m in enumerate(la) if i not in left] + [
        m for j, m in enumerate(lb) if j not in right
    ]
    x, labels = _contract(a, la, b, lb, set(free))
    x = x.permute([labels.index(m) for m in free])
    return x if x.is_floating_point() or x.is_complex() else x.to(a.dtype)


def _tensordot_dims(a, b, dims):
    if isinstance(dims, rl.Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.dim(), b.dim()):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        return list(range(a.dim() - dims, a.dim())), list(range(dims))
    left, right = ([d] if isinstance(d, int) else list(d) for d in dims)
    if len(left) != len(right):
        raise RuntimeError(f"both dimension lists should have same length, got {left} and {right}")
    return [d % max(a.dim(), 1) for d in left], [d % max(b.dim(), 1) for d in right]


def _register():
    from rushlight.ops import _record

    _record.namespaces.setdefault("torch", {})["einsum"] = einsum


_register()
