"""Parametrisations: a parameter computed by modules from other parameters.

`register_parametrization(layer, "weight", f)` makes `layer.weight` a property that evaluates `f` on
the original, which moves to `layer.parametrizations.weight.original`.
"""

import copy
from contextlib import contextmanager

import rushlight as rl

from ..modules.container import ModuleDict, ModuleList
from ..modules.module import Module
from ..parameter import Parameter

__all__ = [
    "cached",
    "ParametrizationList",
    "register_parametrization",
    "is_parametrized",
    "remove_parametrizations",
    "type_before_parametrizations",
    "transfer_parametrizations_and_params",
]

_cache_depth = 0
_cache = {}


@contextmanager
def cached():
    """Inside, each parametrised tensor is computed once and then kept."""
    global _cache_depth
    _cache_depth += 1
    try:
        yield
    finally:
        _cache_depth -= 1
        if _cache_depth == 0:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrisations of one tensor, and the originals it is computed from.

    The first module's `right_inverse`, where it has one, gives the originals: `original`, or
    `original0`, `original1`, ... if it returns several tensors.
    """

    def __init__(self, modules, original, unsafe=False):
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        new = original
        with rl.no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    continue
                try:
                    new = module.right_inverse(new)
                except NotImplementedError:
                    pass
        if not isinstance(new, (rl.Tensor, list, tuple)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, rl.Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        before = rl.empty_like(original, device="meta")  # storing may change the original
        self._store(original, new)
        if not unsafe:
            _require_like(self(), before, "a parametrization")

    def _names(self):
        return ["original"] if self.is_tensor else [f"original{i}" for i in range(self.ntensors)]

    def _store(self, original, new):
        if self.is_tensor:
            if original.dtype != new.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            with rl.no_grad():
                original.set_(new)
            _register(self, "original", original)
            return
        for name, value in zip(self._names(), new):
            if not isinstance(value, rl.Tensor):
                raise ValueError(
                    "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                    f"tuple...). Got element of the sequence with type {type(value).__name__}."
                )
            if isinstance(original, Parameter):
                value = Parameter(value, original.requires_grad)
            _register(self, name, value.requires_grad_(original.requires_grad))

    def right_inverse(self, value):
        """Set the originals so that the parametrised tensor becomes `value`."""
        with rl.no_grad():
            for module in reversed(self):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse."
                    )
                value = module.right_inverse(value)
            values = [value] if self.is_tensor else value
            if len(values) != self.ntensors:
                raise ValueError(
                    "'right_inverse' must return a sequence of tensors of length "
                    f"{self.ntensors}. Got a sequence of length {len(values)}."
                )
            for name, new in zip(self._names(), values):
                getattr(self, name).set_(new)

    def forward(self):
        first, *rest = self
        value = first(*(getattr(self, name) for name in self._names()))
        for module in rest:
            value = module(value)
        return value


def _register(module, name, tensor):
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _make_parametrized_class(module):
    """Give `module` a class of its own, on which the properties can be put."""
    base = type(module)

    def getstate(self):
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict()."
        )

    def deepcopy(self, memo):
        found = memo.get(id(self))
        if found is not None:
            return found
        replica = self.__new__(type(self))
        memo[id(self)] = replica
        replica.__dict__ = copy.deepcopy(self.__dict__, memo)
        return replica

    body = {"__getstate__": getstate, "__module__": ParametrizationList.__module__}
    if base.__deepcopy__ is Module.__deepcopy__:
        body["__deepcopy__"] = deepcopy
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def _make_property(module, name):
    def get(self):
        if not _cache_depth:
            return self.parametrizations[name]()
        key = (id(self), name)
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def set_value(self, value):
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(get, set_value))


def register_parametrization(module, tensor_name, parametrization, *, unsafe=False):
    """Let `module.<tensor_name>` be computed by the module `parametrization`; returns `module`.

    Args:
        module: what the parameter or buffer belongs to.
        parametrization: its `forward` takes the original; `right_inverse`, if it has one, turns a
            value that is assigned into an original. Further ones are applied after it.
        unsafe: allow dtype or shape to change; nothing is checked then.

    Example::

        >>> import rushlight as rl
        >>> class Positive(rl.nn.Module):
        ...     def forward(self, x):
        ...         return x.exp()
        >>> layer = rl.nn.Linear(2, 2)
        >>> _ = rl.nn.utils.parametrize.register_parametrization(layer, "weight", Positive())
        >>> bool((layer.weight > 0).all())
        True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_next(module, tensor_name, parametrization)
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        listed = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _make_parametrized_class(module)
            module.parametrizations = ModuleDict()
        _make_property(module, tensor_name)
        module.parametrizations[tensor_name] = listed
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def _check_next(module, name, parametrization):
    before = getattr(module, name)
    after = parametrization(before)
    _require_like(after, before, "a parametrization")
    if hasattr(parametrization, "right_inverse"):
        try:
            inverse = parametrization.right_inverse(after)
        except NotImplementedError:
            return
        _require_like(inverse, before, "right_inverse")


def _require_like(value, original, who):
    if not isinstance(value, rl.Tensor):
        raise ValueError(f"{who} must return a tensor. Got {type(value).__name__}.")
    for what in ("dtype", "shape"):
        if getattr(value, what) != getattr(original, what):
            raise ValueError(
                f"{who} may not change the {what} of the tensor from {getattr(original, what)} to "
                f"{getattr(value, what)}, unless registered with unsafe=True"
            )


def is_parametrized(module, tensor_name=None):
    """Whether `module`, or its tensor of that name, has a parametrisation."""
    listed = getattr(module, "parametrizations", None)
    if not isinstance(listed, ModuleDict):
        return False
    return len(listed) > 0 if tensor_name is None else tensor_name in listed


def remove_parametrizations(module, tensor_name, leave_parametrized=True):
    """Make `module.<tensor_name>` a plain parameter or buffer again; returns `module`.

    With its parametrised value, or with its original one if `leave_parametrized=False`.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    listed = module.parametrizations[tensor_name]
    if not leave_parametrized and not listed.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    originals = [getattr(listed, name) for name in listed._names()]
    original = originals[0]
    if leave_parametrized:
        with rl.no_grad():
            value = getattr(module, tensor_name)
        if listed.is_tensor:
            with rl.no_grad():
                original.set_(value)
        else:
            learned = any(o.requires_grad for o in originals)
            original = Parameter(value) if learned else value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module):
    """The class of `module` without its parametrisations."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(from_module, to_module, tensor_name=None):
    """Copy the parametrisations of one tensor, or of all, with originals; returns the target."""
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        source = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach().clone()))
        for parametrization in source:
            register_parametrization(to_module, name, parametrization, unsafe=True)
        target = to_module.parametrizations[name]
        for original in source._names():
            setattr(target, original, getattr(source, original))
    return to_module
