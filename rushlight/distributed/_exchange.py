"""What is sent to whom: the algorithms of collectives, on tensors that lie in one piece.

An `Exchange` is one collective of one group. Each function below carries one out for this process;
what programs call, and what is checked before, is in `_collectives.py`. Rings are those of
Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations" (2009).
"""

import time

import rushlight as rl

from ._mesh import COLLECTIVE, PEER, Header

#: What exchanges are called in headers and errors, in the order of their numbers.
KINDS = (
    "send", "barrier", "broadcast", "all_reduce", "reduce", "all_gather", "gather", "scatter",
    "reduce_scatter", "all_to_all", "monitored_barrier",
)  # fmt: skip
#: The types that can be sent, in the order of their numbers.
DTYPES = (
    rl.uint8, rl.int8, rl.int16, rl.int32, rl.int64, rl.float16, rl.bfloat16, rl.float32,
    rl.float64, rl.complex64, rl.complex128, rl.bool,
)  # fmt: skip
_COMBINE = {
    "SUM": rl.Tensor.add_,
    "AVG": rl.Tensor.add_,
    "PRODUCT": rl.Tensor.mul_,
    "MIN": lambda total, other: rl.minimum(total, other, out=total),
    "MAX": lambda total, other: rl.maximum(total, other, out=total),
    "BAND": rl.Tensor.bitwise_and_,
    "BOR": rl.Tensor.bitwise_or_,
    "BXOR": rl.Tensor.bitwise_xor_,
}
OPS = ("", *_COMBINE)

_STRAIGHT_BYTES = 1 << 16  # up to here every process sends everything to every other
_SEGMENT_BYTES = 1 << 20  # of what goes around a ring, so that sending and adding overlap
_ELEMENTS_AT_ONCE = 1 << 15
_AHEAD = 3  # segments that are waited for at a time


def as_bytes(tensor):
    """The memory of a contiguous tensor."""
    start = tensor.storage_offset() * tensor.element_size()
    whole = memoryview(tensor.untyped_storage()).cast("B")
    return whole[start : start + tensor.numel() * tensor.element_size()]


def describe(header):
    """What a message is, for people."""
    words = KINDS[header.kind] if header.kind < len(KINDS) else f"kind {header.kind}"
    if header.kind in (KINDS.index("barrier"), KINDS.index("monitored_barrier")):
        return f"{words} (exchange {header.step})"
    op = f", {OPS[header.op]}" if 0 < header.op < len(OPS) else ""
    root = f", root {header.root}" if header.root >= 0 else ""
    dtype = DTYPES[header.dtype] if header.dtype < len(DTYPES) else header.dtype
    count = f"{header.numel} elements of {dtype}" if header.numel >= 0 else f"{dtype}"
    return f"{words} of {count}{op}{root} (exchange {header.step})"


class Exchange:
    """One collective of one group: where messages of this process go to and come from.

    Args:
        group: the `ProcessGroup`.
        kind: one of `KINDS`.
        tensor: one that has the type, and the number of elements unless ``numel`` is given.
        op, root: the operation and the rank within the group, if there are any.
    """

    def __init__(self, group, kind, tensor=None, op="", root=-1, numel=None):
        self.group, self.rank, self.size = group, group.rank(), group.size()
        if numel is None:
            numel = 0 if tensor is None else tensor.numel()
        dtype = 0 if tensor is None else DTYPES.index(tensor.dtype)
        kind, op = KINDS.index(kind), OPS.index(op)
        step = group.next_step()
        self.header = Header(group.key, COLLECTIVE, 0, 0, step, kind, dtype, op, root, numel)
        self.seconds = group.seconds
        self.end = None

    def send(self, peer, data):
        """Sends bytes to a rank of the group."""
        header = self.header._replace(nbytes=len(data))
        self.group.mesh.send(self.group.ranks[peer], header, data)

    def expect(self, peer, data):
        """Begins to wait for bytes of a rank of the group: what `wait` is given."""
        peers = (self.group.ranks[peer],)
        return self.group.mesh.expect(self.header.group, peers, COLLECTIVE, 0, data), data

    def wait(self, expected):
        """Returns when the bytes are in their place."""
        if self.end is None:  # from the first waiting on, not from when it was asked for
            self.end = time.monotonic() + self.seconds
        left = max(self.end - time.monotonic(), 0)
        take(self.group, *expected, self.header, left, self.seconds)

    def receive(self, peer, data):
        """Waits for bytes of a rank of the group."""
        self.wait(self.expect(peer, data))

    @property
    def others(self):
        """The other ranks of the group."""
        return [rank for rank in range(self.size) if rank != self.rank]


