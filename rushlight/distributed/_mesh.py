"""Messages between the processes of a world: a connection for every pair, and where messages go.

A message is a header (`Header`) and bytes. A thread for each connection reads what comes: straight
into the memory of whoever waits for it, or else into a buffer, so that no process that sends waits
for one that computes. Messages of one box (a group, a sender, a channel, a tag) keep their order.
Finding each other is in `_meeting.py`; what is sent when, in `_exchange.py`.
"""

import os
import socket
import struct
import threading
from collections import defaultdict, deque
from typing import NamedTuple

COLLECTIVE, PEER, FAILURE = 0, 1, 2  # channels


class Header(NamedTuple):
    """What a message belongs to; both sides have to think the same of all but the first five."""

    group: int
    channel: int
    tag: int
    nbytes: int
    step: int = 0
    kind: int = 0
    dtype: int = 0
    op: int = 0
    root: int = -1
    numel: int = 0

    def what(self):
        """What both sides have to agree about."""
        return self[4:]


_LAYOUT = struct.Struct("<QBqQQBBBqq")


class Arrival:
    """A message that is waited for or has come: `done` is set when `data` is filled."""

    def __init__(self, data=None, boxes=()):
        self.data, self.boxes, self.header, self.error = data, boxes, None, None
        self.source, self.done = None, threading.Event()

    def fail(self, error):
        """Ends the waiting with an error."""
        self.error = error
        self.done.set()


