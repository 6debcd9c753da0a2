"""Schedules that follow a cosine or go up and down, with momentum the other way round."""

import math

from ._lr_base import (
    LRScheduler,
    _check_optimizer,
    _per_group,
    _set_value,
    _values,
)


class CosineAnnealingLR(LRScheduler):
    """From the initial learning rate down to `eta_min` in `T_max` epochs, along half a cosine
    (Loshchilov & Hutter 2016)."""

    def __init__(self, optimizer, T_max, eta_min=0.0, last_epoch=-1):
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._expect_step()
        current = _values(self.optimizer, "lr")
        epoch, period, least = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return current
        if self._step_count == 1 and epoch > 0:
            return self._get_closed_form_lr()
        if (epoch - 1 - period) % (2 * period) == 0:
            rise = (1 - math.cos(math.pi / period)) / 2
            return [lr + (base - least) * rise for base, lr in zip(self.base_lrs, current)]
        ratio = (1 + math.cos(math.pi * epoch / period)) / (
            1 + math.cos(math.pi * (epoch - 1) / period)
        )
        return [ratio * (lr - least) + least for lr in current]

    def _get_closed_form_lr(self):
        height = 1 + math.cos(math.pi * self.last_epoch / self.T_max)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]


class CosineAnnealingWarmRestarts(LRScheduler):
    """Half a cosine down to `eta_min`, again and again; the first takes `T_0` epochs, each next one
    `T_mult` times as many (Loshchilov & Hutter 2016). `step(epoch)` accepts fractions."""

    def __init__(self, optimizer, T_0, T_mult=1, eta_min=0.0, last_epoch=-1):
        if T_0 <= 0 or not isinstance(T_0, int):
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if T_mult < 1 or not isinstance(T_mult, int):
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self):
        self._expect_step()
        height = 1 + math.cos(math.pi * self.T_cur / self.T_i)
        return [self.eta_min + (base - self.eta_min) * height / 2 for base in self.base_lrs]

    def step(self, epoch=None):
        """Set the learning rates of the next epoch, or of `epoch`."""
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        else:
            if epoch < 0:
                raise ValueError(f"Expected non-negative epoch, but got {epoch}")
            self._place(epoch)
        self.last_epoch = math.floor(epoch)
        self._get_lr_called_within_step = True
        try:
            values = self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values):
            _set_value(group, "lr", lr)
        self._last_lr = _values(self.optimizer, "lr")

    def _place(self, epoch):
        """Set `T_i` and `T_cur`: the length of the period `epoch` is in, and how far into it."""
        first, grow = self.T_0, self.T_mult
        if epoch < first:
            self.T_i, self.T_cur = first, epoch
        elif grow == 1:
            self.T_i, self.T_cur = first, epoch % first
        else:
            n = int(math.log(epoch / first * (grow - 1) + 1, grow))
            self.T_cur = epoch - first * (grow**n - 1) / (grow - 1)
            self.T_i = first * grow**n


def _momentum_key(optimizer):
    """Which option is the momentum: 'betas' or 'momentum'; ValueError if there is none."""
    if "betas" in optimizer.defaults:
        return "betas"
    if "momentum" in optimizer.defaults:
        return "momentum"
    raise ValueError(
        "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
    )


def _set_momentum(group, key, momentum):
    if key == "betas":
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


