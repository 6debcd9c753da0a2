"""The ``masked`` reductions of sparse tensors, and sparse masks of strided ones.

What is not specified in a sparse input counts as 0 where the mask is True. The result has an
element where the mask has one that is True (without a mask: where the input has one). To add a
reduction: its name in `_REDUCTIONS`.
"""

import rushlight as rl
from rushlight.ops.masked import _dims
from rushlight.sparse._layout import COO, CSR, is_sparse, kind_of

#: and whether it takes COO, and no mask
_REDUCTIONS = {
    "sum": (True, True),
    "prod": (True, False),
    "amax": (True, False),
    "amin": (True, False),
    "mean": (False, False),
}


def masked(function, args, kwargs):
    """Calls ``function`` of the namespace ``masked``."""
    given = dict(zip(("input",), args[:1])) | kwargs
    input, mask = given.pop("input"), given.pop("mask", None)
    if is_sparse(mask):
        mask = mask.to_dense()
    if not is_sparse(input):
        return function(input, *args[1:], mask=mask, **given)
    takes_coo, takes_none = _REDUCTIONS.get(function.__name__, (None, None))
    if takes_coo is None or kind_of(input) not in (COO, CSR)[not takes_coo :]:
        raise ValueError(
            f"masked.{function.__name__}: inputs of layout {input.layout} are not supported"
        )
    if mask is None and not takes_none:
        raise ValueError(
            f"masked.{function.__name__}: a mask is needed for an input of layout {input.layout}"
        )
    return _reduced(function, input, mask, *args[1:], **given)


def _places(input):
    """Where a sparse tensor has elements."""
    found = rl.zeros(input.shape, dtype=rl.bool)
    found[tuple(input.detach().to_sparse_coo().coalesce().indices())] = True
    return found


def _reduced(function, input, mask, dim=None, *, keepdim=False, **options):
    if kind_of(input) == CSR and not keepdim:
        raise RuntimeError("masked: inputs of layout sparse_csr are reduced with keepdim=True only")
    places = _places(input) if mask is None else mask
    result = function(input.to_dense(), dim, keepdim=keepdim, mask=mask, **options)
    kept = places.expand(input.shape).any(_dims(dim, input.dim()), keepdim)
    chosen = rl.sparse_coo_tensor(kept.nonzero().T, result[kept], result.shape, is_coalesced=True)
    return chosen.to_sparse_csr() if kind_of(input) == CSR else chosen
