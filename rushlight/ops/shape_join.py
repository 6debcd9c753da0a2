"""Records of ops that join tensors: cat, stack and kin. To add one: a record here."""

import rushlight as rl
from rushlight.ops._record import op

# ---- joining -----------------------------------------------------------------------------------


def _cat_vjp(g, tensors_meta, dim):
    """The pieces of g; empty vectors take part in no concatenation and get none of it."""
    sizes = [0 if t.dim() == 1 and t.shape[0] == 0 else t.shape[dim] for t in tensors_meta]
    return list(g.split_with_sizes(sizes, dim))


@op("cat(Tensor[] tensors, int dim=0) -> Tensor", out="disjoint cast")
def cat(tensors, dim):
    """Tensors joined along an existing dimension; their other sizes must agree.

    The dtype is the promotion of all. Raises RuntimeError when sizes differ.

    Example::

        >>> rl.cat([rl.tensor([1]), rl.tensor([2, 3])])
        tensor([1, 2, 3])
    """
    ...


cat.vjp(tensors=_cat_vjp)


@cat.samples
def _(make):
    yield ([make(2, 3), make(1, 3)],)
    yield [make(2, 3), make(2, 1)], -1


@op("concat(Tensor[] tensors, int dim=0) -> Tensor")
def concat(tensors, dim):
    """The same as `cat`.

    Example::

        >>> rl.concat([rl.tensor([1]), rl.tensor([2, 3])])
        tensor([1, 2, 3])
    """
    return rl.cat(tensors, dim)


@op("concatenate(Tensor[] tensors, int dim=0) -> Tensor")
def concatenate(tensors, dim):
    """The same as `cat`.

    Example::

        >>> rl.concatenate([rl.tensor([1]), rl.tensor([2, 3])])
        tensor([1, 2, 3])
    """
    return rl.cat(tensors, dim)


@op("stack(Tensor[] tensors, int dim=0) -> Tensor", out="cast")
def stack(tensors, dim):
    """Tensors of one shape joined along a new dimension.

    Example::

        >>> rl.stack([rl.tensor([1, 2]), rl.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    ...


stack.vjp(tensors=lambda g, dim: list(g.unbind(dim)))


@stack.samples
def _(make):
    yield [make(2, 3), make(2, 3)], 1
    yield ([make(), make()],)


def _require_some(tensors, name):
    if not tensors:
        raise RuntimeError(f"{name}: expected a non-empty list of tensors")


@op("hstack(Tensor[] tensors) -> Tensor")
def hstack(tensors):
    """Tensors joined along columns (vectors: along themselves).

    Example::

        >>> rl.hstack([rl.tensor([1]), rl.tensor([2, 3])])
        tensor([1, 2, 3])
    """
    _require_some(tensors, "hstack")
    tensors = rl.atleast_1d(tensors)
    return rl.cat(tensors, 0 if tensors and tensors[0].dim() == 1 else 1)


@op("vstack(Tensor[] tensors) -> Tensor")
def vstack(tensors):
    """Tensors joined along rows; vectors are rows.

    Example::

        >>> rl.vstack([rl.tensor([1, 2]), rl.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    _require_some(tensors, "vstack")
    return rl.cat(rl.atleast_2d(tensors), 0)


@op("row_stack(Tensor[] tensors) -> Tensor")
def row_stack(tensors):
    """The same as `vstack`.

    Example::

        >>> rl.row_stack([rl.tensor([1, 2]), rl.tensor([3, 4])])
        tensor([[1, 2],
                [3, 4]])
    """
    return rl.vstack(tensors)


@op("dstack(Tensor[] tensors) -> Tensor")
def dstack(tensors):
    """Tensors joined along the third dimension.

    Example::

        >>> rl.dstack([rl.tensor([1, 2]), rl.tensor([3, 4])])
        tensor([[[1, 3],
                 [2, 4]]])
    """
    _require_some(tensors, "dstack")
    return rl.cat(rl.atleast_3d(tensors), 2)


@op("column_stack(Tensor[] tensors) -> Tensor")
def column_stack(tensors):
    """Tensors joined along columns; vectors are columns.

    Example::

        >>> rl.column_stack([rl.tensor([1, 2]), rl.tensor([3, 4])])
        tensor([[1, 3],
                [2, 4]])
    """
    return rl.hstack([t.reshape(t.numel(), 1) if t.dim() <= 1 else t for t in tensors])
