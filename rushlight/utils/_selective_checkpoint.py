"""Checkpoints that keep the results of chosen ops: policies, and the contexts that follow them.

What a checkpoint is, and how it computes again, is in `checkpoint.py`.

A kept op runs outside of the checkpoint in the first computation: what its gradient needs stays in
memory. In the second one its result is taken from the first.
"""

import enum

import rushlight as rl
from rushlight import _native

_OPS = ("builtin_op", "op_method")

#: ops that only look at a tensor's geometry or share its memory: no policy is asked about them
SAC_IGNORED_OPS = {rl.detach, rl.Tensor.detach}


class CheckpointPolicy(enum.Enum):
    """What is to become of an op's result; "prefer" leaves a choice that nobody makes here."""

    MUST_SAVE = 0
    PREFER_SAVE = 1
    MUST_RECOMPUTE = 2
    PREFER_RECOMPUTE = 3
    MUST_CPU_OFFLOAD = 4
    PREFER_CPU_OFFLOAD = 5


_KEPT = (CheckpointPolicy.MUST_SAVE, CheckpointPolicy.PREFER_SAVE)
_KEPT += (CheckpointPolicy.MUST_CPU_OFFLOAD, CheckpointPolicy.PREFER_CPU_OFFLOAD)  # on the CPU


class SelectiveCheckpointContext:
    """What a policy function is told: whether this is the second computation, and in the first
    the op's result.
    """

    def __init__(self, *, is_recompute, op_output=None):
        self.is_recompute, self.op_output = is_recompute, op_output


class _Context:
    """Puts `_keep` on the hook that all calls ask (docs/architecture.md, "Interposing")."""

    def __enter__(self):
        _native.push_interposer(self)
        return self

    def __exit__(self, *failure):
        stack = _native.interposer_stack()
        stack.append(stack.pop(stack.index(self)))
        _native.pop_interposer()


class OpLog(_Context):
    """Writes down which ops run: their names and the geometry of their tensors."""

    def __init__(self):
        self.lines = []

    def __enter__(self):
        self.lines.clear()
        return super().__enter__()

    def __call__(self, function, args, kwargs):
        if type(function).__name__ in _OPS:
            shown = ", ".join(map(_shown, args))
            self.lines.append(f"{function.__name__}({shown})")
        return NotImplemented


def _shown(x):
    if isinstance(x, rl.Tensor):
        return f"{str(x.dtype)[6:]}{list(x.shape)}"
    return repr(x) if isinstance(x, (int, float, bool, str, tuple)) else type(x).__name__


class _First(_Context):
    """Runs kept ops outside of the checkpoint, and notes their results."""

    def __init__(self, policy, kept):
        self.policy, self.kept = policy, kept

    def __call__(self, function, args, kwargs):
        if type(function).__name__ not in _OPS or function in SAC_IGNORED_OPS:
            return NotImplemented
        context = SelectiveCheckpointContext(is_recompute=False)
        if _decided(self.policy(context, function, *args, **kwargs)) not in _KEPT:
            return NotImplemented
        with rl.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
            result = function(*args, **kwargs)
        context = SelectiveCheckpointContext(is_recompute=False, op_output=result)
        self.kept.setdefault(function, []).append((_versioned(result), result))
        return result


class _Second(_Context):
    """Answers kept ops with the results that were noted, in their order."""

    def __init__(self, policy, kept, allow_mutation):
        self.policy, self.kept, self.allow_mutation = policy, kept, allow_mutation

    def __enter__(self):
        self.given = {}
        return super().__enter__()

    def __call__(self, function, args, kwargs):
        if type(function).__name__ not in _OPS or function in SAC_IGNORED_OPS:
            return NotImplemented
        context = SelectiveCheckpointContext(is_recompute=True)
        if _decided(self.policy(context, function, *args, **kwargs)) not in _KEPT:
            return NotImplemented
        place = self.given.get(function, 0)
        self.given[function] = place + 1
        if place >= len(self.kept.get(function, ())):
            raise RuntimeError(
                f"selective checkpoint: {function.__name__} is to be kept and was not run so often "
                "in the forward pass; the function and the policy must do the same both times"
            )
        versions, result = self.kept[function][place]
        if versions != _versioned(result) and not self.allow_mutation:
            raise RuntimeError(
                "selective checkpoint: a kept result has been mutated since; clone it before the "
                "change, or give allow_cache_entry_mutation=True if the change is harmless"
            )
        return _detached(result)


def _decided(answer):
    if isinstance(answer, bool):  # an older form of policies
        return CheckpointPolicy.MUST_SAVE if answer else CheckpointPolicy.PREFER_RECOMPUTE
    return answer


def _tensors(result):
    return [result] if isinstance(result, rl.Tensor) else [x for x in result if _is_tensor(x)]


def _is_tensor(x):
    return isinstance(x, rl.Tensor)


def _versioned(result):
    return [x._version for x in _tensors(result)]


def _detached(result):
    """The same values, asking for gradients as before: what follows records as it did."""
    if isinstance(result, rl.Tensor):
        return result.detach().requires_grad_(result.requires_grad)
    made = [_detached(x) if _is_tensor(x) else x for x in result]
    return getattr(type(result), "_make", type(result))(made)


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """Two contexts for `checkpoint`'s ``context_fn``, which keep the results of chosen ops.

    Args:
        policy_fn_or_list: ops whose results to keep, or a function ``(context, op, *args,
            **kwargs)`` that returns a `CheckpointPolicy`. Ops are functions of this package, such
            as ``torch.mm``, and as their methods are called, ``torch.Tensor.mm``.
        allow_cache_entry_mutation: do not look whether kept results were changed in place.

    Example::

        >>> import functools
        >>> from rushlight.utils import checkpoint as c
        >>> keep = functools.partial(c.create_selective_checkpoint_contexts, [rl.exp])
        >>> x = rl.zeros(1, requires_grad=True)
        >>> y = c.checkpoint(lambda x: rl.exp(x).sin(), x, use_reentrant=False, context_fn=keep)
        >>> y.backward()
        >>> x.grad
        tensor([0.5403])
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if type(op).__name__ not in _OPS:
                raise ValueError(
                    f"create_selective_checkpoint_contexts: expected ops in the list, got {op!r}"
                )
        chosen = {f for op in policy_fn_or_list for f in (op, getattr(rl.Tensor, op.__name__, op))}

        def policy(context, op, *args, **kwargs):
            return CheckpointPolicy.MUST_SAVE if op in chosen else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    kept = {}
    return _First(policy, kept), _Second(policy, kept, allow_cache_entry_mutation)
