"""Sparse members of Tensor, and the handlers of methods that are no arithmetic.

Conversions, access to the parts, copies, and what sparse tensors refuse. `install` sets the
methods on Tensor; they work for strided tensors too, where PyTorch's do.
"""

import rushlight as rl
from rushlight._tensor_copies import deep_copy
from rushlight._tensor_methods import set_methods
from rushlight.sparse import _layout
from rushlight.sparse._construct import compressed_names, empty_coo
from rushlight.sparse._convert import (
    clone,
    convert,
    sparse_mask,
    to_dense,
    to_sparse,
    with_dtype,
)
from rushlight.sparse._dispatch import handles, refuse
from rushlight.sparse._layout import (
    BSC,
    BSR,
    COO,
    CSC,
    CSR,
    LAYOUTS,
    NAMES,
    Parts,
    assign,
    coalesce,
    is_sparse,
    kind_of,
    like,
    parts_of,
    values_of,
)


def _need(op, tensor, *kinds):
    if kind_of(tensor) in kinds:
        return
    wanted = "sparse coordinate" if kinds == (COO,) else "sparse row compressed"
    wanted = "sparse column compressed" if kinds == (CSC, BSC) else wanted
    raise RuntimeError(f"{op} expected {wanted} tensor layout but got {NAMES[kind_of(tensor)]}")


# ---- the parts -------------------------------------------------------------------------------


def _indices(self):
    """The indices (sparse_dim, nnz) of a coalesced COO tensor."""
    _need("indices", self, COO)
    _need_coalesced("indices", self)
    return parts_of(self).indices.view_as(parts_of(self).indices)


def _need_coalesced(what, tensor):
    if kind_of(tensor) == COO and not parts_of(tensor).coalesced:
        raise RuntimeError(
            f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first"
        )


def _values(self):
    """The values of a coalesced COO or a compressed tensor; differentiable."""
    if not is_sparse(self):
        raise RuntimeError("values expected sparse tensor layout but got Strided")
    _need_coalesced("values", self)
    return values_of(self)


def _raw_indices(self):
    """The indices of a COO tensor, coalesced or not."""
    _need("_indices", self, COO)
    return parts_of(self).indices


def _raw_values(self):
    """The values of a COO tensor, coalesced or not; outside the graph."""
    _need("_values", self, COO)
    return parts_of(self).values


def _compressed_part(which, kinds):
    def part(self):
        name = compressed_names(kinds[0])[which]
        _need(name, self, *kinds)
        return parts_of(self).indices[which].detach()

    part.__doc__ = f"The {compressed_names(kinds[0])[which]} of a compressed tensor."
    return part


def _nnz(self):
    """The number of specified elements (blocks)."""
    if not is_sparse(self):
        raise NotImplementedError("_nnz(): not implemented for strided tensors")
    return _layout.nnz(self)


def _sparse_dim(self):
    """The number of sparse dimensions; 0 of a strided tensor."""
    return _layout.sparse_dim(self) if is_sparse(self) else 0


def _dense_dim(self):
    """The number of dense dimensions; all of a strided tensor."""
    return _layout.dense_dim(self) if is_sparse(self) else self.dim()


def _coalesce(self):
    """Unique sorted indices, with the values of repeated ones added up."""
    _need("coalesce", self, COO)
    return coalesce(self)


def _is_coalesced(self):
    """Are the indices of a COO tensor known to be unique and sorted?"""
    _need("is_coalesced", self, COO)
    return parts_of(self).coalesced


def _set_coalesced(self, coalesced):
    """Declares a COO tensor coalesced, or not."""
    _need("_coalesced_", self, COO)
    parts = parts_of(self)
    rl._native.replace_payload(
        self, tuple(self.shape), Parts(parts.indices, parts.values, bool(coalesced))
    )
    return self


# ---- conversions -----------------------------------------------------------------------------


def _to_sparse_coo(self):
    """The COO tensor with the same elements."""
    return convert(self, COO)


def _to_compressed(kind, blocked):
    layout = f"sparse_{NAMES[kind][6:].lower()}"
    if blocked:

        def to(self, blocksize, dense_dim=None):
            if isinstance(blocksize, int):
                blocksize = (blocksize, blocksize)
            return convert(self, kind, blocksize, dense_dim)
    else:

        def to(self, dense_dim=None):
            return convert(self, kind, None, dense_dim)

    to.__doc__ = f"The same elements in layout torch.{layout}."
    return to


def _to_dense(self, dtype=None, *, masked_grad=None):
    """The strided tensor with the same elements; itself if it is one."""
    if not is_sparse(self):
        return self if dtype is None else self.to(dtype)
    return to_dense(self, dtype)


