"""Extensions in C++ and CUDA written for PyTorch's C++ interface, which rushlight does not have.

Every name can be imported; using one raises NotImplementedError.
"""

from rushlight._notes import unsupported

_WHY = "rushlight has no C++ interface of PyTorch's; write the op in Python with torch.library"
_FUNCTIONS = (
    "CUDAExtension", "CppExtension", "SyclExtension", "include_paths", "library_paths", "load",
    "load_inline", "verify_ninja_availability",
)  # fmt: skip
CUDA_HOME = CUDNN_HOME = ROCM_HOME = SYCL_HOME = None


def _missing(name):
    def function(*args, **kwargs):
        raise unsupported(f"torch.utils.cpp_extension.{name}", _WHY)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = "Raises NotImplementedError."
    return function


globals().update({name: _missing(name) for name in _FUNCTIONS})


class BuildExtension:
    """A build command for setuptools. Creating one raises NotImplementedError."""

    def __init__(self, *args, **kwargs):
        raise unsupported("torch.utils.cpp_extension.BuildExtension", _WHY)

    @classmethod
    def with_options(cls, **options):
        """The class."""
        return cls


def is_ninja_available():
    """Is the program ninja found?"""
    import shutil

    return shutil.which("ninja") is not None


__all__ = [*_FUNCTIONS, "BuildExtension", "is_ninja_available"]
