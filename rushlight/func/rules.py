"""Batching rules of tensor ops that their records do not imply: shapes, reductions, products.

A rule is called with a `Batch` and the op's values, of which at least one has the mapped dimension,
always its first. Ops that take positions are in rules_index.py, those of neural networks in
rules_nn.py, random ones in drawing.py.
"""

import math

import rushlight as rl
from rushlight.func.batching import aligned, flat_examples, lined_up, rule, rules, shift
from rushlight.ops._decisions import reach

# ---- ops that treat every leading dimension alike ----------------------------------------------


@rule(
    "convert",
    "real_complex",
    "imag",
    "view_as_real",
    "view_as_complex",
    "view.dtype",
    "alias",
    "empty_like",
    "zeros_like",
    "ones_like",
    "full_like",
    "constant_pad_nd",
    "_pixel_shuffle",
    "_pixel_unshuffle",
    "_diag_embed",
)
def _as_it_is(batch, *args):
    if batch.record.name in ("view.dtype", "view_as_complex") and batch.rank(0) == 0:
        return NotImplemented
    if "memory_format" in batch.record.arg_names:
        return _in_order(batch, *args)
    return batch.run(*args)


@rule("clone", "dense_copy")
def _in_order(batch, *args):
    """A new tensor, its elements in the order of dimensions: wrappers have no other."""
    asked = args[batch.record.arg_names.index("memory_format")]
    if asked not in (None, rl.preserve_format, rl.contiguous_format):
        raise NotImplementedError(
            f"{batch.record.public_name}: memory_format={asked} is not supported under vmap; use "
            "contiguous_format or preserve_format"
        )
    return batch.replaced(memory_format=rl.contiguous_format)


@rule("tril", "triu", "mT")
def _matrix(batch, x, *rest):
    return batch.run(x, *rest) if batch.rank(0) >= 2 else NotImplemented


_CORE = dict.fromkeys(("pivots", "tau"), 1)  # dimensions of an argument below its batches; else 2


@rule(
    "inverse_matrix",
    "solve_matrix",
    "lu_solve_matrix",
    "determinant",
    "log_determinant",
    "cholesky_factor",
    "qr_factors",
    "hermitian_eig",
    "general_eig",
    "svd_factors",
    "svd_by_qr",
    "triangular_solve_matrix",
    "cholesky_solve_matrix",
    "cholesky_inverse_matrix",
    "ldl_factorize",
    "ldl_solve_matrix",
    "geqrf",
    "reflectors_product",
    "reflectors_times",
    "lu_factorize",
    "pivots_to_order",
    "lu_solve_factors",
    "least_squares",
)
def _stack_of_matrices(batch, *args):
    """All operands with the same batch dimensions, as these ops want them."""
    places = [i for i, a in enumerate(args) if isinstance(a, rl.Tensor)]
    names = batch.record.arg_names
    if len({batch.rank(i) - _CORE.get(names[i], 2) for i in places}) > 1:
        return NotImplemented
    values = [batch.front(i) if i in places else a for i, a in enumerate(args)]
    return batch.run(*values)


for _name in ("xlogy", "logaddexp2", "_standard_gamma_grad", "_dirichlet_grad"):
    rules[_name] = lined_up


# ---- shapes ----------------------------------------------------------------------------------


def _shape_of(x, sizes, count):
    """`sizes` with -1 replaced, for an example of `count` elements."""
    sizes = list(sizes)
    if -1 in sizes:
        known = math.prod([s for s in sizes if s != -1])
        if not known or count % known:
            raise RuntimeError(f"shape '{sizes}' is invalid for input of size {count}")
        sizes[sizes.index(-1)] = count // known
    return sizes


@rule("view", "reshape")
def _view(batch, x, sizes):
    count = math.prod(x.shape[1:])
    return batch.run(x, (x.shape[0], *_shape_of(x, sizes, count)))


@rule("expand")
def _expand(batch, x, sizes, implicit):
    if len(sizes) < batch.rank(0):
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(sizes)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({batch.rank(0)})"
        )
    return aligned(x, True, len(sizes)).expand((x.shape[0], *sizes))


@rule("repeat")
def _repeat(batch, x, repeats):
    return aligned(x, True, len(repeats)).repeat((1, *repeats))


