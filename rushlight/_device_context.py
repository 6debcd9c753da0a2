"""The device on which functions make tensors that are not told one: ``with torch.device("meta"):``.

`set_default_device` sets it for good. Only functions that have an argument ``device``, and make
tensors from none, are affected. The switch is the hook of `rushlight._interpose`.
"""

import functools

from rushlight import _native
from rushlight._interpose import interpose

_default = {"device": None, "context": None}
_contexts = []  # those entered by ``with``, innermost last


@functools.lru_cache(None)
def _makers():
    """Names of ops that make tensors: they have ``device=``, and take no tensor."""
    from rushlight.ops._record import records

    names = {"tensor", "as_tensor"}
    for record in records.values():
        takes_tensor = any(kind in (0, 1, 2) for kind in record.arg_types)
        if "device" in record.arg_names and not takes_tensor:
            names.add(record.public_name)
    return frozenset(names)


class _Context(interpose):
    def __init__(self, device):
        self.device = device
        super().__init__(self._handle)

    def _handle(self, function, args, kwargs):
        name = getattr(function, "__name__", None)
        if name not in _makers() or (kwargs or {}).get("device") is not None:
            return NotImplemented
        return function(*args, **{**(kwargs or {}), "device": self.device})


def enter(device):
    """``with device:`` begins."""
    context = _Context(device)
    context.__enter__()
    _contexts.append(context)
    return device


def leave(device):
    """``with device:`` ends."""
    _contexts.pop().__exit__(None, None, None)


def set_default(device):
    """The device from now on."""
    context = _default["context"]
    _default["device"] = device
    if context is not None and _native.interposer_stack()[-1:] == [context.handler]:
        context.__exit__(None, None, None)
        context = _default["context"] = None
    if context is not None:  # others have been entered since: it stays where it is
        context.device = device
    elif device.type != "cpu":
        _default["context"] = _Context(device)
        _default["context"].__enter__()


def current():
    """The device that functions use now; None for the CPU."""
    return _contexts[-1].device if _contexts else _default["device"]
