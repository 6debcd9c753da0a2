"""Sharing tensors with other libraries through DLPack.

The protocol itself is part of the tensor type; these are the names programs import.
"""

import enum

import rushlight as rl


def from_dlpack(ext_tensor, **options):
    """A tensor that shares memory with an object that has `__dlpack__`, or with a capsule."""
    return rl.from_dlpack(ext_tensor, **options)


def to_dlpack(tensor):
    """A capsule for consumers that take capsules; others call `tensor.__dlpack__` themselves."""
    return tensor.__dlpack__()


class DLDeviceType(enum.IntEnum):
    """The kinds of device of the protocol, with its numbers."""

    kDLCPU = 1
    kDLCUDA = 2
    kDLCUDAHost = 3
    kDLOpenCL = 4
    kDLVulkan = 7
    kDLMetal = 8
    kDLVPI = 9
    kDLROCM = 10
    kDLROCMHost = 11
    kDLExtDev = 12
    kDLCUDAManaged = 13
    kDLOneAPI = 14
    kDLWebGPU = 15
    kDLHexagon = 16
    kDLMAIA = 17
