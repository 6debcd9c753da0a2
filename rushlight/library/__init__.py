"""PyTorch's ``torch.library``: operators defined by programs, which ``torch.ops`` then offers.

`custom_op` makes one of a function; `Library` defines them from schemas. An operator has kernels
for the CPU and for the meta device (`register_fake`), and gradient rules (`register_autograd`); how
they are chosen is in `_operator.py`, schemas are read in `_schema.py`.
"""

import rushlight as rl
from rushlight._notes import unsupported

from ._operator import CustomOp, find, namespaces
from ._schema import Schema, infer_schema

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "fallthrough_kernel", "get_ctx", "impl",
    "get_kernel", "impl_abstract", "infer_schema", "opcheck", "register_autocast",
    "register_autograd", "register_fake", "register_kernel", "register_torch_dispatch",
    "register_vmap", "triton_op", "wrap_triton",
]  # fmt: skip

_KEYS = {
"cpu": "CPU", "meta": "Meta"
}  # fmt: skip


class Library:
    """Operators of a namespace.

    Args:
        ns: the namespace.
        kind: "DEF" (the one that defines it), "FRAGMENT" (adds to it) or "IMPL" (adds kernels).
        dispatch_key: for which kernels `impl` is by default.

    Example::

        >>> lib = rl.library.Library("shop", "DEF")
        >>> _ = lib.define("twice(Tensor x) -> Tensor")
        >>> lib.impl("twice", lambda x: x * 2, "CompositeImplicitAutograd")
        >>> rl.ops.shop.twice(rl.ones(1))
        tensor([2.])
    """

    def __init__(self, ns, kind, dispatch_key=""):
        if kind not in ("DEF", "FRAGMENT", "IMPL"):
            raise ValueError(f"Library: expected kind DEF, FRAGMENT or IMPL, got {kind!r}")
        self.ns, self.kind, self.dispatch_key = ns, kind, dispatch_key
        self._defined = []

    def define(self, schema, alias_analysis="", *, tags=()):
        """Defines an operator from a schema, ``"name(Tensor x, int n=1) -> Tensor"``; its name."""
        if self.kind == "IMPL":
            raise ValueError("Library: a library of kind IMPL defines no operators")
        op = CustomOp(Schema(f"{self.ns}::{schema}"))
        op.tags = list(tags) if isinstance(tags, (list, tuple)) else [tags]
        self._defined.append(op)
        return op.schema.name.partition("::")[2]

    def impl(self, op_name, fn, dispatch_key="", *, with_keyset=False, allow_override=False):
        """Gives an operator a kernel, or gradients where the key is "Autograd"."""
        if with_keyset:
            raise unsupported("Library.impl: with_keyset")
        op = self._named(op_name)
        op.add_kernel(dispatch_key or self.dispatch_key or "CompositeImplicitAutograd", fn)

    def fallback(self, fn, dispatch_key="", *, with_keyset=False):
        """Raises NotImplementedError: there is no kernel for all operators."""
        raise unsupported("Library.fallback")

    def _named(self, op_name):
        if isinstance(op_name, CustomOp):
            return op_name
        name = getattr(op_name, "_qualified_name", op_name)
        return find(name if "::" in name else f"{self.ns}::{name}")

    def _register_fake(self, op_name, fn, _stacklevel=1, *, allow_override=False):
        self._named(op_name).add_kernel("Meta", fn)

    def _destroy(self):
        for op in self._defined:
            namespaces.get(op.namespace, {}).pop(op.plain_name, None)
        self._defined.clear()


