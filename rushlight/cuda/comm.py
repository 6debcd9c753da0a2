"""Copying tensors between GPUs. There are none: what is asked for GPUs raises, and lists of CPUs
work as `rushlight.nn.parallel` has them.
"""

import rushlight as rl
from rushlight.cuda import _unavailable
from rushlight.nn.parallel import gather  # noqa: F401
from rushlight.nn.parallel import scatter as _scatter


def _cpus(devices, name):
    """The devices, all of which have to be CPUs."""
    devices = [rl.device("cuda", d) if isinstance(d, int) else rl.device(d) for d in devices]
    if any(device.type != "cpu" for device in devices):
        raise _unavailable(f"comm.{name}")
    return devices


def broadcast(tensor, devices=None, *, out=None):
    """Copies of a tensor: one a device, or in each tensor of ``out``.

    Raises:
        RuntimeError: unless exactly one of ``devices`` and ``out`` is given.
        AssertionError: for GPUs.

    Example::

        >>> rl.cuda.comm.broadcast(rl.ones(1), ["cpu", "cpu"])
        (tensor([1.]), tensor([1.]))
    """
    if (devices is None) == (out is None):
        raise RuntimeError("broadcast: exactly one of 'devices' and 'out' must be given")
    if out is not None:
        return tuple([o.copy_(tensor) for o in out])
    first, *others = _cpus(devices, "broadcast")
    return (tensor, *[tensor.clone() for _ in others])


def broadcast_coalesced(tensors, devices, buffer_size=10485760):
    """`broadcast` of several tensors: a tuple of all of them for each device."""
    return tuple(zip(*[broadcast(tensor, devices) for tensor in tensors]))


def reduce_add(inputs, destination=None):
    """The sum of tensors, one a device, on the device ``destination``.

    Raises:
        RuntimeError: if there are none.
        ValueError: if their sizes differ.
        AssertionError: for GPUs.
    """
    if destination is not None:
        _cpus([destination], "reduce_add")
    if not len(inputs):
        raise RuntimeError("reduce_add: expected at least one tensor to add")
    if len({tuple(x.shape) for x in inputs}) > 1:
        sizes = [list(x.shape) for x in inputs]
        raise ValueError(f"reduce_add: expected tensors of one size, got {sizes}")
    total = inputs[0].clone() if len(inputs) > 1 else inputs[0]
    for other in inputs[1:]:
        total += other
    return total


def reduce_add_coalesced(inputs, destination=None, buffer_size=10485760):
    """`reduce_add` of several tensors: of each device a list of them."""
    return tuple([reduce_add(list(column), destination) for column in zip(*inputs)])


def scatter(tensor, devices=None, chunk_sizes=None, dim=0, streams=None, *, out=None):
    """Pieces of a tensor along ``dim``: of ``chunk_sizes``, or about equal ones, one a device.

    ``streams`` are of GPUs. With ``out``, the pieces have the sizes of its tensors, and fill them.
    """
    if out is not None:
        pieces = tensor.split([o.shape[dim] for o in out], dim)
        return tuple([o.copy_(piece) for o, piece in zip(out, pieces)])
    devices = _cpus(devices, "scatter")
    if chunk_sizes is None:
        return _scatter(tensor, devices, dim)
    return tensor.split(list(chunk_sizes), dim)
