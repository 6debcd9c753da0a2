"""Functions that PyTorch offers at its top level and few programs call: older names of sparse
products, copies of a sparse tensor's parts, ranges of numbers, tensors in files.

Each computes by what another module has. To add one: the function, in `__all__`.
"""

import rushlight as rl
from rushlight._interpose import overridable
from rushlight.ops.softmax import _log_softmax_backward, _softmax_backward

legacy_contiguous_format = rl.contiguous_format

__all__ = [
    "_convert_indices_from_coo_to_csr",
    "_convert_indices_from_csr_to_coo",
    "_log_softmax_backward_data",
    "_segment_reduce",
    "_softmax_backward_data",
    "ccol_indices_copy",
    "col_indices_copy",
    "crow_indices_copy",
    "dsmm",
    "from_file",
    "hsmm",
    "indices_copy",
    "legacy_contiguous_format",
    "native_norm",
    "resize_as_sparse_",
    "row_indices_copy",
    "saddmm",
    "slice_inverse",
    "spmm",
    "sym_constrain_range",
    "sym_constrain_range_for_size",
    "sym_fresh_size",
    "to_dlpack",
    "values_copy",
]


def _part_copy(part):
    def copied(input):  # noqa: A002
        return getattr(input, part)().clone()

    copied.__name__ = copied.__qualname__ = part + "_copy"
    copied.__doc__ = f"A copy of ``input.{part}()`` of a sparse tensor."
    return overridable(copied)


indices_copy, values_copy = _part_copy("indices"), _part_copy("values")
crow_indices_copy, col_indices_copy = _part_copy("crow_indices"), _part_copy("col_indices")
ccol_indices_copy, row_indices_copy = _part_copy("ccol_indices"), _part_copy("row_indices")


def spmm(mat1, mat2):
    """``torch.mm`` under the name it had for a sparse ``mat1``."""
    return rl.mm(mat1, mat2)


def dsmm(mat1, mat2):
    """``torch.mm`` under the name it had for a dense result."""
    return rl.mm(mat1, mat2)


def hsmm(mat1, mat2):
    """``torch.hspmm``: the product of a sparse and a dense matrix, with sparse rows."""
    return rl.hspmm(mat1, mat2)


def saddmm(mat, mat1, mat2, *, beta=1, alpha=1):
    """``beta * mat + alpha * (mat1 @ mat2)`` with a sparse ``mat1``."""
    if not mat1.is_sparse:
        raise RuntimeError(f"saddmm: expected mat1 to be a sparse tensor, got {mat1.layout}")
    return rl.addmm(mat, mat1, mat2, beta=beta, alpha=alpha)


def native_norm(input, p=2, dim=None, keepdim=False, dtype=None):  # noqa: A002
    """The p-norm of all elements of a sparse tensor.

    Raises NotImplementedError for dense tensors, RuntimeError for a part of the dimensions.

    Example::

        >>> rl.native_norm(rl.eye(4).to_sparse())
        tensor(2.)
    """
    if not input.is_sparse:
        raise NotImplementedError("native_norm: only for sparse tensors; use torch.norm")
    dims = () if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    if dims and len(dims) < input.dim():
        raise RuntimeError(
            f"native_norm: a sparse tensor is reduced over all of its dimensions, got dim {dims}"
        )
    values = input.coalesce().values()
    result = values.to(dtype or values.dtype).norm(2 if p is None else p)
    return result.reshape([1] * input.dim()) if keepdim else result


def resize_as_sparse_(input, the_template):  # noqa: A002
    """Gives a sparse tensor the sizes of another one; see `Tensor.resize_as_sparse_`."""
    if not (input.is_sparse and the_template.is_sparse):
        raise RuntimeError("resize_as_sparse_: expected two sparse tensors")
    return input.resize_as_sparse_(the_template)


def slice_inverse(input, src, dim=0, start=None, end=None, step=1):  # noqa: A002
    """The tensor that a slice was taken from: ``input``, a slice, seen with the sizes and strides
    of ``src``; the memory must reach so far.
    """
    return input.as_strided(src.size(), src.stride(), src.storage_offset())


