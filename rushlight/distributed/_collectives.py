"""Exchanging tensors within a group: what programs call, and what is checked before.

With ``async_op=True`` they return a `Work`. Nothing here is recorded for backward. What is sent to
whom is in `_exchange.py`; single messages are in `_messages.py`, objects in `_objects.py`. To add a
collective: check its arguments here, and give `_carry_out` what `_exchange.py` does.
"""

import rushlight as rl
from rushlight._notes import unsupported

from . import _exchange
from ._group import _member, get_group_rank
from ._work import Work


class ReduceOp(str):
    """How values of several processes become one; of one process's, each gives the value."""

    def __repr__(self):
        return f"<RedOpType.{str(self)}>"


for _name in ("SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR", "PREMUL_SUM"):
    setattr(ReduceOp, _name, ReduceOp(_name))
ReduceOp.RedOpType = ReduceOp
reduce_op = ReduceOp  # its name before 1.0


# ---- checks --------------------------------------------------------------------------------------


def _begin(group, name, *tensors):
    """The group, or None if this process is not in it. Checks that tensors can be exchanged."""
    for tensor in tensors:
        if not isinstance(tensor, rl.Tensor):
            raise TypeError(
                f"{name}: expected a tensor, got {type(tensor).__name__}; objects are exchanged by "
                "all_gather_object, broadcast_object_list, ..."
            )
    group = _member(group)
    for tensor in tensors if group is not None and group.size() > 1 else ():
        if tensor.layout != rl.strided:
            raise unsupported(f"{name} of a tensor with layout {tensor.layout}", "use to_dense()")
        if tensor.device.type != "cpu":
            raise ValueError(f"{name}: expected a tensor on the CPU, got one on {tensor.device}")
        if tensor.dtype not in _exchange.DTYPES:
            raise RuntimeError(f"{name}: Invalid scalar type {tensor.dtype}")
    return group


def _check_op(op, name, tensor):
    """A wrong operation is wrong with one process too, which does not carry it out."""
    if not isinstance(op, ReduceOp):
        raise TypeError(
            f"{name}: argument 'op' must be a ReduceOp, such as ReduceOp.SUM, got {op!r}"
        )
    dtype = tensor.dtype
    if op == "PREMUL_SUM":
        raise RuntimeError(f"{name}: cannot use ReduceOp.PREMUL_SUM on the CPU")
    if dtype.is_complex and op not in ("SUM", "AVG"):
        raise ValueError(f"{name} does not support {op!r} on complex tensors")
    exact = not (dtype.is_floating_point or dtype.is_complex)
    if op.startswith("B") and not exact:
        raise RuntimeError(f"{name}: cannot use ReduceOp.{op} with non-integral dtype {dtype}")
    if op == "AVG" and exact:
        raise RuntimeError(f"{name}: ReduceOp.AVG of {dtype}: a mean can't be cast to this type")


def _root(group, rank, group_rank, name, what):
    """The rank within the group that was named either way; that of rank 0 if it was not."""
    if rank is not None and group_rank is not None:
        raise ValueError(f"{name}: pass {what} or group_{what}, not both")
    if group_rank is None:
        if rank is not None and rank not in group.ranks:
            raise ValueError(f"{name}: {what} {rank} is not in the group of ranks {group.ranks}")
        group_rank = 0 if rank is None else get_group_rank(group, rank)
    if not 0 <= group_rank < group.size():
        raise ValueError(f"{name}: group_{what} {group_rank} in a group of {group.size()}")
    return group_rank


def _one_each(items, group, name, what):
    """A list with one entry a process, as a list."""
    if not isinstance(items, (list, tuple)) or len(items) != group.size():
        error = ValueError if group.size() == 1 else RuntimeError
        raise error(f"{name}: expected {what} to have one entry for each process: {group.size()}")
    return list(items)


def _alike(tensors, model, name):
    """Tensors have the type and the number of elements of another, or errors say which does not."""
    _one_type([model, *tensors], name)
    for tensor in tensors:
        if tensor.numel() != model.numel():
            raise _misfit(name, tensor.numel(), model.numel())


def _one_type(tensors, name):
    for i, tensor in enumerate(tensors):
        if tensor.dtype != tensors[0].dtype:
            raise ValueError(f"{name}: tensor {i} has {tensor.dtype}, not {tensors[0].dtype}")


def _misfit(name, got, expected):
    return RuntimeError(f"{name}: {got} elements do not fit with {expected}: the sizes differ")


# ---- carrying out --------------------------------------------------------------------------------


def _flat(tensor):
    """Its elements in one piece: a view if they lie so, or a copy."""
    return tensor.detach().contiguous().view(-1)


