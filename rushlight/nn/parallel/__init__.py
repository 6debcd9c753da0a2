"""Data parallelism by the names PyTorch gives it, for the one device there is.

With one device, scattering, replicating and gathering leave things where they are, and
`DataParallel` calls its module.  `DistributedDataParallel`, for several processes, is in
`distributed.py`.
"""

import rushlight as rl
from rushlight._late import submodules

from .data_parallel import DataParallel, data_parallel, one_device

_submodule = submodules(__name__, ("distributed", "scatter_gather"))

__all__ = [
    "DataParallel",
    "DistributedDataParallel",
    "data_parallel",
    "gather",
    "parallel_apply",
    "replicate",
    "scatter",
]


def _map(fn, value):
    """`fn` of every tensor in nested tuples, lists and dicts."""
    if isinstance(value, rl.Tensor):
        return fn(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_map(fn, v) for v in value)
    if isinstance(value, dict):
        return type(value)((k, _map(fn, v)) for k, v in value.items())
    return value


def scatter(inputs, target_gpus, dim=0):
    """A tuple with one piece of the tensors in `inputs`, cut along `dim`, per device."""
    n = one_device(target_gpus, "scatter")
    lengths = []
    _map(lambda t: lengths.append(len(t.chunk(n, dim))), inputs)
    pieces = min(lengths, default=n)
    return tuple(_map(lambda t, i=i: t.chunk(n, dim)[i], inputs) for i in range(pieces))


def gather(outputs, target_device, dim=0):
    """The pieces in `outputs` joined along `dim`."""
    one_device([target_device], "gather")
    first = outputs[0]
    if isinstance(first, rl.Tensor):
        if first.dim() == 0:
            return rl.stack(list(outputs))
        return rl.cat(list(outputs), dim)
    if first is None:
        return None
    if isinstance(first, dict):
        return type(first)((k, gather([o[k] for o in outputs], target_device, dim)) for k in first)
    return type(first)(gather(list(parts), target_device, dim) for parts in zip(*outputs))


def replicate(network, devices, detach=False):
    """A list with a copy of `network` for each device; parameters are shared, or detached."""
    import copy

    n = one_device(devices, "replicate")
    if not detach:
        memo = {id(t): t for t in (*network.parameters(), *network.buffers())}
        return [copy.deepcopy(network, dict(memo)) for _ in range(n)]
    return [copy.deepcopy(network).requires_grad_(False) for _ in range(n)]


def parallel_apply(modules, inputs, kwargs_tup=None, devices=None):
    """A list of `module(*input, **kwargs)` for each of several."""
    one_device(devices, "parallel_apply")
    kwargs_tup = kwargs_tup or [{}] * len(modules)
    results = []
    for module, args, kwargs in zip(modules, inputs, kwargs_tup):
        args = args if isinstance(args, (list, tuple)) else (args,)
        results.append(module(*args, **kwargs))
    return results


def __getattr__(name):
    if name in ("DistributedDataParallel", "DistributedDataParallelCPU"):
        from .distributed import DistributedDataParallel

        return DistributedDataParallel
    return _submodule(name)
