"""Where PyTorch's native module keeps groups and stores."""

from rushlight.distributed import (  # noqa: F401
    FileStore,
    HashStore,
    PrefixStore,
    ProcessGroup,
    ReduceOp,
    Store,
    TCPStore,
    Work,
)