def _sparse_resize(self, size, sparse_dim, dense_dim):
    """In place: other sizes, with the elements kept where they are."""
    _need("sparse_resize_", self, COO)
    parts, size = parts_of(self), tuple(size)
    if sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"number of dimensions must be sparse_dim ({sparse_dim}) + dense_dim ({dense_dim}), "
            f"but got {len(size)}"
        )
    if _layout.nnz(self):
        old = (_layout.sparse_dim(self), _layout.dense_dim(self))
        if old != (sparse_dim, dense_dim) or any(a > b for a, b in zip(self.shape, size)):
            raise RuntimeError(
                "sparse_resize_(): a non-empty tensor cannot change the number of its sparse or "
                f"dense dimensions or shrink; has {tuple(self.shape)}, {old}, wanted {size}"
            )
        values = parts.values
        for d, length in enumerate(size[sparse_dim:], 1):
            pad = (0, 0) * (values.dim() - 1 - d) + (0, length - values.shape[d])
            values = rl.nn.functional.pad(values, pad)
        made = Parts(parts.indices, values, parts.coalesced)
    else:
        made = parts_of(empty_coo(size, self.dtype, sparse=sparse_dim))
    rl._native.replace_payload(self, size, made)
    return self


def _sparse_resize_and_clear(self, size, sparse_dim, dense_dim):
    """In place: other sizes, without any elements."""
    _need("sparse_resize_and_clear_", self, COO)
    made = empty_coo(tuple(size), self.dtype, sparse=sparse_dim)
    rl._native.replace_payload(self, tuple(size), parts_of(made))
    return self


def _resize_as_sparse(self, other):
    """In place: the sizes of another sparse tensor."""
    return _sparse_resize(self, other.shape, _sparse_dim(other), _dense_dim(other))


METHODS = {
    "indices": _indices,
    "values": _values,
    "_indices": _raw_indices,
    "_values": _raw_values,
    "crow_indices": _compressed_part(0, (CSR, BSR)),
    "col_indices": _compressed_part(1, (CSR, BSR)),
    "ccol_indices": _compressed_part(0, (CSC, BSC)),
    "row_indices": _compressed_part(1, (CSC, BSC)),
    "_nnz": _nnz,
    "sparse_dim": _sparse_dim,
    "dense_dim": _dense_dim,
    "_dimI": _sparse_dim,
    "_dimV": _dense_dim,
    "coalesce": _coalesce,
    "is_coalesced": _is_coalesced,
    "_coalesced_": _set_coalesced,
    "sparse_mask": sparse_mask,
    "to_sparse": to_sparse,
    "to_sparse_coo": _to_sparse_coo,
    "to_sparse_csr": _to_compressed(CSR, False),
    "to_sparse_csc": _to_compressed(CSC, False),
    "to_sparse_bsr": _to_compressed(BSR, True),
    "to_sparse_bsc": _to_compressed(BSC, True),
    "to_dense": _to_dense,
    "sparse_resize_": _sparse_resize,
    "sparse_resize_and_clear_": _sparse_resize_and_clear,
    "resize_as_sparse_": _resize_as_sparse,
}


# ---- what plain methods do for sparse tensors ------------------------------------------------


@handles("resize_")
def _resize(self, *size, memory_format=None):
    """CSR and CSC: more rows or columns, without elements."""
    size = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    kind, old = kind_of(self), tuple(self.shape)
    plain_call = memory_format in (None, rl.contiguous_format, rl.preserve_format)
    if kind not in (CSR, CSC) or not plain_call or len(size) != len(old) or size[:-2] != old[:-2]:
        return NotImplemented
    if size[-1] < old[-1]:
        raise RuntimeError(f"resize_(): {self.layout} tensors cannot lose columns: {old} to {size}")
    if size[-2] < old[-2]:
        raise NotImplementedError(
            f"resize_(): not implemented for fewer rows of {self.layout} tensors: {old} to {size}"
        )
    main = -2 if kind == CSR else -1
    parts = parts_of(self)
    compressed, plain = parts.indices
    last = compressed[..., -1:].expand(*size[:-2], size[main] - old[main])
    made = Parts((rl.cat([compressed, last], -1), plain), parts.values, parts.coalesced)
    rl._native.replace_payload(self, size, made)
    return self


@handles("clone")
def _clone(self, *, memory_format=None):
    return clone(self)


@handles("to", "type_as", "_to_copy")
def _to(self, *args, **kwargs):
    """dtype, device, copy= and layout= as for strided tensors."""
    copy, layout = kwargs.pop("copy", False), kwargs.pop("layout", None)
    if layout is not None and LAYOUTS.get(layout, 0) != kind_of(self):
        self = convert(self, LAYOUTS.get(layout, 0))
    if not is_sparse(self):
        return self.to(*args, **kwargs)
    args = tuple(parts_of(a).values if is_sparse(a) else a for a in args)
    values = values_of(self)
    moved = values.to(*args, **kwargs)
    if moved.device != self.device:
        raise NotImplementedError(f"to(): sparse tensors are on the CPU only, not {moved.device}")
    if moved is values and not copy:
        return self
    return clone(like(self, moved)) if copy else like(self, moved)


