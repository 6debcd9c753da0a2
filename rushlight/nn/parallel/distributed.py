"""`DistributedDataParallel`: a module that several processes train on parts of a batch.

How gradients are averaged is in `_reducer.py`.
"""

from contextlib import contextmanager

import rushlight as rl
from rushlight._notes import unsupported

from ..modules.module import Module
from . import _reducer
from .data_parallel import one_device

__all__ = ["DistributedDataParallel"]

_UNSUPPORTED = (
    "delay_all_reduce_named_params", "param_to_hook_all_reduce", "mixed_precision", "device_mesh",
    "skip_all_reduce_unused_params",
)  # fmt: skip


class DistributedDataParallel(Module):
    """Averages gradients over the processes of a group; with one process, it calls `module`.

    Each process has the module, and calls this one with its part of the batch. At first, and for
    buffers before each forward, all get the values of rank 0. During backward gradients become the
    mean of all processes', so that with losses that are means over equal parts they are those of
    the whole batch. Parameters are named `module.*`, as state dicts of PyTorch's class are.

    Args:
        module: what to train; ``module`` of this object is the same one.
        device_ids, output_device: None, or the CPU.
        dim: kept; inputs are not split over devices.
        broadcast_buffers: whether buffers become those of rank 0 before each forward.
        init_sync: whether parameters and buffers become those of rank 0 now.
        process_group: a group; by default, that of all processes.
        bucket_cap_mb, bucket_cap_mb_list: how many MB of gradients are exchanged at a time (25;
            the first, 1), or a list of these.
        find_unused_parameters: whether parameters may take no part in the loss.
        check_reduction: kept; PyTorch does nothing with it either.
        gradient_as_bucket_view: whether gradients lie in the memory that is exchanged.
        static_graph: as ``find_unused_parameters``.
        delay_all_reduce_named_params, param_to_hook_all_reduce, mixed_precision, device_mesh,
            skip_all_reduce_unused_params: not supported with several processes.

    Raises:
        ValueError: if no process group has begun.
        RuntimeError: if nothing is to be trained, or processes have different parameters.
        NotImplementedError: for what is not supported, and sparse gradients.
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
        given = dict(locals())
        super().__init__()
        rl.distributed.get_world_size(process_group)
        one_device(device_ids, "DistributedDataParallel")
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameter "
                "that requires a gradient."
            )
        self.module, self.dim = module, dim
        self.device, self.device_ids, self.output_device = rl.device("cpu"), None, None
        self.process_group = process_group or rl.distributed.group.WORLD
        self.broadcast_buffers, self.static_graph = broadcast_buffers, static_graph
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view = gradient_as_bucket_view
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        self.reducer = self._hooked_by = None
        if self.process_group.size() > 1:
            self._begin(given)

    def _begin(self, given):
        """Several processes: all get the same module, and hooks for its gradients."""
        for name in _UNSUPPORTED:
            if given[name]:
                raise unsupported(f"DistributedDataParallel: {name} with several processes")
        ignored = set(getattr(self.module, "_ddp_params_and_buffers_to_ignore", ()))
        named = [(n, p) for n, p in self.module.named_parameters() if n not in ignored]
        self._synced = [b for n, b in self.module.named_buffers() if n not in ignored]
        self._check_alike([*named, *self.module.named_buffers()])
        if given["init_sync"]:
            self._broadcast([p for _, p in named] + self._synced)
        trained = [(n, p) for n, p in named if p.requires_grad]
        self.reducer = _reducer.Reducer(
            [p for _, p in trained],
            [n for n, _ in trained],
            self.process_group,
            _limits(given["bucket_cap_mb"], given["bucket_cap_mb_list"]),
            self.find_unused_parameters or self.static_graph,
            self.gradient_as_bucket_view,
        )

    def _check_alike(self, named):
        mine = [(name, tuple(t.shape), str(t.dtype)) for name, t in named]
        all_of_them = [None] * self.process_group.size()
        rl.distributed.all_gather_object(all_of_them, mine, self.process_group)
        for rank, theirs in enumerate(all_of_them):
            if theirs != all_of_them[0]:
                differing = set(theirs) ^ set(all_of_them[0])
                raise RuntimeError(
                    f"DistributedDataParallel: rank {rank} of the group has other parameters or "
                    f"buffers than rank 0: {sorted(differing)[:4] or 'in another order'}"
                )

    def _broadcast(self, tensors):
        from rushlight.distributed._coalesced import broadcast_all

        broadcast_all(tensors, self.process_group, root=0)

    def forward(self, *inputs, **kwargs):
        if self.reducer is None:
            return self.module(*inputs, **kwargs)
        if self.require_forward_param_sync and self.broadcast_buffers and self._synced:
            self._broadcast(self._synced)
        outputs = self.module(*inputs, **kwargs)
        exchanged = rl.is_grad_enabled() and self.require_backward_grad_sync
        self.require_forward_param_sync = exchanged
        if exchanged:
            self.reducer.expect(outputs)
        return outputs

    @contextmanager
    def no_sync(self):
        """Gradients of forwards within a ``with`` are not exchanged: they add up until the next."""
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    @contextmanager
    def join(
        self, divide_by_initial_world_size=True, enable=True, throw_on_early_termination=False
    ):
        """Would wait for processes with more batches. With one process there are none.

        Raises:
            NotImplementedError: with several processes, unless ``enable`` is False.
        """
        if enable and self.reducer is not None:
            raise unsupported(
                "DistributedDataParallel.join with several processes",
                "give all processes as many batches, as DistributedSampler does",
            )
        yield

    def register_comm_hook(self, state, hook):
        """Has ``hook(state, bucket)`` exchange gradients, once and before backward.

        It is given a `distributed.GradBucket` with the sums of this process, and returns a future
        of the tensor that takes the place of the bucket's: see
        `distributed.algorithms.ddp_comm_hooks.default_hooks`. One process calls no hook.

        Raises:
            TypeError: if it is not callable.
            RuntimeError: if there is one.
        """
        if not callable(hook):
            raise TypeError(f"register_comm_hook: the hook must be callable, got {hook!r}")
        if self._hooked_by is not None:
            raise RuntimeError("register_comm_hook can only be called once")
        self._hooked_by = hook
        if self.reducer is not None:
            self.reducer.hook = lambda bucket: hook(state, bucket)


def _limits(cap, caps):
    """Bytes after which the buckets are full."""
    if caps:
        return [int(mb * _reducer.MB) for mb in caps]
    if cap is not None:
        return [int(cap * _reducer.MB)]
    return [_reducer.FIRST_BUCKET_BYTES, _reducer.BUCKET_MB * _reducer.MB]
