"""Exchanging tensors within a group of one process: what goes out comes back.

Each function checks what it is given as with many processes, so that a program's mistakes show.
With ``async_op=True`` they return a `Work` that is done. Nothing here is recorded for backward.
"""

import pickle
from dataclasses import dataclass, field

import rushlight as rl

from ._group import _member


class ReduceOp(str):
    """How values of several processes become one; of one process's, each gives the value."""

    def __repr__(self):
        return f"<RedOpType.{str(self)}>"


for _name in ("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR", "PREMUL_SUM"):
    setattr(ReduceOp, _name, ReduceOp(_name))
ReduceOp.RedOpType = ReduceOp
reduce_op = ReduceOp  # its name before 1.0


class Work:
    """The handle of an exchange that is over."""

    def __init__(self, result=()):
        self._result = result

    def wait(self, timeout=None):
        """True."""
        return True

    def is_completed(self):
        """True."""
        return True

    def is_success(self):
        """True."""
        return True

    def result(self):
        """The tensors that were received."""
        return list(self._result)

    def get_future(self):
        """A future that holds the tensors."""
        future = rl.futures.Future()
        future.set_result(self.result())
        return future


def _begin(group, name, *tensors):
    """False if this process is not in the group. Checks that tensors are tensors."""
    for tensor in tensors:
        if not isinstance(tensor, rl.Tensor):
            raise TypeError(
                f"{name}: expected a tensor, got {type(tensor).__name__}; objects are exchanged by "
                "all_gather_object, broadcast_object_list, ..."
            )
    return _member(group) is not None


def _check_op(op, name):
    """With one process the operation is not carried out, but a wrong one is wrong all the same."""
    if not isinstance(op, ReduceOp):
        raise TypeError(
            f"{name}: argument 'op' must be a ReduceOp, such as ReduceOp.SUM, got {op!r}"
        )


def _end(async_op, *result):
    return Work(result) if async_op else None


def _one(items, name, what):
    """The single entry of a list with one entry a process."""
    if not isinstance(items, (list, tuple)) or len(items) != 1:
        raise ValueError(f"{name}: expected {what} to have one entry for the one process")
    return items[0]


def _self(rank, name, what):
    if rank not in (None, 0):
        raise ValueError(f"{name}: {what} {rank} in a world of one process")


def _copy(target, source, name):
    if target.numel() != source.numel():
        raise ValueError(f"{name}: {source.numel()} elements do not fit into {target.numel()}")
    with rl.no_grad():
        target.copy_(source.reshape(target.shape))


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """Replaces the tensor by the sum (``op``) over all processes: with one, it stays.

    Example::

        >>> rl.distributed.init_process_group(world_size=1, rank=0)
        >>> x = rl.arange(2.0)
        >>> rl.distributed.all_reduce(x)
        >>> rl.distributed.destroy_process_group()
        >>> x
        tensor([0., 1.])
    """
    _check_op(op, "all_reduce")
    _begin(group, "all_reduce", tensor)
    return _end(async_op, tensor)


def all_reduce_coalesced(tensors, op=ReduceOp.SUM, group=None, async_op=False):
    """`all_reduce` of several tensors."""
    _check_op(op, "all_reduce_coalesced")
    _begin(group, "all_reduce_coalesced", *tensors)
    return _end(async_op, *tensors)


def reduce(tensor, dst=None, op=ReduceOp.SUM, group=None, async_op=False, group_dst=None):
    """`all_reduce` for process ``dst`` only."""
    _check_op(op, "reduce")
    _begin(group, "reduce", tensor)
    _self(dst, "reduce", "dst")
    return _end(async_op, tensor)


def broadcast(tensor, src=None, group=None, async_op=False, group_src=None):
    """Replaces the tensor by that of process ``src``."""
    _begin(group, "broadcast", tensor)
    _self(src, "broadcast", "src")
    return _end(async_op, tensor)


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """Copies the tensors of all processes into the list's."""
    if _begin(group, "all_gather", tensor, *tensor_list):
        _copy(_one(tensor_list, "all_gather", "tensor_list"), tensor, "all_gather")
    return _end(async_op, *tensor_list)


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """Copies the tensors of all processes into one, one after another."""
    if _begin(group, "all_gather_into_tensor", output_tensor, input_tensor):
        _copy(output_tensor, input_tensor, "all_gather_into_tensor")
    return _end(async_op, output_tensor)


def all_gather_single(output_tensor, input_tensor, group=None, async_op=False):
    """`all_gather_into_tensor` by its newer name."""
    return all_gather_into_tensor(output_tensor, input_tensor, group, async_op)


def all_gather_coalesced(output_tensor_lists, input_tensor_list, group=None, async_op=False):
    """`all_gather` of several tensors: one list of outputs a process."""
    targets = _one(output_tensor_lists, "all_gather_coalesced", "output_tensor_lists")
    if _begin(group, "all_gather_coalesced", *targets, *input_tensor_list):
        if len(targets) != len(input_tensor_list):
            raise ValueError(
                f"all_gather_coalesced: {len(input_tensor_list)} tensors do not fit into a list of "
                f"{len(targets)}"
            )
        for target, source in zip(targets, input_tensor_list):
            _copy(target, source, "all_gather_coalesced")
    return _end(async_op, *targets)


def gather(tensor, gather_list=None, dst=None, group=None, async_op=False, group_dst=None):
    """`all_gather` for process ``dst`` only."""
    _self(dst, "gather", "dst")
    if _begin(group, "gather", tensor):
        _copy(_one(gather_list, "gather", "gather_list"), tensor, "gather")
    return _end(async_op, *(gather_list or ()))


