"""Operators that programs define, and ``torch.ops``, where they and the package's own are found.

A call asks, in this order: whoever interposes; a kernel for "Autograd"; gradient rules, if a tensor
requires a gradient; a kernel of the device, or one for all devices.
"""

import rushlight as rl
from rushlight import _native
from rushlight.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

namespaces = {}  # namespace -> {name: packet}
_DEVICE_KEYS = {"cpu": ("CPU",), "meta": ("Meta",)}
_FOR_ALL = ("CompositeExplicitAutograd", "CompositeImplicitAutograd", "Undefined")


def tensors_in(values):
    """The tensors among arguments and in lists of them."""
    return [x for x in tree_leaves(values) if isinstance(x, rl.Tensor)]


class OpOverload:
    """An operator of one schema: ``torch.ops.ns.name.default``."""

    def __init__(self, packet, overload, function, schema):
        self._packet, self._overloadname, self._function = packet, overload, function
        self._schema, self.namespace = schema, packet.namespace
        self.__name__ = f"{packet.__name__}.{overload}"
        self.__qualname__, self.__module__ = self.__name__, f"torch._ops.{packet.namespace}"
        self._opname = packet.__name__

    @property
    def is_view(self):
        """Does a result share memory with an argument that it does not change?"""
        arguments = self._schema.arguments if self._schema else ()
        return any(a.alias_info is not None and not a.is_write for a in arguments)

    @property
    def tags(self):
        """What is known of the op: `Tag.pointwise`, and `Tag.inplace_view` of views in place."""
        record = getattr(getattr(self._packet, "_function", None), "record", None)
        known = [rl.Tag.pointwise] if record is not None and record.kind == "pointwise" else []
        base = self._opname.removesuffix("_")
        in_place = self._schema is not None and self._schema.is_mutable and base != self._opname
        plain = getattr(OpNamespace("aten"), base, None) if in_place else None
        if plain is not None and any(getattr(plain, o).is_view for o in plain.overloads()):
            known.append(rl.Tag.inplace_view)
        return known

    @property
    def _op(self):
        return self

    def __call__(self, *args, **kwargs):
        return self._function(self, args, kwargs)

    @property
    def overloadpacket(self):
        """All overloads of its name."""
        return self._packet

    @property
    def _qualified_name(self):
        return self._packet._qualified_name

    def name(self):
        """``"ns::name"``, with the overload if it is not the default."""
        tail = "" if self._overloadname == "default" else f".{self._overloadname}"
        return self._qualified_name + tail

    def __repr__(self):
        return (
            f"<OpOverload(op='{self.namespace}.{self._opname}', overload='{self._overloadname}')>"
        )

    __str__ = lambda self: f"{self.namespace}.{self._opname}.{self._overloadname}"  # noqa: E731

    def __reduce__(self):
        return operator_named, (self.namespace, self._opname, self._overloadname)


class OpOverloadPacket:
    """The operators of one name: ``torch.ops.ns.name``. Calling it calls the one that fits."""

    def __init__(self, namespace, name, default):
        self.namespace, self.__name__, self._default = namespace, name, default
        self._qualified_name = f"{namespace}::{name}"
        self.__module__, self.__qualname__ = f"torch._ops.{namespace}", name

    def __call__(self, *args, **kwargs):
        if self.namespace == "aten" and "default" not in (_overloads(self.__name__) or ["default"]):
            return getattr(self, _overloads(self.__name__)[0])(*args, **kwargs)
        return self.default(*args, **kwargs)

    def __getattr__(self, name):
        if name.startswith("__") or name == "_function":
            raise AttributeError(name)
        made = self._default(self, name)
        setattr(self, name, made)  # one object, which programs compare with ``is``
        return made

    def overloads(self):
        """The names of the overloads that are declared, or else have been asked for."""
        declared = _overloads(self.__name__) if self.namespace == "aten" else ()
        return (
            list(declared)
            or [k for k, v in vars(self).items() if isinstance(v, OpOverload)]
            or ["default"]
        )

    def __repr__(self):
        return f"<OpOverloadPacket(op='{self.namespace}.{self.__name__}')>"

    __str__ = lambda self: f"{self.namespace}.{self.__name__}"  # noqa: E731

    def __reduce__(self):
        return operator_named, (self.namespace, self.__name__, None)


class OpNamespace:
    """``torch.ops.ns``."""

    def __init__(self, name):
        self._name = name

    def __getattr__(self, name):
        packet = namespaces.get(self._name, {}).get(name)
        if packet is None and self._name in ("aten", "prims"):
            packet = _own_packet(name)
        elif packet is None and self._name == "profiler":
            rl._late.load("profiler._operators")
            packet = namespaces["profiler"].get(name)
        if packet is None:
            raise AttributeError(f"'_OpNamespace' '{self._name}' object has no attribute '{name}'")
        return packet

    def __dir__(self):
        return sorted(namespaces.get(self._name, ()))

    def __repr__(self):
        return f"<torch.ops.{self._name}>"


def operator_named(namespace, name, overload):
    """The operator of that name, for pickles."""
    packet = getattr(OpNamespace(namespace), name)
    return packet if overload is None else getattr(packet, overload)


