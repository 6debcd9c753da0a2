"""`call_for_per_sample_grads`: a call after which ``backward`` leaves a gradient per sample.

Every parameter becomes as many (expanded, not copied) parameters as there are samples, and the
module runs under `vmap` on each sample with its own. Nothing here knows an op.
"""

import rushlight as rl
from rushlight.func import functional_call, vmap
from rushlight.utils import _pytree

_REDUCTIONS = ("sum", "mean")


def call_for_per_sample_grads(module, *, batch_size=None, loss_reduction="sum", batch_first=True):
    """A function like the module; its backward sets `grad_sample` of parameters, not `grad`.

    Args:
        module: without batch norm, which mixes the samples; its output is one tensor.
        batch_size: that of the arguments, if None. Tensors of another size belong to all samples.
        loss_reduction: "sum" or "mean", how the loss joins the samples.
        batch_first: samples are along dimension 0 of arguments and output, else 1.

    Raises:
        RuntimeError: for other arguments, and if a parameter's `grad_sample` was not cleared.

    Example::

        >>> double = rl.nn.Linear(1, 1, bias=False)
        >>> run = rl.nn.utils._per_sample_grad.call_for_per_sample_grads(double)
        >>> run(rl.tensor([[2.], [3.]])).sum().backward()
        >>> double.weight.grad_sample.flatten()
        tensor([2., 3.])
    """
    _check(module, batch_size, loss_reduction)
    dim = 0 if batch_first else 1

    def call(*args, **kwargs):
        _check_cleared(module)
        return _run(module, args, kwargs, batch_size, dim, loss_reduction)

    return call


def _check(module, batch_size, loss_reduction):
    if not isinstance(module, rl.nn.Module):
        raise RuntimeError(f"{_at('module')}expected an nn.Module, got {type(module).__name__}")
    if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
        raise RuntimeError(f"{_at('batch_size')}expected None or an int above 0, got {batch_size}")
    if loss_reduction not in _REDUCTIONS:
        raise RuntimeError(f"{_at('loss_reduction')}expected sum or mean, got {loss_reduction!r}")
    for name, part in module.named_modules():
        if isinstance(part, rl.nn.modules.batchnorm._BatchNorm):
            raise RuntimeError(
                f"{_at('module')}{name or 'it'} is a {type(part).__name__}, whose samples have no "
                "gradients of their own; use group norm instead"
            )


def _at(argument):
    return f"call_for_per_sample_grads: {argument}: "


def _check_cleared(module):
    for name, p in module.named_parameters():
        if p.requires_grad and getattr(p, "grad_sample", None) is not None:
            raise RuntimeError(
                f"{_at('module')}{name}.grad_sample is there from an earlier call; set it to None"
            )


def _run(module, args, kwargs, size, dim, reduction):
    leaves, form = _pytree.tree_flatten((args, kwargs))
    size = size or _batch_size(leaves, dim)
    is_batch = [_size(leaf, dim) == size for leaf in leaves]
    if not any(is_batch):
        raise RuntimeError(f"{_at('batch_size')}no argument has {size} samples in dimension {dim}")
    scale = size if reduction == "mean" else 1
    own = {k: p for k, p in module.named_parameters() if p.requires_grad}
    params = {k: _OnePerSample.apply(p, size, scale) for k, p in own.items()}

    def one(params, *leaves):
        leaves = [x.unsqueeze(dim) if batch else x for x, batch in zip(leaves, is_batch)]
        args, kwargs = _pytree.tree_unflatten(leaves, form)
        return _sample_of(functional_call(module, params, args, kwargs), dim)

    in_dims = (0 if params else None, *(dim if batch else None for batch in is_batch))
    return vmap(one, in_dims, dim, randomness="different")(params, *leaves)


def _batch_size(leaves, dim):
    sizes = {_size(leaf, dim) for leaf in leaves} - {None}
    if len(sizes) != 1:
        raise RuntimeError(
            f"{_at('batch_size')}the arguments have {sorted(sizes) or 'no'} samples in dimension "
            f"{dim}; name the batch_size that is meant"
        )
    return sizes.pop()


def _size(leaf, dim):
    return leaf.size(dim) if isinstance(leaf, rl.Tensor) and leaf.dim() > dim else None


def _sample_of(output, dim):
    if not isinstance(output, rl.Tensor):
        raise NotImplementedError(
            f"{_at('module')}its output has to be a tensor, got {type(output).__name__}"
        )
    if _size(output, dim) != 1:
        raise RuntimeError(
            f"{_at('module')}its output has no dimension {dim} of samples: for one sample its "
            f"shape is {tuple(output.shape)}"
        )
    return output.squeeze(dim)


class _OnePerSample(rl.autograd.Function):
    """A view of a parameter for each sample. The gradient ends in the parameter's `grad_sample`."""

    @staticmethod
    def forward(ctx, parameter, size, scale):
        ctx.parameter, ctx.scale = parameter, scale
        return parameter.expand(size, *parameter.shape)

    @staticmethod
    def backward(ctx, grad):
        if ctx.scale != 1:
            grad = grad * ctx.scale
        before = getattr(ctx.parameter, "grad_sample", None)
        ctx.parameter.grad_sample = grad if before is None else before + grad
        return None, None, None
