"""The exceptions of exchanges between processes."""


class DistError(RuntimeError):
    """Something went wrong between processes."""


class DistBackendError(DistError):
    """What exchanges tensors failed."""


class DistNetworkError(DistError):
    """A connection could not be made, or broke."""


class DistStoreError(DistError):
    """A store failed, or a value was not set in time."""


class QueueEmptyError(DistStoreError):
    """Nothing was waiting in a store's queue."""
