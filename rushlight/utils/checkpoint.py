"""Activation checkpointing: less memory, by computing parts of the forward pass again in backward.

Chen et al., "Training Deep Nets with Sublinear Memory Cost" (2016). Saving models to files is in
`rushlight/serialization.py`.
"""

import contextlib
import warnings

import rushlight as rl
from rushlight import _native

from ._selective_checkpoint import (
    SAC_IGNORED_OPS,
    CheckpointPolicy,
    OpLog,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)

__all__ = [
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "GraphExecGroup",
    "SAC_IGNORED_OPS",
    "SavedTensor",
    "SelectiveCheckpointContext",
    "checkpoint",
    "checkpoint_sequential",
    "check_backward_validity",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]

SavedTensor = rl.autograd.SavedTensor

_early_stop_everywhere = None


class CheckpointError(RuntimeError):
    """The second computation of a checkpointed part differed from the first."""


def noop_context_fn():
    """No contexts: the default `context_fn`."""
    return contextlib.nullcontext(), contextlib.nullcontext()


_debug_everywhere = None


class set_checkpoint_debug_enabled:  # noqa: N801 - PyTorch's name
    """Context manager: whether checkpoints tell, when the two computations differ, which ops each
    ran; None leaves that to their argument `debug`.
    """

    def __init__(self, enabled):
        self.enabled = enabled

    def __enter__(self):
        global _debug_everywhere
        self.before, _debug_everywhere = _debug_everywhere, self.enabled

    def __exit__(self, *failure):
        global _debug_everywhere
        _debug_everywhere = self.before


class DefaultDeviceType:
    """Of which kind of accelerator the random state is put back, where no argument tells."""

    _type = "cuda"

    @staticmethod
    def set_device_type(device="cuda"):
        """Sets the kind, a device type."""
        DefaultDeviceType._type = device

    @staticmethod
    def get_device_type():
        """The kind."""
        return DefaultDeviceType._type


class GraphExecGroup:
    """Context manager around several backward calls: each checkpointed part is computed again at
    most once in all of them, rather than once in each.

    The calls must not need the same saved tensors.
    """

    _current = None

    def __enter__(self):
        if GraphExecGroup._current is not None:
            raise RuntimeError(
                "GraphExecGroup contexts cannot be nested: leave the outer one first"
            )
        GraphExecGroup._current = self

    def __exit__(self, *failure):
        GraphExecGroup._current = None

    @classmethod
    def _get_current_group(cls):
        return cls._current


class set_checkpoint_early_stop:  # noqa: N801 - PyTorch's name
    """Context manager: whether recomputation ends once all that backward needs is there."""

    def __init__(self, enable):
        self.enable = enable

    def __enter__(self):
        global _early_stop_everywhere
        self.before, _early_stop_everywhere = _early_stop_everywhere, self.enable

    def __exit__(self, *failure):
        global _early_stop_everywhere
        _early_stop_everywhere = self.before