def _back(tensor, flat):
    """Copies what was received in one piece to where it belongs, if it is not there."""
    if tensor.numel() and flat.data_ptr() != tensor.data_ptr():
        tensor.detach().copy_(flat.view(tensor.shape))


def _real(flat, op):
    """Complex numbers as pairs, where they are added."""
    return rl.view_as_real(flat).view(-1) if op and flat.dtype.is_complex else flat


def _carry_out(group, async_op, exchange, algorithm, outputs):
    """Carries out an exchange in its turn, then copies to the outputs: (tensor, flat) pairs."""

    def task():
        try:
            algorithm(exchange)
        except BaseException as error:
            others = [rank for rank in group.ranks if rank != group.mesh.rank]
            group.mesh.fail(group.key, others, f"rank {group.mesh.rank} failed: {error}")
            raise
        for tensor, flat in outputs:
            _back(tensor, flat)

    with rl.no_grad():
        work = group.works.carry_out(task, [tensor for tensor, _ in outputs], async_op)
    return work if async_op else None


def _alone(group, async_op, pairs, name):
    """With one process, each output is a copy of its input."""
    for output, source in pairs:
        if output.numel() != source.numel():
            raise ValueError(f"{name}: {source.numel()} elements do not fit into {output.numel()}")
        if output is not source:
            with rl.no_grad():
                output.copy_(source.reshape(output.shape))
    return Work([output for output, _ in pairs]) if async_op else None


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op=False):
    """Replaces the tensor by the sum (``op``) over all processes: the same bits everywhere.

    Example::

        >>> rl.distributed.init_process_group(world_size=1, rank=0)
        >>> x = rl.arange(2.0)
        >>> rl.distributed.all_reduce(x)
        >>> rl.distributed.destroy_process_group()
        >>> x
        tensor([0., 1.])
    """
    group = _begin(group, "all_reduce", tensor)
    _check_op(op, "all_reduce", tensor)
    if group is None:
        return None
    if group.size() == 1:
        return _alone(group, async_op, [(tensor, tensor)], "all_reduce")
    flat = _flat(tensor)
    parts = _real(flat, op)
    exchange = _exchange.Exchange(group, "all_reduce", parts, op)
    run = lambda ex: _exchange.all_reduce(ex, parts, op)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(tensor, flat)])


class _Several(Work):
    """The handle of several exchanges."""

    def __init__(self, works, result):
        super().__init__(result)
        self._works = works

    def wait(self, timeout=None):
        """True, when all are over."""
        return all([work.wait(timeout) for work in self._works])

    def is_completed(self):
        """Are all over?"""
        return all(work.is_completed() for work in self._works)


def _each(works, result, async_op):
    works = [work for work in works if work is not None]
    return _Several(works, result) if async_op and works else None


def all_reduce_coalesced(tensors, op=ReduceOp.SUM, group=None, async_op=False):
    """`all_reduce` of several tensors."""
    _begin(group, "all_reduce_coalesced", *tensors)
    for tensor in tensors:
        _check_op(op, "all_reduce_coalesced", tensor)
    works = [all_reduce(tensor, op, group, async_op) for tensor in tensors]
    return _each(works, tensors, async_op)


def reduce(tensor, dst=None, op=ReduceOp.SUM, group=None, async_op=False, group_dst=None):
    """`all_reduce` for process ``dst`` only: the others' tensors stay."""
    group = _begin(group, "reduce", tensor)
    _check_op(op, "reduce", tensor)
    if group is None:
        return None
    root = _root(group, dst, group_dst, "reduce", "dst")
    if group.size() == 1:
        return _alone(group, async_op, [(tensor, tensor)], "reduce")
    flat = _flat(tensor)
    parts = _real(flat, op)
    exchange = _exchange.Exchange(group, "reduce", parts, op, root)
    run = lambda ex: _exchange.reduce(ex, parts, op, root)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(tensor, flat)])


def broadcast(tensor, src=None, group=None, async_op=False, group_src=None):
    """Replaces the tensor by that of process ``src``."""
    group = _begin(group, "broadcast", tensor)
    if group is None:
        return None
    root = _root(group, src, group_src, "broadcast", "src")
    if group.size() == 1:
        return _alone(group, async_op, [(tensor, tensor)], "broadcast")
    flat = _flat(tensor)
    exchange = _exchange.Exchange(group, "broadcast", flat, root=root)
    run = lambda ex: _exchange.broadcast(ex, flat, root)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(tensor, flat)])


