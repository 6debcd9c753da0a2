"""Running an optimizer on other parameters and state than its own, for the time of a context."""

from collections import defaultdict
from contextlib import contextmanager

__all__ = ["swap_in_optimizer_params_and_state"]


@contextmanager
def swap_in_optimizer_params_and_state(optimizer, swapin_parameters, swapin_optim_state):
    """Let `optimizer` have the given parameters and state inside the `with` block.

    Args:
        swapin_parameters: dict of tensors, in the order of the optimizer's parameters.
        swapin_optim_state: as `optimizer.state_dict()` returns it. Tensors in it that are changed
            in place keep their changes; nothing else does.
    """
    groups, saved_groups = optimizer.param_groups, swapin_optim_state["param_groups"]
    if len(groups) != len(saved_groups):
        raise ValueError(
            f"expected {len(groups)} parameter groups in swapin_optim_state, got "
            f"{len(saved_groups)}"
        )
    expected = sum(len(group["params"]) for group in groups)
    if len(swapin_parameters) != expected:
        raise ValueError(f"expected {expected} swapin_parameters, got {len(swapin_parameters)}")
    before, own_state = [dict(group) for group in groups], optimizer.state
    tensors, state = iter(swapin_parameters.values()), defaultdict(dict)
    try:
        for group, saved in zip(groups, saved_groups):
            group.update((k, v) for k, v in saved.items() if k != "params")
            group["params"] = [next(tensors) for _ in saved["params"]]
            for index, param in zip(saved["params"], group["params"]):
                state[param] = dict(swapin_optim_state["state"].get(index, {}))
        optimizer.state = state
        yield
    finally:
        for group, old in zip(groups, before):
            group.clear()
            group.update(old)
        optimizer.state = own_state
