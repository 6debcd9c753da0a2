"""Where PyTorch's native module keeps functions of networks: those of `nn.functional`, and the
reading of the arguments of ``to``.
"""

import rushlight as rl
from rushlight.nn.functional import *  # noqa: F403


def _parse_to(*args, **kwargs):
    """(device, dtype, non_blocking, memory format) of the arguments of ``to``; None if not given.

    Raises:
        TypeError: for arguments that ``to`` does not take.
    """
    found = {"device": None, "dtype": None, "non_blocking": False, "memory_format": None}
    unknown = [name for name in kwargs if name not in (*found, "tensor", "other", "copy")]
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument {unknown[0]!r}")
    for value in (*args, kwargs.pop("tensor", None), kwargs.pop("other", None)):
        if isinstance(value, rl.Tensor):
            found.update(device=value.device, dtype=value.dtype)
        elif isinstance(value, rl.dtype):
            found["dtype"] = value
        elif isinstance(value, bool):
            found["non_blocking"] = value
        elif isinstance(value, (str, int, rl.device)):
            found["device"] = rl.device(value)
        elif value is not None:
            raise TypeError(f"to() received an invalid argument of type {type(value).__name__}")
    found.update({name: value for name, value in kwargs.items() if value is not None})
    if found["device"] is not None:
        found["device"] = rl.device(found["device"])
    return tuple(found[name] for name in ("device", "dtype", "non_blocking", "memory_format"))
