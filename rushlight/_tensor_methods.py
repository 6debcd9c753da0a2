"""Methods of Tensor that are not operations: printing, backward and hooks, NumPy and DLPack
exchange, storage and type names. `install` sets them all on the class. Copies and pickles are in
`_tensor_copies.py`.

Operations belong in `rushlight/ops`. To add a method: write the function, list it in `_METHODS`.

Needed natively: ``_native.to_dlpack(tensor, versioned, copied) -> capsule``, and of storages:
``data_ptr``, ``nbytes``, the buffer protocol, ``is_shared``, ``share_memory_``.
"""

import rushlight as rl
from rushlight import _native
from rushlight._notes import early_arguments
from rushlight._interpose import _NONE, overridable

# ---- printing --------------------------------------------------------------------------------


def _repr(self, *, tensor_contents=None):
    return rl._tensor_str._str(self, tensor_contents=tensor_contents)


def _format(self, spec):
    """A tensor of one number formats as the number; others take no format specification."""
    is_number = self.dim() == 0 and self.device.type != "meta" and type(self) is rl.Tensor
    return self.item().__format__(spec) if is_number else object.__format__(self, spec)


# ---- gradients -------------------------------------------------------------------------------


@early_arguments(retain_variables="retain_graph")
def _backward(self, gradient=None, retain_graph=None, create_graph=False, inputs=None):
    """Add to the ``.grad`` of the leaves (or of ``inputs``) the gradients of this tensor.

    Args:
        gradient: the gradient to start from, of this tensor's shape; 1 for a single number if None.
        retain_graph: keep what the graph has saved, for another pass; as ``create_graph`` if None.
        create_graph: record the backward pass itself, so that it can be differentiated.
        inputs: the tensors whose ``.grad`` is wanted; all leaves if None.

    Raises:
        RuntimeError: if this tensor requires no grad, ``gradient`` is missing or of another shape,
            or the graph has been freed.

    Example::

        >>> x = rl.tensor([1., 2.], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4.])
    """
    rl.autograd.backward(self, gradient, retain_graph, create_graph, None, inputs)


def _register_hook(self, hook):
    """Call ``hook(grad)`` whenever a gradient of this tensor is computed.

    Args:
        hook: may return a tensor to be used instead of ``grad``; must not change ``grad`` in place.

    Returns:
        A handle whose ``remove()`` takes the hook off.

    Raises:
        RuntimeError: if the tensor does not require grad.

    Example::

        >>> x = rl.ones(2, requires_grad=True)
        >>> handle = x.register_hook(lambda grad: grad * 10)
        >>> x.sum().backward()
        >>> x.grad
        tensor([10., 10.])
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    return rl.autograd.graph.add_hook(self, "tensor", hook)


def _register_post_accumulate_grad_hook(self, hook):
    """Call ``hook(tensor)`` whenever ``.grad`` of this leaf has been added to.

    Returns:
        A handle whose ``remove()`` takes the hook off.

    Raises:
        RuntimeError: if the tensor does not require grad or is not a leaf.

    Example::

        >>> x = rl.ones(2, requires_grad=True)
        >>> handle = x.register_post_accumulate_grad_hook(lambda t: print(t.grad))
        >>> x.sum().backward()
        tensor([1., 1.])
    """
    if not self.requires_grad:
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if self.grad_fn is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    return rl.autograd.graph.add_hook(self, "post_accumulate", hook)


def _retain_grad(self):
    """Make the gradient of this tensor available as ``.grad`` although it is not a leaf.

    Raises:
        RuntimeError: if the tensor does not require grad.

    Example::

        >>> x = rl.ones(2, requires_grad=True)
        >>> y = x * 3
        >>> y.retain_grad()
        >>> y.sum().backward()
        >>> y.grad
        tensor([1., 1.])
    """
    if not self.requires_grad:
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if self.is_leaf or self.retains_grad:
        return
    self._mark_retains_grad()
    rl.autograd.graph.retain_grad(self)


def _name_of(dtype):
    return str(dtype).rpartition(".")[2]


def _buffer_of_bytes(data, dtype):
    from rushlight._serialization.rebuild import TypedBuffer

    if data:
        octets = rl.frombuffer(bytearray(data), dtype=rl.uint8)
    else:
        octets = rl.empty(0, dtype=rl.uint8)
    return TypedBuffer(octets.untyped_storage(), getattr(rl, dtype))


# ---- exchange with other libraries -----------------------------------------------------------


def _array(self, dtype=None, copy=None):
    """What ``numpy.asarray(tensor)`` calls: shares memory unless dtype or ``copy`` forbid it."""
    array = self.numpy()
    if dtype is not None and array.dtype != dtype:
        if copy is False:
            raise ValueError(f"cannot convert {array.dtype} to {dtype} without a copy")
        return array.astype(dtype)
    return array.copy() if copy else array


def _array_wrap(self, array, context=None, return_scalar=False):
    """The result of a NumPy function on a tensor, as a tensor; bool becomes uint8."""
    if array.dtype == bool:
        array = array.astype("uint8")
    return rl.from_numpy(array)


def _dlpack(self, *, stream=None, max_version=None, dl_device=None, copy=None):
    """A DLPack capsule for this tensor's memory (or a copy of it, if ``copy`` is True).

    Raises:
        BufferError: if the tensor requires grad, or is not plain CPU memory.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    if self.device.type != "cpu":
        raise BufferError(f"__dlpack__: cannot export a tensor on device {self.device}")
    if type(stream) is bool or stream not in (None, -1):
        error = AssertionError if type(stream) is int else TypeError
        raise error(f"__dlpack__: stream must be None for a CPU tensor, got {stream!r}")
    if dl_device is not None and tuple(map(int, dl_device)) != (1, 0):
        raise BufferError(f"__dlpack__: cannot export to device {dl_device}, only to CPU (1, 0)")
    versioned = max_version is not None and max_version[0] >= 1
    return _native.to_dlpack(self.clone() if copy else self, versioned, bool(copy))


