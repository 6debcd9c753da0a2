"""``functorch.einops``: the place where `rearrange` was first."""

from rushlight.func import rearrange

__all__ = ["rearrange"]
