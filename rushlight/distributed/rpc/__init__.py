"""Remote procedure calls, which are not supported: `is_available` says so."""

from rushlight._late import submodules
from rushlight._notes import unsupported, unsupported_class

__all__ = ["RRef", "init_rpc", "is_available"]


def is_available():
    """False."""
    return False


RRef = unsupported_class(__name__, "RRef", "as processes exchange tensors only")


def init_rpc(name, backend=None, rank=-1, world_size=None, rpc_backend_options=None):
    """Raises NotImplementedError."""
    raise unsupported("torch.distributed.rpc", "ask torch.distributed.rpc.is_available() first")


__getattr__ = submodules(__name__, ("api",))
