"""Steps of optimizers over all parameters at once: internal ops that change what they are given.

The bodies are the definitions, one parameter after the other; the kernels, in
csrc/kernels/optimize.cpp, go over all memory once. Lists have an entry a parameter: contiguous
tensors of the parameter's size and dtype, and one-element step counters. `rushlight.optim` calls
them. To add a step: a record with a body, and a kernel.
"""

import rushlight as rl
from rushlight.ops._record import op


@op(
    "sgd_step(Tensor[] params, Tensor[] grads, Tensor[] buffers, float lr, float momentum, "
    "float dampening, float weight_decay, bool nesterov, bool maximize) -> Tensor[]",
    at="internal",
    method=False,
    out=False,
    differentiable=False,
)
def sgd_step(params, grads, buffers, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """``b = momentum * b + (1 - dampening) * g; p -= lr * b``; without `buffers` b is g."""
    for i, (param, grad) in enumerate(zip(params, grads)):
        grad = -grad if maximize else grad
        if weight_decay:
            grad = grad.add(param, alpha=weight_decay)
        if buffers:
            buffer = buffers[i].mul_(momentum).add_(grad, alpha=1 - dampening)
            grad = grad.add(buffer, alpha=momentum) if nesterov else buffer
        param.add_(grad, alpha=-lr)
    return []


@op(
    "adam_step(Tensor[] params, Tensor[] grads, Tensor[] means, Tensor[] squares, "
    "Tensor[] largest, Tensor[] steps, float lr, float beta1, float beta2, float eps, "
    "float weight_decay, bool decoupled, bool maximize) -> Tensor[]",
    at="internal",
    method=False,
    out=False,
    differentiable=False,
)
def adam_step(
    params,
    grads,
    means,
    squares,
    largest,
    steps,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled,
    maximize,
):
    """The step of `rushlight.optim.Adam`; with `largest` its amsgrad kind. `steps` count up."""
    for i, (param, grad) in enumerate(zip(params, grads)):
        step = steps[i].add_(1).item()
        grad = -grad if maximize else grad
        if weight_decay and decoupled:
            param.mul_(1 - lr * weight_decay)
        elif weight_decay:
            grad = grad.add(param, alpha=weight_decay)
        mean = means[i].lerp_(grad, 1 - beta1)
        square = squares[i].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        if largest:
            square = largest[i].copy_(rl.maximum(largest[i], square))
        bottom = (square.sqrt() / (1 - beta2**step) ** 0.5).add_(eps)
        param.addcdiv_(mean, bottom, value=-lr / (1 - beta1**step))
    return []