def detach_variable(inputs):
    """The inputs, with tensors cut off from the graph but still asking for their gradients."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            "Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        _native.untaped(x).requires_grad_(x.requires_grad) if isinstance(x, rl.Tensor) else x
        for x in inputs
    )


def check_backward_validity(inputs):
    """Warn when no input asks for a gradient, for then a reentrant checkpoint yields none."""
    if not any(isinstance(x, rl.Tensor) and x.requires_grad for x in inputs):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2
        )


def get_device_states(*args):
    """(devices, their random states) of the accelerators in use: there are none."""
    return [], []


def set_device_states(devices, states, *, device_type=None):
    """Put back what `get_device_states` returned."""
    if devices:
        raise NotImplementedError(f"set_device_states: no accelerator to restore: {devices}")


class _Surroundings:
    """Random state and autocast mode of the first computation, to be put back for the second."""

    def __init__(self, preserve_rng_state):
        self.rng_state = rl.get_rng_state() if preserve_rng_state else None
        self.autocast = _autocast_mode()

    @contextlib.contextmanager
    def restored(self):
        now = rl.get_rng_state() if self.rng_state is not None else None
        try:
            if now is not None:
                rl.set_rng_state(self.rng_state)
            with self.autocast:
                yield
        finally:
            if now is not None:
                rl.set_rng_state(now)


def _autocast_mode():
    """A context manager for the autocast mode of now."""
    return rl.autocast(
        "cpu",
        enabled=rl.is_autocast_enabled("cpu"),
        dtype=rl.get_autocast_dtype("cpu"),
        cache_enabled=rl.is_autocast_cache_enabled(),
    )


class CheckpointFunction(rl.autograd.Function):
    """The reentrant kind: one node whose backward computes the part again and walks through it."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.surroundings = _Surroundings(preserve_rng_state)
        ctx.is_tensor = [isinstance(x, rl.Tensor) for x in args]
        ctx.others = [None if is_tensor else x for x, is_tensor in zip(args, ctx.is_tensor)]
        ctx.save_for_backward(*(x for x in args if isinstance(x, rl.Tensor)))
        with rl.no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        if _native.pass_is_selective():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument."
            )
        tensors = iter(ctx.saved_tensors)
        inputs = tuple(
            next(tensors) if is_tensor else x for x, is_tensor in zip(ctx.others, ctx.is_tensor)
        )
        inputs = detach_variable(inputs)
        with rl.enable_grad(), ctx.surroundings.restored():
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, rl.Tensor) else outputs
        pairs = [
            (out, grad)
            for out, grad in zip(outputs, grads)
            if isinstance(out, rl.Tensor) and out.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        rl.autograd.backward([out for out, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *(x.grad if isinstance(x, rl.Tensor) else None for x in inputs))


def checkpoint(
    function,
    *args,
    use_reentrant=None,
    context_fn=noop_context_fn,
    determinism_check="default",
    debug=False,
    early_stop=True,
    **kwargs,
):
    """`function(*args)`, without keeping what its backward needs: that is computed again there.

    Args (as in PyTorch):
        use_reentrant: False (recommended) recomputes on demand, under saved-tensor hooks; True runs
            a second backward inside the backward. To be given explicitly.
        preserve_rng_state: draw the same random numbers again (default True).
        context_fn: returns two context managers, for the first and the second computation.
        determinism_check: "default" compares shapes, dtypes and devices; "none" does not.
        debug: when the computations differ, list the ops of both in the error.
        early_stop: end the second computation as soon as everything needed is there.

    Raises CheckpointError when the second computation saves other tensors than the first.

    >>> import rushlight as rl
    >>> from rushlight.utils.checkpoint import checkpoint
    >>> x = rl.ones(2, requires_grad=True)
    >>> checkpoint(lambda t: (t.exp() * t).sum(), x, use_reentrant=False).backward()
    >>> x.grad
    tensor([5.4366, 5.4366])
    """
    if use_reentrant is None:
        warnings.warn(
            "checkpoint: pass use_reentrant explicitly; it defaults to True, and "
            "use_reentrant=False is recommended",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        _check_reentrant_arguments(kwargs, context_fn)
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"checkpoint: determinism_check must be 'default' or 'none', got {determinism_check!r}"
        )
    if _early_stop_everywhere is not None:
        early_stop = _early_stop_everywhere
    debug = debug if _debug_everywhere is None else _debug_everywhere
    first, second = context_fn()
    part = _Part(
        function, args, kwargs, preserve, second, determinism_check == "default", early_stop, debug
    )
    with part.hooks(), first, part.logs[0]:
        result = function(*args, **kwargs)
    part.is_complete = True
    return result


def _check_reentrant_arguments(kwargs, context_fn):
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if context_fn is not noop_context_fn:
        raise ValueError("Passing `context_fn` is only supported when use_reentrant=False.")


class _Enough(Exception):
    """Ends the second computation."""


class _Part:
    """One checkpointed computation: what it saved, by number, and how to get it again."""

    def __init__(self, function, args, kwargs, preserve, second, checks, early_stop, debug):
        self.function, self.args, self.kwargs = function, args, kwargs
        self.surroundings = _Surroundings(preserve)
        self.second, self.checks, self.early_stop = second, checks, early_stop
        self.first_facts = []  # of each saved tensor: shape, dtype, device
        self.again = {}  # number -> tensor, recomputed and not yet used
        self.logs = (OpLog(), OpLog()) if debug else [contextlib.nullcontext()] * 2
        self.debug = debug
        self.is_complete = False  # the function may itself differentiate what it has computed yet
        self.group = None  # the GraphExecGroup for which `again` was computed

    def hooks(self):
        return rl.autograd.graph.saved_tensors_hooks(self._pack, self._unpack)

    def _pack(self, tensor):
        self.first_facts.append(_facts(tensor))
        return len(self.first_facts) - 1

    def _unpack(self, number):
        if number not in self.again:
            if self.group is not None and self.group is GraphExecGroup._get_current_group():
                raise RuntimeError(
                    "checkpoint: two backward calls in one GraphExecGroup need the same saved "
                    "tensor; give each its own part of the graph"
                )
            self._recompute()
        if number not in self.again:
            self._fail(
                f"the recomputation saved {len(self.again)} tensors, the forward pass "
                f"{len(self.first_facts)}; the function must do the same both times"
            )
        tensor = self.again.pop(number)
        self._check(number, tensor)
        return tensor

    def _fail(self, what):
        logs = ""
        if self.debug:
            logs = "".join(
                f"\n{title}:\n" + "\n".join(f"    {line}" for line in log.lines)
                for title, log in zip(("forward", "recomputation"), self.logs)
            )
        raise CheckpointError(f"checkpoint: {what}{logs}")

    def _check(self, number, tensor):
        if self.checks and _facts(tensor) != self.first_facts[number]:
            self._fail(
                f"saved tensor {number} had (shape, dtype, device) {self.first_facts[number]} in "
                f"the forward pass and {_facts(tensor)} when recomputed; the function must do the "
                "same both times"
            )

    def _recompute(self):
        self.again, self.group = {}, GraphExecGroup._get_current_group()
        count = 0

        def pack(tensor):
            nonlocal count
            self.again[count] = _native.untaped(tensor)
            count += 1
            if self.early_stop and count == len(self.first_facts):
                raise _Enough
            return _native.untaped(tensor)

        with rl.enable_grad(), self.surroundings.restored(), contextlib.suppress(_Enough):
            hooks = rl.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
            with hooks, self.second, self.logs[1]:
                self.function(*self.args, **self.kwargs)
        if count != len(self.first_facts) and self.checks and self.is_complete:
            self._fail(
                "a different number of tensors was saved during the original forward "
                f"({len(self.first_facts)}) and the recomputation ({count})"
            )


def _facts(tensor):
    return tuple(tensor.shape), tensor.dtype, str(tensor.device)


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Run `functions` (a Sequential or a list) one after another,
    checkpointing all segments but the last.

    `segments` is how many equal parts to make; keyword arguments are those of `checkpoint`.
    """
    if use_reentrant is None:
        warnings.warn("checkpoint_sequential: pass use_reentrant explicitly", stacklevel=2)
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if isinstance(functions, rl.nn.Sequential):
        functions = list(functions.children())
    size = len(functions) // segments
    for i in range(segments - 1):
        run = _in_turn(functions[i * size : (i + 1) * size])
        input = checkpoint(run, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return _in_turn(functions[(segments - 1) * size :])(input)


def _in_turn(functions):
    def run(x):
        for function in functions:
            x = function(x)
        return x

    return run
