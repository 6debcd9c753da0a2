"""Making sparse tensors from parts: sparse_coo_tensor, sparse_csr_tensor, ... and their checks.

Conversions from other layouts are in `_convert.py`.
"""

import math

import rushlight as rl
from rushlight.sparse._layout import BSC, BSR, COO, CSC, CSR, LAYOUTS, build, coo

_PLAIN = {CSR: "col", BSR: "col", CSC: "row", BSC: "row"}


def compressed_names(kind):
    """``("crow_indices", "col_indices")`` or ``("ccol_indices", "row_indices")``."""
    plain = _PLAIN[kind]
    return ("crow_indices" if plain == "col" else "ccol_indices"), plain + "_indices"


class check_sparse_tensor_invariants:
    """Turns the checking of sparse tensors' parts on or off, as a context manager or decorator.

    Without it only cheap checks are made when a tensor is built from parts.

    Example::

        >>> with rl.sparse.check_sparse_tensor_invariants():
        ...     rl.sparse.check_sparse_tensor_invariants.is_enabled()
        True
    """

    _on = False

    def __init__(self, enable=True):
        self.state, self._before = enable, None

    @staticmethod
    def is_enabled():
        """Are all parts checked?"""
        return check_sparse_tensor_invariants._on

    @staticmethod
    def enable():
        """Check all parts from now on."""
        check_sparse_tensor_invariants._on = True

    @staticmethod
    def disable():
        """Make only the cheap checks."""
        check_sparse_tensor_invariants._on = False

    def __enter__(self):
        if self._before is not None:
            raise RuntimeError("This context manager instance is already activated.")
        cls = check_sparse_tensor_invariants
        self._before, cls._on = cls._on, self.state

    def __exit__(self, *exception):
        check_sparse_tensor_invariants._on, self._before = self._before, None

    def __call__(self, function):
        import functools

        @functools.wraps(function)
        def checked(*args, **kwargs):
            with type(self)(self.state):
                return function(*args, **kwargs)

        return checked


def _as_indices(indices, device):
    return rl.as_tensor(indices, device=device).detach().to(rl.int64)


def _as_values(values, dtype, device):
    if not isinstance(values, rl.Tensor):
        return rl.tensor(values, dtype=dtype, device=device)
    return (
        values
        if dtype is None and device is None
        else values.to(device or values.device, dtype or values.dtype)
    )


def _finish(tensor, requires_grad):
    if requires_grad and not tensor.requires_grad:
        tensor.requires_grad_()
    return tensor


def _checking(flag):
    return check_sparse_tensor_invariants.is_enabled() if flag is None else flag


def sparse_coo_tensor(
    indices=None,
    values=None,
    size=None,
    *,
    dtype=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    check_invariants=None,
    is_coalesced=None,
):
    """A tensor in coordinate format.

    Args:
        indices: (sparse_dim, nnz) integers; repeated columns stand for the sum of their values.
        values: (nnz, *dense sizes).
        size: the tensor's sizes; the smallest that fit if None.
        is_coalesced: the caller promises that columns are unique and sorted.

    ``sparse_coo_tensor(size)`` is all zeros; the size may be given by name.

    Raises:
        RuntimeError: if the parts do not fit together.

    Example::

        >>> rl.sparse_coo_tensor([[0, 1], [2, 0]], [3., 4.], (2, 3)).to_dense()
        tensor([[0., 0., 3.],
                [4., 0., 0.]])
    """
    if pin_memory:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    if values is None:
        if (indices is None) == (size is None):
            raise TypeError("sparse_coo_tensor: expected indices and values, or a size alone")
        size = tuple(size if indices is None else indices)
        dtype = dtype or rl.get_default_dtype()
        return _finish(empty_coo(size, dtype, device), requires_grad)
    values = _as_values(values, dtype, device)
    indices = _as_indices(indices, values.device)
    if values.dim() == 0 and indices.dim() == 2:
        values = values.expand(1)
    _check_coo_shapes(indices, values)
    sizes = _smallest(indices, values) if size is None else tuple(size)
    _check_coo_size(indices, values, sizes)
    if _checking(check_invariants):
        validate_coo(indices, values, sizes, bool(is_coalesced))
    if is_coalesced is None:
        is_coalesced = indices.shape[1] < 2
    return _finish(coo(indices, values, sizes, bool(is_coalesced)), requires_grad)


def empty_coo(size, dtype, device=None, sparse=None):
    """No elements; the last dimensions beyond `sparse` are dense."""
    sparse = len(size) if sparse is None else sparse
    indices = rl.empty((sparse, 0), dtype=rl.int64, device=device)
    values = rl.empty((0, *size[sparse:]), dtype=dtype, device=device)
    return coo(indices, values, size, coalesced=True)


