"""Modules as functions of their parameters, in the form that functorch gave them before
`torch.func.functional_call`.
"""

import copy

import rushlight as rl
from rushlight.func.modules import functional_call

__all__ = [
    "FunctionalModule",
    "FunctionalModuleWithBuffers",
    "combine_state_for_ensemble",
    "make_functional",
    "make_functional_with_buffers",
]


class FunctionalModuleWithBuffers(rl.nn.Module):
    """A module without state: called with parameters, buffers and its arguments."""

    def __init__(self, stateless_model, param_names, buffer_names):
        super().__init__()
        self.stateless_model = stateless_model
        self.param_names, self.buffer_names = param_names, buffer_names

    def forward(self, params, buffers, *args, **kwargs):
        given = _named(self.param_names, params, "parameters")
        given.update(_named(self.buffer_names, buffers, "buffers"))
        return functional_call(self.stateless_model, given, args, kwargs)


class FunctionalModule(rl.nn.Module):
    """A module without parameters: called with parameters and its arguments."""

    def __init__(self, stateless_model, param_names):
        super().__init__()
        self.stateless_model, self.param_names = stateless_model, param_names

    def forward(self, params, *args, **kwargs):
        given = _named(self.param_names, params, "parameters")
        return functional_call(self.stateless_model, given, args, kwargs)


def _named(names, tensors, what):
    tensors = tuple(tensors)
    if len(tensors) != len(names):
        raise RuntimeError(
            f"functional module: expected {len(names)} {what}, {', '.join(names)}; "
            f"got {len(tensors)}"
        )
    return dict(zip(names, tensors))


def _taken_out(model, named):
    """(names, tensors) of a model, which keeps only their geometry in their places."""
    names = tuple(name for name, _ in named)
    tensors = tuple(tensor for _, tensor in named)
    emptied = {id(x): x.detach().to("meta") for x in tensors}
    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for name, x in table.items():
                if id(x) in emptied:
                    table[name] = emptied[id(x)]
    return names, tensors


def make_functional_with_buffers(model, disable_autograd_tracking=False):
    """``(function, parameters, buffers)`` of a copy of a module.

    Args:
        model: left as it is.
        disable_autograd_tracking: the parameters require no gradients.

    Returns: a `FunctionalModuleWithBuffers`, and two tuples of tensors.
    """
    model = copy.deepcopy(model)
    buffer_names, buffers = _taken_out(model, list(model.named_buffers()))
    param_names, params = _parameters_of(model, disable_autograd_tracking)
    return FunctionalModuleWithBuffers(model, param_names, buffer_names), params, buffers


def make_functional(model, disable_autograd_tracking=False):
    """``(function, parameters)`` of a copy of a module without buffers.

    Args:
        model: left as it is.
        disable_autograd_tracking: the parameters require no gradients.

    Returns: a `FunctionalModule`, and a tuple of tensors.

    Raises:
        RuntimeError: if there are buffers.
    """
    if next(model.buffers(), None) is not None:
        raise RuntimeError(
            "make_functional(model): `model` has buffers. Please use "
            "make_functional_with_buffers(model) instead."
        )
    model = copy.deepcopy(model)
    names, params = _parameters_of(model, disable_autograd_tracking)
    return FunctionalModule(model, names), params


def _parameters_of(model, disable_autograd_tracking):
    names, params = _taken_out(model, list(model.named_parameters()))
    if disable_autograd_tracking:
        for x in params:
            x.requires_grad_(False)
    return names, params


def combine_state_for_ensemble(models):
    """``(function, parameters, buffers)`` of several modules, for `vmap` over the first dimension.

    Raises:
        RuntimeError: unless there are modules, of one class, all in training mode or none.
    """
    from rushlight.func.modules import stack_module_state

    params, buffers = stack_module_state(list(models))
    return make_functional_with_buffers(models[0])[0], (*params.values(),), (*buffers.values(),)
