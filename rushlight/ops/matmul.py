"""Matrix and vector products.

Not here: products added to a tensor (ops/matmul_added.py), decompositions and solvers
(ops/linalg), einsum and tensordot (ops/einsum.py). To add a product, write its record below; its
kernel, if it has one, is in csrc/kernels/matmul.cpp.
"""

import rushlight as rl
from rushlight._native import conjugate as _conj
from rushlight.ops._record import op
from rushlight.ops._rounding import is_narrow


def _as_matrices(a, b):
    """Both operands of a matmul with vectors shown as matrices."""
    return a.unsqueeze(0) if a.dim() == 1 else a, b.unsqueeze(1) if b.dim() == 1 else b


def _matmul_grad(g, a, b):
    """The gradient with the matrix shape restored, for vector operands."""
    if b.dim() == 1:
        g = g.unsqueeze(-1)
    return g.unsqueeze(-2) if a.dim() == 1 else g


def _sum_to(x, shape):
    """Sums x over the batch dimensions that broadcasting added, then shows it as `shape`."""
    extra = x.dim() - len(shape)
    if extra > 0:
        x = x.sum(tuple(range(extra)))
    repeated = tuple([i for i in range(len(shape)) if shape[i] == 1 and x.shape[i] != 1])
    return x.sum(repeated, keepdim=True) if repeated else x


def _left_grad(g, a, b):
    am, bm = _as_matrices(a, b)
    g = _matmul_grad(g, a, b)
    vector = am.shape[-2] == 1 and bm.shape[-2:].numel() >= 1024 and not is_narrow(g)
    # One product instead of a batch of them and a sum, but for a vector and large matrices, whose
    # copy would take longer.
    if am.dim() == 2 and bm.dim() > 2 and not vector:
        columns = g.shape[:-2].numel() * g.shape[-1]
        rows, flat = [x.movedim(-2, 0).reshape(x.shape[-2], columns) for x in (g, _conj(bm))]
        return (rows @ flat.t()).view(a.shape)
    if bm.dim() == 2 and g.dim() > 2:
        return (g @ _conj(bm.t())).reshape(a.shape)
    return _sum_to(g @ _conj(bm.mT), am.shape).reshape(a.shape)


def _right_grad(g, a, b):
    am, bm = _as_matrices(a, b)
    g = _matmul_grad(g, a, b)
    if bm.dim() == 2 and am.dim() > 2:  # one product instead of a batch of them and a sum
        rows = am.shape[:-1].numel()  # -1 would be ambiguous for empty operands
        flat = _conj(am).reshape(rows, am.shape[-1])
        return (flat.t() @ g.reshape(rows, g.shape[-1])).reshape(b.shape)
    return _sum_to(_conj(am.mT) @ g, bm.shape).reshape(b.shape)


@op(
    "matmul(Tensor input, Tensor other, *, Tensor? out=None) -> Tensor",
    at=("torch", "Tensor", "linalg"),
    operator="@",
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
    grad_name=("DotBackward0", "MvBackward0", "MmBackward0", "UnsafeViewBackward0"),
)
def matmul(input, other):
    """Matrix product of two tensors.

    Vectors give a dot product; a vector and a matrix give a vector; two matrices a matrix; with
    more dimensions the last two are matrices and those before them are broadcast. Both operands
    have one dtype. Raises RuntimeError if the inner sizes differ.

    Example::

        >>> rl.matmul(rl.ones(2, 3), rl.ones(3)).tolist()
        [3.0, 3.0]
    """
    ...


matmul.vjp(
    input=lambda g, input_meta, other: _left_grad(g, input_meta, other),
    other=lambda g, input, other_meta: _right_grad(g, input, other_meta),
)


@matmul.samples
def _(make):
    yield make(3, 4), make(4, 5)
    yield make(4), make(4)
    yield make(2, 3, 4), make(4)
    yield make(4), make(2, 4, 3)
    yield make(2, 1, 3, 4), make(5, 4, 2)
    yield make(0, 4), make(4, 3)


