"""Custom differentiable functions: `Function`, its context, and `once_differentiable`.

Note [native primitives of Function]. The context of a call *is* its graph node. Needed natively:
* ``_native.FunctionNode``: subclass of ``_native.Node``; Python may subclass it; instances have a
  ``__dict__``; ``FunctionNode()`` is an unconnected node, named after its Python type.
* ``_native.record_function(node, inputs, outputs, dirty, non_differentiable, materialize)``
  -> tuple: one edge per entry of ``inputs`` (any objects; an edge only for tensors requiring
  grad). Of ``outputs``: non-tensors, tensors in ``non_differentiable`` and those of integer or bool
  dtype get no history (an input among them comes back as ``detach()``); tensors in ``dirty`` are
  rebased onto the node and come back as the same object; an input returned unchanged comes back as
  a view of it with the node as ``grad_fn``; any other gets the node as ``grad_fn`` in place, and if
  it is a view of an input, in-place changes to it are errors. ``materialize``: before the call
  below, missing gradients become zeros.
* The engine calls ``node._backward(grads) -> tuple``, ``grads`` a tuple with a tensor or None per
  output, with recording on exactly if ``create_graph``; the result has one entry per input. If the
  graph is not retained it calls ``node._release_saved()`` afterwards.
* ``_native.save_on_node(node, tensors)``: remembers the versions and passes the tensors through
  saved-tensor hooks, or returns None if one is neither a tensor nor None;
  ``unpack_from_node(node, saved)`` checks the versions and gives an output back its history, which
  is ``node``, so that there is no reference cycle.
"""

import rushlight as rl
from rushlight import _native

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "NestedIOFunction", "once_differentiable"]

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you "
    "call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward "
    "through the graph a second time or if you need to access saved tensors after calling backward."
)


class FunctionCtx:
    """What ``forward`` tells ``backward``: the methods of the ``ctx`` argument.

    Any attribute may be set on it too; tensors that are inputs or outputs belong in
    `save_for_backward`, which checks that they have not been changed since and keeps no cycles.
    """

    to_save = ()
    saved_for_forward = ()
    dirty_tensors = ()
    non_differentiable = ()
    materialize_grads = True

    def save_for_backward(self, *tensors):
        """Keep tensors (or None) for `saved_tensors` in backward. Call it once at most."""
        self.to_save = tensors

    def save_for_forward(self, *tensors):
        """Keep tensors (or None) for ``jvp``.

        Raises:
            TypeError: if an argument is neither a tensor nor None.
        """
        _check_savable(tensors, "save_for_forward")
        self.saved_for_forward = tensors

    def mark_dirty(self, *tensors):
        """Declare inputs that ``forward`` changed in place; each must be returned as well."""
        self.dirty_tensors = tensors

    def mark_non_differentiable(self, *tensors):
        """Declare outputs that have no gradient; backward receives zeros for them."""
        self.non_differentiable = tensors

    def set_materialize_grads(self, value):
        """Whether backward receives zeros (the default) or None for outputs without a gradient."""
        self.materialize_grads = bool(value)


class _FunctionNode(FunctionCtx, _native.FunctionNode):
    """The node of one call; each Function has a subclass called ``<its name>Backward``."""

    _saved = ()
    to_read = None  # in jvp: what was saved for it

    @property
    def saved_tensors(self):
        """The tensors given to `save_for_backward`, checked for changes since.

        Raises:
            RuntimeError: if one has been changed in place, or the graph has been freed.
        """
        if self.to_read is not None:
            return self.to_read
        if self._saved is None:
            raise RuntimeError(_FREED)
        tensors = _native.unpack_from_node(self, self._saved)
        if self._forward_cls.clear_saved_tensors_on_access:
            self._saved = None
        return tensors

    def _save(self):
        tensors, self.to_save = self.to_save, ()
        self._saved = _native.save_on_node(self, tuple(tensors))
        if self._saved is None:
            _check_savable(tensors, "save_for_backward")

    def _release_saved(self):
        self._saved = None

    def _backward(self, grads):
        cls = self._forward_cls
        rule = cls.backward if cls.vjp is Function.vjp else _vjp_rule(cls)
        result = rule(self, list(grads)) if cls.boxed_grads_call else rule(self, *grads)
        if not isinstance(result, tuple):
            result = (result,)
        if _native.are_gradients(result, self._is_tensor_input):
            return result
        return self._checked(result)

    def _checked(self, grads):
        """One gradient per input; a surplus of None is cut off."""
        expected, got = len(self._is_tensor_input), len(grads)
        if got > expected and all(g is None for g in grads[expected:]):
            grads, got = grads[:expected], expected
        name = type(self).__name__
        if got != expected:
            raise RuntimeError(
                f"function {name} returned an incorrect number of gradients "
                f"(expected {expected}, got {got})"
            )
        for i, (grad, is_tensor) in enumerate(zip(grads, self._is_tensor_input)):
            if grad is None:
                continue
            if not isinstance(grad, rl.Tensor):
                raise TypeError(
                    f"function {name}: expected Tensor or None as gradient {i}, "
                    f"got {type(grad).__name__}"
                )
            if not is_tensor:
                raise RuntimeError(
                    f"function {name} returned a gradient different from None at position "
                    f"{i + 1}, but the corresponding forward input was not a Variable"
                )
        return grads


