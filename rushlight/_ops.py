"""Operators as ``torch.ops`` has them; the classes are in `rushlight.library._operator`."""

from rushlight.library._operator import OpNamespace, OpOverload, OpOverloadPacket

__all__ = ["OpOverload", "OpOverloadPacket"]

_OpNamespace = OpNamespace
