"""Sharing tensors with other libraries through DLPack.

The protocol itself is part of the tensor type; these are the names programs import.
"""

import rushlight as rl


def from_dlpack(ext_tensor, **options):
    """A tensor that shares memory with an object that has `__dlpack__`, or with a capsule."""
    return rl.from_dlpack(ext_tensor, **options)


def to_dlpack(tensor):
    """A capsule for consumers that take capsules; others call `tensor.__dlpack__` themselves."""
    return tensor.__dlpack__()
