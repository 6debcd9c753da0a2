"""Exchanging Python objects: pickled, as tensors of bytes. Only unpickle what processes of one's
own have sent.
"""

import pickle

import rushlight as rl

from . import _exchange
from ._collectives import _list_of_root, _one_each, _root, all_gather, broadcast, gather, scatter
from ._group import _member
from ._messages import _peer, receive_bytes, send_bytes


def _pickled(obj):
    return rl.frombuffer(bytearray(pickle.dumps(obj)), dtype=rl.uint8)


def _unpickled(data, length):
    return pickle.loads(_exchange.as_bytes(data)[:length])


def _on_cpu(device, name):
    if device is not None and rl.device(device).type != "cpu":
        raise ValueError(f"{name}: objects are exchanged through the CPU, got device {device}")


def _padded(data, length):
    return rl.cat([data, data.new_zeros(length - len(data))])


def _lengths(data, group):
    """How many bytes each process has."""
    lengths = [rl.zeros(1, dtype=rl.int64) for _ in range(group.size())]
    all_gather(lengths, rl.tensor([len(data)]), group)
    return [int(length) for length in lengths]


def all_gather_object(object_list, obj, group=None):
    """Puts a copy of each process's object into the list."""
    group = _member(group)
    if group is None:
        return
    _one_each(object_list, group, "all_gather_object", "object_list")
    data = _pickled(obj)
    lengths = _lengths(data, group)
    received = [rl.empty(max(lengths), dtype=rl.uint8) for _ in lengths]
    all_gather(received, _padded(data, max(lengths)), group)
    object_list[:] = [_unpickled(*entry) for entry in zip(received, lengths)]


def gather_object(obj, object_gather_list=None, dst=None, group=None, group_dst=None):
    """`all_gather_object` for process ``dst`` only."""
    group = _member(group)
    if group is None:
        return
    root = _root(group, dst, group_dst, "gather_object", "dst")
    _list_of_root(object_gather_list, group, root, "gather_object", "object_gather_list")
    data = _pickled(obj)
    lengths = _lengths(data, group)
    received = None
    if group.rank() == root:
        received = [rl.empty(max(lengths), dtype=rl.uint8) for _ in lengths]
    gather(_padded(data, max(lengths)), received, group=group, group_dst=root)
    if received:
        object_gather_list[:] = [_unpickled(*entry) for entry in zip(received, lengths)]


def broadcast_object_list(object_list, src=None, group=None, device=None, group_src=None):
    """Replaces the list's entries by those of process ``src``."""
    _on_cpu(device, "broadcast_object_list")
    group = _member(group)
    if group is None:
        return
    root = _root(group, src, group_src, "broadcast_object_list", "src")
    if group.size() == 1:
        return
    is_root = group.rank() == root
    parts = [_pickled(obj) for obj in object_list] if is_root else [()] * len(object_list)
    lengths = rl.tensor([len(part) for part in parts], dtype=rl.int64)
    broadcast(lengths, group=group, group_src=root)
    body = rl.cat(parts) if is_root else rl.empty(int(lengths.sum()), dtype=rl.uint8)
    broadcast(body, group=group, group_src=root)
    if not is_root:
        pieces = body.split(lengths.tolist())
        object_list[:] = [_unpickled(piece, len(piece)) for piece in pieces]


def scatter_object_list(
    scatter_object_output_list,
    scatter_object_input_list=None,
    src=None,
    group=None,
    group_src=None,
):
    """Puts this process's entry of the list of process ``src`` into the output list."""
    group = _member(group)
    if group is None:
        return
    name = "scatter_object_list"
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError(f"{name}: scatter_object_output_list must be a list with an entry")
    root = _root(group, src, group_src, name, "src")
    entries = None
    if group.rank() == root:
        entries = _list_of_root(
            scatter_object_input_list, group, root, name, "scatter_object_input_list"
        )
        entries = [_pickled(entry) for entry in entries]
    longest = rl.tensor([max(map(len, entries))]) if entries else rl.zeros(1, dtype=rl.int64)
    broadcast(longest, group=group, group_src=root)
    length, received = rl.zeros(1, dtype=rl.int64), rl.empty(int(longest), dtype=rl.uint8)
    lengths = [rl.tensor([len(entry)]) for entry in entries] if entries else None
    scatter(length, lengths, group=group, group_src=root)
    padded = [_padded(entry, int(longest)) for entry in entries] if entries else None
    scatter(received, padded, group=group, group_src=root)
    scatter_object_output_list[0] = _unpickled(received, int(length))


def send_object_list(
    object_list, dst=None, group=None, device=None, group_dst=None, use_batch=False
):
    """Sends objects to another process, which calls `recv_object_list` with as long a list."""
    _on_cpu(device, "send_object_list")
    group = _member(group)
    if group is None:
        return
    peer = _peer(group, dst, group_dst, "send_object_list", "dst")
    send_bytes(pickle.dumps(list(object_list)), peer, group)


def recv_object_list(
    object_list, src=None, group=None, device=None, group_src=None, use_batch=False
):
    """Receives objects from another process, or from any: the rank among all they came from."""
    _on_cpu(device, "recv_object_list")
    group = _member(group)
    if group is None:
        return -1
    peer = None
    if src is not None or group_src is not None or group.size() == 1:
        peer = _peer(group, src, group_src, "recv_object_list", "src")
    data, source = receive_bytes(peer, group)
    received = pickle.loads(data)
    if len(received) != len(object_list):
        raise RuntimeError(
            f"recv_object_list: rank {source} sent {len(received)} objects into a list of "
            f"{len(object_list)}"
        )
    object_list[:] = received
    return source
