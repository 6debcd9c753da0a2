"""`Optimizer`: parameter groups, state, hooks, saving and loading.

The loop that most optimizers share is in `_per_parameter.py`, learning-rate schedules are in
`lr_scheduler.py`.
"""

from collections import OrderedDict, defaultdict
from copy import deepcopy

import rushlight as rl

from . import _for_subclasses

__all__ = ["Optimizer", "register_optimizer_step_pre_hook", "register_optimizer_step_post_hook"]


class _Required:
    """Stands for an option that has no default."""

    def __repr__(self):
        return "<required parameter>"


required = _Required()
_global_pre_hooks = OrderedDict()
_global_post_hooks = OrderedDict()
_HOOK_TABLES = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def _register(table, hook, prepend=False):
    from ..utils.hooks import RemovableHandle

    handle = RemovableHandle(table)
    table[handle.id] = hook
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


def register_optimizer_step_pre_hook(hook):
    """Call `hook(optimizer, args, kwargs)` before each step of every optimizer."""
    return _register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook):
    """Call `hook(optimizer, args, kwargs)` after each step of every optimizer."""
    return _register(_global_post_hooks, hook)


def _with_hooks(step):
    from functools import wraps

    @wraps(step)
    def hooked_step(self, *args, **kwargs):
        if "_optimizer_step_pre_hooks" not in self.__dict__:  # a wrapper without our __init__
            return step(self, *args, **kwargs)
        args = (self, *args)  # hooks see, and may replace, all arguments of the function
        for table in (_global_pre_hooks, self._optimizer_step_pre_hooks):
            for hook in tuple(table.values()) if table else ():
                new = hook(self, args, kwargs)
                if new is None:
                    continue
                if not isinstance(new, tuple) or len(new) != 2:
                    raise RuntimeError(
                        f"{hook} must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {new}."
                    )
                args, kwargs = new
        result = step(*args, **kwargs)
        self._opt_called = True  # schedules warn if they step first
        for table in (self._optimizer_step_post_hooks, _global_post_hooks):
            for hook in tuple(table.values()) if table else ():
                hook(self, args, kwargs)
        return result

    hooked_step.hooked = True
    return hooked_step