def sym_constrain_range(size, *, min=None, max=None):  # noqa: A002
    """Checks that a number lies in a range; RuntimeError if not.

    Example::

        >>> rl.sym_constrain_range(5, min=2, max=9)
    """
    low = -(2**63) if min is None else min
    high = 2**63 - 1 if max is None else max
    if high < low:
        raise RuntimeError(
            f"sym_constrain_range: max must be greater than or equal to min, got min={low} and "
            f"max={high}"
        )
    if not low <= size <= high:
        raise RuntimeError(f"Invalid value range for {size} between [{low}, {high}].")


def sym_constrain_range_for_size(size, *, min=None, max=None):  # noqa: A002
    """`sym_constrain_range` of a number of elements: at least 0, and ``max`` above 2."""
    if max is not None and max <= 2:
        raise RuntimeError(
            f"Max value to constrain_range_for_size must be greater than 2. got: {max}"
        )
    sym_constrain_range(size, min=0 if min is None else min, max=max)


def sym_fresh_size(expr):
    """The number itself: nothing is symbolic outside of a traced program."""
    return rl.tensor(expr).item()


def to_dlpack(tensor):
    """A DLPack capsule; see `rushlight.utils.dlpack`."""
    return tensor.__dlpack__()


def from_file(
    filename,
    shared=False,
    size=0,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
):
    """A vector of ``size`` elements that lie in a file.

    Args:
        shared: changes go to the file, which is made and lengthened as needed; otherwise the file
            stays as it is, and the vector is a private copy that is read as it is used.
        dtype: of the elements; the default dtype if None.

    Raises RuntimeError if the file cannot be opened or is too short.

    Example::

        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile() as f:
        ...     _ = rl.from_file(f.name, shared=True, size=2).fill_(3.0)
        ...     rl.from_file(f.name, size=2)
        tensor([3., 3.])
    """
    if layout not in (None, rl.strided) or (device and rl.device(device).type != "cpu"):
        raise RuntimeError(
            f"from_file: expected a strided tensor on the cpu, got layout {layout}, device {device}"
        )
    if pin_memory:
        raise RuntimeError("from_file: the memory of a file cannot be pinned")
    dtype = dtype or rl.get_default_dtype()
    storage = rl.UntypedStorage.from_file(filename, bool(shared), size * dtype.itemsize)
    return rl.empty(0, dtype=dtype).set_(storage).requires_grad_(requires_grad)


def _softmax_backward_data(grad_output, output, dim, input_dtype):
    """The gradient of ``softmax`` by its input, from that by its ``output``."""
    return _softmax_backward(grad_output, output, dim).to(input_dtype)


def _log_softmax_backward_data(grad_output, output, dim, input_dtype):
    """The gradient of ``log_softmax`` by its input, from that by its ``output``."""
    return _log_softmax_backward(grad_output, output, dim).to(input_dtype)


def _check_indices(name, indices):
    if indices.dim() != 1:
        raise RuntimeError(
            f"{name}: Input is supposed to be a vector, but got {indices.dim()} dimensional tensor."
        )
    if indices.dtype not in (rl.int32, rl.int64):
        raise NotImplementedError(f"{name}: expected int32 or int64 indices, got {indices.dtype}")


def _convert_indices_from_coo_to_csr(input, size, *, out_int32=False):  # noqa: A002
    """Where each of `size` rows starts, and where the last ends, in a sorted list of rows."""
    _check_indices("_convert_indices_from_coo_to_csr", input)
    rows = rl.arange(size + 1, dtype=input.dtype, device=input.device)
    return rl.searchsorted(input, rows, out_int32=out_int32)


def _convert_indices_from_csr_to_coo(
    crow_indices, col_indices, *, out_int32=False, transpose=False
):
    """(2, nnz) rows and columns of the elements whose rows start where `crow_indices` says."""
    name = "_convert_indices_from_csr_to_coo"
    _check_indices(name, crow_indices)
    _check_indices(name, col_indices)
    rows = rl.arange(crow_indices.shape[0] - 1, device=crow_indices.device)
    rows = rows.repeat_interleave(crow_indices.diff())
    dtype = rl.int32 if out_int32 else rl.int64
    return rl.stack((col_indices, rows) if transpose else (rows, col_indices)).to(dtype)


_segment_reduce = rl.segment_reduce  # packages call it so
