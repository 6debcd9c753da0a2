"""`Module`: the base class of everything in `nn`, and the hooks that apply to all modules.

Here: how parameters, buffers and submodules are registered, found, walked and shown.  Hooks of a
call are in `_hooks.py`, the state dict in `_state.py`, conversions in `_convert.py`,
deep copies in `_deepcopy.py`.
"""

import rushlight as rl
from rushlight._notes import early_arguments
from rushlight._native import describe_module, quick_module

from ..parameter import Buffer, Parameter
from ._convert import ConvertMethods
from ._deepcopy import CopyMethods
from ._hooks import HOOK_TABLES, GlobalHooks, HookMethods, add_hook
from ._state import StateMethods, _IncompatibleKeys  # noqa: F401 - PyTorch has it here

__all__ = [
    "register_module_forward_pre_hook",
    "register_module_forward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_backward_hook",
    "register_module_full_backward_hook",
    "register_module_buffer_registration_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
    "Module",
]

_EXTRA_STATE_KEY_SUFFIX = "_extra_state"
Tensor = rl.Tensor


class Module(HookMethods, StateMethods, ConvertMethods, CopyMethods):
    """Base class of all neural network modules.

    Subclasses create parameters and submodules as attributes in `__init__` (after calling
    `super().__init__()`) and compute in `forward`. Calling the module runs `forward` and its hooks.

    Attributes:
        training: True in training mode, False after `eval()`.

    Example::

        >>> import rushlight as rl
        >>> class Net(rl.nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.out = rl.nn.Linear(3, 1)
        ...     def forward(self, x):
        ...         return self.out(x).tanh()
        >>> Net()(rl.zeros(2, 3)).shape
        torch.Size([2, 1])
    """

    dump_patches: bool = False
    call_super_init: bool = False

    def __init__(self, *args, **kwargs):
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                    f"'{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{type(self).__name__}.__init__() takes 1 positional argument but "
                    f"{len(args) + 1} were given"
                )
        attributes = self.__dict__
        attributes["training"] = True
        attributes["_parameters"] = {}
        attributes["_buffers"] = {}
        attributes["_non_persistent_buffers_set"] = set()
        attributes["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *input):
        """The computation; every subclass defines it."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args, **kwargs):
        if self._hooked:
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    # ---- attributes -----------------------------------------------------------------------

    def __init_subclass__(cls, **options):
        super().__init_subclass__(**options)
        quick_module(cls)

    def __getattr__(self, name):
        attributes = self.__dict__
        if "_parameters" in attributes:
            if name in (table := attributes["_parameters"]):
                return table[name]
            if name in (table := attributes["_modules"]):
                return table[name]
            if name in (table := attributes["_buffers"]):
                return table[name]
        if name in HOOK_TABLES:
            return self._hook_table(name)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name, value):
        attributes = self.__dict__
        params = attributes.get("_parameters")
        is_tensor = isinstance(value, Tensor)
        if is_tensor and isinstance(value, Parameter):
            if params is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, keep=params)
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            if params is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, keep=self._modules)
            self._set_module(name, value)
        elif params is None:
            object.__setattr__(self, name, value)
        elif name in params:
            _only_none(value, "parameter", name, "torch.nn.Parameter or None")
            self.register_parameter(name, value)
        elif name in attributes["_modules"]:
            _only_none(value, "child module", name, "torch.nn.Module or None")
            self._set_module(name, value)
        elif name in attributes["_buffers"] or is_tensor and isinstance(value, Buffer):
            self._set_buffer(name, value)
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name):
        if name in self._parameters:
            del self._parameters[name]
        elif name in self._buffers:
            del self._buffers[name]
            self._non_persistent_buffers_set.discard(name)
        elif name in self._modules:
            del self._modules[name]
        elif name in HOOK_TABLES:
            self.__dict__.pop(name, None)  # made when they are first needed
        else:
            super().__delattr__(name)

    def _forget(self, name, keep):
        """Remove `name` from wherever it is registered, other than the table `keep`."""
        attributes = self.__dict__
        attributes.pop(name, None)
        for kind in ("_parameters", "_buffers", "_modules"):
            table = attributes[kind]
            if table and table is not keep:
                table.pop(name, None)
        attributes["_non_persistent_buffers_set"].discard(name)

    def _set_module(self, name, module):
        for hook in GlobalHooks.on_module.values():
            new = hook(self, name, module)
            module = module if new is None else new
        self._modules[name] = module

    def _set_buffer(self, name, value):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(
                f"cannot assign '{rl.typename(value)}' as buffer '{name}' "
                "(torch.nn.Buffer, torch.Tensor or None expected)"
            )
        if isinstance(value, Buffer):
            kept = {} if value.persistent else {"persistent": False}  # overriders may not know it
            self.register_buffer(name, value, **kept)
            return
        for hook in GlobalHooks.on_buffer.values():
            new = hook(self, name, value)
            value = value if new is None else new
        self._buffers[name] = value

    # ---- registration ---------------------------------------------------------------------

    def register_buffer(self, name, tensor, persistent=True):
        """Add a tensor that belongs to the state but is not learned.

        Args:
            name: the attribute's name, without dots.
            tensor: the tensor, or None for a buffer to be set later.
            persistent: whether `state_dict()` contains it.
        """
        if "_buffers" not in self.__dict__:
            raise AttributeError("cannot assign buffer before Module.__init__() call")
        self._check_name("buffer", name, self._buffers)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{rl.typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        for hook in GlobalHooks.on_buffer.values():
            new = hook(self, name, tensor)
            tensor = tensor if new is None else new
        self._buffers[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_parameter(self, name, param):
        """Add a parameter, or None for one that is absent; the same as assigning it."""
        if "_parameters" not in self.__dict__:
            raise AttributeError("cannot assign parameter before Module.__init__() call")
        self._check_name("parameter", name, self._parameters)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{rl.typename(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must "
                    f"be created explicitly. To express '{name}' as a function of another Tensor, "
                    "compute the value in the forward() method."
                )
            for hook in GlobalHooks.on_parameter.values():
                new = hook(self, name, param)
                param = param if new is None else new
        self._parameters[name] = param

    def _check_name(self, kind, name, table):
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {rl.typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: "{name}"')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if name not in table and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def add_module(self, name, module):
        """Add a child under `name`; None makes an absent child."""
        if not isinstance(module, Module) and module is not None:
            raise TypeError(f"{rl.typename(module)} is not a Module subclass")
        self._check_name("module", name, self._modules)
        self._set_module(name, module)

    def register_module(self, name, module):
        """The same as `add_module`."""
        self.add_module(name, module)

    # ---- finding --------------------------------------------------------------------------

    def get_submodule(self, target):
        """The submodule with the dotted name `target`; raises AttributeError if there is none."""
        module = self
        for item in target.split(".") if target else ():
            if not hasattr(module, item):
                raise AttributeError(f"{module._get_name()} has no attribute `{item}`")
            module = getattr(module, item)
            if not isinstance(module, Module):
                raise AttributeError(f"`{item}` is not an nn.Module")
        return module

    def set_submodule(self, target, module, strict=False):
        """Put `module` at the dotted name `target`; with `strict` something must be there."""
        if target == "":
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target):
        """The parameter with the dotted name `target`; raises AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        param = getattr(module, name)
        if not isinstance(param, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return param

    def get_buffer(self, target):
        """The buffer with the dotted name `target`; raises AttributeError if there is none."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return module._buffers[name]

    # ---- walking --------------------------------------------------------------------------

    def named_modules(self, memo=None, prefix="", remove_duplicate=True):
        """Yield (dotted name, module) for this module and all below it, parents first."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                below = prefix + ("." if prefix else "") + name
                yield from module.named_modules(memo, below, remove_duplicate)

    def modules(self, remove_duplicate=True):
        """Yield this module and all below it, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self):
        """Yield (name, module) for the direct children, each module once."""
        memo = set()
        for name, module in self._modules.items():
            if module is not None and module not in memo:
                memo.add(module)
                yield name, module

    def children(self):
        """Yield the direct children, each once."""
        for _, module in self.named_children():
            yield module

    def _named_members(self, get_members_fn, prefix="", recurse=True, remove_duplicate=True):
        seen = set()
        walk = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in walk if recurse else [(prefix, self)]:
            for name, value in get_members_fn(module):
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield path + ("." if path else "") + name, value

    @early_arguments(memo="remove_duplicate=True keeps the first of several names")
    def named_parameters(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (dotted name, parameter); shared ones once unless `remove_duplicate=False`."""
        return self._named_members(
            lambda m: m._parameters.items(), prefix, recurse, remove_duplicate
        )

    def parameters(self, recurse=True):
        """Yield the parameters, each once."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_buffers(self, prefix="", recurse=True, remove_duplicate=True):
        """Yield (dotted name, buffer); shared buffers once unless `remove_duplicate=False`."""
        return self._named_members(lambda m: m._buffers.items(), prefix, recurse, remove_duplicate)

    def buffers(self, recurse=True):
        """Yield the buffers, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    # ---- mode -----------------------------------------------------------------------------

    def train(self, mode=True):
        """Set training mode here and in all submodules; returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """Set evaluation mode, the same as `train(False)`; returns self."""
        return self.train(False)

    # ---- showing --------------------------------------------------------------------------

    def _replicate_for_data_parallel(self):
        replica = self.__new__(type(self))
        replica.__dict__ = self.__dict__.copy()
        replica._parameters = {}
        replica._buffers = replica._buffers.copy()
        replica._modules = replica._modules.copy()
        replica._is_replica = True
        return replica

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self):
        """What `repr` shows between the parentheses; subclasses override it."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        own = len(lines)
        for name, module in self._modules.items():
            shown = repr(module).replace("\n", "\n  ")
            lines.append(f"({name}): {shown}")
        if own == 1 and len(lines) == 1:
            return f"{self._get_name()}({extra})"
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"

    def __dir__(self):
        names = {
            *dir(type(self)),
            *self.__dict__,
            *self._parameters,
            *self._modules,
            *self._buffers,
        }
        return sorted(name for name in names if not name[0].isdigit())


# What is Module's own, once and for all: tracers put others in their place.
describe_module(Module, Parameter, GlobalHooks.on_parameter, GlobalHooks.on_module)
quick_module(Module)


def _only_none(value, kind, name, expected):
    if value is not None:
        raise TypeError(
            f"cannot assign '{rl.typename(value)}' as {kind} '{name}' ({expected} expected)"
        )


# ---- hooks of all modules -----------------------------------------------------------------


def _hook_every_call():
    Module._hooked = True


def register_module_forward_pre_hook(hook):
    """Call `hook(module, args)` before the forward of every module; returns its handle."""
    _hook_every_call()
    return add_hook(GlobalHooks.forward_pre, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call `hook(module, args, output)` after the forward of every module; returns its handle."""
    _hook_every_call()
    extra = [GlobalHooks.forward_with_kwargs] if with_kwargs else []
    extra += [GlobalHooks.forward_always] if always_call else []
    return add_hook(GlobalHooks.forward, hook, extra)


def register_module_full_backward_pre_hook(hook):
    """Call `hook(module, grad_output)` in the backward of every module; returns its handle."""
    _hook_every_call()
    return add_hook(GlobalHooks.backward_pre, hook)


def register_module_full_backward_hook(hook):
    """Call `hook(module, grad_input, grad_output)` for every module; returns its handle."""
    return _register_module_backward(hook, True)


def register_module_backward_hook(hook):
    """Deprecated form of `register_module_full_backward_hook`."""
    return _register_module_backward(hook, False)


def _register_module_backward(hook, full):
    if GlobalHooks.backward_is_full is (not full):
        raise RuntimeError(
            "Cannot use both regular backward hooks and full backward hooks as a global Module "
            "hook. Please use only one of them."
        )
    GlobalHooks.backward_is_full = full
    _hook_every_call()
    return add_hook(GlobalHooks.backward, hook)


def register_module_parameter_registration_hook(hook):
    """Call `hook(module, name, param)` at each registration; a result replaces the parameter."""
    return add_hook(GlobalHooks.on_parameter, hook)


def register_module_buffer_registration_hook(hook):
    """Call `hook(module, name, buffer)` at each registration; a result replaces the buffer."""
    return add_hook(GlobalHooks.on_buffer, hook)


def register_module_module_registration_hook(hook):
    """Call `hook(module, name, submodule)` at each registration; a result replaces it."""
    return add_hook(GlobalHooks.on_module, hook)


# by the names under which packages that register members themselves look for them
_global_parameter_registration_hooks = GlobalHooks.on_parameter
_global_buffer_registration_hooks = GlobalHooks.on_buffer
_global_module_registration_hooks = GlobalHooks.on_module