class Optimizer:
    """Base class of optimizers.

    Args:
        params: parameters, (name, parameter) pairs, or dicts of options with a key 'params'.
        defaults: options for groups that do not give them.

    Attributes:
        param_groups: a list of dicts, each with 'params' and its options.
        state: a dict per parameter.
    """

    def __init__(self, params, defaults):
        self.defaults = defaults
        for name in _HOOK_TABLES:
            setattr(self, name, OrderedDict())
        if isinstance(params, rl.Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, "
                "but got " + rl.typename(params)
            )
        self.state = defaultdict(dict)
        self.param_groups = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)

    def __getstate__(self):
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state):
        self.__dict__.update(state)
        for name in _HOOK_TABLES:
            self.__dict__.setdefault(name, OrderedDict())

    def __repr__(self):
        text = type(self).__name__ + " ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    def step(self, closure=None):
        """Update the parameters from their gradients; each optimizer defines it.

        `closure`, if given, computes the loss and its gradients first; its result is returned.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define step()")

    def zero_grad(self, set_to_none=True):
        """Drop all gradients, or fill them with zeros if `set_to_none=False`."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if set_to_none:
                    param.grad = None
                else:
                    from ..nn.modules._convert import clear_grad

                    clear_grad(param)

    def _evaluate(self, closure):
        if closure is None:
            return None
        with rl.enable_grad():
            return closure()

    # ---- parameter groups -----------------------------------------------------------------

    def add_param_group(self, param_group):
        """Add a dict of options with parameters under 'params'.

        Raises ValueError for a parameter that has a group already, is not a leaf, or lacks a
        required option; TypeError for what is no parameter.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = _listed(param_group["params"])
        names = [p[0] for p in params if isinstance(p, tuple)]
        params = [p[1] if isinstance(p, tuple) else p for p in params]
        param_group["params"] = params
        if names:
            if len(names) != len(params):
                raise ValueError(
                    "all optimizer params should be with/without names. Some param names are "
                    "missing"
                )
            param_group["param_names"] = names
        self._check_params(params)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    + name
                )
            param_group.setdefault(name, default)
        self._check_against_groups(param_group)
        self.param_groups.append(param_group)

    def _check_params(self, params):
        for param in params:
            if not isinstance(param, rl.Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    + rl.typename(param)
                )
            if not self.defaults.get("differentiable") and not (
                param.is_leaf or param.retains_grad
            ):
                raise ValueError("can't optimize a non-leaf Tensor")

    def _check_against_groups(self, new):
        ids = {id(param) for param in new["params"]}
        if len(ids) != len(new["params"]):
            import warnings

            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this "
                "will cause an error",
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in new) != ("param_names" in group):
                kind = "with" if "param_names" in new else "without"
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {kind} names to the optimizer"
                )
            if any(id(param) in ids for param in group["params"]):
                raise ValueError("some parameters appear in more than one parameter group")

    # ---- hooks ----------------------------------------------------------------------------

    def register_step_pre_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` before `step`; it may return new ones."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook):
        """Call `hook(optimizer, args, kwargs)` after `step`."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` before `state_dict`."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` after `state_dict`; a result replaces it."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook, prepend=False):
        """Call `hook(optimizer, state_dict)` before loading; a result replaces the dict."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook, prepend=False):
        """Call `hook(optimizer)` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    # ---- saving and loading ---------------------------------------------------------------

    def state_dict(self):
        """`{"state": {index: ...}, "param_groups": [...]}`, parameters numbered across groups."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        index, groups = {}, []
        for group in self.param_groups:
            for param in group["params"]:
                index.setdefault(id(param), len(index))
            packed = {k: v for k, v in group.items() if k != "params"}
            packed["params"] = [index[id(param)] for param in group["params"]]
            groups.append(packed)
        state = {index[id(k)] if isinstance(k, rl.Tensor) else k: v for k, v in self.state.items()}
        result = {"state": state, "param_groups": groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            new = hook(self, result)
            result = result if new is None else new
        return result

    def load_state_dict(self, state_dict):
        """Take over options and state; tensors get their parameter's dtype and device.

        Raises ValueError if the groups differ in number or size.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            new = hook(self, state_dict)
            state_dict = state_dict if new is None else new
        saved = deepcopy(state_dict["param_groups"])
        _check_same_sizes(self.param_groups, saved)
        by_index, on_device = {}, set()
        for old, own in zip(saved, self.param_groups):
            by_index.update(zip(old["params"], own["params"]))
            if old.get("capturable") or old.get("fused"):
                on_device.update(old["params"])
        state = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_index:
                param = by_index[key]
                state[param] = _cast_state(param, value, None, key in on_device)
            else:
                state[key] = value
        for old, own in zip(saved, self.param_groups):
            old["params"] = own["params"]
            if "param_names" in own:
                old.setdefault("param_names", own["param_names"])
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    _group_tensors_by_device_and_dtype = staticmethod(
        _for_subclasses._group_tensors_by_device_and_dtype
    )


def __getattr__(name):
    return getattr(_for_subclasses, name)


def _listed(params):
    if isinstance(params, rl.Tensor):
        return [params]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering of "
            "tensors in sets will change between runs. Please use a list instead."
        )
    return list(params)


def _check_same_sizes(own, saved):
    if len(own) != len(saved):
        raise ValueError("loaded state dict has a different number of parameter groups")
    if any(len(a["params"]) != len(b["params"]) for a, b in zip(own, saved)):
        raise ValueError(
            "loaded state dict contains a parameter group that doesn't match the size of "
            "optimizer's group"
        )


def _cast_state(param, value, key, on_device):
    """`value` with tensors in the dtype and on the device of `param`; step counts keep theirs."""
    if isinstance(value, rl.Tensor):
        if key == "step":
            return value.to(device=param.device, dtype=rl.float32) if on_device else value
        if param.is_floating_point():
            return value.to(dtype=param.dtype, device=param.device)
        return value.to(device=param.device)
    if isinstance(value, dict):
        return {k: _cast_state(param, v, k, on_device) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_cast_state(param, v, None, on_device) for v in value)
    return value