def take(group, arrival, data, header, seconds, limit=None):
    """Waits for a message, compares its header with what was expected, and has it in ``data``.

    ``limit`` is what an error says instead of ``seconds``: what is left of it.
    """
    if not arrival.done.wait(seconds):
        group.mesh.forget(arrival)
        peers = ", ".join(str(box[1]) for box in arrival.boxes) or arrival.source
        raise RuntimeError(
            f"{describe(header)}: rank {group.mesh.rank} waited {limit or seconds:g} s for rank "
            f"{peers}, which has not sent its part: is it as far as this one?"
        )
    if arrival.error is not None:
        raise RuntimeError(f"{describe(header)}: {arrival.error}")
    theirs = arrival.header
    if theirs.what() != header.what() or theirs.nbytes != len(data):
        raise RuntimeError(
            f"mismatch: rank {group.mesh.rank} is at {describe(header)} of {len(data)} bytes, "
            f"but rank {arrival.source} is at {describe(theirs)} of {theirs.nbytes} bytes; all "
            "ranks have to make the same calls in the same order, with the same shapes and types"
        )
    if arrival.data is not data and len(data):
        data[:] = arrival.data


# ---- the algorithms ------------------------------------------------------------------------------


def barrier(exchange):
    """In round k each hears of 2^k ranks, after the last one of all."""
    distance, nothing = 1, memoryview(b"")
    while distance < exchange.size:
        exchange.send((exchange.rank + distance) % exchange.size, nothing)
        exchange.receive((exchange.rank - distance) % exchange.size, nothing)
        distance *= 2


def broadcast(exchange, flat, root):
    """Along a binomial tree whose root is rank ``root``."""
    data, size = as_bytes(flat), exchange.size
    place, distance = (exchange.rank - root) % size, 1
    while distance < size:
        if place < distance and place + distance < size:
            exchange.send((place + distance + root) % size, data)
        elif distance <= place < 2 * distance:
            exchange.receive((place - distance + root) % size, data)
        distance *= 2


def all_to_all(exchange, outputs, inputs):
    """Rank r's input s becomes rank s's output r."""
    expected = [exchange.expect(peer, as_bytes(outputs[peer])) for peer in exchange.others]
    for step in range(1, exchange.size):
        peer = (exchange.rank + step) % exchange.size
        exchange.send(peer, as_bytes(inputs[peer]))
    outputs[exchange.rank].copy_(inputs[exchange.rank])
    for one in expected:
        exchange.wait(one)


def all_gather(exchange, outputs, flat):
    """Every rank sends everything to every other."""
    all_to_all(exchange, outputs, [flat] * exchange.size)


def gather(exchange, outputs, flat, root):
    """All send to the root."""
    if exchange.rank != root:
        exchange.send(root, as_bytes(flat))
        return
    expected = [exchange.expect(peer, as_bytes(outputs[peer])) for peer in exchange.others]
    outputs[root].copy_(flat)
    for one in expected:
        exchange.wait(one)


def scatter(exchange, flat, inputs, root):
    """The root sends to all."""
    if exchange.rank != root:
        exchange.receive(root, as_bytes(flat))
        return
    for peer in exchange.others:
        exchange.send(peer, as_bytes(inputs[peer]))
    flat.copy_(inputs[root])


