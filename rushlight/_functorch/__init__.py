"""Private names of PyTorch's function transforms that packages import or take over."""

from rushlight._functorch import vmap  # noqa: F401
