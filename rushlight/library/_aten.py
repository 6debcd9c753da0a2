"""Operators that PyTorch has in ``torch.ops.aten`` only: what its public functions turn into there.

To add one, write a function of its name and arguments.
"""

import rushlight as rl


def _to_copy(
    input,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=None,
    non_blocking=False,
    memory_format=None,
):
    """A copy, of another dtype, layout or device where one is given."""
    if layout is not None and layout is not input.layout:
        raise NotImplementedError(f"aten::_to_copy: from {input.layout} to {layout}")
    memory_format = rl.preserve_format if memory_format is None else memory_format
    made = input.to(
        dtype=input.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        non_blocking=non_blocking,
        copy=True,
        memory_format=memory_format,
    )
    return made.pin_memory() if pin_memory else made


def _pin_memory(input, device=None):
    """A copy in pinned memory."""
    return input.pin_memory(device)


def _sparse_addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * mat1 @ mat2`` for a sparse `mat1`."""
    return rl.sparse.addmm(input, mat1, mat2, beta=beta, alpha=alpha)