@op(
    "mm(Tensor self, Tensor mat2, *, Tensor? out=None) -> Tensor",
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
)
def mm(self, mat2):
    """Product of two matrices, (n, k) by (k, m); no broadcasting.

    Example::

        >>> rl.mm(rl.ones(2, 3), rl.ones(3, 2)).tolist()
        [[3.0, 3.0], [3.0, 3.0]]
    """
    ...


mm.vjp(self=lambda g, mat2: g.mm(_conj(mat2.t())), mat2=lambda g, self: _conj(self.t()).mm(g))


@mm.samples
def _(make):
    yield make(3, 4), make(4, 5)
    yield make(0, 4), make(4, 0)


@op("bmm(Tensor self, Tensor mat2, *, Tensor? out=None) -> Tensor")
def bmm(self, mat2):
    """Batch of matrix products: (b, n, k) by (b, k, m) gives (b, n, m); no broadcasting.

    Example::

        >>> rl.bmm(rl.ones(2, 1, 3), rl.ones(2, 3, 1)).flatten().tolist()
        [3.0, 3.0]
    """
    ...


bmm.vjp(self=lambda g, mat2: g.bmm(_conj(mat2.mT)), mat2=lambda g, self: _conj(self.mT).bmm(g))


@bmm.samples
def _(make):
    yield make(2, 3, 4), make(2, 4, 5)


@op("mv(Tensor self, Tensor vec, *, Tensor? out=None) -> Tensor")
def mv(self, vec):
    """Matrix times vector: (n, k) by (k) gives (n).

    Example::

        >>> rl.mv(rl.ones(2, 3), rl.ones(3)).tolist()
        [3.0, 3.0]
    """
    ...


mv.vjp(self=lambda g, vec: rl.outer(g, _conj(vec)), vec=lambda g, self: _conj(self.t()).mv(g))


@mv.samples
def _(make):
    yield make(3, 4), make(4)


@op("dot(Tensor self, Tensor tensor, *, Tensor? out=None) -> Tensor")
def dot(self, tensor):
    """Sum of the products of two vectors of one length, without conjugation.

    Example::

        >>> rl.dot(rl.tensor([1., 2.]), rl.tensor([3., 4.])).item()
        11.0
    """
    ...


dot.vjp(self=lambda g, tensor: g * _conj(tensor), tensor=lambda g, self: g * _conj(self))


@dot.samples
def _(make):
    yield make(5), make(5)
    yield make(0), make(0)


@op("vdot(Tensor self, Tensor other, *, Tensor? out=None) -> Tensor", grad_name=True, out="exact")
def vdot(self, other):
    """Sum of the products of two vectors, the first one conjugated.

    Example::

        >>> rl.vdot(rl.tensor([1j]), rl.tensor([1j])).item()
        (1+0j)
    """
    return rl.dot(_conj(self), other)


@op("outer(Tensor self, Tensor vec2, *, Tensor? out=None) -> Tensor")
def outer(self, vec2):
    """All products of an element of one vector (n) and one of another (m): shape (n, m).

    Example::

        >>> rl.outer(rl.tensor([1, 2]), rl.tensor([3, 4])).tolist()
        [[3, 4], [6, 8]]
    """
    for name, x in (("self", self), ("vec2", vec2)):
        if x.dim() != 1:
            raise RuntimeError(
                f"outer: expected {name} to be a 1-D tensor, got shape {tuple(x.shape)}"
            )
    return vec2 * self.unsqueeze(1)  # rows are read whole, and one element each


@op("ger(Tensor self, Tensor vec2, *, Tensor? out=None) -> Tensor")
def ger(self, vec2):
    """The older name of `outer`.

    Example::

        >>> rl.ger(rl.tensor([1., 2.]), rl.tensor([3., 4.]))
        tensor([[3., 4.],
                [6., 8.]])
    """
    return rl.outer(self, vec2)


