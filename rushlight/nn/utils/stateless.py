"""Calling a module with other parameters and buffers than its own."""

import rushlight as rl

__all__ = ["functional_call"]


def functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Deprecated location of `rushlight.func.functional_call`, the same function.

    Args:
        parameters_and_buffers: tensors by dotted name; the module's own are used for the rest.
        args, kwargs: of the call; a value that is no tuple counts as the only argument.
        tie_weights: whether a tensor given for one name serves all names of the same parameter.
        strict: raise RuntimeError unless exactly the module's names are given.
    """
    import warnings

    warnings.warn(
        "This API is deprecated as of PyTorch 2.0 and will be removed in a future version of "
        "PyTorch. Please use torch.func.functional_call instead which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    return _functional_call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )


def _functional_call(
    module, parameters_and_buffers, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """What `functional_call` does, without its warning."""
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _reparametrize_module(
        module, parameters_and_buffers, tie_weights=tie_weights, strict=strict
    ):
        return module(*args, **(kwargs or {}))


_ABSENT = object()


class _reparametrize_module:  # by the name that packages import
    """Context in which a module has the given tensors in place of its own.

    What the module assigns meanwhile is in the given dictionary afterwards.
    """

    def __init__(self, module, tensors, tie_weights=False, strict=False):
        self.given = tensors
        # Only where it is asked for: a module that holds itself has no end of names.
        own = _own_tensors(module) if tie_weights or strict else {}
        if tie_weights:
            tensors = _with_ties(own, tensors)
        if strict and own.keys() != tensors.keys():
            unexpected = sorted(tensors.keys() - own.keys())
            missing = sorted(own.keys() - tensors.keys())
            raise RuntimeError(f"Unexpected key(s): {unexpected}. Missing key(s): {missing}.")
        self.places = []
        for name, tensor in tensors.items():
            table, key = _table_of(module, name)
            for value in (tensor, table.get(key)):
                if value is not None and not isinstance(value, rl.Tensor):
                    raise TypeError(
                        f"functional_call: {name}: {value} is not an instance of Tensor"
                    )
            self.places.append((name, table, key, tensor))

    def __enter__(self):
        self.saved = [table.get(key, _ABSENT) for _, table, key, _ in self.places]
        for _, table, key, tensor in self.places:
            table[key] = tensor

    def __exit__(self, *error):
        for (name, table, key, _), before in zip(self.places, self.saved):
            after = table.pop(key, _ABSENT) if before is _ABSENT else table.get(key, _ABSENT)
            if name in self.given and after is not _ABSENT and after is not self.given[name]:
                self.given[name] = after
            if before is not _ABSENT:
                table[key] = before


def _own_tensors(module):
    return {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }


def _table_of(module, path):
    """(the dict of parameters or buffers that holds `path`, its name there).

    What is neither is an attribute, or becomes one for the time of the call.
    """
    prefix, _, name = path.rpartition(".")
    owner = module.get_submodule(prefix)
    for table in (owner._parameters, owner._buffers):
        if name in table:
            return table, name
    return owner.__dict__, name


def _with_ties(own, given):
    """`given`, also under the other names of the same tensors."""
    names = {}
    for name, tensor in own.items():
        names.setdefault(id(tensor), []).append(name)
    result = dict(given)
    for same in names.values():
        values = {id(given[n]): given[n] for n in same if n in given}
        if len(values) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {same}, which are tied. Consider "
                "using tie_weights=False"
            )
        for value in values.values():
            result.update((n, value) for n in same)
    return result
