"""Several tensors in one message."""

import rushlight as rl

from ._collectives import broadcast

_BYTES_AT_ONCE = 250 << 20


def broadcast_all(tensors, group, root):
    """Replaces tensors by those of a rank of the group, those of one type together."""
    by_type = {}
    for tensor in tensors:
        by_type.setdefault(tensor.dtype, []).append(tensor)
    with rl.no_grad():
        for alike in by_type.values():
            for part in _parts(alike):
                _broadcast_part(part, group, root)


def _parts(tensors):
    part, held = [], 0
    for tensor in tensors:
        part.append(tensor)
        held += tensor.numel() * tensor.element_size()
        if held >= _BYTES_AT_ONCE:
            yield part
            part, held = [], 0
    if part:
        yield part


def _broadcast_part(tensors, group, root):
    flat = rl.cat([tensor.detach().reshape(-1) for tensor in tensors])
    broadcast(flat, group=group, group_src=root)
    if group.rank() != root:
        for tensor, piece in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(piece.view(tensor.shape))
