"""How processes find each other: by an address, which names a store.

To add a scheme of addresses: `register_rendezvous_handler`.
"""

import os
from urllib.parse import parse_qs, unquote, urlparse

from ._file_store import FileStore
from ._store import DEFAULT_TIMEOUT, HashStore, Store
from ._tcp_store import TCPStore

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
        ValueError: if the rank, the number of processes or the address are missing.
    """
    if not isinstance(url, str):
        raise RuntimeError(f"rendezvous: expected an address, got {url!r}")
    scheme = urlparse(url).scheme
    if scheme not in _handlers:
        raise RuntimeError(f"No rendezvous handler for {scheme}://")
    rank, world_size = _numbers_in(url, rank, world_size)
    return _handlers[scheme](url, rank=rank, world_size=world_size, **kwargs)


def _numbers_in(url, rank, world_size):
    query = {key: values[0] for key, values in parse_qs(urlparse(url).query).items()}
    rank = int(query.get("rank", -1)) if rank < 0 else rank
    return rank, int(query.get("world_size", -1)) if world_size < 0 else world_size


def joined(init_method, timeout, world_size, rank, store):
    """The store, rank and number of processes that `init_process_group` is asked for.

    A world of one process needs no store that others could reach.
    """
    if store is not None:
        if init_method is not None:
            raise ValueError("init_process_group: pass init_method or store, not both")
        if not isinstance(store, Store):
            raise TypeError(f"init_process_group: expected a Store, got {type(store).__name__}")
        rank, world_size = _in_range(rank, world_size)
        store.set_timeout(timeout)
        return store, rank, world_size
    url = "env://" if init_method is None else init_method
    if url.startswith("env://"):
        world_size, rank = _number(world_size, "WORLD_SIZE"), _number(rank, "RANK")
    else:
        rank, world_size = _numbers_in(url, rank, world_size)
    if world_size == 1 and urlparse(url).scheme in _BUILT_IN:
        return HashStore(), *_in_range(rank, world_size)
    return next(rendezvous(url, rank, world_size, timeout=timeout))


def _number(given, name):
    if given >= 0:
        return given
    if name not in os.environ:
        raise ValueError(f"rendezvous: the environment variable {name} is not set")
    return int(os.environ[name])


def _in_range(rank, world_size):
    if world_size < 1 or not 0 <= rank < world_size:
        raise ValueError(
            "rendezvous: expected world_size and rank, from 0 to world_size - 1, got world_size "
            f"{world_size} and rank {rank}"
        )
    return rank, world_size


def _served(host, port, rank, world_size, timeout):
    """The store at an address, which rank 0 serves unless whoever started the processes does."""
    launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    master = rank == 0 and not (launcher and os.environ.get("MASTER_PORT") == str(port))
    return TCPStore(
        host, port, world_size, master, timeout, wait_for_workers=False, multi_tenant=True
    )


def _from_env(url, rank, world_size, timeout=DEFAULT_TIMEOUT, **kwargs):
    rank, world_size = _in_range(_number(rank, "RANK"), _number(world_size, "WORLD_SIZE"))
    host, port = os.environ.get("MASTER_ADDR"), os.environ.get("MASTER_PORT")
    if host is None or port is None:
        raise ValueError("rendezvous: MASTER_ADDR and MASTER_PORT must be set in the environment")
    yield _served(host, int(port), rank, world_size, timeout), rank, world_size


def _from_tcp(url, rank, world_size, timeout=DEFAULT_TIMEOUT, **kwargs):
    rank, world_size = _in_range(rank, world_size)
    address = urlparse(url)
    if address.port is None:
        raise ValueError(f"rendezvous: expected tcp://host:port, got {url}")
    yield _served(address.hostname, address.port, rank, world_size, timeout), rank, world_size


def _from_file(url, rank, world_size, timeout=DEFAULT_TIMEOUT, **kwargs):
    rank, world_size = _in_range(rank, world_size)
    path = unquote(urlparse(url).path)
    if not path:
        raise ValueError(f"rendezvous: expected file:///path, got {url}")
    store = FileStore(path, world_size)
    store.set_timeout(timeout)
    yield store, rank, world_size


_BUILT_IN = {"env": _from_env, "tcp": _from_tcp, "file": _from_file}
for _scheme, _handler in _BUILT_IN.items():
    register_rendezvous_handler(_scheme, _handler)