def _check_savable(tensors, method):
    for i, tensor in enumerate(tensors):
        if tensor is not None and not isinstance(tensor, rl.Tensor):
            raise TypeError(
                f"{method} can only save tensors or None, but argument {i} is of type "
                f"{type(tensor).__name__}; set it as an attribute of ctx instead"
            )


def _vjp_rule(cls):
    if cls.backward is not Function.backward:
        raise RuntimeError(
            f"{cls.__name__}: Implementing both 'backward' and 'vjp' for a custom Function is not "
            "allowed. You should only implement one of them."
        )
    return cls.vjp


class Function(FunctionCtx):
    """Base class for operations with a gradient of their own.

    Subclass it with static methods ``forward(ctx, *args)`` and ``backward(ctx, *grads)``, and call
    it as ``Sub.apply(*args)``. ``forward`` runs unrecorded. ``backward`` receives a gradient per
    output and returns a gradient, or None, per argument of ``forward``; if it is written in
    differentiable operations, it can itself be differentiated. Alternatively ``forward(*args)``
    takes no context and ``setup_context(ctx, inputs, output)`` fills it.

    ``jvp(ctx, *tangents)`` is the forward-mode rule, which reads as ``ctx.saved_tensors`` what
    ``ctx.save_for_forward`` kept; ``vmap(info, in_dims, *args)`` the batching rule, which
    ``generate_vmap_rule = True`` replaces by one call for each example.

    Example::

        >>> class Exp(rl.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         y = x.exp()
        ...         ctx.save_for_backward(y)
        ...         return y
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         y, = ctx.saved_tensors
        ...         return grad * y
        >>> x = rl.zeros(2, requires_grad=True)
        >>> Exp.apply(x).sum().backward()
        >>> x.grad
        tensor([1., 1.])
    """

    generate_vmap_rule = False
    clear_saved_tensors_on_access = False
    boxed_grads_call = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        namespace = {"_forward_cls": cls, "__module__": cls.__module__}
        cls._backward_cls = type(cls.__name__ + "Backward", (_FunctionNode,), namespace)

    def __init__(self, *args, **kwargs):
        from warnings import warn

        warn(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so call them on the class itself.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            f"new-style autograd function with static forward method: {type(self).__name__}"
            ".apply(...)"
        )

    @staticmethod
    def forward(*args, **kwargs):
        """The operation itself; to be overridden."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Fills ``ctx`` after a ``forward`` without context; to be overridden for that style."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """The gradients of the inputs from those of the outputs; to be overridden."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """The forward-mode rule: the tangents of the outputs from those of the inputs."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info, in_dims, *args):
        """The batching rule: the outputs for a whole batch, and their mapped dimensions."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod "
            "or set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args, **kwargs):
        """Run ``forward`` on ``args`` and record it if any tensor among them requires grad."""
        has_setup = cls.setup_context is not Function.setup_context
        if has_setup:
            args = _with_defaults(cls.forward, args, kwargs)
        elif kwargs:
            raise TypeError(
                f"{cls.__name__}.apply() takes no keyword arguments unless setup_context is "
                f"defined, got {sorted(kwargs)}"
            )
        if _native.innermost_level(args):
            from rushlight.func.custom import apply

            result = apply(cls, args, lambda values: cls._apply(tuple(values), has_setup))
            if result is not NotImplemented:
                return result
        return cls._apply(args, has_setup)[1]

    @classmethod
    def _apply(cls, args, has_setup):
        """The node of a call, and its result."""
        node = cls._backward_cls()
        node._is_tensor_input, needs = _native.inputs_of(args)
        node.needs_input_grad = needs
        was_recording = _native.set_grad_enabled(False)
        try:
            if has_setup:
                result = _forward(cls, args)
                cls.setup_context(node, args, result)
            else:
                result = cls.forward(node, *args)
        finally:
            _native.set_grad_enabled(was_recording)
        recording = was_recording and True in needs
        outputs = result if isinstance(result, tuple) else (result,)
        outputs = _record(node, args, outputs, recording, has_setup)
        return node, outputs if isinstance(result, tuple) else outputs[0]


def _forward(cls, args):
    """What a ``forward`` without context gives; of wrappers, by the rule for their transform."""
    if _native.innermost_level(args):
        from rushlight.func.custom import has_rule

        if has_rule(cls, args):
            return cls.apply(*args)
    return cls.forward(*args)


class InplaceFunction(Function):
    """The base of functions from before static methods that could work in place.

    It is kept for ``isinstance``, with its attribute ``inplace``. Write a `Function`, and call
    ``ctx.mark_dirty`` for the inputs that ``forward`` changes.
    """

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """The base of functions from before static methods, whose inputs and outputs could be nested.

    It is kept for ``isinstance``; its instances cannot be called. Write a `Function`, and flatten
    what is nested with `rushlight.utils._pytree`.
    """

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            f"{type(self).__name__}: functions with methods that are not static cannot be called "
            "any more; derive from torch.autograd.Function and call .apply on the class"
        )

    def forward_extended(self, *inputs):
        """To be defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} does not define forward_extended")

    def backward_extended(self, *grads):
        """To be defined by subclasses."""
        raise NotImplementedError(f"{type(self).__name__} does not define backward_extended")


def _with_defaults(forward, args, kwargs):
    """All arguments of ``forward`` by position, defaults filled in."""
    if not kwargs and forward.__code__.co_argcount == len(args):
        return args
    from inspect import signature

    bound = signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError(
            f"{forward.__qualname__}: apply() cannot pass keyword-only arguments "
            f"{sorted(bound.kwargs)}; make them positional"
        )
    return bound.args


def _record(node, args, outputs, recording, has_setup):
    """Give the outputs their history, then save what ``forward`` asked for."""
    if node.dirty_tensors:
        _check_dirty(node, args, outputs, recording)
    if has_setup:
        _check_saved_outputs(node, args, outputs)
    if not recording:
        node.to_save = ()
        return tuple([_alias_of_input(o, args, node.dirty_tensors) for o in outputs])
    outputs = _native.record_function(
        node,
        args,
        outputs,
        tuple(node.dirty_tensors),
        tuple(node.non_differentiable),
        node.materialize_grads,
    )
    node._save()
    return outputs


def _is_among(item, items):
    return any(item is other for other in items)


def _alias_of_input(output, args, dirty):
    """An input handed through unchanged is a new tensor on the same data, recorded or not."""
    if not isinstance(output, rl.Tensor) or _is_among(output, dirty):
        return output
    if not _is_among(output, args):
        return output
    was_recording = _native.set_grad_enabled(False)
    try:
        return output.view_as(output)
    finally:
        _native.set_grad_enabled(was_recording)


def _check_dirty(node, args, outputs, recording):
    for tensor in node.dirty_tensors:
        if not isinstance(tensor, rl.Tensor):
            raise TypeError(f"mark_dirty can only accept tensors, got {type(tensor).__name__}")
        if not _is_among(tensor, outputs):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )
        if not recording or not tensor.requires_grad:
            continue
        if tensor.is_leaf:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        if tensor._base is not None and tensor._base.is_leaf and tensor._base.requires_grad:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )


def _check_saved_outputs(node, args, outputs):
    for tensor in node.to_save:
        if tensor is not None and _is_among(tensor, outputs) and _is_among(tensor, args):
            if not _is_among(tensor, node.dirty_tensors):
                raise RuntimeError(
                    "An input that has been returned as-is as output is being saved for backward. "
                    "This is not supported with setup_context: return and save a view of the "
                    "input, x.view_as(x), or set up ctx in forward."
                )


class _TwiceError(Function):
    """Passes gradients through and raises when they are differentiated again."""

    @staticmethod
    def forward(ctx, *grads):
        return tuple([None if g is None else g.view_as(g) for g in grads])

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )


def once_differentiable(backward):
    """Decorator for a ``backward`` that uses operations without gradients of their own.

    It runs unrecorded; differentiating its result is an error instead of a wrong number.

    Example::

        >>> class Half(rl.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         return x / 2
        ...     @staticmethod
        ...     @rl.autograd.function.once_differentiable
        ...     def backward(ctx, grad):
        ...         return grad / 2
    """
    from functools import wraps

    @wraps(backward)
    def unrecorded(ctx, *grads):
        was_recording = _native.set_grad_enabled(False)
        try:
            result = backward(ctx, *grads)
        finally:
            _native.set_grad_enabled(was_recording)
        if not was_recording or not any(
            isinstance(g, rl.Tensor) and g.requires_grad for g in grads
        ):
            return result
        results = result if isinstance(result, tuple) else (result,)
        return _TwiceError.apply(
            *[None if r is None else _native.untaped(r).requires_grad_() for r in results]
        )

    return unrecorded
