"""The base class of learning-rate schedules, and what they share.

The schedules are in `lr_scheduler.py`, `_lr_cycles.py` and `_lr_composed.py`.
"""

import rushlight as rl

from .optimizer import Optimizer

EPOCH_DEPRECATION_WARNING = (
    "The epoch parameter in `scheduler.step()` is deprecated: call `scheduler.step()` without it. "
    "Where a schedule has a closed form, that is what an epoch selects."
)


def _copied(value):
    return value.clone() if isinstance(value, rl.Tensor) else value


def _values(optimizer, key):
    return [_copied(group[key]) for group in optimizer.param_groups]


def _set_value(group, key, value):
    """A tensor option keeps its identity."""
    if isinstance(group[key], rl.Tensor):
        with rl.no_grad():
            group[key].fill_(value.item() if isinstance(value, rl.Tensor) else value)
    else:
        group[key] = value


def _check_optimizer(optimizer):
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def _per_group(optimizer, value, name):
    """`value` as a list with one entry per parameter group."""
    n = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [_copied(value) for _ in range(n)]
    if len(value) != n:
        raise ValueError(
            f"{name} must have the same length as optimizer.param_groups. {name} has "
            f"{len(value)} values, param_groups has {n}."
        )
    return [_copied(v) for v in value]


class LRScheduler:
    """Base class of schedules: `step()` after each epoch sets the optimizer's learning rates.

    Args:
        optimizer: whose parameter groups are changed.
        last_epoch: the step to resume from; -1 starts anew.

    Attributes:
        base_lrs: the initial learning rates.
        last_epoch: how many steps were made.
    """

    _is_initial = False
    _get_lr_called_within_step = False

    def __init__(self, optimizer, last_epoch=-1):
        _check_optimizer(optimizer)
        self.optimizer = optimizer
        optimizer._scheduled_step = vars(optimizer).get("step")
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", _copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming "
                    "scheduler with last_epoch >= 0.\nThis typically happens when:\n"
                    "1. You're trying to resume training from a checkpoint but haven't properly "
                    "loaded the optimizer state\n2. You're using last_epoch >= 0 for a fresh "
                    "training run (not recommended)"
                )
        self.base_lrs = _values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        self._initial_step()

    def _initial_step(self):
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def state_dict(self):
        """All attributes but the optimizer."""
        return {k: v for k, v in self.__dict__.items() if k != "optimizer"}

    def load_state_dict(self, state_dict):
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self):
        """The learning rates that the last step set."""
        return [_copied(lr) for lr in self._last_lr]

    def get_lr(self):
        """The next learning rates; each schedule defines it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr")

    def step(self, epoch=None):
        """Set the learning rates of the next epoch. `epoch` (deprecated) jumps to that one."""
        if self._step_count == 1 and _is_step_replaced(self.optimizer):
            _warn(
                "`optimizer.step()` has been overridden since the schedule was made: whether it "
                "is called before `lr_scheduler.step()` is not known."
            )
        elif self._step_count == 1 and not getattr(self.optimizer, "_opt_called", False):
            _warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`: the first "
                "learning rate of the schedule was never used. Call `optimizer.step()` first.",
            )
        self._step_count += 1
        if epoch is not None:
            _warn(EPOCH_DEPRECATION_WARNING)
        self._update_lr(epoch)

    def _update_lr(self, epoch=None):
        self._get_lr_called_within_step = True
        try:
            self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
            closed = None if epoch is None else getattr(self, "_get_closed_form_lr", None)
            values = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        for group, lr in zip(self.optimizer.param_groups, values):
            _set_value(group, "lr", lr)
        self._last_lr = _values(self.optimizer, "lr")

    def _expect_step(self):
        """Warn if `get_lr` was called from outside."""
        if not self._get_lr_called_within_step:
            _warn(
                "To get the last learning rate computed by the scheduler, please use "
                "`get_last_lr()`."
            )

    def _scaled(self, factor):
        """The current learning rates times `factor`; themselves for None."""
        current = _values(self.optimizer, "lr")
        return current if factor is None else [lr * factor for lr in current]


def _is_step_replaced(optimizer):
    own = vars(optimizer)
    return "_scheduled_step" in own and own.get("step") is not own["_scheduled_step"]


def _warn(message):
    import warnings

    warnings.warn(message, UserWarning, stacklevel=4)