@rule("squeeze")
def _squeeze(batch, x, dim):
    rank = batch.rank(0)
    if dim is None:
        dim = [d for d in range(rank) if x.shape[d + 1] == 1]
    elif rank == 0:
        return x.view_as(x)
    return batch.run(x, shift(tuple(dim), rank))


@rule("unsqueeze")
def _unsqueeze(batch, x, dim):
    return batch.run(x, shift(dim, batch.rank(0) + 1))


@rule("permute", "movedim")
def _permute(batch, x, *dims):
    rank = batch.rank(0)
    if batch.record.name == "permute":
        return batch.run(x, (0, *shift(tuple(dims[0]), rank)))
    return batch.run(x, *[shift(tuple(d), rank) for d in dims])


@rule("t", "numpy_T")
def _transposed(batch, x):
    return x.permute((0, *range(batch.rank(0), 0, -1)))


@rule("flatten")
def _flatten(batch, x, start, end):
    rank = batch.rank(0)
    if rank == 0:
        return x.unsqueeze(1)
    return batch.run(x, shift(start, rank), shift(end, rank))


@rule("as_strided")
def _as_strided(batch, x, size, stride, offset):
    """In each example's own memory, which `stride` and `storage_offset` of a wrapper tell of."""
    start = x.storage_offset() if offset is None else offset
    first = x.storage_offset()
    if 0 not in size and not (
        first <= start and reach(size, stride, start) <= reach(x.shape[1:], x.stride()[1:], first)
    ):
        raise RuntimeError(
            f"vmap: as_strided({tuple(size)}, {tuple(stride)}, {start}) would look beyond the "
            "memory of one example"
        )
    return x.as_strided((x.shape[0], *size), (x.stride(0), *stride), start)


@rule("_index_alias", "_index_select", "_index_slice", "_index_unsqueeze")
def _basic_index(batch, x, size, stride, offset):
    """In terms of an example in contiguous memory: the geometry that wrappers have."""
    x = x.contiguous()
    step = math.prod(x.shape[1:])
    start = x.storage_offset() + (offset or 0)
    return x.as_strided((x.shape[0], *size), (step, *stride), start)


@rule("restride")
def _restride(batch, x, stride, offset, to_size, to_stride, to_offset, average):
    """Each example in memory of its own, long enough for both layouts."""
    step = max(reach(x.shape[1:], stride, offset), reach(to_size, to_stride, to_offset), 1)
    size = (x.shape[0], *to_size)
    return batch.run(x, (step, *stride), offset, size, (step, *to_stride), to_offset, average)


@rule("diag_embed")
def _diag_embed(batch, x, offset, dim1, dim2):
    """The dimensions are the result's."""
    rank = batch.rank(0) + 1
    return batch.run(batch.front(0), offset, shift(dim1, rank), shift(dim2, rank))


@rule("_complex", "_polar")
def _two_alike(batch, a, b):
    return batch.run(batch.front(0), batch.front(1))


@rule("_cross")
def _cross(batch, a, b, dim):
    return batch.run(batch.front(0), batch.front(1), shift(dim, batch.rank(0)))


@rule("roll")
def _roll(batch, x, shifts, dims):
    if dims:
        return batch.run(x, shifts, shift(tuple(dims), batch.rank(0)))
    return x.flatten(1).roll(shifts, (1,)).reshape(x.shape) if batch.rank(0) else x.clone()


@rule("_repeat_pad", "_repeat_pad_backward")
def _repeat_pad(batch, x, pad, mode):
    """The last dimensions are those of the examples."""
    return batch.run(x, pad, mode)


@rule("cat", "stack")
def _cat(batch, tensors, dim):
    values = [batch.expanded(x, f) for x, f in zip(tensors, batch.flags[0])]
    if batch.record.name == "stack":
        return batch.run(values, shift(dim, values[0].dim()))
    ranks = {x.dim() for x in values}
    if len(ranks) > 1 or ranks == {1}:  # empty vectors are left out, but not empty batches
        return NotImplemented
    return batch.run(values, shift(dim, values[0].dim() - 1))


@rule("_block_diag")
def _block_diag(batch, blocks):
    blocks = [batch.expanded(x, f) for x, f in zip(blocks, batch.flags[0])]
    width, left, rows = sum([b.shape[2] for b in blocks]), 0, []
    for b in blocks:
        rows.append(rl.constant_pad_nd(b, (left, width - left - b.shape[2])))
        left += b.shape[2]
    return rl.cat(rows, 1)


