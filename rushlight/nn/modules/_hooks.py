"""Hooks of modules: registering them, and running a call through them.

`Module.__call__` looks at one flag, `_hooked`.  A module without hooks goes straight to `forward`;
with one it comes to `_call_with_hooks` here.  Tables of hooks are made when first asked for, and
asking sets the flag, so that code which puts a hook into a table by hand works too.
"""

from collections import OrderedDict

import rushlight as rl

CALL_TABLES = frozenset(
    (
        "_forward_hooks",
        "_forward_pre_hooks",
        "_backward_hooks",
        "_backward_pre_hooks",
    )
)
OTHER_TABLES = frozenset(
    (
        "_forward_hooks_with_kwargs",
        "_forward_hooks_always_called",
        "_forward_pre_hooks_with_kwargs",
        "_state_dict_hooks",
        "_state_dict_pre_hooks",
        "_load_state_dict_pre_hooks",
        "_load_state_dict_post_hooks",
    )
)
HOOK_TABLES = CALL_TABLES | OTHER_TABLES
NO_HOOKS = {}


class GlobalHooks:
    """Hooks that run for every module; `modules/module.py` has the functions that add to them."""

    forward_pre = OrderedDict()
    forward = OrderedDict()
    forward_with_kwargs = OrderedDict()
    forward_always = OrderedDict()
    backward_pre = OrderedDict()
    backward = OrderedDict()
    backward_is_full = None
    on_parameter = OrderedDict()
    on_buffer = OrderedDict()
    on_module = OrderedDict()


def add_hook(table, hook, extra=(), prepend=False):
    """Put `hook` into `table`; its handle's id into each of the `extra` tables."""
    from ...utils.hooks import RemovableHandle

    handle = RemovableHandle(table, extra_dict=list(extra))
    table[handle.id] = hook
    for other in extra:
        other[handle.id] = True
    if prepend:
        table.move_to_end(handle.id, last=False)
    return handle


