"""Changing the tensors of a module tree in place: dtype, device, memory, gradients.

Everything goes through `_apply(fn)`, which replaces each parameter's and buffer's data by `fn` of
it.  What the tensors are called and how they are saved is not here.
"""

import rushlight as rl

from ..parameter import Parameter


class ConvertMethods:
    """The part of `Module` that converts, moves and freezes."""

    def _apply(self, fn, recurse=True):
        if recurse:
            for module in self.children():
                module._apply(fn)
        for name, param in self._parameters.items():
            if param is not None:
                _apply_to_parameter(self._parameters, name, fn)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def apply(self, fn):
        """Call `fn(module)` on every submodule, children first, then on this one; returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def to(self, *args, **kwargs):
        """Move and/or convert parameters and buffers in place; returns self.

        Call as `to(device, dtype, non_blocking)`, `to(dtype)`, `to(tensor)` or
        `to(memory_format=...)`. Only floating-point and complex tensors change dtype, and only
        4-d and 5-d ones memory format.
        """
        device, dtype, non_blocking, memory_format = parse_to(args, kwargs)
        if dtype is not None and not (dtype.is_floating_point or dtype.is_complex):
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        if dtype is not None and dtype.is_complex:
            _note_complex()

        def convert(t):
            new_dtype = dtype if t.is_floating_point() or t.is_complex() else None
            options = (
                {}
                if memory_format is None or t.dim() not in (4, 5)
                else {"memory_format": memory_format}
            )
            if new_dtype is None and device is None and not options:
                return t
            if t.is_meta and device is not None and device.type != "meta":
                raise NotImplementedError(
                    "Cannot copy out of meta tensor; no data! Please use "
                    "torch.nn.Module.to_empty() instead of torch.nn.Module.to() when moving "
                    "module from meta to a different device."
                )
            new_dtype = t.dtype if new_dtype is None else new_dtype
            new_device = t.device if device is None else device
            return t.to(new_device, new_dtype, non_blocking, **options)

        return self._apply(convert)

    def _cast(self, dtype):
        return self._apply(lambda t: t.to(dtype) if t.is_floating_point() else t)

    def float(self):
        """Convert floating-point parameters and buffers to float32; returns self."""
        return self._cast(rl.float32)

    def double(self):
        """Convert floating-point parameters and buffers to float64; returns self."""
        return self._cast(rl.float64)

    def half(self):
        """Convert floating-point parameters and buffers to float16; returns self."""
        return self._cast(rl.float16)

    def bfloat16(self):
        """Convert floating-point parameters and buffers to bfloat16; returns self."""
        return self._cast(rl.bfloat16)

    def type(self, dst_type):
        """Convert all parameters and buffers to `dst_type`; returns self."""
        return self._apply(lambda t: t.type(dst_type))

    def cpu(self):
        """Move parameters and buffers to the CPU; returns self."""
        return self._apply(lambda t: t.cpu())

    def cuda(self, device=None):
        """Move parameters and buffers to a CUDA device; returns self."""
        return self._apply(lambda t: t.cuda(device))

    def to_empty(self, *, device, recurse=True):
        """Move to `device` without copying values: memory there is uninitialised; returns self."""
        return self._apply(lambda t: rl.empty_like(t, device=device), recurse=recurse)

    def share_memory(self):
        """Put all parameters and buffers into shared memory; returns self."""
        return self._apply(lambda t: t.share_memory_())

    def requires_grad_(self, requires_grad=True):
        """Set whether gradients are recorded for all parameters; returns self."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none=True):
        """Drop the gradients of all parameters, or fill them with zeros."""
        for param in self.parameters():
            if param.grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                clear_grad(param)


def _note_complex():
    from warnings import warn

    warn(
        "Complex modules are a new feature: only some modules compute with complex parameters",
        stacklevel=3,
    )


def clear_grad(param):
    """Fill `param.grad` with zeros, cutting it from any graph it is part of."""
    if param.grad.grad_fn is not None:
        param.grad.detach_()
    else:
        param.grad.requires_grad_(False)
    param.grad.zero_()


def parse_to(args, kwargs):
    """(device, dtype, non_blocking, memory_format) of a call like `Tensor.to`."""
    kwargs = dict(kwargs)
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    non_blocking = kwargs.pop("non_blocking", False)
    memory_format = kwargs.pop("memory_format", None)
    other = kwargs.pop("tensor", None)
    if "copy" in kwargs:
        raise RuntimeError("Module.to() converts in place and takes no argument copy")
    rest = list(args)
    if rest and isinstance(rest[0], rl.Tensor):
        other = rest.pop(0)
    elif rest and isinstance(rest[0], rl.dtype):
        dtype = rest.pop(0)
    elif rest:
        device = rest.pop(0)
        dtype = rest.pop(0) if rest else dtype
    if rest:
        non_blocking = rest.pop(0)
    if not isinstance(dtype, rl.dtype | None) or not isinstance(non_blocking, bool):
        raise TypeError(
            f"to(): expected dtype to be a dtype and non_blocking a bool, got {dtype!r} and "
            f"{non_blocking!r}"
        )
    if other is not None:
        device, dtype = other.device, other.dtype
    if kwargs or len(rest) > 1:
        raise TypeError(f"to() received arguments it does not know: {args} {kwargs}")
    return (None if device is None else rl.device(device)), dtype, non_blocking, memory_format


def _apply_to_parameter(table, name, fn):
    """Replace the data of parameter `name`, and of its gradient, by `fn` of them.

    The Parameter object stays the same, unless only one of old and new is on the meta device, the
    layout changes, or the program has asked for new ones.
    """
    param = table[name]
    grad = param.grad
    with rl.no_grad():
        applied = fn(param)
        new_grad = None if grad is None else fn(grad)
    param.grad = None
    if rl.__future__.get_swap_module_params_on_conversion():
        return _swap_parameter(param, applied, grad, new_grad, name)
    overwrite = rl.__future__.get_overwrite_module_params_on_conversion()
    same_kind = applied.is_meta == param.is_meta and applied.layout == param.layout
    if same_kind and not overwrite:
        param.data = applied
    else:
        param = table[name] = Parameter(applied, param.requires_grad)
    if grad is not None:
        param.grad = new_grad.requires_grad_(grad.requires_grad)


def _swap_parameter(param, applied, grad, new_grad, name):
    """`param` and its gradient stay the objects that they are, with the content of others."""
    try:
        rl.utils.swap_tensors(param, Parameter(applied, param.requires_grad))
        if grad is not None:
            rl.utils.swap_tensors(grad, new_grad.requires_grad_(grad.requires_grad))
    except Exception as error:
        raise RuntimeError(f"_apply(): could not swap the parameter {name!r}") from error
    finally:
        param.grad = grad
