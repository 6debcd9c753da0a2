"""Records of views with dimensions in another order: permute, transpose and kin. Other views are
in views.py. To add one: a record here.
"""

import rushlight as rl
from rushlight._interpose import attribute
from rushlight.ops._record import op

# ---- order of dimensions -----------------------------------------------------------------------


def _inverse(dims):
    order = [0] * len(dims)
    for to, dim in enumerate(dims):
        order[dim % len(dims)] = to
    return order


@op("permute(Tensor self, int[] dims) -> Tensor")
def permute(self, dims):
    """The dimensions in another order: dimension i of the result is ``dims[i]`` of the tensor.

    Example::

        >>> rl.zeros(2, 3, 4).permute(2, 0, 1).shape
        torch.Size([4, 2, 3])
    """
    ...


permute.vjp(
    self=lambda g, dims: g.permute(_inverse(dims) if isinstance(dims, (tuple, list)) else dims)
)


@permute.samples
def _(make):
    yield make(2, 3, 4), (2, 0, 1)
    yield make(2, 3), (-1, 0)


@op("transpose(Tensor self, int dim0, int dim1) -> Tensor")
def transpose(self, dim0, dim1):
    """Dimensions ``dim0`` and ``dim1`` exchanged.

    Example::

        >>> rl.tensor([[1, 2], [3, 4]]).transpose(0, 1)
        tensor([[1, 3],
                [2, 4]])
    """
    ...


transpose.vjp(self=lambda g, dim0, dim1: g.transpose(dim0, dim1))


@transpose.samples
def _(make):
    yield make(2, 3), 0, 1
    yield make(2, 3, 4), -1, 0


@op("swapaxes(Tensor self, int axis0, int axis1) -> Tensor", out=False)
def swapaxes(self, axis0, axis1):
    """The same as `transpose`.

    Example::

        >>> rl.swapaxes(rl.ones(2, 3), 0, 1).shape
        torch.Size([3, 2])
    """
    return self.transpose(axis0, axis1)


@op("swapdims(Tensor self, int dim0, int dim1) -> Tensor", out=False)
def swapdims(self, dim0, dim1):
    """The same as `transpose`.

    Example::

        >>> rl.swapdims(rl.ones(2, 3), 0, 1).shape
        torch.Size([3, 2])
    """
    return self.transpose(dim0, dim1)


@op("t(Tensor self) -> Tensor", grad_name="TBackward0")
def t(self):
    """A matrix transposed; tensors of fewer dimensions as they are.

    Example::

        >>> rl.t(rl.tensor([[1, 2], [3, 4]]))
        tensor([[1, 3],
                [2, 4]])
    """
    ...


t.vjp(self=lambda g: rl.t(g))  # not its method: classes may have another `t`


@op(
    "movedim(Tensor self, int[] source, int[] destination) -> Tensor",
    grad_name="PermuteBackward0",
)
def movedim(self, source, destination):
    """Dimensions ``source`` moved to positions ``destination``; the others keep their order.

    Example::

        >>> rl.zeros(2, 3, 4).movedim(0, -1).shape
        torch.Size([3, 4, 2])
    """
    ...


movedim.vjp(self=lambda g, source, destination: g.movedim(destination, source))


@op("moveaxis(Tensor self, int[] source, int[] destination) -> Tensor", out=False)
def moveaxis(self, source, destination):
    """The same as `movedim`.

    Example::

        >>> rl.moveaxis(rl.ones(2, 3, 4), 0, 2).shape
        torch.Size([3, 4, 2])
    """
    return rl.movedim(self, source, destination)


@op("numpy_T(Tensor self) -> Tensor", at=(), grad_name="PermuteBackward0")
def numpy_T(self):
    """All dimensions in reverse order: the property ``T``."""
    ...


numpy_T.vjp(self=lambda g: numpy_T(g))


@op("mT(Tensor self) -> Tensor", at=(), grad_name="TransposeBackward0")
def mT(self):
    """The last two dimensions exchanged: the property ``mT``."""
    ...


mT.vjp(self=lambda g: g.mT)


@op("adjoint(Tensor self) -> Tensor", out=False)
def adjoint(self):
    """Matrices transposed and conjugated; the property ``mH``.

    Example::

        >>> rl.adjoint(rl.tensor([[1j, 2.]]))
        tensor([[0.-1.j],
                [2.-0.j]])
    """
    turned = mT(self)
    return turned.conj() if self.is_complex() else turned


def _H(self):
    """The conjugate transpose of a matrix."""
    if self.dim() not in (0, 2):
        raise RuntimeError(
            "tensor.H is only supported on matrices (2-D tensors). Got "
            f"{self.dim()}-D tensor."
            + (" For batches of matrices, consider using tensor.mH" if self.dim() > 2 else "")
        )
    turned = self.t()
    return turned.conj() if self.is_complex() else turned


for _name, _op in {"T": numpy_T, "mT": mT, "mH": adjoint, "H": _H}.items():
    attribute(_name, _op)