def _dlpack_device(self):
    """``(device type, device index)`` in DLPack's numbers: (1, 0), the CPU."""
    if self.device.type != "cpu":
        raise ValueError(f"__dlpack_device__: no DLPack number for device {self.device}")
    return 1, 0


# ---- containers, storage, type names ---------------------------------------------------------


def _contains(self, element):
    """Whether any element equals ``element``, a number or a tensor that broadcasts."""
    if not isinstance(element, (rl.Tensor, int, float, complex)):
        raise RuntimeError(
            "Tensor.__contains__ only supports Tensor or scalar, but you passed in a "
            f"{type(element)}."
        )
    return bool((element == self).any().item())


def _reversed(self):
    """The elements along the first dimension in reverse order, as a new tensor."""
    return self if self.dim() == 0 else self.flip(0)


def _dir(self):
    return sorted({*dir(type(self)), *getattr(self, "__dict__", {})})


def _is_shared(self):
    """Whether the memory is shared between processes."""
    return self.untyped_storage().is_shared()


def _share_memory(self):
    """Move the memory to where other processes can see it; returns the tensor itself."""
    self.untyped_storage().share_memory_()
    return self


def _storage(self):
    """The whole memory behind this tensor, as elements of its dtype (deprecated in PyTorch)."""
    return rl.TypedStorage(wrap_storage=self.untyped_storage(), dtype=self.dtype)


def _type(self, dtype=None, non_blocking=False):
    """The old type name of this tensor, or the tensor converted to ``dtype``.

    Args:
        dtype: None to ask; otherwise a dtype, a type name such as ``"torch.FloatTensor"``, or
            the type of that name. A tensor that has the dtype already is returned itself.
        non_blocking (bool): conversions on the CPU always block.

    Raises:
        ValueError: if the name is unknown.

    Example::

        >>> rl.ones(2).type()
        'torch.FloatTensor'
        >>> rl.ones(2).type("torch.LongTensor")
        tensor([1, 1])
    """
    from rushlight._tensor_types import NAMES

    if dtype is None:
        own = _name_of(self.dtype)
        if own not in NAMES:
            raise NotImplementedError(f"type(): {self.dtype} has no type name; use .dtype")
        return ("torch.meta." if self.is_meta else "torch.") + NAMES[own]
    return self.to(_dtype_named(dtype), non_blocking=non_blocking)


