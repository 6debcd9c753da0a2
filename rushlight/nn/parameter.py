"""Parameters and buffers: tensors that a module recognises when they are assigned to it.

Here: `Parameter`, `Buffer` and their lazily shaped forms.  How a module keeps them is in
`modules/module.py`; how lazy layers give them a shape is in `modules/lazy.py`.
"""

import rushlight as rl

__all__ = ["Parameter", "Buffer", "UninitializedParameter", "UninitializedBuffer", "is_lazy"]

Tensor, _make_subclass = rl.Tensor, rl.Tensor._make_subclass


def _rebuild_parameter(data, requires_grad, backward_hooks):
    param = Parameter(data, requires_grad)
    if backward_hooks:
        param._backward_hooks = backward_hooks
    return param


def _rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    param = _rebuild_parameter(data, requires_grad, backward_hooks)
    param.__dict__.update(state)
    return param


class _ParameterMeta(type(rl.Tensor)):
    """Lets a tensor of a custom subclass, marked by `Parameter(...)`, count as a Parameter."""

    def __instancecheck__(cls, instance):
        if super().__instancecheck__(instance):
            return True
        return (
            cls is Parameter
            and isinstance(instance, rl.Tensor)
            and getattr(instance, "_is_param", False)
        )


class Parameter(rl.Tensor, metaclass=_ParameterMeta):
    """A tensor that is to be learned.

    Assigned as an attribute of a `Module` it joins `module.parameters()`, moves with
    `module.to(...)` and is saved in `state_dict()`.

    Args:
        data: the values; shares their memory. None gives an empty tensor.
        requires_grad: whether gradients are recorded. It is not affected by `no_grad`.

    Raises RuntimeError if `data` is of a tensor subclass whose `detach()` loses that type.

    Example::

        >>> import rushlight as rl
        >>> rl.nn.Parameter(rl.zeros(2)).requires_grad
        True
    """

    __torch_function__ = rl._native._disabled_torch_function_impl

    def __new__(cls, data=None, requires_grad=True):
        if data is None:
            data = rl.empty(0)
        if type(data) is Tensor or type(data) is Parameter:
            return _make_subclass(cls, data, requires_grad)
        return _marked_subclass(data, requires_grad, "Parameter", "_is_param")

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        copied = type(self)(self.data.clone(), self.requires_grad)
        memo[id(self)] = copied
        return copied

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    def __reduce_ex__(self, protocol):
        from collections import OrderedDict

        state = self.__dict__.copy()
        common = (self.data, self.requires_grad, OrderedDict())
        if not state:
            return _rebuild_parameter, common
        return _rebuild_parameter_with_state, (*common, state)


def _marked_subclass(data, requires_grad, kind, mark):
    """A detached `data` of its own subclass, marked as a parameter or buffer."""
    tensor = data.detach().requires_grad_(requires_grad)
    if type(tensor) is not type(data):
        raise RuntimeError(
            f"{kind}: `data` is a {type(data).__name__} but its detach() returned a "
            f"{type(tensor).__name__}; define detach() so that it keeps the type"
        )
    setattr(tensor, mark, True)
    return tensor


class _BufferMeta(type(rl.Tensor)):
    """`isinstance(t, Buffer)` is true for any tensor marked by `Buffer(...)`."""

    def __instancecheck__(cls, instance):
        if cls is Buffer:
            return isinstance(instance, rl.Tensor) and getattr(instance, "_is_buffer", False)
        return super().__instancecheck__(instance)


class Buffer(rl.Tensor, metaclass=_BufferMeta):
    """A tensor that is part of a module's state but is not learned (running means, masks).

    Assigning a `Buffer` to a module attribute equals `module.register_buffer`.

    Args:
        data: the values; shares their memory. None gives an empty tensor.
        persistent: whether the buffer is saved in `state_dict()`.

    Example::

        >>> import rushlight as rl
        >>> m = rl.nn.Module()
        >>> m.mean = rl.nn.Buffer(rl.zeros(2))
        >>> list(m.state_dict())
        ['mean']
    """

    def __new__(cls, data=None, *, persistent=True):
        if data is None:
            data = rl.empty(0)
        tensor = data.detach().requires_grad_(data.requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


class UninitializedTensorMixin:
    """A tensor that has a dtype and a device but no shape yet; most uses of it raise."""

    _allowed = (
        "cpu",
        "cuda",
        "double",
        "float",
        "half",
        "bfloat16",
        "to",
        "detach",
        "copy_",
        "share_memory_",
        "requires_grad_",
        "is_floating_point",
        "is_complex",
    )

    def materialize(self, shape, device=None, dtype=None):
        """Give the tensor its shape; it becomes an ordinary parameter or tensor in place."""
        device = self.data.device if device is None else device
        dtype = self.data.dtype if dtype is None else dtype
        self.data = rl.empty(shape, device=device, dtype=dtype)
        self.__class__ = self.cls_to_become

    @property
    def shape(self):
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self):
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad,)

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in cls._allowed or name in ("__get__", "__set__", "__delete__"):
            return super().__torch_function__(func, types, args, kwargs or {})
        raise ValueError(
            f"Attempted to use an uninitialized parameter in {func}. This error happens when you "
            "are using a `LazyModule` or explicitly manipulating `rushlight.nn.parameter."
            f"{cls.__name__}` objects. When using LazyModules Call `forward` with a dummy batch to "
            "initialize the parameters before calling torch functions"
        )


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet. `materialize(shape)` turns it into a `Parameter`.

    Example::

        >>> import rushlight as rl
        >>> p = rl.nn.UninitializedParameter()
        >>> p.materialize((2, 3))
        >>> p.shape
        torch.Size([2, 3])
    """

    cls_to_become = Parameter

    def __new__(cls, requires_grad=True, device=None, dtype=None):
        data = rl.empty(0, device=device, dtype=dtype)
        return rl.Tensor._make_subclass(cls, data, requires_grad)

    def __deepcopy__(self, memo):
        if id(self) in memo:
            return memo[id(self)]
        copied = type(self)(self.requires_grad, self.data.device, self.data.dtype)
        memo[id(self)] = copied
        return copied


class UninitializedBuffer(UninitializedTensorMixin, rl.Tensor):
    """A buffer whose shape is not known yet. `materialize(shape)` turns it into a `Tensor`."""

    cls_to_become = rl.Tensor

    def __new__(cls, requires_grad=False, device=None, dtype=None, persistent=True):
        data = rl.empty(0, device=device, dtype=dtype)
        tensor = rl.Tensor._make_subclass(cls, data, requires_grad)
        tensor.persistent = persistent
        tensor._is_buffer = True
        return tensor


def is_lazy(param):
    """Whether a parameter or buffer has no shape yet."""
    return isinstance(param, UninitializedTensorMixin)
