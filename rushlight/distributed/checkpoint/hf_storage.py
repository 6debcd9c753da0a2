"""Readers and writers of sharded safetensors files, which are not supported."""

from rushlight._notes import unsupported_class

_WHY = "as checkpoints are written by one process; use the safetensors package"

HuggingFaceStorageReader = unsupported_class(__name__, "HuggingFaceStorageReader", _WHY)
HuggingFaceStorageWriter = unsupported_class(__name__, "HuggingFaceStorageWriter", _WHY)