@rule("new_empty", "new_zeros", "new_ones", "new_full")
def _new(batch, x, size, *rest):
    return batch.run(x, (x.shape[0], *size), *rest)


@rule("copy_")
def _copy_(batch, x, source, non_blocking):
    return batch.run(x, aligned(source, batch.flags[1], batch.rank(0)), non_blocking)


@rule("fill_.number")
def _fill_(batch, *args):
    return batch.run(*args)


# ---- reductions of everything ------------------------------------------------------------------


@rule("prod", "max", "min", "median", "nanmedian")
def _reduced(batch, x, *rest):
    """Through the form that takes a dimension."""
    result = getattr(rl, batch.record.public_name)(flat_examples(x), 1, **_dtype(rest))
    return result if isinstance(result, rl.Tensor) else result[0]


def _dtype(rest):
    return {"dtype": rest[0]} if rest and rest[0] is not None else {}


@rule("argmax", "argmin")
def _position(batch, x, dim, keepdim):
    rank = batch.rank(0)
    if dim is not None and rank:
        return batch.run(x, shift(dim, rank), keepdim)
    found = batch.run(flat_examples(x), 1, False)
    return found.reshape((x.shape[0],) + (1,) * rank) if keepdim else found


@rule("aminmax")
def _aminmax(batch, x, dim, keepdim):
    rank = batch.rank(0)
    if dim is not None and rank:
        return batch.run(x, shift(dim, rank), keepdim)
    low, high = batch.run(flat_examples(x), 1, False)
    size = (x.shape[0],) + (1,) * rank * bool(keepdim)
    return low.reshape(size), high.reshape(size)


# ---- products --------------------------------------------------------------------------------


_RANKS = {"mm": (2, 2), "bmm": (3, 3), "mv": (2, 1), "dot": (1, 1)}  # of an example's factors


@rule("matmul", "mm", "bmm", "mv", "dot")
def _matmul(batch, a, b):
    a_rank, b_rank = batch.rank(0), batch.rank(1)
    name = batch.record.public_name
    if (a_rank, b_rank) != _RANKS.get(name, (a_rank, b_rank)):
        raise RuntimeError(
            f"{name}: expected factors of {_RANKS[name]} dimensions, got {a_rank} and {b_rank}"
        )
    a = a.unsqueeze(-2) if a_rank == 1 else a
    b = b.unsqueeze(-1) if b_rank == 1 else b
    rank = max(a_rank, b_rank, 2)
    out = rl.matmul(aligned(a, batch.flags[0], rank), aligned(b, batch.flags[1], rank))
    out = out.squeeze(-1) if b_rank == 1 else out
    return out.squeeze(-2 if b_rank > 1 else -1) if a_rank == 1 else out


@rule("_coo_mm")
def _coo_mm(batch, indices, values, dense, rows):
    """The examples side by side."""
    if not batch.only(2):
        return NotImplemented
    size = dense.shape[0], dense.shape[2]
    columns = dense.movedim(0, 1).flatten(1)
    return batch.run(indices, values, columns, rows).unflatten(1, size).movedim(1, 0)


@rule("_coo_dense")
def _coo_dense(batch, indices, values, size):
    """The examples are the elements of one more dimension."""
    if not batch.only(1):
        return NotImplemented
    return batch.run(indices, values.movedim(0, -1), (*size, len(values))).movedim(-1, 0)


@rule("addmm", "addmv", "baddbmm")
def _add_product(batch, x, a, b, beta, alpha):
    if not x.is_floating_point() and not x.is_complex():
        return NotImplemented
    product = batch.of("matmul", (a, b), batch.flags[1:3])
    out = _matmul(product, a, b)
    out = out if alpha == 1 else out * alpha
    if beta == 0:
        return out
    return out + aligned(x, batch.flags[0], out.dim() - product.any) * beta


@rule("linear")
def _linear(batch, x, weight, bias):
    product = batch.of("matmul", (x, weight.mT), batch.flags[:2])
    if batch.rank(1) != 2:
        return NotImplemented
    out = _matmul(product, x, weight.mT) if product.any else x @ weight.mT
    flags = (product.any, batch.flags[2])
    if bias is None:
        return out
    rank = max(out.dim() - flags[0], bias.dim() - flags[1])
    return aligned(out, flags[0], rank) + aligned(bias, flags[1], rank)
