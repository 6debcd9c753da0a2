"""Checkpoints that keep the results of chosen ops: policies, and the contexts that follow them.

What a checkpoint is, and how it computes again, is in `checkpoint.py`.

Both are dispatch modes: they see PyTorch's ops, below autograd. In the second computation the
result of a kept op is that of the first.
"""

import enum

import rushlight as rl
from rushlight import _native
from rushlight.library._operator import OpOverload
from rushlight.utils._python_dispatch import TorchDispatchMode
from rushlight.utils._pytree import tree_leaves, tree_map

_OPS = ("builtin_op", "op_method")

#: ops that only share a tensor's memory: no policy is asked about them
SAC_IGNORED_OPS = {rl.ops.aten.detach.default}


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


class _Counting(TorchDispatchMode):
    """Asks `_decide` about each op, and how often it ran before."""

    def __init__(self, kept):
        super().__init__()
        self.kept, self.counts = kept, {}

    def __enter__(self):
        self.counts.clear()
        return super().__enter__()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in SAC_IGNORED_OPS:
            return func(*args, **(kwargs or {}))
        place = self.counts.get(func, 0)
        self.counts[func] = place + 1
        return self._decide(func, place, args, kwargs or {})


class _First(_Counting):
    """Notes what the policy says of each op, and the results of those that are kept."""

    def __init__(self, policy, kept):
        super().__init__(kept)
        self.policy = policy

    def _decide(self, func, place, args, kwargs):
        result = func(*args, **kwargs)
        context = SelectiveCheckpointContext(is_recompute=False, op_output=result)
        keep = _decided(self.policy(context, func, *args, **kwargs)) in _KEPT
        self.kept[func, place] = (_versioned(result), result) if keep else _RECOMPUTED
        return result


class _Second(_Counting):
    """Answers kept ops with the results that were noted; each is given once."""

    def __init__(self, kept, allow_mutation):
        super().__init__(kept)
        self.allow_mutation = allow_mutation

    def _decide(self, func, place, args, kwargs):
        entry = self.kept.get((func, place))
        if entry is None:
            raise RuntimeError(
                f"{func} invocation index {place} encountered during backward but not found in "
                "storage: the function has to run the same ops both times"
            )
        if entry is _RECOMPUTED:
            return func(*args, **kwargs)
        if entry is _GIVEN:
            raise RuntimeError(
                "selective checkpoint: backward() goes through a region once, as what it kept is "
                "given away then"
            )
        versions, result = entry
        self.kept[func, place] = _GIVEN
        if versions != _versioned(result) and not self.allow_mutation:
            raise RuntimeError(
                "selective checkpoint: a kept result has been mutated since; clone it before the "
                "change, or pass allow_cache_entry_mutation=True"
            )
        return tree_map(lambda x: x.detach() if isinstance(x, rl.Tensor) else x, result)


_RECOMPUTED, _GIVEN = object(), object()


def _decided(answer):
    if isinstance(answer, bool):  # an older form of policies
        return CheckpointPolicy.MUST_SAVE if answer else CheckpointPolicy.PREFER_RECOMPUTE
    return answer


def _versioned(result):
    return [x._version for x in tree_leaves(result) if isinstance(x, rl.Tensor)]


def create_selective_checkpoint_contexts(policy_fn_or_list, allow_cache_entry_mutation=False):
    """Two contexts for `checkpoint`'s ``context_fn``, which keep the results of chosen ops.

    Args:
        policy_fn_or_list: ops whose results to keep, such as ``torch.ops.aten.mm.default``, or a
            function ``(context, op, *args, **kwargs)`` that returns a `CheckpointPolicy`.
        allow_cache_entry_mutation: do not look whether kept results were changed in place.

    Example::

        >>> import functools
        >>> from rushlight.utils import checkpoint as c
        >>> ops = [rl.ops.aten.exp.default]
        >>> keep = functools.partial(c.create_selective_checkpoint_contexts, ops)
        >>> x = rl.zeros(1, requires_grad=True)
        >>> y = c.checkpoint(lambda x: rl.exp(x).sin(), x, use_reentrant=False, context_fn=keep)
        >>> y.backward()
        >>> x.grad
        tensor([0.5403])
    """
    if isinstance(policy_fn_or_list, list):
        for op in policy_fn_or_list:
            if not isinstance(op, OpOverload):
                packet = " packet" if hasattr(op, "overloads") else ""
                raise ValueError(
                    "Expected op in `op_list` to be an OpOverload but got: "
                    f"{op} of type {type(op)}{packet and '; choose one of its overloads'}"
                )

        def policy(context, op, *args, **kwargs):
            kept = op in policy_fn_or_list
            return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE

    elif callable(policy_fn_or_list):
        policy = policy_fn_or_list
    else:
        raise TypeError("policy_fn_or_list must be either a function or a list of ops.")
    kept = {}
    return _First(policy, kept), _Second(kept, allow_cache_entry_mutation)
