"""Modules as functions: `functional_call`, `stack_module_state`, batch norm without state."""

import rushlight as rl
from rushlight.nn.utils.stateless import _functional_call


def functional_call(
    module, parameter_and_buffer_dicts, args=None, kwargs=None, *, tie_weights=True, strict=False
):
    """Calls a module with other parameters and buffers than its own.

    Args:
        module: an ``nn.Module``.
        parameter_and_buffer_dicts: tensors by dotted name, or a sequence of such dicts without
            common keys; the module's own tensors are used for the rest.
        args, kwargs: of the call; a value that is no tuple counts as the only argument.
        tie_weights: whether a tensor given for one name serves all names of the same parameter.
        strict: raise unless exactly the module's names are given.

    Raises:
        ValueError: if two dicts have a key in common.
        RuntimeError: with `strict`, for missing or unknown names.

    Example::

        >>> double = rl.nn.Linear(1, 1, bias=False)
        >>> rl.func.functional_call(double, {"weight": rl.tensor([[2.]])}, rl.tensor([3.]))
        tensor([6.])
    """
    given = parameter_and_buffer_dicts
    if isinstance(given, (list, tuple)):
        given = _merged(given)
    elif not isinstance(given, dict):
        raise ValueError(
            "functional_call: expected parameter_and_buffer_dicts to be a dict, or a list or tuple "
            f"of dicts, got {type(given).__name__}"
        )
    return _functional_call(module, given, args, kwargs, tie_weights=tie_weights, strict=strict)


def _merged(dicts):
    merged = {}
    for part in dicts:
        if not isinstance(part, dict):
            raise ValueError(
                "functional_call: expected all elements of parameter_and_buffer_dicts to be dicts, "
                f"got {type(part).__name__}"
            )
        repeated = sorted(merged.keys() & part.keys())
        if repeated:
            raise ValueError(f"functional_call: {repeated} appear in several dictionaries")
        merged.update(part)
    return merged


def stack_module_state(models):
    """Parameters and buffers of several modules of one form, stacked: an ensemble for `vmap`.

    Returns:
        ``(params, buffers)``: dicts of tensors with a new first dimension that numbers the
        modules. Parameters are new leaves that require gradients as the originals do.

    Raises:
        RuntimeError: if there is no module, modules differ in class, or one is in training mode
            while another is not.

    Example::

        >>> params, _ = rl.func.stack_module_state([rl.nn.Linear(2, 3) for _ in range(4)])
        >>> params["weight"].shape
        torch.Size([4, 3, 2])
    """
    if not models:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({m.training for m in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if len({type(m) for m in models}) > 1:
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    params = _stacked([dict(m.named_parameters()) for m in models], True)
    return params, _stacked([dict(m.named_buffers()) for m in models], False)


def _stacked(dicts, as_leaves):
    return {key: _stack([d[key] for d in dicts], as_leaves) for key in dicts[0]}


def _stack(tensors, as_leaf):
    if not as_leaf:
        return rl.stack(tensors)
    wanted = {t.requires_grad for t in tensors}
    if len(wanted) > 1:
        raise RuntimeError(
            "stack_module_state: Expected parameters of one name to have the same requires_grad."
        )
    return rl.stack(tensors).detach().requires_grad_(wanted.pop())


def replace_all_batch_norm_modules_(root):
    """Makes every batch norm in `root` use the statistics of its batch only, in place.

    Running statistics are written to while training, which `vmap` cannot do for each example.

    Example::

        >>> net = rl.func.replace_all_batch_norm_modules_(rl.nn.BatchNorm1d(2))
        >>> net.running_mean is None
        True
    """
    from rushlight.nn.modules.batchnorm import _BatchNorm

    for module in root.modules():
        if isinstance(module, _BatchNorm):
            module.running_mean = module.running_var = module.num_batches_tracked = None
            module.track_running_stats = False
    return root
