"""The state dict protocol of modules: saving to and loading from a flat, ordered dictionary.

How a single tensor is written to a file is not here: that is the package's `save` and `load`.
"""

from collections import OrderedDict

import rushlight as rl
from rushlight._native import load_fitting, save_plain, set_grad_enabled, watch_state

from ..parameter import Parameter, is_lazy
from ._hooks import NO_HOOKS, add_hook

EXTRA_STATE = "_extra_state"
# What an instance may have that takes part in saving or loading it.
WATCHERS = frozenset(
    (
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
        "_save_to_state_dict",
        "_load_from_state_dict",
        "state_dict",
        "get_extra_state",
        "set_extra_state",
    )
)


class _IncompatibleKeys(tuple):
    """What `load_state_dict` returns: the names it missed and the names it did not expect."""

    __slots__ = ()
    _fields = ("missing_keys", "unexpected_keys")

    def __new__(cls, missing_keys, unexpected_keys):
        return tuple.__new__(cls, (missing_keys, unexpected_keys))

    missing_keys = property(lambda self: self[0])
    unexpected_keys = property(lambda self: self[1])

    def __repr__(self):
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )

    __str__ = __repr__


class StateMethods:
    """The part of `Module` that saves and loads state."""

    _version = 1

    def get_extra_state(self):
        """State other than tensors to put into `state_dict`; define together with the setter."""
        raise RuntimeError(
            "Reached a code path in Module.get_extra_state() that should never be called: "
            f"{type(self).__name__} does not override it."
        )

    def set_extra_state(self, state):
        """Restore what `get_extra_state` returned."""
        raise RuntimeError(
            "Reached a code path in Module.set_extra_state() that should never be called: "
            f"{type(self).__name__} does not override it."
        )

    def _save_to_state_dict(self, destination, prefix, keep_vars):
        """Write this module's own tensors, not its children's. Subclasses may extend it."""
        _put_tensors(self, destination, prefix, keep_vars)
        if type(self).get_extra_state is not StateMethods.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def state_dict(self, *args, destination=None, prefix="", keep_vars=False):
        """All parameters and persistent buffers, by dotted name.

        The tensors share memory with the module and are detached unless `keep_vars`. Entries are
        added to `destination` if it is given; `prefix` goes before every name.
        """
        if args:
            destination, prefix, keep_vars = _positional(args, destination, prefix, keep_vars)
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        if save_plain(self, destination, prefix, keep_vars):
            return destination
        attributes = self.__dict__  # a look there costs a tenth of one through the module
        local = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local
        for hook in attributes.get("_state_dict_pre_hooks", NO_HOOKS).values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        _save_children(self, destination, prefix, keep_vars)
        for hook in attributes.get("_state_dict_hooks", NO_HOOKS).values():
            destination = _run_state_dict_hook(hook, self, destination, prefix, local)
        return destination

    def _register_state_dict_hook(self, hook):
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return add_hook(self._hook_table("_state_dict_hooks"), hook)

    def register_state_dict_post_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata)` at the end of `state_dict()`."""
        hook._from_public_api = True
        return add_hook(self._hook_table("_state_dict_hooks"), hook)

    def register_state_dict_pre_hook(self, hook):
        """Call `hook(module, prefix, keep_vars)` at the start of `state_dict()`."""
        return add_hook(self._hook_table("_state_dict_pre_hooks"), hook)

    def _register_load_state_dict_pre_hook(self, hook, with_module=False):
        """Call `hook(state_dict, prefix, local_metadata, strict, missing, unexpected, errors)`."""
        hook = _LoadHook(hook, self if with_module else None)
        return add_hook(self._hook_table("_load_state_dict_pre_hooks"), hook)

    def register_load_state_dict_pre_hook(self, hook):
        """Call `hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs)` before this module's state is loaded."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def register_load_state_dict_post_hook(self, hook):
        """Call `hook(module, incompatible_keys)` after loading; it may edit the two lists."""
        return add_hook(self._hook_table("_load_state_dict_post_hooks"), hook)

    def _load_from_state_dict(
        self, state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
    ):
        """Copy this module's own tensors, not its children's, out of `state_dict`.

        Names that lack, surplus names below `prefix` and messages of errors are appended to the
        three lists. Subclasses override it to read older layouts.
        """
        for hook in self.__dict__.get("_load_state_dict_pre_hooks", NO_HOOKS).values():
            hook(
                state_dict,
                prefix,
                local_metadata,
                strict,
                missing_keys,
                unexpected_keys,
                error_msgs,
            )
        assign = local_metadata.get("assign_to_params_buffers", False)
        tensors, found = self._persistent_tensors(), 0
        recorded = set_grad_enabled(False)
        try:
            for name, own in tensors:
                key = prefix + name
                if key not in state_dict:
                    if strict:
                        missing_keys.append(key)
                    continue
                found += 1
                try:
                    _load_tensor(self, name, own, state_dict[key], key, assign)
                except _Mismatch as problem:
                    error_msgs.append(str(problem))
        finally:
            set_grad_enabled(recorded)
        self._load_extra_state(state_dict, prefix, strict, missing_keys, unexpected_keys)
        if strict and found != len(state_dict):  # something is left: children's, or unexpected
            unexpected_keys += self._unexpected_below(state_dict, prefix, dict(tensors))

    def _persistent_tensors(self):
        attributes = self.__dict__
        parameters, buffers = attributes["_parameters"], attributes["_buffers"]
        if not parameters and not buffers:
            return []
        found = [entry for entry in parameters.items() if entry[1] is not None]
        if buffers:
            passing = attributes["_non_persistent_buffers_set"]
            for name, buffer in buffers.items():
                if buffer is not None and name not in passing:
                    found.append((name, buffer))
        return found

    def _load_extra_state(self, state_dict, prefix, strict, missing_keys, unexpected_keys):
        key = prefix + EXTRA_STATE
        if type(self).set_extra_state is not StateMethods.set_extra_state:
            if key in state_dict:
                self.set_extra_state(state_dict[key])
            elif strict:
                missing_keys.append(key)
        elif strict and key in state_dict:
            unexpected_keys.append(key)

    def _unexpected_below(self, state_dict, prefix, local):
        start, children, extra = len(prefix), self._modules, prefix + EXTRA_STATE
        for key in state_dict:
            if key.startswith(prefix) and key != extra:
                first, dot, _ = key[start:].partition(".")
                if first not in (children if dot else local):
                    yield key

    def load_state_dict(self, state_dict, strict=True, assign=False):
        """Copy parameters and buffers from `state_dict` into this module and its children.

        Args:
            state_dict: a mapping as `state_dict()` returns it.
            strict: raise if names lack or are left over.
            assign: put the given tensors in place of the module's instead of copying values;
                keeps their dtype and device.

        Returns a named tuple `(missing_keys, unexpected_keys)`. Raises RuntimeError with one line
        per problem, TypeError if `state_dict` is no mapping.
        """
        if not hasattr(state_dict, "keys") or not hasattr(state_dict, "__getitem__"):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        swap = rl.__future__.get_swap_module_params_on_conversion()
        if not assign and not swap and load_fitting(self, state_dict):
            return _IncompatibleKeys([], [])
        missing, unexpected, errors = [], [], []
        metadata = getattr(state_dict, "_metadata", None)
        state_dict = OrderedDict(state_dict)
        if metadata is not None:
            state_dict._metadata = metadata
        lists = (missing, unexpected, errors)
        _load_tree(self, state_dict, "", metadata or {}, strict, assign, lists)
        if strict and unexpected:
            errors.insert(0, f"Unexpected key(s) in state_dict: {_quoted(unexpected)}. ")
        if strict and missing:
            errors.insert(0, f"Missing key(s) in state_dict: {_quoted(missing)}. ")
        if errors:
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t"
                + "\n\t".join(errors)
            )
        return _IncompatibleKeys(missing, unexpected)


# Where saving and loading are these methods alone, they are one native walk.
watch_state(
    StateMethods,
    (
        "_save_to_state_dict",
        "_load_from_state_dict",
        "state_dict",
        "get_extra_state",
        "set_extra_state",
    ),
    WATCHERS,
    Parameter,
)


def _put_tensors(module, destination, prefix, keep_vars):
    for name, tensor in module._persistent_tensors():
        destination[prefix + name] = tensor if keep_vars else tensor.detach()


def _save_children(module, destination, prefix, keep_vars):
    for name, child in module.__dict__["_modules"].items():
        if child is not None:
            child.state_dict(
                destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
            )


def _quoted(names):
    return ", ".join(f'"{name}"' for name in names)


def _positional(args, destination, prefix, keep_vars):
    import warnings

    warnings.warn(
        "Positional args are being deprecated, use kwargs instead: state_dict(destination=..., "
        "prefix=..., keep_vars=...).",
        FutureWarning,
        stacklevel=3,
    )
    given = list(args) + [None] * 3
    destination = given[0] if destination is None else destination
    prefix = given[1] if len(args) > 1 and prefix == "" else prefix
    keep_vars = given[2] if len(args) > 2 and keep_vars is False else keep_vars
    return destination, prefix, keep_vars


def _run_state_dict_hook(hook, module, destination, prefix, local):
    result = hook(module, destination, prefix, local)
    if getattr(hook, "_from_public_api", False):
        if result is not None:
            raise RuntimeError("state_dict post-hook must return None")
        return destination
    return destination if result is None else result


class _LoadHook:
    """A load pre-hook, with the module it is to be given, if any (weakly held)."""

    def __init__(self, hook, module):
        import weakref

        self.hook = hook
        self.module = None if module is None else weakref.ref(module)
        self.with_module = module is not None

    def __call__(self, *args):
        return self.hook(self.module(), *args) if self.with_module else self.hook(*args)

    def __getstate__(self):
        module = self.module() if self.with_module else None
        return {"hook": self.hook, "with_module": self.with_module, "module": module}

    def __setstate__(self, state):
        self.__init__(state["hook"], state["module"])


class _Mismatch(Exception):
    """One tensor of the state dict does not fit."""


def _load_tree(module, state_dict, prefix, metadata, strict, assign, lists):
    missing, unexpected, errors = lists
    local = metadata.get(prefix[:-1], {})
    if assign:
        local = {**local, "assign_to_params_buffers": True}
    module._load_from_state_dict(state_dict, prefix, local, True, missing, unexpected, errors)
    children = module.__dict__["_modules"]
    parts = _parts_below(state_dict, prefix) if children else {}
    for name, child in children.items():
        if child is not None:
            part = parts.get(name, {})
            _load_tree(child, part, f"{prefix}{name}.", metadata, strict, assign, lists)
    for hook in module.__dict__.get("_load_state_dict_post_hooks", NO_HOOKS).values():
        if hook(module, _IncompatibleKeys(missing, unexpected)) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected to "
                "return new values, if incompatible_keys need to be modified, it should be done "
                "inplace."
            )


def _parts_below(state_dict, prefix):
    """What the dictionary has for each child, by its name. One pass serves all children."""
    parts, start = {}, len(prefix)
    for key, value in state_dict.items():
        name, dot, _ = key[start:].partition(".")
        if dot and key.startswith(prefix):
            parts.setdefault(name, {})[key] = value
    return parts


def _load_tensor(module, name, own, given, key, assign):
    if not isinstance(given, rl.Tensor):
        raise _Mismatch(
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
    if not is_lazy(own):
        if is_lazy(given):
            _ = given.shape  # raises, with the explanation
        if given.shape != own.shape:
            if own.ndim or given.ndim != 1:
                raise _Mismatch(
                    f"size mismatch for {key}: copying a param with shape {given.shape} from "
                    f"checkpoint, the shape in current model is {own.shape}."
                )
            given = given[0]  # older files keep numbers in vectors
    if own.is_meta and not given.is_meta and not assign:
        _warn_meta(key)
    swap = rl.__future__.get_swap_module_params_on_conversion()
    try:
        if swap:
            _swap_tensor(own, given, assign)
        elif assign:
            _assign_tensor(module, name, own, given)
        else:
            own.copy_(given)
    except Exception as error:
        action = "swapping" if swap or assign else "copying"
        raise _Mismatch(
            f'While {action} the parameter named "{key}", whose dimensions in the model are '
            f"{_shape(own)} and whose dimensions in the checkpoint are {_shape(given)}, an "
            f"exception occurred : {error.args}."
        ) from error


def _shape(tensor):
    return "unknown" if is_lazy(tensor) else tensor.size()


def _swap_tensor(own, given, assign):
    new = own.module_load(given, assign=assign)
    if new is given or new is own:
        new = new.detach()
    if isinstance(own, Parameter):
        new = _as_parameter(own, new)
    rl.utils.swap_tensors(own, new)


def _as_parameter(own, given):
    if not isinstance(given, Parameter):
        return Parameter(given, requires_grad=own.requires_grad)
    return given.requires_grad_(own.requires_grad)


def _assign_tensor(module, name, own, given):
    setattr(module, name, _as_parameter(own, given) if isinstance(own, Parameter) else given)


def _warn_meta(key):
    import warnings

    warnings.warn(
        f"for {key}: copying from a non-meta parameter in the checkpoint to a meta parameter in "
        "the current model, which is a no-op. (Did you mean to pass `assign=True` to assign items "
        "in the state dictionary to their corresponding key in the module instead of copying them "
        "in place?)",
        stacklevel=6,
    )
