"""Hooks for `DistributedDataParallel.register_comm_hook`: the mean, also in half precision.

A hook is called as ``hook(state, bucket)`` and gives a future of the tensor that replaces the
bucket's. The state of these is the group, or None for that of all processes.
"""

import rushlight as rl
from rushlight.distributed._collectives import all_reduce
from rushlight.distributed._group import _member

__all__ = [
    "allreduce_hook",
    "bf16_compress_hook",
    "bf16_compress_wrapper",
    "fp16_compress_hook",
    "fp16_compress_wrapper",
]


def _mean(tensor, group):
    """A future of the mean over the group, which takes the tensor's place."""
    tensor.div_(group.size())
    future = all_reduce(tensor, group=group, async_op=True).get_future()
    return future.then(lambda over: over.value()[0])


def allreduce_hook(process_group, bucket):
    """The mean, as without a hook."""
    return _mean(bucket.buffer(), _member(process_group))


def _compressed(dtype):
    def hook(process_group, bucket):
        buffer = bucket.buffer()
        future = _mean(buffer.to(dtype), _member(process_group))
        return future.then(lambda over: buffer.copy_(over.value()))

    return hook


def _wrapper(dtype):
    def wrap(hook):
        def wrapped(state, bucket):
            buffer = bucket.buffer()
            bucket.set_buffer(buffer.to(dtype))
            return hook(state, bucket).then(lambda over: buffer.copy_(over.value()))

        return wrapped

    return wrap


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


fp16_compress_hook, bf16_compress_hook = (
    _named(_compressed(dtype), name, f"The mean, exchanged as {dtype}.")
    for dtype, name in ((rl.float16, "fp16_compress_hook"), (rl.bfloat16, "bf16_compress_hook"))
)
fp16_compress_wrapper, bf16_compress_wrapper = (
    _named(_wrapper(dtype), name, f"Another hook that is given gradients as {dtype}.")
    for dtype, name in (
        (rl.float16, "fp16_compress_wrapper"),
        (rl.bfloat16, "bf16_compress_wrapper"),
    )
)
