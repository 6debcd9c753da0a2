"""Errors of PyTorch's compiler that concern arguments, not compiling."""

__all__ = ["InvalidBackend", "TorchDynamoException"]


class TorchDynamoException(RuntimeError):
    """What the compiler raises."""


class InvalidBackend(TorchDynamoException):
    """The name of no backend."""

    def __init__(self, name):
        super().__init__(f"Invalid backend: {name!r}, see `torch._dynamo.list_backends()`")