def all_gather(tensor_list, tensor, group=None, async_op=False):
    """Copies the tensors of all processes into the list's."""
    group = _begin(group, "all_gather", tensor, *tensor_list)
    if group is None:
        return None
    outputs = _one_each(tensor_list, group, "all_gather", "tensor_list")
    if group.size() == 1:
        return _alone(group, async_op, [(outputs[0], tensor)], "all_gather")
    _alike(outputs, tensor, "all_gather")
    flat, flats = _flat(tensor), [_flat(output) for output in outputs]
    exchange = _exchange.Exchange(group, "all_gather", flat)
    run = lambda ex: _exchange.all_gather(ex, flats, flat)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, list(zip(outputs, flats)))


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op=False):
    """Copies the tensors of all processes into one, one after another."""
    name = "all_gather_into_tensor"
    group = _begin(group, name, output_tensor, input_tensor)
    if group is None:
        return None
    if group.size() == 1:
        return _alone(group, async_op, [(output_tensor, input_tensor)], name)
    flat, whole = _flat(input_tensor), _flat(output_tensor)
    if whole.numel() != flat.numel() * group.size():
        raise _misfit(name, whole.numel(), flat.numel() * group.size())
    pieces = list(whole.view(group.size(), -1).unbind()) if len(whole) else [whole] * group.size()
    if whole.dtype != flat.dtype:
        raise RuntimeError(f"{name}: the output has {whole.dtype}, the input {flat.dtype}")
    exchange = _exchange.Exchange(group, "all_gather", flat)
    run = lambda ex: _exchange.all_gather(ex, pieces, flat)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(output_tensor, whole)])


def all_gather_single(output_tensor, input_tensor, group=None, async_op=False):
    """`all_gather_into_tensor` by its newer name."""
    return all_gather_into_tensor(output_tensor, input_tensor, group, async_op)


def all_gather_coalesced(output_tensor_lists, input_tensor_list, group=None, async_op=False):
    """`all_gather` of several tensors: one list of outputs a process."""
    member = _member(group)
    if member is None:
        return None
    name = "all_gather_coalesced"
    lists = _one_each(output_tensor_lists, member, name, "output_tensor_lists")
    for outputs in lists:
        _begin(group, name, *outputs, *input_tensor_list)
        if len(outputs) != len(input_tensor_list):
            raise ValueError(
                f"{name}: {len(input_tensor_list)} tensors do not fit into a list of {len(outputs)}"
            )
    works = [
        all_gather([outputs[i] for outputs in lists], tensor, group, async_op)
        for i, tensor in enumerate(input_tensor_list)
    ]
    return _each(works, [tensor for outputs in lists for tensor in outputs], async_op)


def _list_of_root(items, group, root, name, what):
    """The list that only the root passes, or None for the others."""
    if group.rank() != root:
        if items:
            raise ValueError(f"{name}: {what} must not be given but at rank {root} of the group")
        return None
    if not items:
        raise ValueError(f"{name}: {what} must be given at rank {root}, one entry for each process")
    return _one_each(items, group, name, what)


def gather(tensor, gather_list=None, dst=None, group=None, async_op=False, group_dst=None):
    """`all_gather` for process ``dst`` only."""
    group = _begin(group, "gather", tensor, *(gather_list or ()))
    if group is None:
        return None
    root = _root(group, dst, group_dst, "gather", "dst")
    outputs = _list_of_root(gather_list, group, root, "gather", "gather_list")
    if group.size() == 1:
        return _alone(group, async_op, [(outputs[0], tensor)], "gather")
    _alike(outputs or (), tensor, "gather")
    flat, flats = _flat(tensor), [_flat(output) for output in outputs or ()]
    exchange = _exchange.Exchange(group, "gather", flat, root=root)
    run = lambda ex: _exchange.gather(ex, flats, flat, root)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, list(zip(outputs or (), flats)))


def scatter(tensor, scatter_list=None, src=None, group=None, async_op=False, group_src=None):
    """Replaces the tensor by this process's entry of the list of process ``src``."""
    group = _begin(group, "scatter", tensor, *(scatter_list or ()))
    if group is None:
        return None
    root = _root(group, src, group_src, "scatter", "src")
    inputs = _list_of_root(scatter_list, group, root, "scatter", "scatter_list")
    if group.size() == 1:
        return _alone(group, async_op, [(tensor, inputs[0])], "scatter")
    _alike(inputs or (), tensor, "scatter")
    flat, flats = _flat(tensor), [_flat(source) for source in inputs or ()]
    exchange = _exchange.Exchange(group, "scatter", flat, root=root)
    run = lambda ex: _exchange.scatter(ex, flat, flats, root)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(tensor, flat)])


