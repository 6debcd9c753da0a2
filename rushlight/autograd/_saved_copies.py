"""`allow_mutation_on_saved_tensors`: what is saved for backward is copied before it is changed.

A pack hook notes every saved tensor by its memory; a dispatch mode copies those whose memory an op
is about to write to.
"""

from contextlib import ContextDecorator

import rushlight as rl
from rushlight.utils._python_dispatch import TorchDispatchMode

_active = []  # the context of the block; there are no nested ones


class _Kept:
    """A saved tensor, and what it was before it was changed."""

    def __init__(self, tensor):
        self.tensor, self.copy = tensor, None


class SavedCopies:
    """What the block saved. `clear` lets go of it; backward then fails."""

    def __init__(self):
        self.clear()

    def clear(self):
        """Forgets everything."""
        self.known = set()
        self.by_memory = {}

    def pack(self, tensor):
        """Notes a tensor that is saved."""
        kept = _Kept(tensor)
        self.known.add(kept)
        self.by_memory.setdefault(_memory(tensor), []).append(kept)
        return kept

    def unpack(self, kept):
        """The tensor as it was when it was saved."""
        if kept not in self.known:
            raise AssertionError(
                "allow_mutation_on_saved_tensors: backward() has to run inside the block that the "
                "graph was recorded in, and before clear()"
            )
        return kept.tensor if kept.copy is None else kept.copy

    def copy_before(self, changed):
        """Copies what shares the memory of a tensor that is about to be changed."""
        for kept in self.by_memory.pop(_memory(changed), ()):
            with rl.no_grad():
                kept.copy = kept.tensor.detach().clone()


def _memory(tensor):
    return tensor.untyped_storage().data_ptr()


class _CopyingMode(TorchDispatchMode):
    def __init__(self, saved):
        super().__init__()
        self.saved = saved

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for i, argument in enumerate(func._schema.arguments):
            if argument.is_write:
                value = args[i] if i < len(args) else kwargs.get(argument.name)
                for changed in value if isinstance(value, (tuple, list)) else (value,):
                    if isinstance(changed, rl.Tensor):
                        self.saved.copy_before(changed)
        return func(*args, **kwargs)


class Block(ContextDecorator):
    """The context that `rushlight.autograd.graph.allow_mutation_on_saved_tensors` gives."""

    def __enter__(self):
        from rushlight.autograd.graph import saved_tensors_hooks

        if _active:
            raise RuntimeError("allow_mutation_on_saved_tensors: blocks cannot be nested")
        self._saved = SavedCopies()
        self._parts = (
            saved_tensors_hooks(self._saved.pack, self._saved.unpack),
            _CopyingMode(self._saved),
        )
        for part in self._parts:
            part.__enter__()
        _active.append(self)
        return self._saved

    def __exit__(self, *exception):
        _active.remove(self)
        for part in reversed(self._parts):
            part.__exit__(*exception)
        self._saved.clear()