def _check_coo_shapes(indices, values):
    if indices.dim() != 2:
        raise RuntimeError(
            f"sparse_coo_tensor: indices must be sparse_dim x nnz, but got: {list(indices.shape)}"
        )
    if values.dim() < 1 or indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            "indices and values must have same nnz, but got nnz from indices: "
            f"{indices.shape[1]}, nnz from values: {values.shape[0]}"
        )


def _smallest(indices, values):
    if indices.shape[1] == 0:
        return (0,) * indices.shape[0] + tuple(values.shape[1:])
    if indices.min() < 0:
        raise RuntimeError(f"found negative index {indices.min().item()}")
    return tuple((indices.amax(1) + 1).tolist()) + tuple(values.shape[1:])


def _check_coo_size(indices, values, size):
    if len(size) != indices.shape[0] + values.dim() - 1:
        raise RuntimeError(
            f"number of dimensions must be sparse_dim ({indices.shape[0]}) + dense_dim "
            f"({values.dim() - 1}), but got {len(size)}"
        )
    if tuple(values.shape[1:]) != size[indices.shape[0] :]:
        raise RuntimeError(
            f"values has incorrect size, expected {[values.shape[0], *size[indices.shape[0] :]]}, "
            f"got {list(values.shape)}"
        )
    if math.prod(size) >= 2**63:
        raise RuntimeError(f"numel: integer multiplication overflow with sizes={list(size)}")


def validate_coo(indices, values, size, coalesced):
    """All checks of COO parts. Raises RuntimeError."""
    _check_coo_shapes(indices, values)
    _check_coo_size(indices, values, size)
    for d, row in enumerate(indices if indices.shape[1] else ()):
        if row.min() < 0:
            raise RuntimeError(f"found negative index {row.min().item()} for dim {d}")
        if row.max() >= size[d]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {d}, size is {size[d]} but found "
                f"index {row.max().item()}"
            )
    if coalesced and indices.shape[1] > 1:
        from rushlight.sparse._layout import flat_index

        if (flat_index(indices, size).diff() <= 0).any():
            raise RuntimeError(
                "cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor"
            )


# ---- compressed layouts ----------------------------------------------------------------------


def sparse_compressed_tensor(
    compressed_indices,
    plain_indices,
    values,
    size=None,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    check_invariants=None,
):
    """A tensor in a compressed layout: CSR, CSC, BSR or BSC.

    Args:
        compressed_indices: (*batch, rows + 1), for each row (column) where its elements start.
        plain_indices: (*batch, nnz), the column (row) of each element.
        values: (*batch, nnz, *block, *dense sizes).
        size: the tensor's sizes; the smallest that fit if None.
        layout: one of the four layouts.

    Raises:
        RuntimeError: if the parts do not fit together.

    Example::

        >>> x = rl.sparse_compressed_tensor([0, 1, 2], [1, 0], [1., 2.], layout=rl.sparse_csr)
        >>> x.to_dense()
        tensor([[0., 1.],
                [2., 0.]])
    """
    kind = LAYOUTS.get(layout, COO)
    if kind == COO:
        raise RuntimeError(f"sparse_compressed_tensor: expected a compressed layout, got {layout}")
    if pin_memory:
        raise RuntimeError("Cannot access accelerator device when none is available.")
    values = _as_values(values, dtype, device)
    indices = [
        i if isinstance(i, rl.Tensor) else rl.tensor(i, dtype=None if len(i) else rl.int64)
        for i in (compressed_indices, plain_indices)
    ]
    names = compressed_names(kind)
    _check_index_dtypes(indices, names)
    sizes = _smallest_compressed(kind, indices, values) if size is None else tuple(size)
    validate_compressed(kind, *indices, values, sizes, full=_checking(check_invariants))
    pair = tuple(i.detach() for i in indices)
    return _finish(build(values, kind, pair, True, sizes), requires_grad)


def _check_index_dtypes(indices, names):
    dtypes = {i.dtype for i in indices}
    if len(dtypes) > 1 or not dtypes <= {rl.int32, rl.int64}:
        raise RuntimeError(
            f"{names[0]} and {names[1]} must both be int32 or int64, got "
            f"{indices[0].dtype} and {indices[1].dtype}"
        )


def _smallest_compressed(kind, indices, values):
    compressed, plain = indices
    batch = compressed.dim() - 1
    blocks = tuple(values.shape[batch + 1 : batch + 3]) if kind >= BSR else (1, 1)
    dense = tuple(values.shape[batch + (3 if kind >= BSR else 1) :])
    rows = compressed.shape[-1] - 1
    columns = int(plain.max()) + 1 if plain.numel() else 0
    if kind in (CSC, BSC):
        rows, columns = columns, rows
    return tuple(compressed.shape[:-1]) + (rows * blocks[0], columns * blocks[1]) + dense