def _dtype_named(kind):
    from rushlight._tensor_types import NAMES

    if isinstance(kind, rl.dtype):
        return kind
    name = kind if isinstance(kind, str) else getattr(kind, "__name__", repr(kind))
    short = name.rpartition(".")[2]
    if short == "Tensor":
        return rl.get_default_dtype()
    for dtype, type_name in NAMES.items():
        if type_name == short:
            return getattr(rl, dtype)
    raise ValueError(
        f"type(): invalid type: {name!r}; expected a dtype or a name like 'torch.FloatTensor'"
    )


def _hash(self):
    return id(self)


# ---- devices, subclasses, and names from older programs ----------------------------------------


def _cpu(self, memory_format=rl.preserve_format):
    """This tensor on the CPU: itself, if it is there already."""
    return self.to("cpu", memory_format=memory_format)


def _cuda(self, device=None, non_blocking=False, memory_format=rl.preserve_format):
    """AssertionError: there is no GPU to move a tensor to."""
    raise AssertionError("Torch not compiled with CUDA enabled: rushlight computes on the CPU")


def _pin_memory(self, device=None):
    """RuntimeError: there is no accelerator to pin memory for."""
    raise RuntimeError("Cannot access accelerator device when none is available.")


_identity = []  # made when first asked for: the class of functions takes long to load


def _as(tensor, cls):
    """The identity, with a result of another class."""
    if not _identity:

        class As(rl.autograd.Function):
            @staticmethod
            def forward(ctx, tensor, cls):
                return rl.Tensor._make_subclass(cls, tensor)

            @staticmethod
            def backward(ctx, grad):
                return grad, None

            @staticmethod
            def jvp(ctx, tangent, _):
                return tangent

        _identity.append(As)
    return _identity[0].apply(tensor, cls)


def _as_subclass(self, cls):
    """The same memory and history as an instance of ``cls``, a subclass of Tensor.

    Raises:
        TypeError: if ``cls`` is not one.
    """
    if not isinstance(cls, type) or not issubclass(cls, rl.Tensor):
        raise TypeError(f"as_subclass(): cls must be a subclass of Tensor, got {cls!r}")
    before = _native.set_torch_function_off(_NONE)  # nobody is asked of what happens inside
    try:
        if type(self) is cls is rl.Tensor and self.layout is rl.strided:
            return rl.ops.views.alias(self)
        return _as(self, cls)
    finally:
        _native.set_torch_function_off(before)


def _make_wrapper_subclass(cls, size, *args, **kwargs):
    """`rushlight._dispatch.make_wrapper_subclass`."""
    from rushlight import _dispatch

    return _dispatch.make_wrapper_subclass(cls, size, *args, **kwargs)


def _setstate(self, state):
    """Takes what pickles of early PyTorch hold: the arguments of ``set_``."""
    if not self.is_leaf:
        raise RuntimeError("__setstate__ can be only called on leaf Tensors")
    if len(state) != 4:
        raise NotImplementedError(f"__setstate__: a state of {len(state)} parts is not supported")
    self.set_(*state)


def _new(self, *args, size=None, device=None):
    """An uninitialised tensor of the given sizes, a copy of the data given, of this dtype, or
    another tensor of it on the same memory.
    """
    if size is not None:
        if args:
            raise TypeError("new(): sizes are given twice, by place and as size=")
        args = (rl.Size(size),)
    if all(isinstance(size, int) for size in args) or isinstance(args[0], rl.Size):
        return self.new_empty(*(args or (0,)), device=device)
    (data,) = args if len(args) == 1 else (None,)
    if isinstance(data, rl.Tensor):
        if data.dtype != self.dtype:
            raise TypeError(f"new(): expected a tensor of {self.dtype}, got {data.dtype}")
        return data.detach()
    if not hasattr(data, "__len__"):
        raise TypeError("new(): expected sizes, or one tensor, storage or sequence of data")
    return self.new_tensor(data, device=device)


def _apply_(self, function):
    """Replace each element by ``function(element)``; slow, for the CPU only."""
    return _replace(self, [function(value) for value in self.reshape(-1).tolist()])


def _map_(self, tensor, function):
    """Replace each element by ``function(element, element of tensor)``, broadcast to this shape."""
    others = tensor.expand(self.shape).reshape(-1).tolist()
    return _replace(self, list(map(function, self.reshape(-1).tolist(), others)))


