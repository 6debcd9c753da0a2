"""Methods that change a tensor's own shape: unsqueeze_, squeeze_, transpose_, t_, as_strided_ ...

The elements stay where they are; the tensor takes over the geometry, and the place in the graph, of
the view that the method without the underscore makes. To add one: a name in `_VIEWS`.
"""

import rushlight as rl
from rushlight import _native
from rushlight._native import Tensor
from rushlight.ops._record import namespaces

_VIEWS = ("unsqueeze", "squeeze", "transpose", "swapaxes", "swapdims", "t", "as_strided")


def _in_place(name):
    view_of = getattr(Tensor, name)

    def method(self, *args, **kwargs):
        leaf = self.requires_grad and self.is_leaf and self._base is None  # of views below
        if leaf and rl.is_grad_enabled():
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation. "
                f"({name}_)"
            )
        return self._take_geometry(view_of(self, *args, **kwargs))

    method.__name__, method.__qualname__ = name + "_", f"Tensor.{name}_"
    method.__doc__ = f"As `{name}`, changing the tensor itself; returns it."
    return method


def _resize_as_(self, other, *, memory_format=rl.contiguous_format):
    """Takes the sizes of another tensor; the storage grows when it must and new elements are
    unset.

    Example::

        >>> rl.ones(4).resize_as_(rl.ones(2, 2)).shape
        torch.Size([2, 2])
    """
    if self.is_sparse and other.is_sparse:
        return self.resize_as_sparse_(other)
    if memory_format is rl.preserve_format:
        memory_format = _native.suggested_format(other)
    return self.resize_(other.shape, memory_format=memory_format)


for _name in _VIEWS:
    setattr(Tensor, _name + "_", _in_place(_name))
Tensor.resize_as_ = _resize_as_
namespaces["torch"].update(resize_as_=_resize_as_, as_strided_=Tensor.as_strided_)