def find(qualified):
    """The custom operator of a name; RuntimeError if there is none."""
    namespace, _, name = qualified.partition("::")
    packet = namespaces.get(namespace, {}).get(name.partition(".")[0])
    if packet is None:
        raise RuntimeError(f"operator {qualified} does not exist")
    return packet._custom


def _declared():
    from rushlight.library import _declared as declared

    return declared


def _overloads(name):
    """What PyTorch declares of an op of its own."""
    return _declared().overloads(name)


# ---- the package's own operators -----------------------------------------------------------------


def _own_packet(name):
    """``torch.ops.aten.name``: the function of that name, whose overloads are one object."""
    from rushlight.library import _aten
    from rushlight.ops._record import table

    places = (vars(_aten).get(name), getattr(rl, name, None), getattr(rl.Tensor, name, None))
    function = next((f for f in (*places, table.get(name)) if callable(f)), None)
    if function is None:
        return None

    def call(overload, args, kwargs):
        taken = _native.interposed(overload, args, kwargs)
        if taken is not NotImplemented:
            return taken
        if "self" in kwargs and overload._schema is not None:
            args, kwargs = _declared().placed(overload._schema, args, kwargs)
        record = getattr(function, "record", None)
        if record is not None and overload._schema is not None:
            args = _declared().completed(overload._schema, record, args, kwargs)
        return function(*args, **kwargs)

    def make(packet, overload):
        known = _overloads(name)
        if known and overload not in known and "out" not in overload:
            raise AttributeError(
                f"The underlying op of 'aten.{name}' has no overload name '{overload}'"
            )
        schema = _declared().schema(name, overload) if overload in known else None
        return OpOverload(packet, overload, call, schema)

    packet = OpOverloadPacket("aten", name, make)
    packet._function = function
    return namespaces.setdefault("aten", {}).setdefault(name, packet)


# ---- operators that programs define --------------------------------------------------------------


class CustomOp:
    """An operator that a program defines: its schema, kernels and gradient rules."""

    def __init__(self, schema):
        self.schema, self.kernels, self.tags = schema, {}, []
        self.namespace, _, self.plain_name = schema.name.partition("::")
        self._autograd = self._vmap = None
        if hasattr(rl.ops, "__path__") and self.namespace in vars(rl.ops):
            raise ValueError(f"library: the namespace {self.namespace!r} is taken; choose another")
        packet = OpOverloadPacket(self.namespace, self.plain_name, self._overload)
        packet._custom = self
        self.packet = packet
        namespaces.setdefault(self.namespace, {})[self.plain_name] = packet

    def _overload(self, packet, name):
        own = self.schema.overload_name or "default"
        if name not in (own, "default"):
            raise AttributeError(f"{self.schema.name} has no overload {name!r}, only {own!r}")
        return OpOverload(packet, name, self._call, self.schema)

    def add_kernel(self, key, function):
        """A kernel for a dispatch key; a later one takes the place of an earlier one."""
        if not callable(function):
            raise TypeError(
                f"{self.schema.name}: expected a function as the kernel for {key}, got "
                f"{type(function).__name__}"
            )
        self.kernels[key] = function

    def set_autograd(self, backward, setup_context):
        """The gradient rules."""
        self._autograd = _function_class(self, backward, setup_context)

    def set_vmap(self, rule):
        """How it computes with batches."""
        self._vmap = rule

    def _call(self, overload, args, kwargs):
        taken = _native.interposed(overload, args, kwargs)
        if taken is not NotImplemented:
            return taken
        values = self.schema.bind(args, kwargs)
        tensors = tensors_in(list(values.values()))
        mapped = self._mapped(overload, tensors, args, kwargs)
        if mapped is not NotImplemented:
            return mapped
        if "Autograd" in self.kernels or "AutogradCPU" in self.kernels:
            function = self.kernels.get("Autograd") or self.kernels["AutogradCPU"]
            return self._with(function, values)
        if _native.dispatch_modes() or any(map(_native.has_torch_dispatch, tensors)):
            return self._dispatched(overload, values, tensors)
        key, kernel = self._kernel(tensors)
        needs = rl.is_grad_enabled() and any(t.requires_grad for t in tensors)
        if key == "CompositeImplicitAutograd":
            return self._with(kernel, values)
        if not needs:
            return self._computed(kernel, values)
        if self._autograd is None and not self.schema.returns:
            return self._changing(values)
        rules = self._autograd or _function_class(self, _no_gradient(self), None)
        return _recorded(rules, values)

    def _changing(self, values):
        """The call of what only changes its arguments, which nobody can differentiate."""
        with rl.no_grad():
            return self._below_rules(values, tensors_in(list(values.values())))

    def _mapped(self, overload, tensors, args, kwargs):
        """The call within `vmap`. Compositions need nothing: the ops that they call are mapped."""
        if not _native.innermost_level(tensors):
            return NotImplemented
        is_composition = "CompositeImplicitAutograd" in self.kernels or self.schema.is_mutable
        if self._vmap is None and is_composition:
            return NotImplemented
        from rushlight.func.custom import map_operator

        return map_operator(overload, self._vmap, args, kwargs)

    def _dispatched(self, overload, values, tensors):
        """The call in the kernel's place, below the gradient rules."""
        from rushlight import _dispatch

        positional, keyword = self._placed(values)
        if not rl.is_grad_enabled() or not any(t.requires_grad for t in tensors):
            with rl.no_grad():
                return _dispatch.ask(overload, positional, keyword)
        rules = self._autograd or _function_class(self, _no_gradient(self), None)
        return _recorded(rules, values)

    def _kernel(self, tensors):
        device = "meta" if any(t.is_meta for t in tensors) else "cpu"
        for key in (*_DEVICE_KEYS[device], *_FOR_ALL):
            if key in self.kernels:
                return key, self.kernels[key]
        raise NotImplementedError(
            f"{self.schema.name}: there is no kernel for the device {device!r}; it has kernels for "
            f"{', '.join(self.kernels) or 'none'}"
        )

    def _below_rules(self, values, tensors):
        overload = getattr(self.packet, self.schema.overload_name or "default")
        mapped = self._mapped(overload, tensors, *self._placed(values))
        if mapped is not NotImplemented:
            return mapped
        if _native.dispatch_modes() or any(map(_native.has_torch_dispatch, tensors)):
            from rushlight import _dispatch

            return _dispatch.ask(overload, *self._placed(values))
        _, kernel = self._kernel(tensors)
        return self._computed(kernel, values)

    def _computed(self, kernel, values):
        """What a kernel gives; what it may have written to, unseen, counts as changed."""
        result = self._with(kernel, values)
        if self.schema.is_mutable:
            for changed in tensors_in(
                [values[a.name] for a in self.schema.arguments if a.is_write]
            ):
                _native.bump_version(changed)
        return result

    def _with(self, function, values):
        """Calls a kernel with the arguments as the schema places them."""
        positional, keyword = self._placed(values)
        return function(*positional, **keyword)

    def _placed(self, values):
        positional = [values[a.name] for a in self.schema.arguments if not a.kwarg_only]
        keyword = {a.name: values[a.name] for a in self.schema.arguments if a.kwarg_only}
        return positional, keyword