class CustomOpDef:
    """What `custom_op` returns: the operator as a function, to which more can be given."""

    def __init__(self, op, fn):
        self._opoverload, self._init_fn = op.packet.default, fn
        self._op, self._qualname = op, op.schema.name
        self._name, self._namespace = op.plain_name, op.namespace
        self.__name__, self.__doc__ = fn.__name__, fn.__doc__

    def __call__(self, *args, **kwargs):
        return self._opoverload(*args, **kwargs)

    def __repr__(self):
        return f"<CustomOpDef({self._qualname})>"

    def register_kernel(self, device_types, fn=None, /):
        """Gives it a kernel for "cpu", or for all devices (None)."""
        return _decorator(fn, lambda f: _add_kernels(self._op, device_types, f))

    def register_fake(self, fn, /):
        """Gives it a kernel that computes shapes and dtypes, on the meta device."""
        self._op.add_kernel("Meta", fn)
        return fn

    def register_autograd(self, backward, /, *, setup_context=None):
        """Gives it gradients; see `register_autograd`."""
        self._op.set_autograd(backward, setup_context)

    def register_vmap(self, func=None):
        """Tells `vmap` how it computes with batches; see `register_vmap`."""
        return _decorator(func, self._op.set_vmap)

    def register_torch_dispatch(self, torch_dispatch_class, fn=None, /):
        """Raises NotImplementedError."""
        raise unsupported("register_torch_dispatch for custom operators")

    def register_autocast(self, device_type, cast_inputs):
        """Raises NotImplementedError."""
        raise unsupported("register_autocast for custom operators")


def _decorator(fn, register):
    def decorate(function):
        register(function)
        return function

    return decorate if fn is None else decorate(fn)


def _add_kernels(op, device_types, fn):
    kinds = (
        [device_types] if isinstance(device_types, str) or device_types is None else device_types
    )
    for kind in kinds:
        kind = kind.lower() if isinstance(kind, str) else kind  # "CPU" is the name of a key
        if kind is None:
            op.add_kernel("CompositeExplicitAutograd", fn)
        elif kind in ("cpu", "meta"):
            op.add_kernel(_KEYS[kind], fn)
        else:
            rl.device(kind)  # a kernel for a device that there is not is never called
            op.add_kernel(kind.upper(), fn)


def custom_op(name, fn=None, /, *, mutates_args, device_types=None, schema=None, tags=None):
    """An operator of a function: it is called as a whole, and not looked into.

    Args:
        name: "namespace::name".
        fn: the function; its annotations give the schema. Without it, returns a decorator.
        mutates_args: the names of arguments that it changes in place, or "unknown".
        device_types: the devices that the function is for; by default, all.
        schema: the schema, without the name, where annotations do not give it.

    Example::

        >>> @rl.library.custom_op("shop::half", mutates_args=())
        ... def half(x: rl.Tensor) -> rl.Tensor:
        ...     return x / 2
        >>> half(rl.ones(1)), rl.ops.shop.half(rl.ones(1))
        (tensor([0.5000]), tensor([0.5000]))
    """

    def make(function):
        text = schema or infer_schema(function, mutates_args=mutates_args)
        op = CustomOp(Schema(name + text))
        op.tags = list(tags) if isinstance(tags, (list, tuple)) else [tags] if tags else []
        _add_kernels(op, device_types, function)
        return CustomOpDef(op, function)

    return make if fn is None else make(fn)


def define(qualname, schema=None, *, lib=None, tags=()):
    """Defines an operator: ``define("ns::name", "(Tensor x) -> Tensor")``.

    Without ``schema``, a decorator for a function whose annotations give it.
    """

    def make(text):
        op = CustomOp(Schema(qualname + text))
        op.tags = list(tags) if isinstance(tags, (list, tuple)) else [tags]
        return op

    if schema is not None:
        make(schema)
        return None

    def decorate(function):
        make(infer_schema(function, mutates_args=())).add_kernel(
            "CompositeExplicitAutograd", function
        )
        return function

    return decorate


def _found(op):
    if isinstance(op, CustomOpDef):
        return op._op
    return find(op if isinstance(op, str) else op._qualified_name)


def impl(qualname, types, func=None, *, lib=None):
    """Gives an operator a kernel for devices: "default", "cpu", "cuda", or several of them."""
    kinds = None if types == "default" else types
    return _decorator(func, lambda f: _add_kernels(_found(qualname), kinds, f))


def register_kernel(op, device_types, func=None, /, *, lib=None):
    """Gives an operator a kernel for device types, or for all (None)."""
    return _decorator(func, lambda f: _add_kernels(_found(op), device_types, f))


