"""Data parallelism by the names PyTorch gives it, for the one device there is.

With one device, scattering, replicating and gathering leave things where they are, and
`DataParallel` calls its module.  `DistributedDataParallel` does too, in a group of one process.
"""

from contextlib import contextmanager

import rushlight as rl
from rushlight._late import submodules

from ..modules.module import Module
from .data_parallel import DataParallel, data_parallel, one_device

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


class DistributedDataParallel(Module):
    """Averages gradients over the processes of a group: with one process, it calls `module`.

    Its parameters are named `module.*`, as state dicts of PyTorch's class are.

    Args:
        module: what to train; ``module`` of this object is the same one.
        device_ids, output_device: None, or the CPU.
        dim, broadcast_buffers, init_sync, bucket_cap_mb, find_unused_parameters, check_reduction,
            gradient_as_bucket_view, static_graph, delay_all_reduce_named_params,
            param_to_hook_all_reduce, mixed_precision, device_mesh, skip_all_reduce_unused_params,
            bucket_cap_mb_list: how gradients are exchanged; there is nothing to exchange.
        process_group: a group; by default, that of all processes.

    Raises:
        ValueError: if no process group has begun.
    """

    def __init__(
        self,
        module,
        device_ids=None,
        output_device=None,
        dim=0,
        broadcast_buffers=True,
        init_sync=True,
        process_group=None,
        bucket_cap_mb=None,
        find_unused_parameters=False,
        check_reduction=False,
        gradient_as_bucket_view=False,
        static_graph=False,
        delay_all_reduce_named_params=None,
        param_to_hook_all_reduce=None,
        mixed_precision=None,
        device_mesh=None,
        skip_all_reduce_unused_params=False,
        bucket_cap_mb_list=None,
    ):
        super().__init__()
        rl.distributed.get_world_size(process_group)
        one_device(device_ids, "DistributedDataParallel")
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.module, self.dim = module, dim
        self.device, self.device_ids = rl.device("cpu"), None
        self.process_group = process_group or rl.distributed.group.WORLD
        self.require_backward_grad_sync = True

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)

    @contextmanager
    def no_sync(self):
        """Until the end of a ``with``, gradients are not exchanged: they never are."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(
        self, divide_by_initial_world_size=True, enable=True, throw_on_early_termination=False
    ):
        """Waits for processes with more batches: there are none."""
        yield

    def register_comm_hook(self, state, hook):
        """Raises NotImplementedError: gradients are not exchanged."""
        raise NotImplementedError("DistributedDataParallel.register_comm_hook is not supported")


DistributedDataParallelCPU = DistributedDataParallel
__getattr__ = submodules(__name__, ("distributed", "scatter_gather"))