class Mesh:
    """This process's connections to all others of a world, by rank.

    Args:
        rank: this process's.
        connections: sockets by rank.
        seconds: how long sending may take without any progress.
    """

    def __init__(self, rank, connections, seconds):
        self.rank, self._connections = rank, connections
        self._lock = threading.Lock()
        self._waiting, self._arrived = defaultdict(deque), defaultdict(deque)
        self._sending = {peer: threading.Lock() for peer in connections}
        self._lost, self._failed = {}, {}
        limit = struct.pack("ll", int(seconds), int(seconds % 1 * 1e6) + 1)
        for peer, connection in connections.items():
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
            threading.Thread(target=self._read, args=(peer, connection), daemon=True).start()
        _meshes.add(self)

    # ---- sending ----

    def send(self, peer, header, data):
        """Sends a message; RuntimeError if the other process is gone or takes nothing."""
        if peer in self._lost:
            raise RuntimeError(self._lost[peer])
        head = _LAYOUT.pack(*header)
        try:
            with self._sending[peer]:
                self._send_all(self._connections[peer], head, data)
        except BlockingIOError:
            self._peer_lost(peer, f"rank {peer} takes no data: sending to it timed out")
            raise RuntimeError(self._lost[peer]) from None
        except OSError as error:
            self._peer_lost(peer, _gone(peer, error))
            raise RuntimeError(self._lost[peer]) from None
        except BaseException:  # interrupted within a message
            self._peer_lost(peer, f"sending to rank {peer} was interrupted")
            raise

    @staticmethod
    def _send_all(connection, head, data):
        sent = connection.sendmsg((head, data))
        if sent < len(head):
            connection.sendall(head[sent:])
        if sent < len(head) + len(data):
            connection.sendall(data[max(sent - len(head), 0) :])

    # ---- receiving ----

    def expect(self, group, peers, channel, tag, data):
        """An `Arrival` for the next message of any of the peers, to be read into ``data``."""
        if data.readonly and len(data):
            raise RuntimeError("cannot receive into a tensor whose memory is read-only")
        boxes = [(group, peer, channel, tag) for peer in peers]
        arrival = Arrival(data, boxes)
        with self._lock:
            if channel == COLLECTIVE and group in self._failed:
                arrival.fail(RuntimeError(self._failed[group]))
                return arrival
            for box in boxes:
                if self._arrived[box]:
                    return self._arrived[box].popleft()
            gone = [self._lost[peer] for peer in peers if peer in self._lost]
            if len(gone) == len(boxes):
                arrival.fail(RuntimeError(gone[0]))
                return arrival
            for box in boxes:
                self._waiting[box].append(arrival)
            return arrival

    def forget(self, arrival):
        """Nobody waits for it any more."""
        with self._lock:
            self._leave(arrival)

    def _leave(self, arrival):
        for box in arrival.boxes:
            if arrival in self._waiting[box]:
                self._waiting[box].remove(arrival)

    def _read(self, peer, connection):
        head, arrival = bytearray(_LAYOUT.size), None
        try:
            while True:
                _fill(connection, memoryview(head))
                header = Header(*_LAYOUT.unpack(head))
                arrival = self._place_for(peer, header)
                _fill(connection, arrival.data)
                arrival.header = header
                if header.channel == FAILURE:
                    self._group_failed(header.group, bytes(arrival.data).decode(errors="replace"))
                arrival.done.set()
        except Exception as error:
            self._peer_lost(peer, _gone(peer, error), arrival)

    def _place_for(self, peer, header):
        """Who waits for a message; if nobody does, or for one of another size, a buffer."""
        box = (header.group, peer, header.channel, header.tag)
        with self._lock:
            if self._waiting[box]:
                arrival = self._waiting[box][0]
                self._leave(arrival)
            else:
                arrival = Arrival()
                if header.channel != FAILURE:
                    self._arrived[box].append(arrival)
            arrival.source = peer
            if arrival.data is None or len(arrival.data) != header.nbytes:
                arrival.data = memoryview(bytearray(header.nbytes))
        return arrival

    # ---- failures ----

    def _peer_lost(self, peer, why, current=None):
        """Ends all waiting for it: what it has sent in full stays, nothing else will come."""
        with self._lock:
            self._lost.setdefault(peer, why)
            waiting = [a for box, line in self._waiting.items() if box[1] == peer for a in line]
            hopeless = [a for a in waiting if all(box[1] in self._lost for box in a.boxes)]
            for arrival in hopeless:
                self._leave(arrival)
        for arrival in (*hopeless, current):
            if arrival is not None and not arrival.done.is_set():
                arrival.fail(RuntimeError(self._lost[peer]))
        _hang_up(self._connections[peer])

    def _group_failed(self, group, why):
        with self._lock:
            self._failed.setdefault(group, why)
            for box, waiting in self._waiting.items():
                while box[0] == group and box[2] == COLLECTIVE and waiting:
                    waiting.popleft().fail(RuntimeError(self._failed[group]))

    def fail(self, group, peers, why):
        """Tells the others of a group that an exchange failed: it cannot go on for them either."""
        self._group_failed(group, why)
        text = memoryview(why.encode())
        for peer in peers:
            try:
                self.send(peer, Header(group, FAILURE, 0, len(text)), text)
            except RuntimeError:
                pass  # it has gone, and the others are told all the same

    def give_up(self):
        """In a process that was forked: closes its ends, and forgets locks that others had."""
        why = "the connection to rank {} is of the process that this one was forked from"
        self._lost = {peer: why.format(peer) for peer in self._connections}
        self._lock = threading.Lock()
        for connection in self._connections.values():
            connection.close()

    def close(self):
        """Ends all connections."""
        _meshes.discard(self)
        for connection in self._connections.values():
            _hang_up(connection)
            connection.close()


def _fill(connection, view):
    while len(view):
        got = connection.recv_into(view, 0, socket.MSG_WAITALL)
        if not got:
            raise EOFError("it closed the connection")
        view = view[got:]


def _hang_up(connection):
    try:
        connection.shutdown(socket.SHUT_RDWR)  # wakes the thread that reads
    except OSError:
        pass  # its other side was quicker


def _gone(peer, error):
    return f"lost rank {peer}: {error or type(error).__name__}; has the process ended?"


_meshes = set()


def _close_in_child():
    """A process that is forked, of a data loader for one, must not keep connections open."""
    for mesh in _meshes:
        mesh.give_up()


os.register_at_fork(after_in_child=_close_in_child)
