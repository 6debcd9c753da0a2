"""`PerParameter`, the loop most optimizers share, and what their rules have in common.

A new optimizer subclasses `PerParameter`, makes its state in `_init_state` and returns from `_rule`
the function that updates one parameter; from `_step_of_all`, if there is one, the native step. One
whose step is an op of ops/optimize.py derives from `WithStep`, which has both.
"""

import rushlight as rl
from rushlight._native import plain_gradients, plain_states

from .optimizer import Optimizer


# What groups in older versions' files do not have.
_LATER_FLAGS = {
    "amsgrad": False,
    "capturable": False,
    "decoupled_weight_decay": False,
    "differentiable": False,
    "foreach": None,
    "fused": None,
    "maximize": False,
    "nesterov": False,
}


class PerParameter(Optimizer):
    """An optimizer that updates one parameter after the other by the same rule, or those that allow
    it by one native call (`_step_of_all`) unless ``foreach=False`` asks for the former.
    """

    _takes_sparse = False
    _views_complex = True
    #: state that is a 0-d tensor, and was a number in older versions' files
    _counters = ("step",)

    def __setstate__(self, state):
        super().__setstate__(state)
        for group in self.param_groups:
            for flag in _LATER_FLAGS.keys() & self.defaults.keys():
                group.setdefault(flag, _LATER_FLAGS[flag])
            for own in [self.state.get(param, {}) for param in group["params"]]:
                for name in own.keys() & set(self._counters):
                    if not isinstance(own[name], rl.Tensor):
                        own[name] = step_counter() + float(own[name])

    def step(self, closure=None):
        """Update all parameters that have a gradient; returns what `closure` returned."""
        loss = self._evaluate(closure)
        with rl.set_grad_enabled(self.defaults.get("differentiable", False)):
            if getattr(self, "found_inf", None) is not None and not self._unscaled():
                return loss
            for group in self.param_groups:
                self._update_group(group)
        return loss

    def _unscaled(self):
        """Divides gradients by `grad_scale`, which with `found_inf` a `GradScaler` leaves with
        fused optimizers; False if one of them is not finite, so that there is to be no step.
        """
        if self.found_inf.item():
            return False
        if self.grad_scale is not None:
            for param in (p for group in self.param_groups for p in group["params"]):
                if param.grad is not None:
                    param.grad.div_(self.grad_scale)
        return True

    def _update_group(self, group):
        params = group["params"]
        if not group.get("capturable") and (step := self._step_of_all(group)):
            params = self._update_plain(step, group)
        if params:
            self._update_each(params, group)

    def _update_plain(self, step, group):
        """One native step for the parameters that allow it; returns the others."""
        params, grads, others = plain_gradients(group["params"], rl.nn.Parameter)
        states = [self._state_of(param, group) for param in params]
        if not plain_states(params, states):  # some are at their first step, perhaps
            fit = [plain_states([param], [state]) for param, state in zip(params, states)]
            others += [param for param, fits in zip(params, fit) if not fits]
            params, grads, states = (
                [item for item, fits in zip(items, fit) if fits]
                for items in (params, grads, states)
            )
        if params:
            step(params, grads, states)
        return others

    def _update_each(self, params, group):
        update = self._rule(group)
        maximize = group.get("maximize", False)
        for param in params:
            grad = param.grad
            if grad is None:
                continue
            if group.get("capturable"):
                raise AssertionError(
                    "If capturable=True, params and state_steps must be on an accelerator, but a "
                    f"parameter is on {param.device}; leave capturable out"
                )
            if grad.is_sparse and not self._takes_sparse:
                raise RuntimeError(f"{type(self).__name__} does not support sparse gradients")
            state = self._state_of(param, group)
            if maximize:
                grad = -grad
            if self._views_complex and param.is_complex():
                real = {k: _as_real(v) for k, v in state.items()}
                update(rl.view_as_real(param), rl.view_as_real(grad), real)
            else:
                update(param, grad, state)

    def _step_of_all(self, group):
        """The function `update(params, grads, states)` of lists, or None if there is none for the
        options of `group`.
        """
        return None

    def _state_of(self, param, group):
        state = self.state[param]
        if not state:
            self._init_state(state, param, group)
        return state

    def _init_state(self, state, param, group):
        """Fill the empty dict `state` for a parameter that is updated for the first time."""
        raise NotImplementedError(f"{type(self).__name__} does not define _init_state")

    def _rule(self, group):
        """The function `update(param, grad, state)` for the options of `group`."""
        raise NotImplementedError(f"{type(self).__name__} does not define _rule")


