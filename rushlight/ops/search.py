"""Searching and counting: searchsorted, unique, bincount, histc, isin.

To add one: a kernel in csrc/kernels/{search,unique}.cpp and a record here, or a composition.
"""

import rushlight as rl
from rushlight.ops._record import op

# ---- sorted sequences --------------------------------------------------------------------------


@op(
    "_searchsorted(Tensor sorted_sequence, Tensor self, bool right, bool out_int32, "
    "Tensor? sorter=None) -> Tensor",
    at=(),
    differentiable=False,
)
def _searchsorted(sorted_sequence, self, right, out_int32, sorter):
    """Places that keep the order."""
    ...


@op(
    "searchsorted(Tensor sorted_sequence, Tensor | Scalar self, *, bool out_int32=False, "
    "bool right=False, str? side=None, Tensor? sorter=None) -> Tensor",
    method=False,
    differentiable=False,
    out="exact",
)
def searchsorted(sorted_sequence, self, out_int32, right, side, sorter):
    """Where each value would go in the innermost dimension of ``sorted_sequence``.

    The first such place, or the last with ``right`` (``side="right"``); int64, or int32.

    Example::

        >>> rl.searchsorted(rl.tensor([1, 3, 5]), rl.tensor([3, 4]))
        tensor([1, 2])
    """
    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    if not isinstance(self, rl.Tensor):
        self = rl.tensor(self, dtype=sorted_sequence.dtype if isinstance(self, int) else None)
    return _searchsorted(sorted_sequence, self, right or side == "right", out_int32, sorter)


@op(
    "bucketize(Tensor | Scalar self, Tensor boundaries, *, bool out_int32=False, bool right=False) "
    "-> Tensor",
    method=False,
    differentiable=False,
    out="exact",
)
def bucketize(self, boundaries, out_int32, right):
    """The bucket of each element between sorted ``boundaries``: as `searchsorted`.

    Example::

        >>> rl.bucketize(rl.tensor([0, 2, 9]), rl.tensor([1, 5]))
        tensor([0, 1, 2])
    """
    if boundaries.dim() != 1:
        raise RuntimeError(
            f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})"
        )
    return searchsorted(boundaries, self, out_int32=out_int32, right=right)


_FEW_PAIRS = 1 << 14  # from here on sorting pays


@op(
    "isin(Tensor | Scalar elements, Tensor | Scalar test_elements, *, bool assume_unique=False, "
    "bool invert=False) -> Tensor",
    method=False,
    differentiable=False,
    out="exact",
)
def isin(elements, test_elements, assume_unique, invert):
    """Is each element among ``test_elements``? NaN never is.

    Example::

        >>> rl.isin(rl.tensor([1, 2, 3]), rl.tensor([2, 5]))
        tensor([False,  True, False])
    """
    if not isinstance(elements, rl.Tensor):
        elements = rl.tensor(elements)
    if not isinstance(test_elements, rl.Tensor):
        return elements != test_elements if invert else elements == test_elements
    test = test_elements.detach().reshape(-1)
    if test.numel() == 0:
        return rl.full(elements.shape, invert, dtype=rl.bool)
    if test.numel() <= 4 or elements.numel() * test.numel() <= _FEW_PAIRS:
        found = (elements.detach().unsqueeze(-1) == test).any(-1)
        return ~found if invert else found
    common = rl.promote_types(elements.dtype, test.dtype)
    test, elements = rl.sort(test.to(common))[0], elements.detach().to(common)
    place = searchsorted(test, elements).clamp(max=test.numel() - 1)
    found = test.take(place)
    return found != elements if invert else found == elements


# ---- distinct elements -------------------------------------------------------------------------


@op(
    "_unique(Tensor self, bool inverse, bool counts) -> (Tensor, Tensor, Tensor)",
    at=(),
)
def _unique(self, inverse, counts):
    """Sorted distinct elements, each element's place among them, counts, if asked for."""
    ...


@op(
    "_unique_consecutive(Tensor self, bool inverse, bool counts) -> (Tensor, Tensor, Tensor)",
    at=(),
)
def _unique_consecutive(self, inverse, counts):
    """Runs of equal elements: values, each element's run, lengths; empty if not asked for."""
    ...


@op(
    "_unique_rows(Tensor self, bool consecutive) -> (Tensor, Tensor, Tensor)",
    at=(),
)
def _unique_rows(self, consecutive):
    """Distinct rows, each row's place among them, counts."""
    ...


def _no_gradient(g):
    raise NotImplementedError("unique, unique_consecutive: there is no derivative")


for _op in (_unique, _unique_consecutive, _unique_rows):
    _op.vjp(self=_no_gradient)


def _distinct(self, dim, consecutive, return_inverse, return_counts):
    if dim is None:
        distinct = _unique_consecutive if consecutive else _unique
        values, inverse, counts = distinct(self, return_inverse, return_counts)
        inverse = inverse.reshape(self.shape) if return_inverse else None
    else:
        rows = self.movedim(dim, 0)
        if self.numel() == 0 and rows.shape[0] != 0:
            raise RuntimeError(
                "There are 0 sized dimensions, and they aren't selected, so unique cannot be "
                "applied"
            )
        values, inverse, counts = _unique_rows(
            rows.reshape(rows.shape[0], -1 if self.numel() else 0), consecutive
        )
        values = values.reshape((values.shape[0],) + tuple(rows.shape[1:])).movedim(0, dim)
    result = (
        (values,) + ((inverse,) if return_inverse else ()) + ((counts,) if return_counts else ())
    )
    return result if len(result) > 1 else values


@op(
    "unique(Tensor self, bool sorted=True, bool return_inverse=False, bool return_counts=False, "
    "int? dim=None) -> Tensor",
    out=False,
)
def unique(self, sorted, return_inverse, return_counts, dim):
    """The distinct elements in order, or the distinct slices along ``dim``.

    With ``return_inverse`` also where each element went, with ``return_counts`` how many there
    were of each, as a tuple. The result is sorted in any case. NaNs are all different.

    Example::

        >>> rl.tensor([3, 1, 3]).unique(return_counts=True)
        (tensor([1, 3]), tensor([1, 2]))
    """
    return _distinct(self, dim, False, return_inverse, return_counts)


@op(
    "unique_consecutive(Tensor self, bool return_inverse=False, bool return_counts=False, "
    "int? dim=None) -> Tensor",
    out=False,
)
def unique_consecutive(self, return_inverse, return_counts, dim):
    """As `unique`, but only neighbours that are equal are merged, and nothing is sorted.

    Example::

        >>> rl.tensor([1, 1, 2, 1]).unique_consecutive()
        tensor([1, 2, 1])
    """
    return _distinct(self, dim, True, return_inverse, return_counts)


# ---- counting ----------------------------------------------------------------------------------


@op(
    "bincount(Tensor self, Tensor? weights=None, int minlength=0) -> Tensor",
    differentiable=False,
    out=False,
)
def bincount(self, weights, minlength):
    """How often each non-negative integer occurs in a vector, or the sum of its weights.

    Example::

        >>> rl.tensor([0, 2, 2]).bincount()
        tensor([1, 0, 2])
    """
    ...


@op("histc(Tensor self, int bins=100, Scalar min=0, Scalar max=0) -> Tensor", differentiable=False)
def histc(self, bins, min, max):
    """Counts in ``bins`` equal bins from ``min`` to ``max`` (the data's own range if equal).

    Example::

        >>> rl.tensor([0., 1., 1., 3.]).histc(3)
        tensor([1., 2., 1.])
    """
    ...