def _replace(tensor, values):
    if tensor.requires_grad:
        raise RuntimeError("apply_() and map_() are not recorded: use them on x.detach()")
    if any(isinstance(value, (str, bytes)) for value in values):
        raise TypeError("apply_() and map_(): expected numbers from the function, got text")
    return tensor.copy_(rl.tensor(values, dtype=tensor.dtype).reshape(tensor.shape))


def _is_set_to(self, tensor):
    """Whether both tensors are the same view of the same memory."""
    return (
        self.untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
        and self.storage_offset() == tensor.storage_offset()
        and self.shape == tensor.shape
        and self.stride() == tensor.stride()
    )


def _module_load(self, other, assign=False):
    """What ``load_state_dict`` puts in place of this tensor when it swaps tensors."""
    return other.detach() if assign else self.copy_(other).detach()


def _is_view(self):
    return self._base is not None


def _always_false(self):
    """False: the elements are kept here, each with its value."""
    return False


_METHODS = {
    "__repr__": _repr,
    "__format__": _format,
    "backward": _backward,
    "register_hook": _register_hook,
    "register_post_accumulate_grad_hook": _register_post_accumulate_grad_hook,
    "retain_grad": _retain_grad,
    "__array__": _array,
    "__array_wrap__": _array_wrap,
    "__dlpack__": _dlpack,
    "__dlpack_device__": _dlpack_device,
    "__contains__": _contains,
    "__reversed__": _reversed,
    "__dir__": _dir,
    "__hash__": _hash,
    "is_shared": _is_shared,
    "share_memory_": _share_memory,
    "storage": _storage,
    "type": _type,
    "cpu": _cpu,
    "cuda": _cuda,
    "pin_memory": _pin_memory,
    "as_subclass": _as_subclass,
    "__setstate__": _setstate,
    "new": _new,
    "apply_": _apply_,
    "map_": _map_,
    "is_set_to": _is_set_to,
    "module_load": _module_load,
    "_is_view": _is_view,
    "_is_zerotensor": _always_false,
    "is_distributed": _always_false,
}
_UNHOOKED = ("__hash__", "__setstate__", "as_subclass")  # what subclasses must not see
_ABSENT_KINDS = "ipu maia mkldnn mtia vulkan xla xpu".split()  # devices no tensor is ever on


def _get_backward_hooks(self):
    return _native.get_hooks(self, "tensor")


def _set_backward_hooks(self, hooks):
    _native.set_hooks(self, "tensor", {} if hooks is None else hooks)


_PROPERTIES = {
    "_backward_hooks": property(
        _get_backward_hooks, _set_backward_hooks, doc="Hooks on the gradient by their number."
    ),
    "name": property(lambda self: None, doc="None: tensors have no names."),
    "volatile": property(lambda self: False, doc="False: gone since PyTorch 0.4; use no_grad."),
    "grad_dtype": property(lambda self: self.dtype, doc="The dtype of the gradient: its own."),
}

_OF_NODES = ("_input_metadata", "register_hook", "register_prehook")  # as autograd.graph sets them


def _later(name):
    def get(node):
        from rushlight.autograd import graph  # noqa: F401 - replaces this property

        return getattr(node, name)

    return property(get)


def install(tensor_type):
    """Set the methods above on the native Tensor type, under their public names."""
    set_methods(tensor_type, _METHODS)
    for name, value in _PROPERTIES.items():
        setattr(tensor_type, name, value)
    for kind in _ABSENT_KINDS:
        setattr(tensor_type, "is_" + kind, False)
    for name in _OF_NODES:
        setattr(_native.Node, name, _later(name))
    tensor_type._make_wrapper_subclass = staticmethod(_make_wrapper_subclass)
    tensor_type.__torch_dispatch__ = _native._disabled_torch_dispatch_impl
    tensor_type.__array_priority__ = 1000  # NumPy defers to tensors in mixed arithmetic


def set_methods(tensor_type, methods):
    """Sets functions as methods that calls may be redirected from."""
    for name, function in methods.items():
        function.__name__ = name
        function.__qualname__ = f"Tensor.{name}"
        setattr(tensor_type, name, function if name in _UNHOOKED else overridable(function))