def _reduce_scatter(group, name, output, inputs, op, async_op):
    """``inputs``: copies, which are overwritten."""
    _alike(inputs, output, name)
    flat = _flat(output)
    pieces = [_real(piece, op) for piece in inputs]
    target = _real(flat, op)
    exchange = _exchange.Exchange(group, "reduce_scatter", target, op)
    run = lambda ex: _exchange.reduce_scatter(ex, target, pieces, op)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, [(output, flat)])


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op=False):
    """Replaces ``output`` by the sum over all processes of this process's entry."""
    group = _begin(group, "reduce_scatter", output, *input_list)
    _check_op(op, "reduce_scatter", output)
    if group is None:
        return None
    inputs = _one_each(input_list, group, "reduce_scatter", "input_list")
    if group.size() == 1:
        return _alone(group, async_op, [(output, inputs[0])], "reduce_scatter")
    copies = [source.detach().clone().contiguous().view(-1) for source in inputs]
    return _reduce_scatter(group, "reduce_scatter", output, copies, op, async_op)


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op=False):  # noqa: A002
    """`reduce_scatter` of a tensor's pieces along its first dimension."""
    name = "reduce_scatter_tensor"
    group = _begin(group, name, output, input)
    _check_op(op, name, output)
    if group is None:
        return None
    if group.size() == 1:
        return _alone(group, async_op, [(output, input)], name)
    if input.numel() != output.numel() * group.size():
        raise _misfit(name, input.numel(), output.numel() * group.size())
    whole = input.detach().clone().contiguous().view(group.size(), output.numel())
    return _reduce_scatter(group, name, output, list(whole.unbind()), op, async_op)


def reduce_scatter_single(output, input, op=ReduceOp.SUM, group=None, async_op=False):  # noqa: A002
    """`reduce_scatter_tensor` by its newer name."""
    return reduce_scatter_tensor(output, input, op, group, async_op)


def _all_to_all(group, flats, sources, outputs, async_op):
    """The numbers of elements may differ between processes: each message has its own."""
    exchange = _exchange.Exchange(group, "all_to_all", sources[0], numel=-1)
    run = lambda ex: _exchange.all_to_all(ex, flats, sources)  # noqa: E731
    return _carry_out(group, async_op, exchange, run, outputs)


def all_to_all(output_tensor_list, input_tensor_list, group=None, async_op=False):
    """Sends each process its entry, and receives one from each."""
    group = _begin(group, "all_to_all", *output_tensor_list, *input_tensor_list)
    if group is None:
        return None
    sources = _one_each(input_tensor_list, group, "all_to_all", "input_tensor_list")
    outputs = _one_each(output_tensor_list, group, "all_to_all", "output_tensor_list")
    if group.size() == 1:
        return _alone(group, async_op, [(outputs[0], sources[0])], "all_to_all")
    own = group.rank()
    _one_type([*sources, *outputs], "all_to_all")
    _alike([outputs[own]], sources[own], "all_to_all")
    flats, sources = [_flat(t) for t in outputs], [_flat(t) for t in sources]
    return _all_to_all(group, flats, sources, list(zip(outputs, flats)), async_op)


def _split(tensor, sizes, group, what):
    """A tensor's pieces along its first dimension: equal ones, unless sizes are given."""
    rows = tensor.shape[0] if tensor.dim() else 0
    if not sizes and rows % group.size():
        raise RuntimeError(
            f"all_to_all_single: {what} has {rows} rows, which do not divide into {group.size()}; "
            "pass split sizes"
        )
    sizes = list(sizes) if sizes else [rows // group.size()] * group.size()
    if len(sizes) != group.size() or sum(sizes) != rows:
        raise RuntimeError(
            f"all_to_all_single: split sizes {sizes} of {what} do not add up to its {rows} rows, "
            f"one for each of {group.size()} processes"
        )
    row = tensor.numel() // rows if rows else 0
    return list(_flat(tensor).split([size * row for size in sizes]))


def all_to_all_single(
    output,
    input,  # noqa: A002
    output_split_sizes=None,
    input_split_sizes=None,
    group=None,
    async_op=False,
):
    """`all_to_all` of pieces of one tensor along its first dimension."""
    group = _begin(group, "all_to_all_single", output, input)
    if group is None:
        return None
    if group.size() == 1:
        for sizes in (output_split_sizes, input_split_sizes):
            if sizes:
                _one_each(sizes, group, "all_to_all_single", "split sizes")
        return _alone(group, async_op, [(output, input)], "all_to_all_single")
    sources = _split(input, input_split_sizes, group, "the input")
    whole = _flat(output)
    shaped = whole.view(output.shape)
    flats = _split(shaped, output_split_sizes, group, "the output")
    _alike([flats[group.rank()]], sources[group.rank()], "all_to_all_single")
    return _all_to_all(group, flats, sources, [(output, whole)], async_op)


def barrier(group=None, async_op=False, device_ids=None):
    """Waits until all processes have called it."""
    group = _begin(group, "barrier")
    if group is None:
        return None
    if group.size() == 1:
        return _alone(group, async_op, [], "barrier")
    exchange = _exchange.Exchange(group, "barrier")
    return _carry_out(group, async_op, exchange, _exchange.barrier, [])
