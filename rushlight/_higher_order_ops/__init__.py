"""Functions of functions by PyTorch's private names: loops along a dimension, `cond` and
`while_loop`. They run as Python does; to add one, give it a module of PyTorch's name.
"""

from .associative_scan import associative_scan  # noqa: F401
from .cond import cond  # noqa: F401
from .map import map  # noqa: F401
from .scan import scan  # noqa: F401
from .while_loop import while_loop  # noqa: F401
