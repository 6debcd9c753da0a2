"""Tools for testing programs and extensions: `assert_close`, `make_tensor`, `check_op`,
`check_grads`. This file only names them.
"""

from .check import check_grads, check_op
from .comparison import assert_allclose, assert_close
from .creation import make_tensor

__all__ = ["assert_allclose", "assert_close", "check_grads", "check_op", "make_tensor"]
