"""PyTorch's place for the parts of `vmap`: the module that has them here.

It is the same object, so that a package that puts a function of its own in the place of one of them
changes what `vmap` does.
"""

import sys

import rushlight.func  # noqa: F401 - loads the module

sys.modules[__name__] = sys.modules["rushlight.func.vmap"]
