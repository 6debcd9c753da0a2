"""Sparse tensors in coordinate (COO) and compressed (CSR, CSC, BSR, BSC) layouts.

A sparse tensor is made of plain ones, indices and values, and every operation is written in ops on
these: `_layout` says what a sparse tensor is, `_construct` makes one, `_convert` changes layouts,
`_arith`, `_shape`, `_product` and `_reduce` compute, `_methods` adds members to Tensor. An op's
handler is found by its name (`_dispatch`); to support another op, write its function there.
"""

import rushlight as rl
from rushlight.sparse import _arith, _dispatch, _methods, _reduce, _shape, _text  # noqa: F401
from rushlight.sparse._construct import (  # noqa: F401
    check_sparse_tensor_invariants,
    sparse_bsc_tensor,
    sparse_bsr_tensor,
    sparse_compressed_tensor,
    sparse_coo_tensor,
    sparse_csc_tensor,
    sparse_csr_tensor,
)
from rushlight.sparse._product import hspmm, smm, sspaddmm  # noqa: F401
from rushlight.sparse._product import sampled_addmm as _sampled_addmm
from rushlight.sparse._product import sparse_addmm as _sparse_addmm
from rushlight.sparse._product import sparse_mm as _sparse_mm
from rushlight.sparse._reduce import log_softmax as _log_softmax
from rushlight.sparse._reduce import softmax as _softmax
from rushlight.sparse._reduce import sparse_sum as _sparse_sum
from rushlight._interpose import overridable as _overridable

torch = rl  # one-hot rows are widely written as `torch.sparse.torch.eye(n)`

__all__ = [
    "addmm",
    "as_sparse_gradcheck",
    "check_sparse_tensor_invariants",
    "log_softmax",
    "mm",
    "sampled_addmm",
    "softmax",
    "spdiags",
    "spsolve",
    "sum",
]


def _public(function, name):
    made = _overridable(function)
    made.__name__ = made.__qualname__ = name
    return made


mm = _public(_sparse_mm, "mm")
addmm = _public(_sparse_addmm, "addmm")
sampled_addmm = _public(_sampled_addmm, "sampled_addmm")
sum = _public(_sparse_sum, "sum")  # noqa: A001
softmax = _public(_softmax, "softmax")
log_softmax = _public(_log_softmax, "log_softmax")


def spdiags(diagonals, offsets, shape, layout=None):
    """A sparse matrix with the given diagonals.

    Args:
        diagonals: (d, n): row i holds the diagonal `offsets[i]`; element j goes to column j.
        offsets: (d,) distinct integers; 0 is the main diagonal, positive ones lie above it.
        shape: of the matrix.
        layout: sparse_coo (default), sparse_csr or sparse_csc.

    Raises:
        RuntimeError: if shapes do not fit or offsets repeat.

    Example::

        >>> rl.sparse.spdiags(rl.tensor([[1., 2.]]), rl.tensor([0]), (2, 2)).to_dense()
        tensor([[1., 0.],
                [0., 2.]])
    """
    lines = rl.atleast_2d(diagonals)
    offsets = rl.atleast_1d(rl.as_tensor(offsets))
    if len(shape) != 2:
        raise RuntimeError(f"Output shape must be 2d, got {tuple(shape)}")
    if lines.dim() != 2 or offsets.dim() != 1 or lines.shape[0] != offsets.shape[0]:
        raise RuntimeError(
            f"Number of diagonals ({lines.shape[0]}) does not match the number of offsets "
            f"({offsets.numel()})"
        )
    if offsets.unique().numel() != offsets.numel():
        raise RuntimeError("Offset tensor contains duplicate values")
    columns = rl.arange(lines.shape[1]).expand(lines.shape)
    rows = columns - offsets.unsqueeze(1)
    inside = (rows >= 0) & (rows < shape[0]) & (columns < shape[1])
    made = sparse_coo_tensor(rl.stack((rows[inside], columns[inside])), lines[inside], shape)
    if layout in (None, rl.sparse_coo):
        return made
    if layout not in (rl.sparse_csr, rl.sparse_csc):
        raise RuntimeError(
            f"Only output layouts (Sparse, SparseCsc, SparseCsr) are supported, got {layout}"
        )
    return made.to_sparse(layout=layout)


