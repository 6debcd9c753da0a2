"""How processes find each other: by an address, which names a store. Here one process finds itself.

To add a scheme of addresses: `register_rendezvous_handler`.
"""

import os
from urllib.parse import parse_qs, urlparse

from rushlight._notes import unsupported

from ._store import FileStore, TCPStore

_handlers = {}


def register_rendezvous_handler(scheme, handler):
    """What to do for addresses ``scheme://``.

    Args:
        handler: called with the address and keywords, it yields ``(store, rank, world_size)``.

    Raises:
        RuntimeError: if the scheme has one.
    """
    if scheme in _handlers:
        raise RuntimeError(f"Rendezvous handler for {scheme}:// already registered")
    _handlers[scheme] = handler


def rendezvous(url, rank=-1, world_size=-1, **kwargs):
    """Yields ``(store, rank, world_size)`` for an address (``env://``, ``file://``, ``tcp://``).

    Raises:
        RuntimeError: if nothing is registered for the scheme.
        NotImplementedError: for a world of several processes.
    """
    if not isinstance(url, str):
        raise RuntimeError(f"rendezvous: expected an address, got {url!r}")
    scheme = urlparse(url).scheme
    if scheme not in _handlers:
        raise RuntimeError(f"No rendezvous handler for {scheme}://")
    query = {key: values[0] for key, values in parse_qs(urlparse(url).query).items()}
    rank = int(query.get("rank", -1)) if rank < 0 else rank
    world_size = int(query.get("world_size", -1)) if world_size < 0 else world_size
    return _handlers[scheme](url, rank=rank, world_size=world_size, **kwargs)


def _number(given, name):
    if given >= 0:
        return given
    if name not in os.environ:
        raise ValueError(f"rendezvous: the environment variable {name} is not set")
    return int(os.environ[name])


def _alone(rank, world_size):
    if world_size > 1:
        raise unsupported(f"rendezvous: a world of {world_size} processes", "use one process")
    if (rank, world_size) != (0, 1):
        raise ValueError(f"rendezvous: expected rank 0 of 1, got {rank} of {world_size}")
    return rank, world_size


def _from_env(url, rank, world_size, **kwargs):
    rank, world_size = _alone(_number(rank, "RANK"), _number(world_size, "WORLD_SIZE"))
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if host is None or port is None:
        raise ValueError("rendezvous: MASTER_ADDR and MASTER_PORT must be set in the environment")
    yield TCPStore(host, int(port), world_size, rank == 0), rank, world_size


def _from_tcp(url, rank, world_size, **kwargs):
    rank, world_size = _alone(rank, world_size)
    address = urlparse(url)
    if address.port is None:
        raise ValueError(f"rendezvous: expected tcp://host:port, got {url}")
    yield TCPStore(address.hostname, address.port, world_size, rank == 0), rank, world_size


def _from_file(url, rank, world_size, **kwargs):
    rank, world_size = _alone(rank, world_size)
    path = urlparse(url).path
    if not path:
        raise ValueError(f"rendezvous: expected file:///path, got {url}")
    yield FileStore(path, world_size), rank, world_size


for _scheme, _handler in (("env", _from_env), ("tcp", _from_tcp), ("file", _from_file)):
    register_rendezvous_handler(_scheme, _handler)
