"""Several tensors brought to common shapes: broadcasting, grids, at least n dimensions,
block matrices.

These take any number of tensors, so they are plain functions rather than op records. To add one:
write it and list it in `functions`.
"""

import rushlight as rl
from rushlight._interpose import overridable
from rushlight.ops._record import namespaces, op


def _given(tensors):
    """``f(a, b)`` and ``f([a, b])`` mean the same."""
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, rl.Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(tensor).__name__}"
            )
    return tensors


def _sizes_of(shape):
    if type(shape) is rl.Size:
        return shape
    sizes = (shape,) if isinstance(shape, (int, float, rl.Tensor)) else tuple(shape)
    if not all([hasattr(type(n), "__index__") and not isinstance(n, rl.Tensor) for n in sizes]):
        raise RuntimeError(f"broadcast_shapes: expected ints and tuples of ints, got {shape!r}")
    return sizes


def broadcast_shapes(*shapes):
    """The shape that the given shapes (ints, tuples) broadcast to.

    None counts as no shape.

    Raises:
        RuntimeError: if two sizes differ and neither is 1, or a shape has others than ints.
        ValueError: if a size is negative.

    Example::

        >>> rl.broadcast_shapes((2, 1), (3,))
        torch.Size([2, 3])
    """
    shapes = [_sizes_of(s) for s in shapes if s is not None]
    first = shapes[0] if shapes else None
    if type(first) is rl.Size and shapes.count(first) == len(shapes) and min(first, default=0) >= 0:
        return first  # as they mostly are
    dims = max([len(s) for s in shapes], default=0)
    out = [1] * dims
    for shape in shapes:
        for i, size in enumerate(shape, dims - len(shape)):
            if size == 1:
                continue
            if out[i] not in (1, size):
                raise RuntimeError(
                    "Shape mismatch: objects cannot be broadcast to a single shape, got "
                    + ", ".join(str(list(s)) for s in shapes)
                )
            if size < 0:
                raise ValueError(f"broadcast_shapes: a size is negative: {size}")
            out[i] = size
    return rl.Size(out)


@overridable
def broadcast_tensors(*tensors):
    """Views of the tensors, expanded to the shape they broadcast to; those that have it themselves.

    Example::

        >>> a, b = rl.broadcast_tensors(rl.zeros(2, 1), rl.ones(3))
        >>> b.shape
        torch.Size([2, 3])
    """
    tensors = _given(tensors)
    shape = broadcast_shapes(*[t.shape for t in tensors])
    return tuple([t if t.shape == shape else t.expand(shape) for t in tensors])


@overridable
def meshgrid(*tensors, indexing=None):
    """Grids of the coordinates given as vectors: one tensor for each, of all their lengths.

    Args:
        indexing: ``"ij"`` (default): dimension i follows the i-th vector; ``"xy"``: the first
            two swap.

    Example::

        >>> x, y = rl.meshgrid(rl.tensor([1, 2]), rl.tensor([3, 4]), indexing="ij")
        >>> x
        tensor([[1, 1],
                [2, 2]])
    """
    tensors = _given(tensors)
    if indexing is None:
        import warnings

        warnings.warn(
            "torch.meshgrid: pass the indexing argument; without it, it is 'ij'",
            stacklevel=3,
        )
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(
            f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}'
        )
    for t in tensors:
        if t.dim() > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got a "
                f"{t.dim()}D one"
            )
        if t.dtype != tensors[0].dtype:
            raise RuntimeError(
                "torch.meshgrid expects all tensors to have the same dtype, but got "
                f"{tensors[0].dtype} and {t.dtype}"
            )
        if t.device != tensors[0].device:
            raise RuntimeError(
                "torch.meshgrid: expected all tensors on one device, but got "
                f"{tensors[0].device} and {t.device}"
            )
    swap = indexing == "xy" and len(tensors) >= 2
    ordered = (tensors[1], tensors[0], *tensors[2:]) if swap else tensors
    sizes = [t.numel() for t in ordered]
    grids = [
        t.reshape([-1 if i == k else 1 for k in range(len(sizes))]).expand(sizes)
        for i, t in enumerate(ordered)
    ]
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def _at_least(tensors, extend):
    for t in tensors:
        if not isinstance(t, (rl.Tensor, list, tuple)):
            raise TypeError(f"expected Tensors or sequences of them, got {type(t).__name__}")
    if len(tensors) == 1 and isinstance(tensors[0], rl.Tensor):
        return extend(tensors[0])
    return tuple([extend(t) for t in _given(tensors)])