class HookMethods:
    """The part of `Module` that registers hooks and calls through them."""

    _hooked = False
    _is_full_backward_hook = None

    def _hook_table(self, name):
        """The named table of this module, made if need be."""
        table = self.__dict__.get(name)
        if table is None:
            table = self.__dict__[name] = OrderedDict()
        if name in CALL_TABLES:
            self.__dict__["_hooked"] = True
        return table

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call `hook(module, args)` before each `forward`.

        What it returns, if not None, replaces the arguments. With `with_kwargs` it is called as
        `hook(module, args, kwargs)` and returns None or `(args, kwargs)`. `prepend` runs it before
        the hooks already there. Returns a handle with `remove()`.
        """
        extra = [self._hook_table("_forward_pre_hooks_with_kwargs")] if with_kwargs else []
        return add_hook(self._hook_table("_forward_pre_hooks"), hook, extra, prepend)

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call `hook(module, args, output)` after each `forward`.

        What it returns, if not None, replaces the output. With `with_kwargs` it is called as
        `hook(module, args, kwargs, output)`. With `always_call` it runs even if an exception ended
        the call. Returns a handle with `remove()`.
        """
        extra = [self._hook_table("_forward_hooks_with_kwargs")] if with_kwargs else []
        if always_call:
            extra.append(self._hook_table("_forward_hooks_always_called"))
        return add_hook(self._hook_table("_forward_hooks"), hook, extra, prepend)

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call `hook(module, grad_output)` when the gradients of the output are known.

        What it returns, if not None, replaces `grad_output`. Returns a handle with `remove()`.
        """
        return add_hook(self._hook_table("_backward_pre_hooks"), hook, prepend=prepend)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call `hook(module, grad_input, grad_output)` when both gradients are known.

        What it returns, if not None, replaces `grad_input`. Entries for arguments that are not
        tensors are None. Returns a handle with `remove()`.
        """
        self._choose_backward_kind(True)
        return add_hook(self._hook_table("_backward_hooks"), hook, prepend=prepend)

    def register_backward_hook(self, hook):
        """Deprecated: sees only the gradients of the last operation of `forward`.

        Use `register_full_backward_hook`.
        """
        self._choose_backward_kind(False)
        return add_hook(self._hook_table("_backward_hooks"), hook)

    def _choose_backward_kind(self, full):
        if self._is_full_backward_hook is (not full):
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single "
                "Module. Please use only one of them."
            )
        self._is_full_backward_hook = full

    def _get_backward_hooks(self):
        """(full hooks, non-full hooks) that apply to this module."""
        full, partial = [], []
        both = full if GlobalHooks.backward_is_full else partial
        both += GlobalHooks.backward.values()
        own = full if self._is_full_backward_hook else partial
        own += self.__dict__.get("_backward_hooks", NO_HOOKS).values()
        return full, partial

    def _get_backward_pre_hooks(self):
        own = self.__dict__.get("_backward_pre_hooks", NO_HOOKS)
        return [*GlobalHooks.backward_pre.values(), *own.values()]

    def _call_with_hooks(self, args, kwargs):
        ran = set()
        try:
            return self._hooked_call(args, kwargs, ran)
        except Exception:
            self._call_always_hooks(args, kwargs, ran)
            raise

    def _hooked_call(self, args, kwargs, ran):
        args, kwargs = self._run_forward_pre_hooks(args, kwargs)
        full, partial = self._get_backward_hooks()
        before = self._get_backward_pre_hooks()
        around = None
        if full or before:
            from ._backward_hook import BackwardHook

            around = BackwardHook(self, full, before)
            args = around.setup_input_hook(args)
        result = self.forward(*args, **kwargs)
        result = self._run_forward_hooks(args, kwargs, result, ran)
        if around is not None:
            result = around.setup_output_hook(result)
        if partial:
            self._attach_partial_backward_hooks(partial, args, result)
        return result

    def _run_forward_pre_hooks(self, args, kwargs):
        for hook in list(GlobalHooks.forward_pre.values()):
            args = _as_tuple(hook(self, args), args)
        with_kwargs = self.__dict__.get("_forward_pre_hooks_with_kwargs", NO_HOOKS)
        for key, hook in list(self.__dict__.get("_forward_pre_hooks", NO_HOOKS).items()):
            if key not in with_kwargs:
                args = _as_tuple(hook(self, args), args)
                continue
            new = hook(self, args, kwargs)
            if new is None:
                continue
            if not isinstance(new, tuple) or len(new) != 2:
                raise RuntimeError(
                    f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {new}."
                )
            args, kwargs = new
        return args, kwargs

    def _forward_hook_items(self):
        """(key, hook, with_kwargs, always_call), global hooks first."""
        for key, hook in list(GlobalHooks.forward.items()):
            yield (
                key,
                hook,
                key in GlobalHooks.forward_with_kwargs,
                key in GlobalHooks.forward_always,
            )
        with_kwargs = self.__dict__.get("_forward_hooks_with_kwargs", NO_HOOKS)
        always = self.__dict__.get("_forward_hooks_always_called", NO_HOOKS)
        for key, hook in list(self.__dict__.get("_forward_hooks", NO_HOOKS).items()):
            yield key, hook, key in with_kwargs, key in always

    def _run_forward_hooks(self, args, kwargs, result, ran):
        for key, hook, with_kwargs, always in self._forward_hook_items():
            if always:
                ran.add(key)
            new = hook(self, args, kwargs, result) if with_kwargs else hook(self, args, result)
            if new is not None:
                result = new
        return result

    def _call_always_hooks(self, args, kwargs, ran):
        """After an exception: the `always_call` hooks that have not run yet, with output None."""
        for key, hook, with_kwargs, always in self._forward_hook_items():
            if not always or key in ran:
                continue
            try:
                hook(self, args, kwargs, None) if with_kwargs else hook(self, args, None)
            except Exception as error:
                import warnings

                warnings.warn(
                    "module forward hook with ``always_call=True`` raised an exception that was "
                    f"silenced as another error was raised in forward: {error}",
                    stacklevel=2,
                )

    def _attach_partial_backward_hooks(self, hooks, args, result):
        tensor = result
        while not isinstance(tensor, rl.Tensor):
            tensor = next(iter(tensor.values())) if isinstance(tensor, dict) else tensor[0]
        node = tensor.grad_fn
        if node is None:
            return
        _warn_about_partial_hook(args, result)
        for hook in hooks:
            node.register_hook(_bind_module(hook, self))


def _as_tuple(new, old):
    if new is None:
        return old
    return new if isinstance(new, tuple) else (new,)


def _bind_module(hook, module):
    def with_module(grad_input, grad_output):
        return hook(module, grad_input, grad_output)

    return with_module


def _warn_about_partial_hook(args, result):
    several = isinstance(result, (tuple, list)) and len(result) > 1 or len(args) > 1
    if not several:
        return
    import warnings

    warnings.warn(
        "Using a non-full backward hook when the forward contains multiple autograd Nodes is "
        "deprecated and will be removed in future versions. This hook will be missing some "
        "grad_input. Please use register_full_backward_hook to get the documented behavior.",
        FutureWarning,
        stacklevel=4,
    )
