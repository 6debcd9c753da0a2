"""Single messages from one process to another, and the barrier that names who is missing."""

from dataclasses import dataclass

import rushlight as rl

from . import _exchange
from ._collectives import _back, _begin, _carry_out, _flat, _root
from ._store import duration
from ._work import Work, _seconds


def _peer(group, rank, group_rank, name, what):
    """The other process's rank within the group."""
    if group.size() == 1:
        raise ValueError(f"{name}: there is no other process in a world of one")
    if rank is None and group_rank is None:
        raise ValueError(f"{name}: pass {what}")
    peer = _root(group, rank, group_rank, name, what)
    if peer == group.rank():
        raise ValueError(f"{name}: {what} {group.ranks[peer]} is this process itself")
    return peer


def send(tensor, dst=None, group=None, tag=0, group_dst=None):
    """Sends to another process, which calls `recv` with a tensor of this type and size."""
    group = _begin(group, "send", tensor)
    if group is None:
        return
    peer = _peer(group, dst, group_dst, "send", "dst")
    flat = _flat(tensor)
    header = _exchange.peer_header(group, flat, tag)
    group.mesh.send(group.ranks[peer], header, _exchange.as_bytes(flat))


def isend(tensor, dst=None, group=None, tag=0, group_dst=None):
    """`send` that gives a `Work`; the other process need not receive yet for it to be over."""
    if _begin(group, "isend", tensor) is None:
        return None
    send(tensor, dst, group, tag, group_dst)
    return Work([tensor])


class _Receiving(Work):
    """The handle of a message that is waited for."""

    def __init__(self, tensor, group, peers, tag):
        super().__init__([tensor])
        self._flat, self._group = _flat(tensor), group
        self._header = _exchange.peer_header(group, self._flat, tag)
        self._data = _exchange.as_bytes(self._flat)
        ranks = [group.ranks[peer] for peer in peers]
        key, channel = self._header.group, self._header.channel
        self._arrival = group.mesh.expect(key, ranks, channel, tag, self._data)

    def wait(self, timeout=None):
        """True, when the message is there; RuntimeError if it does not come or does not fit."""
        seconds = _seconds(timeout) or self._group.seconds
        if self._arrival is not None:
            arrival, self._arrival = self._arrival, None
            try:
                _exchange.take(self._group, arrival, self._data, self._header, seconds)
                _back(self._result[0], self._flat)
            except RuntimeError as error:
                self._error = error
            self.source = arrival.source
        return super().wait()

    def is_completed(self):
        """Is the message there?"""
        if self._arrival is not None and self._arrival.done.is_set():
            try:
                self.wait()
            except RuntimeError:
                pass  # kept, for `wait` and `exception`
        return self._arrival is None

    def get_future(self):
        """Raises NotImplementedError, as nothing runs when the message comes: use `wait`."""
        from rushlight._notes import unsupported

        raise unsupported("get_future of irecv", "use wait()")

    def source_rank(self):
        """The rank among all processes that the message came from, when it is there."""
        self.wait()
        return self.source


def _receiving(name, tensor, src, group, tag, group_src):
    group = _begin(group, name, tensor)
    if group is None:
        return None
    anybody = src is None and group_src is None and group.size() > 1
    peers = [rank for rank in range(group.size()) if rank != group.rank()]
    if not anybody:
        peers = [_peer(group, src, group_src, name, "src")]
    return _Receiving(tensor, group, peers, tag)


def recv(tensor, src=None, group=None, tag=0, group_src=None):
    """Receives from another process, or from any: the rank among all that it came from."""
    work = _receiving("recv", tensor, src, group, tag, group_src)
    return -1 if work is None else work.source_rank()


def irecv(tensor, src=None, group=None, tag=0, group_src=None):
    """`recv` that does not wait: a `Work`."""
    return _receiving("irecv", tensor, src, group, tag, group_src)


@dataclass
class P2POp:
    """An `isend` or `irecv` to be begun by `batch_isend_irecv`."""

    op: object
    tensor: object
    peer: int = None
    group: object = None
    tag: int = 0
    group_peer: int = None

    def __post_init__(self):
        if self.op not in (isend, irecv):
            raise ValueError(f"P2POp: op must be isend or irecv, got {self.op!r}")


def batch_isend_irecv(p2p_op_list):
    """Begins several exchanges, those that receive first; their `Work`s."""
    works = {}
    for i, p in sorted(enumerate(p2p_op_list), key=lambda entry: entry[1].op is isend):
        works[i] = p.op(p.tensor, p.peer, p.group, p.tag, p.group_peer)
    return [works[i] for i in range(len(works)) if works[i] is not None]


def monitored_barrier(group=None, timeout=None, wait_all_ranks=False):
    """`barrier` whose first rank names who did not come.

    Args:
        timeout: a timedelta; that of the group, by default.
        wait_all_ranks: whether to name all of those, or the first.
    """
    group = _begin(group, "monitored_barrier")
    if group is None or group.size() == 1:
        return
    seconds = group.seconds if timeout is None else duration(timeout).total_seconds()
    exchange = _exchange.Exchange(group, "monitored_barrier")
    exchange.seconds = seconds
    run = lambda ex: _watch(ex, wait_all_ranks) if ex.rank == 0 else _report(ex)  # noqa: E731
    _carry_out(group, False, exchange, run, [])


def _report(exchange):
    nothing = memoryview(b"")
    exchange.send(0, nothing)
    exchange.receive(0, nothing)


def _watch(exchange, wait_all_ranks):
    nothing, missing, why = memoryview(b""), [], None
    for peer in exchange.others:
        try:
            exchange.receive(peer, nothing)
        except RuntimeError as error:
            missing.append(exchange.group.ranks[peer])
            why = error
            if not wait_all_ranks:
                break
    if missing:
        names = f"rank{'s' if len(missing) > 1 else ''} {', '.join(map(str, missing))}"
        raise RuntimeError(
            f"monitored_barrier: {names} did not come within {exchange.seconds:g} s"
        ) from why
    for peer in exchange.others:
        exchange.send(peer, nothing)


def send_bytes(data, peer, group):
    """Sends bytes of any number to a rank of the group."""
    body = rl.frombuffer(bytearray(data), dtype=rl.uint8)
    send(rl.tensor([len(body)]), group=group, group_dst=peer)
    send(body, group=group, group_dst=peer)


def receive_bytes(peer, group):
    """The bytes that a rank of the group, or any for None, sends; and its rank among all."""
    length = rl.zeros(1, dtype=rl.int64)
    source = recv(length, group=group, group_src=peer)
    body = rl.empty(length.item(), dtype=rl.uint8)
    recv(body, source, group)
    return bytes(_exchange.as_bytes(body)), source