@overridable
def atleast_1d(*tensors):
    """0-d tensors as vectors of one element; others as they are.

    Example::

        >>> rl.atleast_1d(rl.tensor(3))
        tensor([3])
    """
    return _at_least(tensors, lambda t: t.reshape(1) if t.dim() == 0 else t)


@overridable
def atleast_2d(*tensors):
    """Numbers and vectors as matrices of one row; others as they are.

    Example::

        >>> rl.atleast_2d(rl.tensor([3, 4]))
        tensor([[3, 4]])
    """
    return _at_least(tensors, lambda t: t.reshape(1, -1) if t.dim() < 2 else t)


def _three(t):
    if t.dim() < 2:
        return t.reshape(1, -1, 1)
    return t.unsqueeze(-1) if t.dim() == 2 else t


@overridable
def atleast_3d(*tensors):
    """Numbers and vectors as shape (1, n, 1), matrices as (n, m, 1); others as they are.

    Example::

        >>> rl.atleast_3d(rl.ones(2, 5)).shape
        torch.Size([2, 5, 1])
    """
    return _at_least(tensors, _three)


@overridable
def block_diag(*tensors):
    """A matrix with the given matrices along its diagonal and zeros elsewhere.

    Example::

        >>> rl.block_diag(rl.tensor([[1]]), rl.tensor([[2, 3]]))
        tensor([[1, 0, 0],
                [0, 2, 3]])
    """
    blocks = [rl.atleast_2d(t) for t in _given(tensors)]
    if not blocks:
        return rl.empty(1, 0)
    for i, b in enumerate(blocks):
        if b.dim() > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{i} has {b.dim()} dimensions"
            )
    common = blocks[0].dtype
    for b in blocks:
        common = rl.promote_types(common, b.dtype)
    return _block_diag([b.to(common) for b in blocks])


@op("_block_diag(Tensor[] blocks) -> Tensor", at=("internal",), grad_name="BlockDiagBackward0")
def _block_diag(blocks):
    """`block_diag` of matrices of one dtype."""
    ...


def _block_gradients(g, blocks_meta):
    top, left, found = 0, 0, []
    for b in blocks_meta:
        height, width = b.shape
        found.append(g.narrow(0, top, height).narrow(1, left, width))
        top, left = top + height, left + width
    return found


_block_diag.vjp(blocks=_block_gradients)


@overridable
def cartesian_prod(*tensors):
    """All combinations of the elements of vectors, one a row.

    Raises RuntimeError for a tensor that is not a vector.

    Example::

        >>> rl.cartesian_prod(rl.tensor([1, 2]), rl.tensor([3, 4])).tolist()
        [[1, 3], [1, 4], [2, 3], [2, 4]]
    """
    tensors = _given(tensors)
    for t in tensors:
        if t.dim() != 1:
            raise RuntimeError(f"cartesian_prod: Expect a 1D vector, but got shape {list(t.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return rl.stack([g.reshape(-1) for g in meshgrid(*tensors, indexing="ij")], 1)


functions = (
    broadcast_shapes,
    broadcast_tensors,
    meshgrid,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    block_diag,
    cartesian_prod,
)
namespaces.setdefault("torch", {}).update({f.__name__: f for f in functions})
