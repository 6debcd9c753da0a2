"""Putting tensors in the place of a module's members, as they are: no registration, no hooks."""

import rushlight as rl

_MISSING = object()


def swap_tensor(module, name, tensor, allow_missing=False):
    """Puts a tensor, or None, in the place of a parameter, buffer or attribute.

    Args:
        module: whose member it is; not of its submodules.
        name: of the member.
        tensor: `_MISSING` takes the member away.
        allow_missing: give `_MISSING` for a member that is not there, rather than raise.

    Returns: what was there.

    Raises:
        TypeError: if the module or a tensor is none.
        KeyError: for a name that is empty or has a dot.
        AttributeError: if there is no such member.
    """
    if not isinstance(module, rl.nn.Module):
        raise TypeError(f"swap_tensor: {module} is not an instance of torch.nn.Module")
    if tensor is not _MISSING:
        _need_tensor("tensor", tensor)
    if not name or "." in name:
        raise KeyError(f"swap_tensor: expected a name without dots, got {name!r}")
    for table in (module._parameters, module._buffers):
        if name in table:
            found = table.pop(name) if tensor is _MISSING else table[name]
            if tensor is not _MISSING:
                table[name] = tensor
            return found
    return _swap_attribute(module, name, tensor, allow_missing)


def _swap_attribute(module, name, tensor, allow_missing):
    found = getattr(module, name, _MISSING)
    if found is not _MISSING:
        _need_tensor(f"attribute {name!r}", found)
    elif not allow_missing:
        raise AttributeError(f"swap_tensor: {module._get_name()} has no attribute {name!r}")
    if tensor is not _MISSING:
        setattr(module, name, tensor)
    elif found is not _MISSING:
        delattr(module, name)
    return found


def _need_tensor(what, value):
    if value is not None and not isinstance(value, rl.Tensor):
        raise TypeError(
            f"swap_tensor: expected {what} to be a Tensor or None, got {type(value).__name__}"
        )
