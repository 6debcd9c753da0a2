"""Ops that fit no other family: grouped products, diagonals filled in place, and views under names
that only PyTorch's compiler uses. To add one: a record.
"""

import rushlight as rl
from rushlight.ops._record import op

# ---- products ----------------------------------------------------------------------------------


@op(
    "grouped_mm(Tensor mat_a, Tensor mat_b, *, Tensor? offs=None, Tensor? bias=None, "
    "dtype? out_dtype=None) -> Tensor",
    at="nn.functional",
    out=False,
)
def grouped_mm(mat_a, mat_b, offs, bias, out_dtype):
    """Products of groups of matrices of different sizes, such as the experts of a mixture.

    Of two batches (G, M, K) and (G, K, N): each product. A matrix is cut into groups that end at
    ``offs`` (int32, as many as groups): the rows of (T, K) against (G, K, N); the columns of (K, T)
    against (G, M, K); or the common dimension of (M, T) and (T, N), which gives (G, M, N).

    Example::

        >>> a, b = rl.ones(3, 2), rl.ones(2, 2, 1)
        >>> rl.nn.functional.grouped_mm(a, b, offs=rl.tensor([1, 3], dtype=rl.int32)).flatten()
        tensor([2., 2., 2.])
    """
    dims = mat_a.dim(), mat_b.dim()
    if not set(dims) <= {2, 3}:
        raise RuntimeError(f"grouped_mm: expected operands of 2 or 3 dimensions, got {dims}")
    if (offs is None) != (dims == (3, 3)):
        raise RuntimeError(
            "grouped_mm: offs is needed if an operand has 2 dimensions, and only then"
        )
    if bias is not None:
        raise RuntimeError("grouped_mm: bias is not supported; add it to the result")
    result = rl.matmul(mat_a, mat_b) if offs is None else _grouped(mat_a, mat_b, offs)
    return result if out_dtype is None else result.to(out_dtype)


def _grouped(a, b, offs):
    ends = offs.tolist()
    spans = list(zip([0] + ends[:-1], ends))
    if a.dim() == b.dim() == 2:
        return rl.stack([a[:, start:end] @ b[start:end] for start, end in spans])
    stack = b if a.dim() == 2 else a
    if stack.shape[0] != len(ends):
        raise RuntimeError(
            f"grouped_mm: expected offs for each of {stack.shape[0]} groups, got {len(ends)}"
        )
    if a.dim() == 2:
        return rl.cat([a[start:end] @ m for (start, end), m in zip(spans, b)])
    return rl.cat([m @ b[:, start:end] for (start, end), m in zip(spans, a)], 1)


# ---- places ------------------------------------------------------------------------------------


@op(
    "fill_diagonal_(Tensor(a!) self, Scalar fill_value, bool wrap=False) -> Tensor",
    at="Tensor",
)
def fill_diagonal_(self, fill_value, wrap):
    """Writes a number on the main diagonal; with ``wrap`` that of tall matrices begins again below.

    RuntimeError for fewer than two dimensions, or more than two of different sizes.

    Example::

        >>> rl.zeros(2, 2).fill_diagonal_(1)
        tensor([[1., 0.],
                [0., 1.]])
    """
    if self.dim() < 2:
        raise RuntimeError(f"fill_diagonal_: expected at least 2 dimensions, got {self.dim()}")
    if self.dim() > 2 and len(set(self.shape)) > 1:
        raise RuntimeError(
            "fill_diagonal_: all dimensions of input must be of equal length, got "
            f"{list(self.shape)}"
        )
    step, short = sum(self.stride()), min(self.shape)
    self.as_strided((short,), (step,), self.storage_offset()).fill_(fill_value)
    if wrap and self.dim() == 2 and self.shape[0] > self.shape[1] + 1:
        self[self.shape[1] + 1 :].fill_diagonal_(fill_value, True)
    return self


_SLICE = "int dim=0, int? start=None, int? end=None, int step=1"


def _sliced(self, dim, start, end, step):
    if step <= 0:
        raise RuntimeError(f"slice step must be positive, got {step}")
    index = [slice(None)] * self.dim()
    index[dim] = slice(start, end, step)
    return self[tuple(index)]


@op(f"slice_copy(Tensor self, {_SLICE}) -> Tensor", method=False, out="exact")
def slice_copy(self, dim, start, end, step):
    """The elements ``start:end:step`` along ``dim``, as a copy.

    Example::

        >>> rl.slice_copy(rl.arange(4), 0, 1, 3)
        tensor([1, 2])
    """
    return _sliced(self, dim, start, end, step).clone()


@op("view_as_real_copy(Tensor self) -> Tensor", method=False, out="exact")
def _(self):
    """What `view_as_real` gives, as a copy.

    Example::

        >>> rl.view_as_real_copy(rl.tensor([1 + 2j]))
        tensor([[1., 2.]])
    """
    return rl.view_as_real(self).clone()


@op("view_as_complex_copy(Tensor self) -> Tensor", method=False, out="exact")
def _(self):
    """What `view_as_complex` gives, as a copy.

    Example::

        >>> rl.view_as_complex_copy(rl.tensor([[1., 2.]]))
        tensor([1.+2.j])
    """
    return rl.view_as_complex(self).clone()


# ---- hashes ------------------------------------------------------------------------------------


@op(
    "hash_tensor(Tensor self, int[1]? dim=None, *, bool keepdim=False, int mode=0) -> Tensor",
    differentiable=False,
)
def hash_tensor(self, dim, keepdim, mode):
    """The exclusive or of all elements' bits, or of those along ``dim``, as uint64.

    Floating-point numbers count with their bits in double precision, integers with theirs in 64.
    ``mode`` 0 is the only one. RuntimeError for an empty tensor without ``dim``.

    Example::

        >>> rl.hash_tensor(rl.tensor([1, 2, 4]))
        tensor(7, dtype=torch.uint64)
    """
    if mode != 0:
        raise RuntimeError(f"hash_tensor: unknown mode {mode}; 0 is the only one")
    if self.is_complex():
        raise NotImplementedError(f"hash_tensor: not implemented for {self.dtype}")
    given = [dim] if isinstance(dim, int) else dim or range(self.dim())
    dims = [d % max(self.dim(), 1) for d in given]
    if self.numel() == 0 and dim is None:
        raise RuntimeError(
            "hash_tensor: Expected reduction dim to be specified for input.numel() == 0. "
            "Specify the reduction dim with the 'dim' argument."
        )
    floating = self.is_floating_point()
    bits = self.to(rl.float64).contiguous().view(rl.int64) if floating else self.to(rl.int64)
    if self.dim() == 0:
        return bits.to(rl.uint64)
    kept = [n for d, n in enumerate(bits.shape) if d not in dims]
    order = [d for d in range(bits.dim()) if d not in dims] + dims
    lines = bits.permute(order).reshape(kept + [-1] if bits.numel() else kept + [0])
    shape = [1 if d in dims else n for d, n in enumerate(self.shape)] if keepdim else kept
    return _xor_last(lines).reshape(shape).to(rl.uint64)


def _xor_last(lines):
    """The exclusive or along the last dimension, halves against halves."""
    while lines.shape[-1] > 1:
        half = lines.shape[-1] // 2
        rest = lines[..., 2 * half :]
        lines = rl.cat((lines[..., :half] ^ lines[..., half : 2 * half], rest), -1)
    return lines.squeeze(-1) if lines.shape[-1] else lines.new_zeros(lines.shape[:-1])