class CyclicLR(LRScheduler):
    """Up and down between `base_lr` and `max_lr`, a step per batch (Smith 2015).

    Args:
        base_lr, max_lr: bounds, one or one per group.
        step_size_up, step_size_down: batches of the way up, and of the way down.
        mode: 'triangular', 'triangular2' (each cycle half as high) or 'exp_range' (times `gamma` at
            each step).
        scale_fn, scale_mode: a function of the 'cycle' or of the 'iterations' instead of `mode`.
        cycle_momentum, base_momentum, max_momentum: momentum goes down as the rate goes up.
    """

    def __init__(
        self,
        optimizer,
        base_lr,
        max_lr,
        step_size_up=2000,
        step_size_down=None,
        mode="triangular",
        gamma=1.0,
        scale_fn=None,
        scale_mode="cycle",
        cycle_momentum=True,
        base_momentum=0.8,
        max_momentum=0.9,
        last_epoch=-1,
    ):
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        if last_epoch == -1:
            lows = _per_group(optimizer, base_lr, "base_lr")
            for lr, group in zip(lows, optimizer.param_groups):
                _set_value(group, "lr", lr)
        self.max_lrs = _per_group(optimizer, max_lr, "max_lr")
        up = float(step_size_up)
        down = up if step_size_down is None else float(step_size_down)
        self.total_size = up + down
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        by_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = by_mode if scale_fn is None else scale_mode
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)
        self.base_lrs = _per_group(optimizer, base_lr, "base_lr")

    def _start_momentum(self, base, top, last_epoch):
        key = _momentum_key(self.optimizer)
        self.use_beta1 = key == "betas"
        self.base_momentums = _per_group(self.optimizer, base, "base_momentum")
        self.max_momentums = _per_group(self.optimizer, top, "max_momentum")
        if last_epoch == -1:
            pairs = zip(self.max_momentums, self.base_momentums, self.optimizer.param_groups)
            for high, low, group in pairs:
                _set_momentum(group, key, high)
                group["max_momentum"] = high
                group["base_momentum"] = low

    def scale_fn(self, x):
        """The height of cycle or iteration `x`."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "triangular":
            return 1.0
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else self.gamma**x

    def get_lr(self):
        self._expect_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        up = x <= self.step_ratio
        position = x / self.step_ratio if up else (x - 1) / (self.step_ratio - 1)
        height = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            key = "betas" if self.use_beta1 else "momentum"
            groups = self.optimizer.param_groups
            for low, high, group in zip(self.base_momentums, self.max_momentums, groups):
                _set_momentum(group, key, high - (high - low) * position * height)
        return [
            low + (high - low) * position * height for low, high in zip(self.base_lrs, self.max_lrs)
        ]

    def state_dict(self):
        """All attributes but the optimizer; a plain `scale_fn` is not kept."""
        state = super().state_dict()
        function = state.pop("_scale_fn_custom")
        state["_scale_fn_custom"] = None
        if function is not None and type(function).__name__ != "function":
            state["_scale_fn_custom"] = function.__dict__.copy()
        return state

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        state = dict(state_dict)
        saved = state.pop("_scale_fn_custom", None)
        super().load_state_dict(state)
        if saved is not None:
            self._scale_fn_custom.__dict__.update(saved)


class OneCycleLR(LRScheduler):
    """Once up to `max_lr` and down to almost nothing, a step per batch (Smith & Topin 2017).

    Args:
        max_lr: the highest learning rate, one or one per group.
        total_steps: or `epochs` and `steps_per_epoch`.
        pct_start: the share of the steps that goes up.
        anneal_strategy: 'cos' or 'linear'.
        cycle_momentum, base_momentum, max_momentum: momentum goes down as the rate goes up.
        div_factor, final_div_factor: initial rate `max_lr / div_factor`, last rate that divided by
            `final_div_factor`.
        three_phase: go down to the initial rate first, as long as it took up.
    """

    def __init__(
        self,
        optimizer,
        max_lr,
        total_steps=None,
        epochs=None,
        steps_per_epoch=None,
        pct_start=0.3,
        anneal_strategy="cos",
        cycle_momentum=True,
        base_momentum=0.85,
        max_momentum=0.95,
        div_factor=25.0,
        final_div_factor=1e4,
        three_phase=False,
        last_epoch=-1,
    ):
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if pct_start < 0 or pct_start > 1 or not isinstance(pct_start, float):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        self._anneal_func_type = anneal_strategy
        tops = _per_group(optimizer, max_lr, "max_lr")
        if last_epoch == -1:
            for group, top in zip(optimizer.param_groups, tops):
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _start_momentum(self, base, top, last_epoch):
        key = _momentum_key(self.optimizer)
        self.use_beta1 = key == "betas"
        if last_epoch != -1:
            return
        highs = _per_group(self.optimizer, top, "max_momentum")
        lows = _per_group(self.optimizer, base, "base_momentum")
        for high, low, group in zip(highs, lows, self.optimizer.param_groups):
            _set_momentum(group, key, high)
            group["max_momentum"] = high
            group["base_momentum"] = low

    def _anneal(self, start, end, share):
        if self._anneal_func_type == "linear":
            return (end - start) * share + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * share) + 1)

    def get_lr(self):
        self._expect_step()
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(
                f"Tried to step {step} times. The total number of steps is {self.total_steps}"
            )
        values = []
        for group in self.optimizer.param_groups:
            begin = 0.0
            for i, phase in enumerate(self._schedule_phases):
                end = phase["end_step"]
                if step <= end or i == len(self._schedule_phases) - 1:
                    share = (step - begin) / (end - begin)
                    values.append(
                        self._anneal(group[phase["start_lr"]], group[phase["end_lr"]], share)
                    )
                    if self.cycle_momentum:
                        momentum = self._anneal(
                            group[phase["start_momentum"]], group[phase["end_momentum"]], share
                        )
                        _set_momentum(group, "betas" if self.use_beta1 else "momentum", momentum)
                    break
                begin = end
        return values


def _total_steps(total_steps, epochs, steps_per_epoch):
    if total_steps is not None:
        if total_steps <= 0 or not isinstance(total_steps, int):
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        return total_steps
    if epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch)):
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return epochs * steps_per_epoch


def _phases(total, share_up, three):
    """The phases of `OneCycleLR`: their last step, and which options they go between."""
    up = float(share_up * total) - 1
    ends = [(up, "initial_lr", "max_lr"), (total - 1, "max_lr", "min_lr")]
    if three:
        ends = [
            (up, "initial_lr", "max_lr"),
            (float(2 * share_up * total) - 2, "max_lr", "initial_lr"),
            (total - 1, "initial_lr", "min_lr"),
        ]
    momentum = ["max_momentum", "base_momentum", "max_momentum", "max_momentum"]
    return [
        {
            "end_step": end,
            "start_lr": start,
            "end_lr": stop,
            "start_momentum": momentum[i],
            "end_momentum": momentum[i + 1],
        }
        for i, (end, start, stop) in enumerate(ends)
    ]
