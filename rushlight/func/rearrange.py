"""`rearrange`: permuting, splitting and joining dimensions by name, in the notation of einops."""

import re

import rushlight as rl

_REST = ("...",)  # dimensions of their own are tuples, those in parentheses lists
_TOKEN = re.compile(r"\s*(\.\.\.|[A-Za-z_]\w*|\d+|[()])")


def rearrange(tensor, pattern, **axes_lengths):
    """The elements of a tensor in other dimensions, all of which have names.

    Args:
        tensor: a tensor, or a list of tensors of one size, which is stacked first.
        pattern: ``"names -> names"``. Parentheses stand for one dimension that is the product of
            those in them; ``1`` for a dimension of size 1; ``...`` for any dimensions.
        axes_lengths: sizes of dimensions by name; one in each parenthesis may be left out.

    Raises:
        ValueError: if the pattern is malformed, or does not fit the tensor.

    Example::

        >>> rl.func.rearrange(rl.arange(6), "(a b) -> b a", a=2)
        tensor([[0, 3],
                [1, 4],
                [2, 5]])
    """
    if not isinstance(tensor, rl.Tensor):
        tensor = rl.stack(list(tensor))
    left, right = _sides(pattern)
    rank = tensor.dim() - sum([g != _REST for g in left])
    if rank < 0 or (rank and _REST not in left):
        raise ValueError(
            f"rearrange: pattern {pattern!r} has {len(left)} dimensions on its left, but the "
            f"tensor has {tensor.dim()}"
        )
    names = [f"...{i}" for i in range(rank)]
    left, right = _without_ellipsis(left, names), _without_ellipsis(right, names)
    sizes = _sizes(left, tensor.shape, axes_lengths, pattern)
    old, new = _flat(left), _flat(right)
    split = tensor.reshape([sizes[n] for n in old])
    moved = split.permute([old.index(n) for n in new])
    return moved.reshape([_product([sizes[n] for n in group]) for group in right])


def _sides(pattern):
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f"rearrange: expected a pattern 'left -> right', got {pattern!r}")
    left, right = [_groups(side, pattern) for side in sides]
    if any("..." in group for group in left if group != _REST):
        raise ValueError(f"rearrange: ... may not be in parentheses on the left of {pattern!r}")
    for side in (left, right):
        names = _flat(side)
        if len(set(names)) != len(names):
            raise ValueError(f"rearrange: a name occurs twice on one side of {pattern!r}")
    if set(_flat(left)) != set(_flat(right)):
        raise ValueError(f"rearrange: both sides of {pattern!r} must have the same names")
    return left, right


def _groups(side, pattern):
    """A list of names for each dimension."""
    groups, group, at = [], None, 0
    side = side.strip()
    while at < len(side):
        token = _TOKEN.match(side, at)
        if token is None:
            raise ValueError(f"rearrange: cannot read {side[at:]!r} in pattern {pattern!r}")
        at, word = token.end(), token[1]
        if word in "()":
            if (group is None) != (word == "("):
                raise ValueError(f"rearrange: unbalanced parentheses in pattern {pattern!r}")
            if word == ")":
                groups.append(group)
            group = [] if word == "(" else None
        elif word.isdigit():
            if word != "1":
                raise ValueError(f"rearrange: only the size 1 may be written out, got {word}")
            if group is None:
                groups.append([])
        elif group is None:
            groups.append((word,))
        else:
            group.append(word)
    if group is not None:
        raise ValueError(f"rearrange: unbalanced parentheses in pattern {pattern!r}")
    return groups


def _without_ellipsis(groups, names):
    spread = []
    for group in groups:
        if group == _REST:
            spread += [[n] for n in names]
        else:
            spread.append([n for g in group for n in (names if g == "..." else [g])])
    return spread


def _flat(groups):
    return [name for group in groups for name in group]


def _product(values):
    total = 1
    for value in values:
        total *= value
    return total


def _sizes(groups, shape, given, pattern):
    unknown = given.keys() - set(_flat(groups))
    if unknown:
        raise ValueError(f"rearrange: sizes given for {sorted(unknown)}, not in {pattern!r}")
    sizes = dict(given)
    for group, size in zip(groups, shape):
        open_names = [n for n in group if n not in sizes]
        known = _product([sizes[n] for n in group if n in sizes])
        if len(open_names) > 1:
            raise ValueError(f"rearrange: give the sizes of all but one of {group} in {pattern!r}")
        if open_names:
            sizes[open_names[0]] = size // known if known else 0
        if _product([sizes[n] for n in group]) != size:
            raise ValueError(f"rearrange: a dimension of size {size} cannot be split as {group}")
    return sizes