def _no_gradient(op):
    def backward(ctx, *grads):
        raise NotImplementedError(
            f"{op.schema.name}: there are no gradients; give it some with "
            "torch.library.register_autograd"
        )

    return backward


class _Form:
    """How the flat arguments and results of an autograd function make up those of an operator."""

    def __init__(self, values):
        self.counts = [len(tree_leaves(v)) for v in values]
        self.flat, self.inputs = tree_flatten(list(values))
        self.outputs = None

    def flat_gradients(self, found):
        """Gradients of the arguments, None or lists for lists, one by one."""
        found = found if isinstance(found, tuple) else (found,)
        flat = []
        for count, g in zip(self.counts, found + (None,) * (len(self.counts) - len(found))):
            parts = [None] * count if g is None else tree_leaves(g)
            if len(parts) != count:
                raise RuntimeError(f"backward: expected a list of {count} gradients, got {g!r}")
            flat += parts
        return flat


def _recorded(rules, values):
    """The call through an autograd function, which sees all tensors, those in lists as well."""
    form = _Form(values.values())
    result = rules.apply(form, *form.flat)
    return tree_unflatten(list(result) if isinstance(result, tuple) else [result], form.outputs)


def _set_up(op, setup_context, ctx, named, result):
    positional = tuple(named[a.name] for a in op.schema.arguments if not a.kwarg_only)
    keyword = {a.name: named[a.name] for a in op.schema.arguments if a.kwarg_only}
    if keyword:
        setup_context(ctx=ctx, inputs=positional, keyword_only_inputs=keyword, output=result)
    else:
        setup_context(ctx, positional, result)


def _function_class(op, backward, setup_context):
    """An autograd function that runs the kernel and applies the rules."""

    class Rules(rl.autograd.Function):
        @staticmethod
        def forward(ctx, form, *flat):
            values = tree_unflatten(list(flat), form.inputs)
            named = dict(zip((a.name for a in op.schema.arguments), values))
            result = op._below_rules(named, tensors_in(values))
            ctx._form = form
            ctx.needs_input_grad = tuple(
                tree_unflatten(list(ctx.needs_input_grad[1:]), form.inputs)
            )
            if setup_context is not None:
                _set_up(op, setup_context, ctx, named, result)
            changed = [named[a.name] for a in op.schema.arguments if a.is_write]
            if changed:
                ctx.mark_dirty(*tensors_in(changed))
            outputs, form.outputs = tree_flatten(result)
            return tuple(outputs)

        @staticmethod
        def backward(ctx, *grads):
            given = tree_unflatten(list(grads), ctx._form.outputs)
            given = given if isinstance(given, tuple) else (given,)
            return None, *ctx._form.flat_gradients(backward(ctx, *given))

    Rules.__name__ = Rules.__qualname__ = f"GeneratedBackwardFor_{op.namespace}_{op.plain_name}"
    return Rules
