"""How the processes of a world come to have a `Mesh`: each tells its address through a store.

A process connects to those of lower rank, and is connected to by those of higher rank; the first
bytes of a connection say whose it is. What stores there are is in `_store.py`.
"""

import os
import secrets
import socket
import struct
import time

from ._errors import DistNetworkError, DistStoreError
from ._mesh import Mesh
from ._tcp_store import read_exactly

_GREETING = struct.Struct("<16sI")
_PATIENCE = 5.0  # seconds for a caller to say who it is


def _host(store):
    """This machine's address that other processes can reach, as far as the store knows."""
    while hasattr(store, "underlying_store"):
        store = store.underlying_store
    local_host = getattr(getattr(store, "_place", None), "local_host", None)
    return local_host() if local_host else socket.gethostname()


def _listener(store):
    try:
        family = socket.AF_INET6 if ":" in _host(store) else socket.AF_INET
        return socket.create_server((_host(store), 0), family=family, backlog=512)
    except OSError:  # the name of a machine without a network
        return socket.create_server(("127.0.0.1", 0), backlog=512)


def _names(ranks):
    ranks = sorted(ranks)
    return f"rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}"


def _addresses(store, size, seconds, timeout):
    """Where all processes listen, by rank; DistStoreError that names those that did not come."""
    keys = [f"address/{rank}" for rank in range(size)]
    try:
        store.wait(keys, timeout)
        told = [bytes(store.get(key)).decode().split(" ") for key in keys]
    except DistNetworkError:
        raise
    except (DistStoreError, RuntimeError) as error:
        missing = [rank for rank, key in enumerate(keys) if not store.check([key])]
        if not missing:
            raise
        raise DistStoreError(
            f"init_process_group: {_names(missing)} of {size} did not come within {seconds:g} s "
            f"({error})"
        ) from None
    return [(host, int(port), bytes.fromhex(token)) for port, token, host in told]


def _call(rank, peer, address, end):
    """A connection to a process of lower rank."""
    host, port, token = address
    try:
        left = max(end - time.monotonic(), 0.001)
        connection = socket.create_connection((host, port), timeout=left)
        connection.sendall(_GREETING.pack(token, rank))
    except OSError as error:
        raise DistNetworkError(
            f"init_process_group: rank {rank} cannot connect to rank {peer} at {host}:{port}: "
            f"{error}"
        ) from None
    return connection


def _answer(listener, token, awaited, end):
    """The next caller that knows the token: its rank, and the connection."""
    while True:
        listener.settimeout(max(end - time.monotonic(), 0.001))
        connection = listener.accept()[0]
        try:
            connection.settimeout(min(max(end - time.monotonic(), 0.001), _PATIENCE))
            known, peer = _GREETING.unpack(read_exactly(connection, _GREETING.size))
            if secrets.compare_digest(known, token) and peer in awaited:
                return peer, connection
        except (OSError, EOFError):
            pass  # a stranger
        connection.close()


def meet(store, rank, size, timeout):
    """A `Mesh` of all processes that call this with the store.

    Raises:
        DistStoreError: naming the ranks that did not come in time.
        DistNetworkError: if a connection cannot be made.
    """
    seconds, token = timeout.total_seconds(), os.urandom(16)
    end, connections = time.monotonic() + seconds, {}
    with _listener(store) as listener:
        host, port = listener.getsockname()[:2]
        if not store.compare_set(f"taken/{rank}", "", token.hex()) == token.hex().encode():
            raise DistStoreError(f"init_process_group: another process has rank {rank}, too")
        store.set(f"address/{rank}", f"{port} {token.hex()} {host}")
        addresses = _addresses(store, size, seconds, timeout)
        for peer in range(rank):
            connections[peer] = _call(rank, peer, addresses[peer], end)
        awaited = set(range(rank + 1, size))
        while awaited:
            try:
                peer, connection = _answer(listener, token, awaited, end)
            except TimeoutError:
                raise DistNetworkError(
                    f"init_process_group: {_names(awaited)} did not connect to rank {rank} within "
                    f"{seconds:g} s"
                ) from None
            connections[peer] = connection
            awaited.discard(peer)
    return Mesh(rank, connections, seconds)