def register_fake(op, func=None, /, *, lib=None, _stacklevel=1, allow_override=False):
    """Gives an operator a kernel that computes shapes and dtypes, on the meta device.

    Example::

        >>> @rl.library.custom_op("shop::ends", mutates_args=())
        ... def ends(x: rl.Tensor) -> rl.Tensor:
        ...     return rl.stack([x[0], x[-1]])
        >>> @rl.library.register_fake("shop::ends")
        ... def _(x):
        ...     return x.new_empty((2,) + x.shape[1:])
        >>> ends(rl.empty(5, device="meta")).shape
        torch.Size([2])
    """
    return _decorator(func, lambda f: _found(op).add_kernel("Meta", f))


impl_abstract = register_fake


def register_autograd(op, backward, /, *, setup_context=None, lib=None):
    """Gives an operator gradients.

    Args:
        backward: ``backward(ctx, *grads)`` returns a gradient, or None, for each argument.
        setup_context: ``setup_context(ctx, inputs, output)`` saves what that needs.

    Example::

        >>> @rl.library.custom_op("shop::square", mutates_args=())
        ... def square(x: rl.Tensor) -> rl.Tensor:
        ...     return x * x
        >>> def keep(ctx, inputs, output):
        ...     ctx.save_for_backward(inputs[0])
        >>> def backward(ctx, grad):
        ...     return 2 * ctx.saved_tensors[0] * grad
        >>> square.register_autograd(backward, setup_context=keep)
        >>> x = rl.tensor([3.0], requires_grad=True)
        >>> square(x).backward()
        >>> x.grad
        tensor([6.])
    """
    _found(op).set_autograd(backward, setup_context)


def register_vmap(op, func=None, /, *, lib=None):
    """Tells `vmap` how an operator computes with batches. Without it, it runs for each example.

    Args:
        op: the operator, or its name.
        func: ``func(info, in_dims, *args, **kwargs)`` returns the results and, for each, the
            dimension that is mapped, or None. ``info`` has ``batch_size`` and ``randomness``;
            ``in_dims`` has the mapped dimension, or None, for each of ``args``.

    Example::

        >>> @rl.library.custom_op("shop::third", mutates_args=())
        ... def third(x: rl.Tensor) -> rl.Tensor:
        ...     return rl.from_numpy(x.numpy() / 3)
        >>> @rl.library.register_vmap("shop::third")
        ... def _(info, in_dims, x):
        ...     return third(x), in_dims[0]
        >>> rl.vmap(third)(rl.tensor([3.0, 6.0]))
        tensor([1., 2.])
    """
    return _decorator(func, _found(op).set_vmap)


def register_torch_dispatch(op, torch_dispatch_class, func=None, /, *, lib=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.library.register_torch_dispatch")


def register_autocast(op, device_type, cast_inputs, /, *, lib=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.library.register_autocast")


def wrap_triton(triton_kernel, /):
    """Raises NotImplementedError: there is no Triton."""
    raise unsupported("torch.library.wrap_triton", "there is no Triton")


def triton_op(name, fn=None, /, *, mutates_args, schema=None):
    """Raises NotImplementedError: there is no Triton."""
    raise unsupported("torch.library.triton_op", "use custom_op, whose function may be any Python")


def get_kernel(op, dispatch_key):
    """Raises NotImplementedError: calls are not dispatched by key."""
    raise unsupported("torch.library.get_kernel", "call the operator")


def opcheck(op, args, kwargs=None, *, test_utils=None, raise_exception=True, atol=None, rtol=None):
    """Tests an operator of a program on some arguments: see `rushlight.library._check.opcheck`."""
    from ._check import opcheck as check

    return check(op, args, kwargs, test_utils, raise_exception, atol, rtol)


def fallthrough_kernel():
    """A kernel that `Library.impl` takes for 'as if there were none'."""
    raise NotImplementedError("fallthrough_kernel() should never be called.")


class _FakeContext:
    """For kernels that compute shapes: sizes that depend on data."""

    def new_dynamic_size(self, *, min=0, max=None):  # noqa: A002
        """Raises NotImplementedError: shapes are always known."""
        raise unsupported("get_ctx().new_dynamic_size", "shapes on the meta device are known")


def get_ctx():
    """What a kernel that computes shapes can ask."""
    return _FakeContext()
