"""`TCPStore`: a store that one process serves to others.

A message is its length and packed fields (see `_store.py`): an operation, how long to wait for it,
keys and values; the answer is a word (see `_ANSWERS`) and what was found.
"""

import os
import socket
import struct
import threading
import time
import weakref

from ._errors import DistNetworkError, DistStoreError
from ._store import OPERATIONS, Store, Values, duration, pack, unpack

_LONGEST_MESSAGE = 1 << 31
_ANSWERS = {b"late": DistStoreError, b"value": ValueError}
_JOINED = "\0joined"
_GRACE = 10.0  # seconds that an answer may be late


def read_exactly(connection, n):
    """The next bytes of a connection; EOFError if it ends before."""
    data = bytearray(n)
    view, done = memoryview(data), 0
    while done < n:
        got = connection.recv_into(view[done:])
        if not got:
            raise EOFError("the connection was closed")
        done += got
    return data


def _send(connection, fields):
    data = pack(fields)
    connection.sendall(struct.pack("<Q", len(data)) + data)


def _receive(connection):
    (length,) = struct.unpack("<Q", read_exactly(connection, 8))
    if length > _LONGEST_MESSAGE:
        raise ValueError(f"a message of {length} bytes")
    return unpack(read_exactly(connection, length))


class Server:
    """Answers to everybody who connects, each in a thread, until closed."""

    def __init__(self, host, port, descriptor=None):
        self._values, self._connections = Values(), weakref.WeakSet()
        if descriptor is not None:
            self._listener = socket.socket(fileno=descriptor)
        else:
            self._listener = _listen(host, port)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        os.register_at_fork(after_in_child=_weakly(self._close_descriptors))

    def _accept(self):
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return  # closed
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                while True:
                    _send(connection, self._answer(*_receive(connection)))
        except (OSError, EOFError, ValueError, TypeError):
            return  # the other side has gone, or talks of something else

    def _answer(self, operation, seconds, *fields):
        operation = operation.decode()
        if operation not in OPERATIONS:
            raise ValueError(f"no operation {operation!r}")
        try:
            return [b"ok", *self._values.do(operation, fields, float(seconds))]
        except DistStoreError as error:
            return [b"late", str(error).encode()]
        except ValueError as error:
            return [b"value", str(error).encode()]

    def _close_descriptors(self):
        for end in (self._listener, *self._connections):
            end.close()

    def close(self):
        """Ends all connections and gives the port back."""
        for end in (self._listener, *self._connections):
            try:
                end.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait for it
            except OSError:
                pass  # its other side was quicker
        self._close_descriptors()


def _weakly(method):
    """Calls a method while its object lives."""
    reference = weakref.WeakMethod(method)

    def call():
        method = reference()
        if method is not None:
            method()

    return call