@op("inner(Tensor self, Tensor other, *, Tensor? out=None) -> Tensor", out="exact")
def inner(self, other):
    """Products summed over the last dimension of both tensors.

    The result has the leading dimensions of ``self``, then those of ``other``; a 0-d operand just
    multiplies.

    Example::

        >>> rl.inner(rl.ones(2, 3), rl.ones(4, 3)).shape
        torch.Size([2, 4])
    """
    if self.dim() == 0 or other.dim() == 0:
        return self * other
    if self.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            f"inner() the last dimension must match on both input tensors but got shapes "
            f"{list(self.shape)} and {list(other.shape)}"
        )
    if self.dim() == 1 or other.dim() <= 2:
        return (
            rl.matmul(self, other.mT if other.dim() > 1 else other)
            if other.dim() <= 2
            else rl.matmul(other, self)
        )
    flat = rl.matmul(self, other.reshape(-1, other.shape[-1]).t())
    return flat.reshape(self.shape[:-1] + other.shape[:-1])


@op(
    "linear(Tensor input, Tensor weight, Tensor? bias=None, *, Tensor? out=None) -> Tensor",
    at=("nn.functional",),
    grad_name=("AddBackward0", "ViewBackward0", "AddmmBackward0", "ViewBackward0"),
    grad_name_without={
        "bias": ("DotBackward0", "SqueezeBackward4", "MmBackward0", "UnsafeViewBackward0")
    },
    no_float8="float8_e8m0fnu float4_e2m1fn_x2",
)
def linear(input, weight, bias):
    """input @ weight.T + bias, the layer of a perceptron.

    Shapes: input (*, in), weight (out, in) or (in), bias (out); result (*, out) or (*).

    Example::

        >>> rl.nn.functional.linear(rl.ones(2, 3), rl.ones(4, 3)).shape
        torch.Size([2, 4])
    """
    ...


@linear.vjp_all
def _(g, needs, input_for_weight, weight_for_input, bias_meta):
    input, weight, bias = input_for_weight, weight_for_input, bias_meta
    g_input = g_weight = g_bias = None
    if weight.dim() == 1:
        column = g.unsqueeze(-1)
        g_input = column * _conj(weight) if needs[0] else None
        g_weight = (column * _conj(input)).reshape(-1, weight.shape[0]).sum(0) if needs[1] else None
        return g_input, g_weight, g.sum_to_size(bias.shape) if needs[2] else None
    if needs[0]:
        g_input = rl.matmul(g, _conj(weight))
    flat = g
    if g.dim() != 2:
        rows = g.shape[:-1].numel()
        flat, input = g.reshape(rows, g.size(-1)), input.reshape(rows, input.size(-1))
    if needs[1]:
        g_weight = flat.t().mm(_conj(input))
    if needs[2]:
        plain = bias.dim() == 1 and bias.size(0) == g.size(-1)
        g_bias = flat.sum(0) if plain else g.sum_to_size(bias.shape)
    return g_input, g_weight, g_bias


@linear.samples
def _(make):
    yield make(3, 4), make(5, 4), make(5)
    yield make(2, 3, 4), make(5, 4)
    yield make(4), make(5, 4), make(5)


#: the dimensions of `_trilinear`: rows, output features, features of either input
_AXES = "rkij"


def _named(axes, but):
    """The axes, in order and in letters, ``but`` those."""
    return "".join([x for x in _AXES if x in axes and x not in but])


@op(
    "_trilinear(Tensor a, Tensor b, Tensor c, str a_axes, str b_axes, str c_axes, str axes)"
    " -> Tensor",
    at=("internal",),
)
def _trilinear(a, b, c, a_axes, b_axes, c_axes, axes):
    """The sum of a * b * c over what is not in ``axes``, one output feature after another: a
    product of the first two, rounded, and one of it with the third. It is its own gradient, with
    other roles for the operands.
    """
    operands = ((a, a_axes), (b, b_axes), (c, c_axes))
    count = max([t.shape[x.index("k")] for t, x in operands if "k" in x])
    slices = [t.unbind(x.index("k")) if "k" in x else [t] * count for t, x in operands]
    x, y, z, result = [_named(names, "k") for names in (a_axes, b_axes, c_axes, axes)]
    between = _named(x + y, set(_AXES) - {*z, *result})
    parts = [
        rl.einsum(f"{between},{z}->{result}", rl.einsum(f"{x},{y}->{between}", p, q), r)
        for p, q, r in zip(*slices)
    ]
    if "k" in axes:
        return rl.stack(parts, axes.index("k"))
    total = rl.zeros_like(parts[0])
    for part in parts:
        total = total + part
    return total