def _combine(op, total, other):
    """In pieces that one thread takes on: the processes share the machine's cores already."""
    for part, added in zip(total.split(_ELEMENTS_AT_ONCE), other.split(_ELEMENTS_AT_ONCE)):
        _COMBINE[op](part, added)


def _combine_all(parts, op):
    """In the order of the ranks, so that all that do it get the same bits."""
    total = parts[0]
    for part in parts[1:]:
        _combine(op, total, part)
    return total


def reduce(exchange, flat, op, root):
    """All send to the root, which combines."""
    parts = [rl.empty_like(flat) for _ in range(exchange.size)] if exchange.rank == root else None
    gather(exchange, parts, flat, root)
    if parts:
        flat.copy_(_mean(_combine_all(parts, op), op, exchange.size))


def all_reduce(exchange, flat, op):
    """Small ones straight, large ones around the ring; the same bits for all."""
    size = exchange.size
    if flat.numel() * flat.element_size() <= _STRAIGHT_BYTES or flat.numel() < size:
        parts = [rl.empty_like(flat) for _ in range(size)]
        all_gather(exchange, parts, flat)
        flat.copy_(_mean(_combine_all(parts, op), op, size))
        return
    pieces = [piece.view(-1) for piece in flat.tensor_split(size)]
    _ring_reduce(exchange, pieces, op)
    _mean(pieces[exchange.rank], op, size)
    _ring_gather(exchange, pieces)


def reduce_scatter(exchange, output, pieces, op):
    """The piece of each rank, combined, is there; ``pieces`` are overwritten."""
    _ring_reduce(exchange, pieces, op)
    output.copy_(_mean(pieces[exchange.rank], op, exchange.size))


def _mean(total, op, size):
    return total.div_(size) if op == "AVG" else total


def _ring_reduce(exchange, pieces, op):
    """Afterwards piece r, combined of all ranks, is at rank r."""
    rank, size = exchange.rank, exchange.size
    for step in range(size - 1):
        outgoing, own = pieces[(rank - step - 1) % size], pieces[(rank - step - 2) % size]
        _pass_on(exchange, outgoing, own, op)


def _pass_on(exchange, outgoing, own, op):
    """Sends a piece to the right; combines what comes from the left into another, by segments."""
    left, right = (exchange.rank - 1) % exchange.size, (exchange.rank + 1) % exchange.size
    length = max(_SEGMENT_BYTES // own.element_size(), 1)
    sent, kept = outgoing.split(length), own.split(length)
    spare = [rl.empty(min(length, own.numel()), dtype=own.dtype) for _ in range(_AHEAD)]

    def space(i):
        return spare[i % _AHEAD][: kept[i].numel()]

    def expect(i):
        return exchange.expect(left, as_bytes(space(i)))

    expected = [expect(i) for i in range(min(_AHEAD, len(kept)))]
    for i in range(max(len(sent), len(kept))):
        if i < len(sent):
            exchange.send(right, as_bytes(sent[i]))
        if i < len(kept):
            exchange.wait(expected[i])
            _combine(op, kept[i], space(i))
            if i + _AHEAD < len(kept):
                expected.append(expect(i + _AHEAD))


def _ring_gather(exchange, pieces):
    """Piece r goes from rank r to all others."""
    rank, size = exchange.rank, exchange.size
    for step in range(size - 1):
        outgoing, own = pieces[(rank - step) % size], pieces[(rank - step - 1) % size]
        expected = exchange.expect((rank - 1) % size, as_bytes(own))
        exchange.send((rank + 1) % size, as_bytes(outgoing))
        exchange.wait(expected)


# ---- from process to process ---------------------------------------------------------------------


def peer_header(group, tensor, tag):
    """The header of what one rank sends to another."""
    if not isinstance(tag, int) or not -(1 << 63) <= tag < 1 << 63:
        raise TypeError(f"a message's tag must be an int of 64 bits, got {tag!r}")
    dtype, numel = DTYPES.index(tensor.dtype), tensor.numel()
    nbytes = numel * tensor.element_size()
    return Header(group.key, PEER, tag, nbytes, dtype=dtype, numel=numel)
