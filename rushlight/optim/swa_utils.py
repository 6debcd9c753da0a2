"""Averages of weights over training: stochastic weight averaging, exponential moving averages.

`AveragedModel` keeps the average, `SWALR` is the learning-rate schedule that goes with it.
"""

import math
from copy import deepcopy

import rushlight as rl

from ..nn.modules.batchnorm import _BatchNorm
from ..nn.modules.module import Module
from ._lr_base import LRScheduler, _per_group

__all__ = [
    "AveragedModel",
    "update_bn",
    "SWALR",
    "get_ema_multi_avg_fn",
    "get_swa_multi_avg_fn",
    "get_ema_avg_fn",
    "get_swa_avg_fn",
]


def _check_decay(decay):
    if decay < 0.0 or decay > 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


def get_ema_multi_avg_fn(decay=0.999):
    """A function that updates a list of exponential moving averages in place."""
    _check_decay(decay)

    def ema_update(ema_param_list, current_param_list, _):
        with rl.no_grad():
            for average, current in zip(ema_param_list, current_param_list):
                if average.is_floating_point() or average.is_complex():
                    average.lerp_(current, 1 - decay)
                else:
                    average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn():
    """A function that updates a list of equally weighted averages in place."""

    def swa_update(averaged_param_list, current_param_list, num_averaged):
        with rl.no_grad():
            for average, current in zip(averaged_param_list, current_param_list):
                if average.is_floating_point() or average.is_complex():
                    average.lerp_(current, 1 / (float(num_averaged) + 1))
                else:
                    average.add_((current - average) / (num_averaged + 1))

    return swa_update


def get_ema_avg_fn(decay=0.999):
    """A function that returns the next exponential moving average."""
    _check_decay(decay)

    def ema_update(ema_param, current_param, num_averaged):
        with rl.no_grad():
            return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn():
    """A function that returns the next equally weighted average."""

    def swa_update(averaged_param, current_param, num_averaged):
        with rl.no_grad():
            return averaged_param + (current_param - averaged_param) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of `model` whose parameters are averages of what `update_parameters` was given.

    Args:
        model: what is copied.
        device: where the copy is kept; None for the model's own device.
        avg_fn: next average from (average, current, number so far).
        multi_avg_fn: the same for lists of tensors, in place.
        use_buffers: whether buffers are averaged too; they are copied otherwise.

    Source: Izmailov et al. 2018, "Averaging weights leads to wider optima".

    Example::

        >>> import rushlight as rl
        >>> net = rl.nn.Linear(2, 1)
        >>> average = rl.optim.swa_utils.AveragedModel(net)
        >>> average.update_parameters(net)
        >>> average.n_averaged
        tensor(1)
    """

    def __init__(self, model, device=None, avg_fn=None, multi_avg_fn=None, use_buffers=False):
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", rl.tensor(0, dtype=rl.long, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args, **kwargs):
        return self.module(*args, **kwargs)

    def _tensors(self, model):
        extra = model.buffers() if self.use_buffers else ()
        return [t.detach() for t in (*model.parameters(), *extra)]

    def update_parameters(self, model):
        """Take the parameters of `model` into the average."""
        averages = self._tensors(self.module)
        current = [c.to(a.device) for a, c in zip(averages, self._tensors(model))]
        if self.n_averaged == 0:
            for average, value in zip(averages, current):
                average.copy_(value)
        elif self.avg_fn is not None:
            for average, value in zip(averages, current):
                average.copy_(self.avg_fn(average, value, self.n_averaged.to(average.device)))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            update(averages, current, self.n_averaged)
        if not self.use_buffers:
            for average, value in zip(self.module.buffers(), model.buffers()):
                average.detach().copy_(value.detach().to(average.device))
        self.n_averaged += 1


def update_bn(loader, model, device=None):
    """Recompute the running statistics of batch normalisation in one pass over `loader`.

    Items of `loader` are inputs, or lists and tuples that begin with one.
    """
    layers = [m for m in model.modules() if isinstance(m, _BatchNorm)]
    momenta = [layer.momentum for layer in layers]
    if not layers:
        return
    was_training = model.training
    model.train()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None
    with rl.no_grad():
        for batch in loader:
            batch = batch[0] if isinstance(batch, (list, tuple)) else batch
            model(batch if device is None else batch.to(device))
    for layer, momentum in zip(layers, momenta):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Goes from the current learning rate to `swa_lr` in `anneal_epochs` and stays there.

    Args:
        swa_lr: one learning rate, or one per group.
        anneal_strategy: 'cos' or 'linear'.
    """

    def __init__(self, optimizer, swa_lr, anneal_epochs=10, anneal_strategy="cos", last_epoch=-1):
        for rate, group in zip(_per_group(optimizer, swa_lr, "swa_lr"), optimizer.param_groups):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def _share(self, t):
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _at(self, step):
        """How far the schedule is from the old rate to the new one, at a step."""
        return self._share(max(0, min(1, step / max(1, self.anneal_epochs))))

    def get_lr(self):
        self._expect_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before = self._at(step - 1)
        now = self._at(step)
        rates = []
        for group in self.optimizer.param_groups:
            target, current = group["swa_lr"], group["lr"]
            start = target if before == 1 else (current - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates
