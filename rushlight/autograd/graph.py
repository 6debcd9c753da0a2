"""The graph as users see it: gradient edges, hooks on nodes and several tensors, and hooks on
what is saved for backward.

The nodes are native; their methods for hooks are set here. The primitives used are
``_native.get_hooks(obj, kind)`` and ``_native.set_hooks(obj, kind, mapping)``: a mapping of
callables kept on a node (kind ``"pre"``: ``fn(grad_outputs)``; ``"post"``: ``fn(grad_inputs,
grad_outputs)``) or a tensor (``"tensor"``: ``fn(grad)``, kept on its *current* gradient edge;
``"post_accumulate"``: ``fn(tensor)``). The engine calls a snapshot of ``mapping.values()`` in
order; a result other than None replaces the gradient(s). Further ``_native.gradient_edge(tensor)``
-> (node, output_nr), ``_native.current_backward_id()`` (-1 outside of one), and
``_native.will_execute(node)`` within one.
"""

from _thread import _local, allocate_lock

import rushlight as rl
from rushlight import _native

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "region_activation_memory_budget",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
    "set_override_stale_capture_stream",
    "set_warn_on_accumulate_grad_stream_mismatch",
]

Node = _native.Node


# ---- hooks on nodes --------------------------------------------------------------------------


def add_hook(owner, kind, hook):
    """Add ``hook`` to the native hooks of a node or tensor; returns its RemovableHandle."""
    from collections import OrderedDict

    from rushlight.utils.hooks import RemovableHandle

    hooks = _native.get_hooks(owner, kind)
    if hooks is None:
        hooks = OrderedDict()
        _native.set_hooks(owner, kind, hooks)
    handle = RemovableHandle(hooks)
    last = hooks.pop(_RETAIN, None)
    hooks[handle.id] = hook
    if last is not None:
        hooks[_RETAIN] = last
    return handle


_RETAIN = "retain_grad"  # a hook with this key sees what all others have made of the gradient


def retain_grad(tensor):
    """Make the gradient of a non-leaf tensor available as its ``.grad``."""
    from weakref import ref

    tensor_ref = ref(tensor)

    def keep(grad):
        kept = tensor_ref()
        if kept is not None:
            kept.grad = grad.clone() if kept.grad is None else kept.grad + grad

    add_hook(tensor, "tensor", keep).remove()  # makes the mapping
    _native.get_hooks(tensor, "tensor")[_RETAIN] = keep


def _register_hook(self, fn):
    """Call ``fn(grad_inputs, grad_outputs)`` after this node has run; it may return new
    ``grad_inputs``. Returns a handle with ``remove()``."""
    return add_hook(self, "post", fn)


def _register_prehook(self, fn):
    """Call ``fn(grad_outputs)`` before this node runs; it may return new ``grad_outputs``.
    Returns a handle with ``remove()``."""
    return add_hook(self, "pre", fn)


class _Metadata(tuple):
    """What gradient an output of a node takes: shape, dtype and device."""

    __slots__ = ()
    shape = property(lambda self: self[0])
    dtype = property(lambda self: self[1])
    device = property(lambda self: self[2])


Node._input_metadata = property(
    lambda self: [_Metadata(output) for output in self._outputs()],
    doc="Shape, dtype and device of the gradient that arrives at each output of the forward op.",
)
Node.register_hook = _register_hook
Node.register_prehook = _register_prehook


# ---- gradient edges --------------------------------------------------------------------------


class GradientEdge(tuple):
    """A place in the graph where a gradient arrives: ``(node, output_nr)``.

    `rushlight.autograd.grad` and ``backward`` accept it in place of the tensor.
    """

    __slots__ = ()

    def __new__(cls, node, output_nr):
        return tuple.__new__(cls, (node, output_nr))

    @property
    def node(self):
        """The node that receives the gradient."""
        return self[0]

    @property
    def output_nr(self):
        """Which output of the node."""
        return self[1]


def get_gradient_edge(tensor):
    """The edge along which the gradient of ``tensor`` arrives.

    Raises:
        RuntimeError: if the tensor does not require grad.

    Example::

        >>> x = rl.ones(2, requires_grad=True)
        >>> edge = rl.autograd.graph.get_gradient_edge(x)
        >>> rl.autograd.grad((x * 3).sum(), edge)
        (tensor([3., 3.]),)
    """
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(*_native.gradient_edge(tensor))


def increment_version(tensor):
    """Declare one tensor, or each of several, changed, as an in-place operation would.

    Example::

        >>> x = rl.ones(2)
        >>> rl.autograd.graph.increment_version(x)
        >>> x._version
        1
    """
    for one in (tensor,) if isinstance(tensor, rl.Tensor) else tensor:
        _native.bump_version(one)


# ---- hooks on what is saved ------------------------------------------------------------------

_state = _local()  # per thread: `depth` of active hooks, `refusal` message while disabled


class saved_tensors_hooks:
    """What operations in the block save for backward is packed and unpacked by two functions.

    Args:
        pack_hook: from the tensor to any object, when it is saved.
        unpack_hook: from that object to a tensor of the same content, whenever it is needed.

    Example::

        >>> x = rl.tensor([2.], requires_grad=True)
        >>> with rl.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), rl.tensor):
        ...     y = x * x
        >>> y.backward()
        >>> x.grad
        tensor([4.])
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self):
        refusal = getattr(_state, "refusal", None)
        if refusal is not None:
            raise RuntimeError(refusal)
        _native.push_saved_tensor_hooks(self.pack_hook, self.unpack_hook)
        _state.depth = getattr(_state, "depth", 0) + 1

    def __exit__(self, *exc_info):
        _native.pop_saved_tensor_hooks()
        _state.depth -= 1


class save_on_cpu(saved_tensors_hooks):
    """What operations in the block save for backward is kept in CPU memory.

    Args:
        pin_memory (bool): keep a copy of its own, as a transfer buffer would be.
        device_type (str): the accelerator that the transfer buffers would serve.

    Raises:
        NotImplementedError: for a device type other than ``"cuda"``.
    """

    def __init__(self, pin_memory=False, device_type="cuda"):
        if device_type != "cuda":
            raise NotImplementedError(
                f"save_on_cpu: device_type must be 'cuda', got {device_type!r}"
            )

        def pack(tensor):
            return tensor.device, _native.untaped(tensor).clone() if pin_memory else tensor.cpu()

        def unpack(packed):
            device, tensor = packed
            return tensor.to(device)

        super().__init__(pack, unpack)


class disable_saved_tensors_hooks:
    """Inside the block, `saved_tensors_hooks` is an error with the given message.

    Usable as a decorator as well.

    Raises:
        RuntimeError: with ``error_message``, if such hooks are active already.
    """

    def __init__(self, error_message):
        self.error_message = error_message

    def __enter__(self):
        if getattr(_state, "depth", 0):
            raise RuntimeError(self.error_message)
        self._previous = getattr(_state, "refusal", None)
        _state.refusal = self.error_message

    def __exit__(self, *exc_info):
        _state.refusal = self._previous

    def __call__(self, function):
        from functools import wraps

        @wraps(function)
        def refusing(*args, **kwargs):
            with disable_saved_tensors_hooks(self.error_message):
                return function(*args, **kwargs)

        return refusing


def allow_mutation_on_saved_tensors():
    """Context: tensors that are saved for backward may be changed in place; they are copied first.

    Backward has to run inside the block. ``with ... as ctx``: ``ctx.clear()`` lets go of what was
    saved.

    Raises:
        RuntimeError: if blocks are nested.
        AssertionError: if backward runs outside.

    Example::

        >>> x = rl.ones(2, requires_grad=True)
        >>> with rl.autograd.graph.allow_mutation_on_saved_tensors():
        ...     y = x.clone()
        ...     z = (y ** 2).sum()
        ...     _ = y.zero_()
        ...     z.backward()
        >>> x.grad
        tensor([2., 2.])
    """
    from rushlight.autograd._saved_copies import Block

    return Block()


# ---- one hook for several tensors ------------------------------------------------------------


class _MultiHandle:
    """Removes the hooks of all tensors at once."""

    def __init__(self, handles):
        self.handles = tuple(handles)

    def remove(self):
        for handle in self.handles:
            handle.remove()

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.remove()


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Call ``fn`` once per backward pass for several tensors.

    Args:
        tensors: tensors that require grad.
        fn: with ``mode="all"``, called as ``fn(grads)`` once every gradient that the pass will
            compute is there, with None for the others; with ``mode="any"``, called as ``fn(grad)``
            with the first.
        mode (str): ``"all"`` or ``"any"``.

    Returns:
        A handle with ``remove()``.
    """
    tensors = tuple(tensors)
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    collector = _CollectAll(tensors, fn) if mode == "all" else _CollectFirst(fn)
    return _MultiHandle(t.register_hook(collector.hook(i)) for i, t in enumerate(tensors))


class _CollectAll:
    """Gathers the gradients of each backward pass, which may run in several threads at once."""

    def __init__(self, tensors, fn):
        self.nodes = [get_gradient_edge(tensor).node for tensor in tensors]
        self.fn = fn
        self.passes = {}  # id of the pass -> [number of gradients still missing, gradients]
        self.lock = allocate_lock()

    def hook(self, i):
        def on_grad(grad):
            run = _native.current_backward_id()
            with self.lock:
                if run not in self.passes:
                    coming = sum([_native.will_execute(node) for node in self.nodes])
                    self.passes[run] = [coming, [None] * len(self.nodes)]
                state = self.passes[run]
                state[0] -= 1
                state[1][i] = grad
                if state[0]:
                    return
                del self.passes[run]
            self.fn(state[1])

        return on_grad


class _CollectFirst:
    """Lets the first gradient of each backward pass through."""

    def __init__(self, fn):
        self.fn = fn
        self.last_run = None
        self.lock = allocate_lock()

    def hook(self, i):
        def on_grad(grad):
            run = _native.current_backward_id()
            with self.lock:
                if run == self.last_run:
                    return
                self.last_run = run
            self.fn(grad)

        return on_grad


# ---- settings of accelerators and compilers --------------------------------------------------

_stream_settings = {"override_stale_capture": False, "warn_on_mismatch": True}


def set_override_stale_capture_stream(enabled):
    """Whether the capture of a CUDA graph takes over stale streams. The CPU captures none."""
    _stream_settings["override_stale_capture"] = bool(enabled)


def set_warn_on_accumulate_grad_stream_mismatch(enabled):
    """Whether to warn of a gradient that comes on another stream than its leaf's. The CPU has one
    stream, so that it never does.
    """
    _stream_settings["warn_on_mismatch"] = bool(enabled)


def region_activation_memory_budget(budget):
    """How much of a compiled region's activations to keep; only while something is compiled.

    Raises:
        ValueError: if the budget is not between 0 and 1.
        RuntimeError: outside of a compilation.
    """
    if not 0 <= budget <= 1:
        raise ValueError(f"region_activation_memory_budget: expected 0 to 1, got {budget}")
    raise RuntimeError(
        "region_activation_memory_budget: only inside of a compiled region; use "
        "torch.utils.checkpoint in programs that run as they are"
    )
