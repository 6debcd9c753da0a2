"""`GradScaler`: keeps gradients from vanishing in float16 by scaling the loss.

Which ops run in low precision is `autocast`'s affair.
"""

import enum
import warnings
from collections import abc, defaultdict

import rushlight as rl

__all__ = ["GradScaler", "OptState"]


class OptState(enum.Enum):
    """How far an optimizer is since the last `GradScaler.update`."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh():
    return {"stage": OptState.READY, "found_inf_per_device": {}}


class GradScaler:
    """Scales losses up and gradients down again; skips steps with gradients that are not finite.

    The scale grows by `growth_factor` after `growth_interval` steps in a row without an infinity
    or NaN, and shrinks by `backoff_factor` after one with.

    Args:
        device: where the scale lies: ``"cpu"``. Without CUDA the default warns and disables.
        init_scale, growth_factor, backoff_factor, growth_interval: see above.
        enabled: False makes `scale` and `unscale_` do nothing and `step` step.

    Example::

        >>> p = rl.nn.Parameter(rl.ones(1))
        >>> opt, scaler = rl.optim.SGD([p], lr=0.5), rl.amp.GradScaler("cpu")
        >>> scaler.scale(p.sum()).backward()
        >>> p.grad
        tensor([65536.])
        >>> scaler.step(opt)
        >>> scaler.update()
        >>> p
        Parameter containing:
        tensor([0.5000], requires_grad=True)
    """

    def __init__(
        self,
        device="cuda",
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        self._device, self._enabled = device, enabled
        if enabled and device == "cuda" and not rl.cuda.is_available():
            warnings.warn(
                "GradScaler: CUDA is not available, so the scaler is off; give 'cpu' as the device",
                stacklevel=2,
            )
            self._enabled = False
        if self._enabled and not growth_factor > 1.0:
            raise AssertionError(f"GradScaler: growth_factor must be > 1.0, got {growth_factor}")
        if self._enabled and not backoff_factor < 1.0:
            raise AssertionError(f"GradScaler: backoff_factor must be < 1.0, got {backoff_factor}")
        self._init_scale, self._init_growth_tracker = init_scale, 0
        self._scale = self._growth_tracker = None
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._per_optimizer_states = defaultdict(_fresh)

    # ---- the iteration ----------------------------------------------------------------------

    def scale(self, outputs):
        """A tensor, or all tensors of an iterable, multiplied by the scale.

        Raises ValueError for anything else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, rl.Tensor):
            if self._scale is None:
                self._lazy_init_scale_growth_tracker(outputs.device)
            return outputs * self._scale.to(outputs.device)
        if not isinstance(outputs, abc.Iterable):
            raise ValueError("outputs must be a Tensor or an iterable of Tensors")
        scaled = map(self.scale, outputs)
        if isinstance(outputs, (list, tuple)):
            return getattr(type(outputs), "_make", type(outputs))(scaled)
        return scaled

    def unscale_(self, optimizer):
        """Divides the gradients of an optimizer's parameters by the scale, once a step: for
        programs that look at them, to clip them for instance. `step` does it otherwise.

        Raises:
            RuntimeError: if it or `step` has been called since the last `update`.
            ValueError: for gradients in float16; parameters are to be float32.
        """
        if not self._enabled:
            return
        state = self._state_of(optimizer, "unscale_")
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = self._scale.double().reciprocal().float()
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inverse, False)
        state["stage"] = OptState.UNSCALED

    def _unscale_grads_(self, optimizer, inverse, allow_fp16):
        """Multiplies all gradients; {device: 1. if one was not finite, else 0.}."""
        found = {}
        with rl.no_grad():
            for param in (p for group in optimizer.param_groups for p in group["params"]):
                if param.grad is None:
                    continue
                if param.grad.dtype == rl.float16 and not allow_fp16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                values = _values(param)
                if values.device not in found:
                    found[values.device] = rl.zeros((), device=values.device)
                found[values.device] += (~values.isfinite()).any()
                values.mul_(inverse.to(values.device))
        return {device: count.clamp(max=1.0) for device, count in found.items()}

    def step(self, optimizer, *args, **kwargs):
        """``optimizer.step(*args, **kwargs)`` with unscaled gradients, unless one of them is not
        finite; what that returned, or None.

        Raises RuntimeError for a second call before `update`, and for a ``closure``.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        state = self._state_of(optimizer, "step")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            result = self._step_that_unscales(optimizer, state, args, kwargs)
        else:
            if state["stage"] is OptState.READY:
                self.unscale_(optimizer)
            self._require_checks(state["found_inf_per_device"])
            skip = sum(v.item() for v in state["found_inf_per_device"].values())
            result = None if skip else optimizer.step(*args, **kwargs)
        state["stage"] = OptState.STEPPED
        return result

    def _step_that_unscales(self, optimizer, state, args, kwargs):
        """For optimizers that take the scale and the verdict themselves."""
        import inspect

        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            warnings.warn(
                "GradScaler: step(grad_scaler=) is deprecated; an optimizer that unscales by "
                "itself reads its attributes grad_scale and found_inf",
                FutureWarning,
                stacklevel=3,
            )
            return optimizer.step(*args, **kwargs, grad_scaler=self)
        unscaled = state["stage"] is OptState.UNSCALED
        if not unscaled:
            self._check_inf_per_device(optimizer)
        self._require_checks(state["found_inf_per_device"])
        before = getattr(optimizer, "grad_scale", 1)
        optimizer.grad_scale = None if unscaled else self._scale * before
        optimizer.found_inf = sum(state["found_inf_per_device"].values())
        result = optimizer.step(*args, **kwargs)
        del optimizer.grad_scale, optimizer.found_inf
        return result

    def update(self, new_scale=None):
        """Ends an iteration: adapts the scale, or sets it to a float or a one-element tensor."""
        if not self._enabled:
            return
        self._require_start("update")
        if new_scale is not None:
            self._set_scale(new_scale)
        else:
            found = [
                value.to(self._scale.device)
                for state in self._per_optimizer_states.values()
                for value in state["found_inf_per_device"].values()
            ]
            self._require_checks(found)
            self._adapt(sum(v.item() for v in found) > 0)
        self._per_optimizer_states = defaultdict(_fresh)

    def _set_scale(self, value):
        if isinstance(value, rl.Tensor):
            if value.numel() != 1 or value.requires_grad or value.dtype != rl.float32:
                raise AssertionError(
                    "GradScaler.update: expected new_scale to be a float or a float32 tensor of "
                    f"one element without requires_grad, got {value!r}"
                )
            self._scale.copy_(value.view(()))
        else:
            self._scale.fill_(value)

    def _adapt(self, found_inf):
        if found_inf:
            self._scale.mul_(self._backoff_factor)
            self._growth_tracker.fill_(0)
            return
        steps = self._growth_tracker.item() + 1
        if steps == self._growth_interval:
            grown = self._scale * self._growth_factor
            if grown.isfinite().item():
                self._scale.copy_(grown)
            steps = 0
        self._growth_tracker.fill_(steps)

    # ---- checks -----------------------------------------------------------------------------

    def _lazy_init_scale_growth_tracker(self, device):
        self._scale = rl.full((), self._init_scale, dtype=rl.float32, device=device)
        self._growth_tracker = rl.full((), self._init_growth_tracker, dtype=rl.int32, device=device)

    def _require_start(self, name):
        if self._scale is None:
            raise AssertionError(
                f"Attempted {name} but _scale is None: pass the loss through scale(loss) first"
            )

    def _state_of(self, optimizer, name):
        self._require_start(name)
        return self._per_optimizer_states[id(optimizer)]

    @staticmethod
    def _require_checks(found):
        if not found:
            raise AssertionError(
                "No inf checks were recorded for this optimizer: none of its parameters has a "
                "gradient"
            )

    def _check_inf_per_device(self, optimizer):
        """Looks for infinities and NaNs in the gradients without changing them."""
        found = self._unscale_grads_(optimizer, rl.ones(()), True)
        self._per_optimizer_states[id(optimizer)]["found_inf_per_device"] = found
        return found

    def _found_inf_per_device(self, optimizer):
        return self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]

    # ---- settings ---------------------------------------------------------------------------

    def get_scale(self):
        """The scale as a float; 1.0 if disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def _get_growth_tracker(self):
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else tracker.item()

    def get_growth_factor(self):
        """By what the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Sets by what the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """By what the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Sets by what the scale shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """After how many good steps the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Sets after how many good steps the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self):
        """Whether it scales at all."""
        return self._enabled

    # ---- state ------------------------------------------------------------------------------

    def state_dict(self):
        """Scale, factors, interval and count of good steps; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict):
        """Takes what `state_dict` returned; RuntimeError if that came from a disabled one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self):
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler may only be pickled at the beginning of an iteration, or "
                    "at the end after scaler.update()."
                )
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)


def _values(param):
    """The gradient's values: of a sparse one, each place only once."""
    grad = param.grad
    if not grad.is_sparse:
        return grad
    if grad.dtype == rl.float16 and not grad.is_coalesced():
        grad = param.grad = grad.coalesce()  # duplicates may add up to an infinity
    return grad._values()


class DeviceGradScaler(GradScaler):
    """Deprecated: the scaler of one device, as ``torch.cpu.amp`` and ``torch.cuda.amp`` have it."""

    _device = None

    def __init__(
        self,
        init_scale=2.0**16,
        growth_factor=2.0,
        backoff_factor=0.5,
        growth_interval=2000,
        enabled=True,
    ):
        name = self._device
        warnings.warn(
            f"torch.{name}.amp.GradScaler(...) is deprecated; use "
            f"torch.amp.GradScaler({name!r}, ...)",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(name, init_scale, growth_factor, backoff_factor, growth_interval, enabled)