def _listen(host, port):
    """A socket that listens at a port of all of this machine's addresses."""
    try:
        if socket.has_dualstack_ipv6():
            return socket.create_server(
                ("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=512
            )
        return socket.create_server(("", port), backlog=512)
    except OSError as error:
        raise DistNetworkError(
            f"TCPStore: cannot serve at port {port} of {host}: {error}; choose another port, or 0 "
            "for a free one"
        ) from None


def _connect(host, port, seconds):
    """A connection to the server, which may not have begun yet."""
    end, pause = time.monotonic() + seconds, 0.01
    while True:
        left = end - time.monotonic()
        try:
            return socket.create_connection((host, port), timeout=max(left, 0.001))
        except OSError as error:
            if left <= pause:
                raise DistNetworkError(
                    f"TCPStore: nobody serves at {host}:{port}, tried for {seconds:g} s: {error}; "
                    "is the process with rank 0 running, and is the address its?"
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, 0.5)


class _Client:
    """Where a `TCPStore` has its values: at a server."""

    def __init__(self, host, port, seconds):
        self.address = f"{host}:{port}"
        self._connection, self._lock = _connect(host, port, seconds), threading.Lock()
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._process = os.getpid()

    def close(self):
        """Ends the connection."""
        self._connection.close()

    def local_host(self):
        """The address of this machine that the server sees."""
        return self._connection.getsockname()[0]

    def do(self, operation, fields, seconds):
        if os.getpid() != self._process:
            raise DistNetworkError(
                f"TCPStore: the connection to {self.address} is of the process that was forked; "
                "make a store in this one"
            )
        request = [operation.encode(), repr(seconds).encode(), *fields]
        try:
            with self._lock:
                self._connection.settimeout(seconds + _GRACE)
                _send(self._connection, request)
                word, *found = _receive(self._connection)
        except (OSError, EOFError, ValueError) as error:
            self._connection.close()
            raise DistNetworkError(
                f"TCPStore: lost the server at {self.address} ({error}); has the process that "
                "serves it ended?"
            ) from None
        except BaseException:
            self._connection.close()  # an answer may be on its way, to a question forgotten
            raise
        if word in _ANSWERS:
            raise _ANSWERS[word](found[0].decode())
        return found


_servers = {}  # those that stay to the end, as other processes may come early to what begins next


def _server_at(host, port, shared, descriptor):
    """The server of a port, for one store or, ``shared``, for all of this process."""
    server = _servers.get(port) if shared and port else None
    if server is None:
        server = Server(host, port, descriptor)
        if shared:
            _servers[server.port] = server
    return server


class TCPStore(Store):
    """A store that the process with ``is_master`` serves to others.

    Args:
        host_name, port: where it is served; port 0 is any free one, which `port` then says.
        world_size: how many processes will use it, or None.
        is_master: whether this process serves it.
        timeout: a timedelta: how long to wait for values, the server and the other processes.
        wait_for_workers: whether to return only when ``world_size`` processes have come.
        multi_tenant: whether a server of this process at the same port may be used.
        master_listen_fd: the descriptor of a socket that listens, to serve at.
        use_libuv: kept; there is one way to serve.

    Raises:
        DistNetworkError: if the port cannot be had, or nobody serves at the address in time.
        DistStoreError: if not all processes come in time.

    Example::

        >>> store = rl.distributed.TCPStore("127.0.0.1", 0, 1, is_master=True)
        >>> store.add("count", 2)
        2
    """

    def __init__(
        self,
        host_name,
        port,
        world_size=None,
        is_master=False,
        timeout=None,
        wait_for_workers=True,
        multi_tenant=False,
        master_listen_fd=None,
        use_libuv=True,
    ):
        super().__init__()
        self._timeout = self._timeout if timeout is None else duration(timeout)
        self._server, self.host, self.libuvBackend = None, host_name, use_libuv
        if is_master:
            self._server = _server_at(host_name, port, multi_tenant, master_listen_fd)
            port = self._server.port
        self.port = port
        self._place = _Client(host_name, port, self._timeout.total_seconds())
        weakref.finalize(self, self._place.close)
        if self._server is not None and not multi_tenant:
            weakref.finalize(self, self._server.close)
        if wait_for_workers and world_size and world_size > 0:
            self._wait_for(world_size)

    def _wait_for(self, world_size):
        joined = self.add(_JOINED, 1)
        if joined == world_size:
            self.set(_JOINED + " all", "")
        try:
            self.wait([_JOINED + " all"])
        except DistStoreError:
            raise DistStoreError(
                f"TCPStore: {self.add(_JOINED, 0)} of {world_size} processes came to "
                f"{self._place.address} within {self._timeout.total_seconds():g} s"
            ) from None

    def num_keys(self):
        """How many keys are set; the count of the processes that have come is one."""
        return super().num_keys() + self.check([_JOINED])

    def clone(self):
        """Another connection to the same server."""
        return type(self)(self.host, self.port, timeout=self.timeout, wait_for_workers=False)

    def __repr__(self):
        return f"TCPStore({self._place.address}, {'serving' if self._server else 'client'})"