def spsolve(input, other, *, left=True):  # noqa: A002
    """Solving with a sparse matrix needs a CUDA library in PyTorch too; always raises."""
    raise RuntimeError(
        "Calling linear solver with sparse tensors requires a CUDA build with cuDSS; use "
        "torch.linalg.solve(input.to_dense(), other)"
    )


def as_sparse_gradcheck(gradcheck):
    """Decorator: a `gradcheck` that takes and returns sparse tensors.

    Sparse inputs are checked through their values, whatever ``masked`` says; sparse outputs through
    their strided form.

    Example::

        >>> check = rl.sparse.as_sparse_gradcheck(rl.autograd.gradcheck)
        >>> x = rl.eye(2, dtype=rl.float64).to_sparse().requires_grad_()
        >>> check(lambda a: (a * 2).to_dense(), (x,))
        True
    """
    from rushlight.sparse._layout import build, is_sparse, kind_of, parts_of

    def split(x):
        if not is_sparse(x):
            return x, lambda value: value
        parts, kind, size = parts_of(x), kind_of(x), tuple(x.shape)
        values = parts.values.detach().clone().requires_grad_(x.requires_grad)
        return values, lambda value: build(value, kind, parts.indices, parts.coalesced, size)

    def strided(x):
        if isinstance(x, (tuple, list)):
            return tuple([strided(y) for y in x])
        return x.to_dense() if is_sparse(x) else x

    def checked(function, inputs, **options):
        options.pop("masked", None)
        inputs = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
        pairs = [split(x) for x in inputs]

        def of_values(*values):
            return strided(function(*[join(v) for v, (_, join) in zip(values, pairs)]))

        return gradcheck(of_values, tuple([values for values, _ in pairs]), **options)

    return checked


class _LegacyType(type):
    """The classes torch.sparse.FloatTensor, ...: callable, and right for isinstance."""

    def __call__(cls, *args, device=None):
        if args and isinstance(args[0], rl.Tensor):
            return sparse_coo_tensor(*args, dtype=cls.dtype, device=device)
        size = args if args and isinstance(args[0], int) else args[0] if args else (0,)
        return sparse_coo_tensor(size, dtype=cls.dtype, device=device)

    def __getattr__(cls, name):
        """Methods of tensors, which the types of early PyTorch had."""
        if name.startswith("__"):
            raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
        return getattr(rl.Tensor, name)

    def __instancecheck__(cls, instance):
        is_coo = isinstance(instance, rl.Tensor) and instance.layout is rl.sparse_coo
        return is_coo and instance.dtype is cls.dtype


_LEGACY = {
    "FloatTensor": rl.float32,
    "DoubleTensor": rl.float64,
    "HalfTensor": rl.float16,
    "BFloat16Tensor": rl.bfloat16,
    "ByteTensor": rl.uint8,
    "CharTensor": rl.int8,
    "ShortTensor": rl.int16,
    "IntTensor": rl.int32,
    "LongTensor": rl.int64,
}
for _name, _dtype in _LEGACY.items():
    globals()[_name] = _LegacyType(_name, (), {"dtype": _dtype, "__module__": "torch.sparse"})


_IN_TORCH = (
    "sparse_coo_tensor",
    "sparse_csr_tensor",
    "sparse_csc_tensor",
    "sparse_bsr_tensor",
    "sparse_bsc_tensor",
    "sparse_compressed_tensor",
    "smm",
    "sspaddmm",
    "hspmm",
)


def _install():
    """Tensor's methods, the handler, and the functions that torch has, as those that may be
    redirected.
    """
    _dispatch.install()
    _methods.install()
    for name in _IN_TORCH:
        globals()[name] = rl.__dict__[name] = _overridable(globals()[name])
    for name in ("smm", "sspaddmm", "hspmm"):
        setattr(rl.Tensor, name, globals()[name])


_install()