@_trilinear.vjp_all
def _(g, needs, a, b, c, a_axes, b_axes, c_axes, axes):
    return (
        _trilinear(g, b, c, axes, b_axes, c_axes, a_axes) if needs[0] else None,
        _trilinear(a, g, c, a_axes, axes, c_axes, b_axes) if needs[1] else None,
        _trilinear(a, b, g, a_axes, b_axes, axes, c_axes) if needs[2] else None,
    )


@op(
    "bilinear(Tensor input1, Tensor input2, Tensor weight, Tensor? bias=None) -> Tensor",
    at=("nn.functional", "torch"),
)
def bilinear(input1, input2, weight, bias):
    """x1^T W[k] x2 + bias[k] for each output feature k.

    Shapes: input1 (*, n), input2 (*, m), weight (out, n, m), bias (out); result (*, out).

    Example::

        >>> rl.nn.functional.bilinear(rl.ones(2, 3), rl.ones(2, 4), rl.ones(5, 3, 4))[0, 0].item()
        12.0
    """
    if input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            f"bilinear(): input batch dimensions do not match: got {tuple(input1.shape)} and "
            f"{tuple(input2.shape)}"
        )
    if (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:]):
        raise RuntimeError(
            f"bilinear(): weight of shape {tuple(weight.shape)} does not fit inputs of shapes "
            f"{tuple(input1.shape)} and {tuple(input2.shape)}"
        )
    if is_narrow(weight) and weight.numel() and input1.numel():
        flat = input1.reshape(-1, input1.shape[-1]), input2.reshape(-1, input2.shape[-1])
        result = _trilinear(flat[0], weight, flat[1], "ri", "kij", "rj", "rk")
        result = result.view(input1.shape[:-1] + (-1,))
        return result if bias is None else result + bias
    out, n, m = weight.shape
    left = input1.reshape(-1, n).mm(weight.permute(1, 0, 2).reshape(n, out * m)).view(-1, out, m)
    result = rl.matmul(left, input2.reshape(-1, m, 1)).view(input1.shape[:-1] + (out,))
    return result if bias is None else result + bias


# ---- products of sparse matrices: csrc/kernels/sparse.cpp
@op("_coo_dense(Tensor indices, Tensor values, int[] size) -> Tensor", at=("internal",))
def _coo_dense(indices, values, size):
    """The strided tensor of that size with the sums of values at indices (dimensions, nnz)."""
    ...


_coo_dense.vjp(values=lambda g, indices: g[indices.unbind()])


@op(
    "_csr_coordinates(Tensor starts, Tensor plain, bool by_row) -> Tensor",
    at=("internal",),
    differentiable=False,
)
def _csr_coordinates(starts, plain, by_row):
    """(2, nnz): the rows and columns of a compressed matrix's elements."""
    ...


@op("_coo_mm(Tensor indices, Tensor values, Tensor dense, int rows) -> Tensor", at=("internal",))
def _coo_mm(indices, values, dense, rows):
    """The product of the matrix of `rows` with values at indices (2, nnz) and a strided one."""
    ...


def _coo_mm_values_grad(g, indices, dense):
    rows, columns = indices
    return (g.index_select(0, rows) * dense.index_select(0, columns)).sum(1)


_coo_mm.vjp(
    values=_coo_mm_values_grad,
    dense=lambda g, indices, values, dense_meta: _coo_mm(
        indices.flip(0), values, g, dense_meta.shape[0]
    ),
)


@op(
    "_csr_mm(Tensor starts, Tensor columns, Tensor values, Tensor dense) -> Tensor",
    at=("internal",),
)
def _csr_mm(starts, columns, values, dense):
    """The product of a matrix of compressed rows and a strided one."""
    ...


_csr_mm.vjp(
    values=lambda g, starts, columns, dense: _coo_mm_values_grad(
        g, _csr_coordinates(starts, columns, True), dense
    ),
    dense=lambda g, starts, columns, values, dense_meta: _coo_mm(
        _csr_coordinates(starts, columns, False), values, g, dense_meta.shape[0]
    ),
)