def scatter(tensor, scatter_list=None, src=None, group=None, async_op=False, group_src=None):
    """Replaces the tensor by this process's entry of the list of process ``src``."""
    _self(src, "scatter", "src")
    if _begin(group, "scatter", tensor):
        _copy(tensor, _one(scatter_list, "scatter", "scatter_list"), "scatter")
    return _end(async_op, tensor)


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op=False):
    """Replaces ``output`` by the sum over all processes of this process's entry."""
    _check_op(op, "reduce_scatter")
    if _begin(group, "reduce_scatter", output, *input_list):
        _copy(output, _one(input_list, "reduce_scatter", "input_list"), "reduce_scatter")
    return _end(async_op, output)


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):  # noqa: A002
    """`reduce_scatter` of a tensor's pieces along its first dimension."""
    _check_op(op, "reduce_scatter_tensor")
    if _begin(group, "reduce_scatter_tensor", output, input):
        _copy(output, input, "reduce_scatter_tensor")
    return _end(async_op, output)


def reduce_scatter_single(output, input, op=ReduceOp.SUM, group=None, async_op=False):  # noqa: A002
    """`reduce_scatter_tensor` by its newer name."""
    return reduce_scatter_tensor(output, input, op, group, async_op)


def all_to_all(output_tensor_list, input_tensor_list, group=None, async_op=False):
    """Sends each process its entry, and receives one from each."""
    if _begin(group, "all_to_all", *output_tensor_list, *input_tensor_list):
        source = _one(input_tensor_list, "all_to_all", "input_tensor_list")
        _copy(_one(output_tensor_list, "all_to_all", "output_tensor_list"), source, "all_to_all")
    return _end(async_op, *output_tensor_list)


def all_to_all_single(
    output,
    input,  # noqa: A002
    output_split_sizes=None,
    input_split_sizes=None,
    group=None,
    async_op=False,
):
    """`all_to_all` of pieces of one tensor along its first dimension."""
    if _begin(group, "all_to_all_single", output, input):
        for sizes in (output_split_sizes, input_split_sizes):
            if sizes:
                _one(sizes, "all_to_all_single", "split sizes")
        _copy(output, input, "all_to_all_single")
    return _end(async_op, output)


def barrier(group=None, async_op=False, device_ids=None):
    """Waits for all processes: for none."""
    _begin(group, "barrier")
    return _end(async_op)


def monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """`barrier` that would name the processes that did not come."""
    _begin(group, "monitored_barrier")


# ---- from process to process ---------------------------------------------------------------------


def _alone(name, *args):
    _member(None)
    raise ValueError(f"{name}: there is no other process in a world of one")


def send(tensor, dst=None, group=None, tag=0, group_dst=None):
    """Sends to another process. ValueError: there is none."""
    _alone("send")


def recv(tensor, src=None, group=None, tag=0, group_src=None):
    """Receives from another process. ValueError: there is none."""
    _alone("recv")


def isend(tensor, dst=None, group=None, tag=0, group_dst=None):
    """`send` that does not wait. ValueError: there is no other process."""
    _alone("isend")


def irecv(tensor, src=None, group=None, tag=0, group_src=None):
    """`recv` that does not wait. ValueError: there is no other process."""
    _alone("irecv")


@dataclass
class P2POp:
    """An `isend` or `irecv` to be begun by `batch_isend_irecv`."""

    op: object
    tensor: object
    peer: int = None
    group: object = None
    tag: int = 0
    group_peer: int = field(default=None)


def batch_isend_irecv(p2p_op_list):
    """Begins several exchanges; their `Work`s."""
    return [p.op(p.tensor, p.peer, p.group, p.tag) for p in p2p_op_list]


# ---- objects -------------------------------------------------------------------------------------


def _through_pickle(obj):
    """A copy, as another process would get it."""
    return pickle.loads(pickle.dumps(obj))


def all_gather_object(object_list, obj, group=None):
    """Puts a copy of each process's object into the list."""
    if _member(group) is not None:
        _one(object_list, "all_gather_object", "object_list")
        object_list[0] = _through_pickle(obj)


def gather_object(obj, object_gather_list=None, dst=None, group=None, group_dst=None):
    """`all_gather_object` for process ``dst`` only."""
    _self(dst, "gather_object", "dst")
    all_gather_object(object_gather_list, obj, group)


def broadcast_object_list(object_list, src=None, group=None, device=None, group_src=None):
    """Replaces the list's entries by those of process ``src``."""
    _self(src, "broadcast_object_list", "src")
    _member(group)


def scatter_object_list(
    scatter_object_output_list,
    scatter_object_input_list=None,
    src=None,
    group=None,
    group_src=None,
):
    """Puts this process's entry of the list of process ``src`` into the output list."""
    _self(src, "scatter_object_list", "src")
    if _member(group) is not None:
        entry = _one(scatter_object_input_list, "scatter_object_list", "scatter_object_input_list")
        scatter_object_output_list[0] = _through_pickle(entry)


def send_object_list(
    object_list, dst=None, group=None, device=None, group_dst=None, use_batch=False
):
    """Sends objects to another process. ValueError: there is none."""
    _alone("send_object_list")


def recv_object_list(
    object_list, src=None, group=None, device=None, group_src=None, use_batch=False
):
    """Receives objects from another process. ValueError: there is none."""
    _alone("recv_object_list")
