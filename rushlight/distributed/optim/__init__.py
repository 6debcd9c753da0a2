"""Optimisers whose state is spread over processes, which is not supported."""

from rushlight._notes import unsupported_class

_WHY = "as each process has all of the state; use the optimiser itself"

ZeroRedundancyOptimizer = unsupported_class(__name__, "ZeroRedundancyOptimizer", _WHY)
PostLocalSGDOptimizer = unsupported_class(__name__, "PostLocalSGDOptimizer", _WHY)

__all__ = ["PostLocalSGDOptimizer", "ZeroRedundancyOptimizer"]