def _as_dtype(name):
    dtype = getattr(rl, name)

    def convert_dtype(self, memory_format=None):
        return self if self.dtype == dtype else with_dtype(self, dtype)

    return convert_dtype


for _name in "float double half bfloat16 int long short char byte bool cfloat cdouble".split():
    _dtype = {"char": "int8", "byte": "uint8"}.get(_name, _name)
    handles(_name)(_as_dtype(_dtype))


@handles("copy_")
def _copy(self, src, non_blocking=False):
    if not is_sparse(src) or not is_sparse(self):
        raise RuntimeError(
            "copy_() between dense and sparse tensors is not implemented; use to_dense() or "
            f"to_sparse(): got {self.layout} and {src.layout}"
        )
    if tuple(self.shape) != tuple(src.shape):
        raise RuntimeError(f"copy_: sizes differ: {list(self.shape)} and {list(src.shape)}")
    return assign(self, clone(with_dtype(src, self.dtype)))


@handles("zero_")
def _zero(self):
    if kind_of(self) != COO:
        return assign(self, like(self, rl.zeros_like(values_of(self))))
    return assign(self, empty_coo(tuple(self.shape), self.dtype, sparse=_layout.sparse_dim(self)))


@handles("is_contiguous")
def _is_contiguous(self, *, memory_format=None):
    if kind_of(self) != COO:
        raise RuntimeError("is_contiguous(): compressed tensors have no memory format")
    return False


def _values_in_place(name):
    def change(self, *args, **kwargs):
        if not is_sparse(self) or kind_of(self) == COO:
            raise NotImplementedError(f"{name}(): not implemented for {self.layout} tensors")
        return assign(self, like(self, getattr(values_of(self).clone(), name)(*args, **kwargs)))

    return change


def _values_like(name):
    def make(x, *, dtype=None, requires_grad=False, **options):
        if not is_sparse(x):
            return NotImplemented
        if kind_of(x) == COO or options:
            raise NotImplementedError(
                f"{name}(): not implemented for {x.layout} tensors with {list(options) or 'them'}"
            )
        made = like(x, getattr(rl, name)(parts_of(x).values, dtype=dtype))
        return made.requires_grad_() if requires_grad else made

    return make


for _name in ("fill_", "normal_"):
    handles(_name)(_values_in_place(_name))
for _name in ("ones_like", "rand_like", "randn_like"):
    handles(_name)(_values_like(_name))


@handles("__setitem__")
def _no_assignment(self, index, value):
    if not is_sparse(self):
        refuse("__setitem__", self, value)
    raise TypeError(f"cannot assign {value!r} to elements of a tensor of layout {self.layout}")


@handles("new")
def _new(self, *args, size=None, device=None):
    """COO: of indices and values, or of sizes."""
    tensors = [x for x in args if isinstance(x, rl.Tensor)]
    if kind_of(self) == COO and len(tensors) == 2 and len(args) <= 3:
        size = size if len(args) == 2 else args[2]
        return rl.sparse_coo_tensor(*tensors, size=size, dtype=self.dtype, device=device)
    if not all(isinstance(x, (int, tuple)) for x in args):
        raise TypeError("new(): expected sizes, or indices and values of a COO tensor")
    args = args if size is None else (rl.Size(size),)
    return self.new_empty(*(args or (0,)), device=device)


@handles("stride")
def _stride(self, dim=None):
    if kind_of(self) == COO:
        return (0,) * self.dim() if dim is None else 0
    raise RuntimeError("Sparse compressed tensors do not have strides")


@handles("storage_offset")
def _offset(self):
    return 0


@handles("data_ptr", "tolist")
def _no_pointer(self):
    raise RuntimeError("Cannot access data pointer of Tensor that doesn't have storage")


@handles("untyped_storage", "storage")
def _no_storage(self):
    raise NotImplementedError("Cannot access storage of SparseTensorImpl")


@handles("numpy", "__array__")
def _no_numpy(self, *args, **kwargs):
    raise TypeError("can't convert Sparse layout tensor to numpy. Use Tensor.to_dense() first.")


@handles("item", "__bool__", "__int__", "__float__", "__complex__")
def _item(self):
    if self.numel() != 1:
        raise RuntimeError(f"a Tensor with {self.numel()} elements cannot be converted to Scalar")
    return to_dense(self).item()


@handles("type")
def _type(self, dtype=None, non_blocking=False):
    if dtype is None:
        return parts_of(self).values.type().replace("torch.", "torch.sparse.")
    return _to(self, dtype)


handles("__deepcopy__")(deep_copy)


def install():
    """Sets the methods on Tensor."""
    set_methods(rl.Tensor, METHODS)