class WithStep(PerParameter):
    """An optimizer whose step is an internal op: of the parameters, their gradients, the lists of
    state named `_lists`, and the numbers that `_numbers` gives.
    """

    _step_name = None
    _lists = ()

    def _numbers(self, group):
        """The options of `group` in the op's order, without maximize."""
        raise NotImplementedError(f"{type(self).__name__} does not define _numbers")

    def _names(self, group):
        """What the op's lists hold for the options of `group`, None where one is empty."""
        return self._lists

    def _listed(self, states, group):
        return [[s[n] for s in states] if n else [] for n in self._names(group)]

    def _rule(self, group):
        from ..ops._record import records

        body, numbers = records[self._step_name].reference, self._numbers(group)

        def update(param, grad, state):
            body([param], [grad], *self._listed([state], group), *numbers, False)

        return update

    def _step_of_all(self, group):
        numbers = self._numbers(group)
        step = native_step(self._step_name, group, numbers)

        def update(params, grads, states):
            step(params, grads, *self._listed(states, group), *numbers, group["maximize"])

        return step and update


def native_step(name, group, options):
    """The internal op of a step, if the flags of `group` and the kinds of `options` (its numbers)
    allow it.
    """
    if group["foreach"] is False and not group.get("fused") or group["differentiable"]:
        return None
    if any(isinstance(option, rl.Tensor) for option in options):
        return None
    from ..ops import internal

    return internal[name]


def _as_real(value):
    complex_tensor = isinstance(value, rl.Tensor) and value.is_complex()
    return rl.view_as_real(value) if complex_tensor else value


# ---- what the rules share -----------------------------------------------------------------


def step_counter():
    """The 0-d float tensor that counts the steps of a parameter."""
    dtype = rl.float64 if rl.get_default_dtype() is rl.float64 else rl.float32
    return rl.tensor(0.0, dtype=dtype)


def zeros_for(param):
    """Zeros in the shape and memory format of `param`."""
    return rl.zeros_like(param, memory_format=rl.preserve_format)


def number(option):
    """An option as a Python number, unless it is a tensor that records gradients."""
    if isinstance(option, rl.Tensor) and not option.requires_grad:
        return option.item()
    return option


def count(state):
    """Add one to the step counter; returns it as a Python number."""
    step = state["step"]
    step += 1
    return step.item()


def decays(group):
    """What is added of a parameter to its gradient, and what decoupled decay leaves of it."""
    decay = number(group["weight_decay"])
    return (0.0, 1 - number(group["lr"]) * decay) if group["decoupled_weight_decay"] else (decay, 1)


def with_decay(grad, param, weight_decay):
    """The gradient of the loss plus `weight_decay / 2` times the parameter's square."""
    return grad.add(param, alpha=weight_decay) if weight_decay != 0 else grad


def check_options(lr, betas=None, **at_least_zero):
    """Raise ValueError for a negative option, or a beta outside [0, 1)."""
    if isinstance(lr, rl.Tensor) and lr.numel() != 1:
        raise ValueError("Tensor lr must be 1-element")
    if not 0.0 <= lr:
        raise ValueError(f"Invalid learning rate: {lr}")
    if "eps" in at_least_zero:
        eps = at_least_zero.pop("eps")
        if not 0.0 <= eps:
            raise ValueError(f"Invalid epsilon value: {eps}")
    for i, beta in enumerate(betas or ()):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
    for name, value in at_least_zero.items():
        if not 0.0 <= value:
            raise ValueError(f"Invalid {name} value: {value}")


def check_flags(foreach=None, fused=None, differentiable=False):
    """Raise RuntimeError for flags that exclude each other."""
    if fused and differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if fused and foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def require_fusible(optimizer):
    """Raise RuntimeError if ``fused=True`` asks for parameters that are not floating-point; tell a
    `GradScaler` that the step unscales by itself.
    """
    if not optimizer.defaults["fused"]:
        return
    optimizer._step_supports_amp_scaling = True
    for param in (p for group in optimizer.param_groups for p in group["params"]):
        if not param.is_floating_point():
            raise RuntimeError(
                "`fused=True` requires all the params to be floating point Tensors of supported "
                f"devices: ['cpu'] but {param.dtype} and {param.device}"
            )