def validate_compressed(kind, compressed, plain, values, size, full=True):
    """Checks compressed parts; `full` reads the indices too. Raises RuntimeError."""
    c_name, p_name = compressed_names(kind)
    if not (plain.dim() == compressed.dim() >= 1):
        raise RuntimeError(
            f"{c_name} and {p_name} dimensionality must be equal and at least 1, got "
            f"{compressed.dim()} and {plain.dim()}"
        )
    batch, block = compressed.dim() - 1, 2 if kind >= BSR else 0
    dense = values.dim() - batch - 1 - block
    if dense < 0 or len(size) != batch + 2 + dense:
        raise RuntimeError(
            f"tensor dimensionality must be sum of batch, base, and dense dimensionalities (="
            f"{batch} + 2 + {max(dense, 0)}) but got {len(size)}"
        )
    if values.shape[: batch + 1] != plain.shape:
        raise RuntimeError(
            f"values.shape[:{batch + 1}] and {p_name}.shape must be equal, got "
            f"{list(values.shape[: batch + 1])} and {list(plain.shape)}"
        )
    blocks = tuple(values.shape[batch + 1 : batch + 3]) if block else (1, 1)
    by_row = kind in (CSR, BSR)
    n_compressed, n_plain = size[batch : batch + 2] if by_row else size[batch : batch + 2][::-1]
    b_compressed, b_plain = blocks if by_row else blocks[::-1]
    if n_compressed % b_compressed or n_plain % b_plain:
        raise RuntimeError(f"tensor shape {tuple(size)} must be divisible by blocksize {blocks}")
    if compressed.shape[-1] != n_compressed // b_compressed + 1:
        raise RuntimeError(
            f"{c_name}.shape[-1] must be equal to the number of "
            f"{'rows' if by_row else 'columns'} + 1, got {compressed.shape[-1]} for {tuple(size)}"
        )
    if full:
        _validate_compressed_indices(compressed, plain, n_plain // b_plain, c_name, p_name)


def _validate_compressed_indices(compressed, plain, bound, c_name, p_name):
    nnz = plain.shape[-1]
    if (compressed[..., 0] != 0).any():
        raise RuntimeError(f"`{c_name}[..., 0] == 0` is not satisfied.")
    if (compressed[..., -1] != nnz).any():
        raise RuntimeError(f"`{c_name}[..., -1] == nnz` is not satisfied.")
    counts = compressed.diff()
    if (counts < 0).any() or (counts > bound).any():
        raise RuntimeError(
            f"`0 <= {c_name}[..., 1:] - {c_name}[..., :-1] <= {bound}` is not satisfied."
        )
    if nnz and (plain.min() < 0 or plain.max() >= bound):
        raise RuntimeError(f"`0 <= {p_name} < {bound}` is not satisfied.")
    lines = compressed.reshape(-1, compressed.shape[-1])
    for starts, line in zip(lines, plain.reshape(lines.shape[0], nnz)):
        rows = rl.repeat_interleave(rl.arange(starts.shape[0] - 1), starts.diff())
        if nnz > 1 and ((line.diff() <= 0) & (rows.diff() == 0)).any():
            raise RuntimeError(
                f"`{p_name}[..., {c_name}[..., i - 1]:{c_name}[..., i]]` must be sorted and "
                "distinct along the last dimension"
            )


def _of_layout(name, layout, first, second):
    def make(compressed_indices, plain_indices, values, size=None, **options):
        return sparse_compressed_tensor(
            compressed_indices, plain_indices, values, size, layout=layout, **options
        )

    def construct(*args, **kwargs):
        for new, old in ((first, "compressed_indices"), (second, "plain_indices")):
            if new in kwargs:
                kwargs[old] = kwargs.pop(new)
        return make(*args, **kwargs)

    construct.__name__ = construct.__qualname__ = name
    construct.__doc__ = (
        f"``{name}({first}, {second}, values, size=None)``: `sparse_compressed_tensor` in layout "
        f"{layout}."
    )
    return construct


sparse_csr_tensor = _of_layout("sparse_csr_tensor", rl.sparse_csr, "crow_indices", "col_indices")
sparse_csc_tensor = _of_layout("sparse_csc_tensor", rl.sparse_csc, "ccol_indices", "row_indices")
sparse_bsr_tensor = _of_layout("sparse_bsr_tensor", rl.sparse_bsr, "crow_indices", "col_indices")
sparse_bsc_tensor = _of_layout("sparse_bsc_tensor", rl.sparse_bsc, "ccol_indices", "row_indices")
