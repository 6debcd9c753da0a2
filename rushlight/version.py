"""Two versions: that of this package, and that of PyTorch whose names and semantics it follows.

`rushlight` is the package's own; the build reads it from here, and it is how to tell this package
from PyTorch, which has no such name (see docs/running_pytorch_programs.md). `__version__` is what
programs compare with PyTorch's releases.
"""

rushlight = "0.1.0"
__version__ = "2.13.0+rushlight"

#: of compilers and GPU toolkits, there is none
cuda = hip = rocm = xpu = git_version = None
debug = False
