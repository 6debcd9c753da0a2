"""Steps of optimizers over all parameters at once: internal ops that change what they are given.

The bodies are the definitions, one parameter after the other, and change in place only what no
derivative needs (differentiable optimizers run them); the kernels, in
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


# ---- steps that scale the gradient by what was seen of it


def _slopes(params, grads, steps, weight_decay, maximize):
    """(number, parameter, gradient of the loss with its decay, steps with this one) of each."""
    for i, (param, grad, step) in enumerate(zip(params, grads, steps)):
        grad = -grad if maximize else grad
        if weight_decay:
            grad = grad.add(param, alpha=weight_decay)
        yield i, param, grad, step.add_(1).item()


def _scaled_step(name, lists, numbers, counters="steps"):
    """Declares a step: its lists of state, and its options after those that all have."""
    states = ", ".join([f"Tensor[] {n}" for n in f"{lists} {counters}".split()])
    floats = ", ".join([f"float {n}" for n in ("lr", "eps", "weight_decay", *numbers.split())])
    return op(
        f"{name}(Tensor[] params, Tensor[] grads, {states}, {floats}, bool maximize) -> Tensor[]",
        at="internal",
        method=False,
        out=False,
        differentiable=False,
    )


@_scaled_step("rmsprop_step", "squares means moved", "alpha momentum")
def rmsprop_step(
    params, grads, squares, means, moved, steps, lr, eps, weight_decay, alpha, momentum, maximize
):
    """The step of `rushlight.optim.RMSprop`: centered with `means`, with momentum with `moved`."""
    for i, param, grad, _ in _slopes(params, grads, steps, weight_decay, maximize):
        square = squares[i].mul_(alpha).addcmul_(grad, grad, value=1 - alpha)
        if means:
            mean = means[i].lerp_(grad, 1 - alpha)
            square = square.addcmul(mean, mean, value=-1)
        root = square.sqrt() + eps
        if moved:
            param.add_(moved[i].mul_(momentum).addcdiv_(grad, root), alpha=-lr)
        else:
            param.addcdiv_(grad, root, value=-lr)
    return []


@_scaled_step("adagrad_step", "totals", "lr_decay")
def adagrad_step(params, grads, totals, steps, lr, eps, weight_decay, lr_decay, maximize):
    """The step of `rushlight.optim.Adagrad`."""
    for i, param, grad, step in _slopes(params, grads, steps, weight_decay, maximize):
        root = totals[i].addcmul_(grad, grad).sqrt() + eps
        param.addcdiv_(grad, root, value=-lr / (1 + (step - 1) * lr_decay))
    return []


@_scaled_step("adadelta_step", "squares moved", "rho")
def adadelta_step(params, grads, squares, moved, steps, lr, eps, weight_decay, rho, maximize):
    """The step of `rushlight.optim.Adadelta`."""
    for i, param, grad, _ in _slopes(params, grads, steps, weight_decay, maximize):
        root = squares[i].mul_(rho).addcmul_(grad, grad, value=1 - rho).add(eps).sqrt_()
        change = moved[i].add(eps).sqrt_() / root * grad
        moved[i].mul_(rho).addcmul_(change, change, value=1 - rho)
        param.add_(change, alpha=-lr)
    return []


@_scaled_step("adamax_step", "means largest", "beta1 beta2")
def adamax_step(
    params, grads, means, largest, steps, lr, eps, weight_decay, beta1, beta2, maximize
):
    """The step of `rushlight.optim.Adamax`."""
    for i, param, grad, step in _slopes(params, grads, steps, weight_decay, maximize):
        mean = means[i].lerp_(grad, 1 - beta1)
        top = rl.maximum(largest[i] * beta2, grad.abs().add_(eps))
        param.addcdiv_(mean, largest[i].copy_(top), value=-(lr / (1 - beta1**step)))
    return []


def _move(param, top, bottom, scale):
    if isinstance(scale, rl.Tensor):
        param.add_(top / bottom * scale)
    else:
        param.addcdiv_(top, bottom, value=scale)


_NADAM = "beta1 beta2 momentum_decay shrink"


@_scaled_step("nadam_step", "means squares", _NADAM, counters="steps products")
def nadam_step(params, grads, means, squares, steps, products, *options):
    """The step of `rushlight.optim.NAdam`; `products` are those of the momenta so far, and `shrink`
    is what decoupled decay leaves of a parameter.
    """
    lr, eps, weight_decay, beta1, beta2, momentum_decay, shrink, maximize = options

    def momentum(step):
        return beta1 * (1.0 - 0.5 * 0.96 ** (step * momentum_decay))

    for i, param, grad, step in _slopes(params, grads, steps, weight_decay, maximize):
        product, following = products[i].mul_(momentum(step)), momentum(step + 1)
        product = product.clone() if product.requires_grad else product.item()
        mean = means[i].lerp_(grad, 1 - beta1)
        square = squares[i].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        root = square.div(1 - beta2**step).sqrt() + eps
        param.mul_(shrink)
        _move(param, grad, root, -lr * (1.0 - momentum(step)) / (1.0 - product))
        _move(param, mean, root, -lr * following / (1.0 - product * following))
    return []


@_scaled_step("radam_step", "means squares", "beta1 beta2 shrink")
def radam_step(params, grads, means, squares, steps, *options):
    """The step of `rushlight.optim.RAdam`; `shrink` is what decoupled decay leaves."""
    lr, eps, weight_decay, beta1, beta2, shrink, maximize = options
    for i, param, grad, step in _slopes(params, grads, steps, weight_decay, maximize):
        mean = means[i].lerp_(grad, 1 - beta1)
        square = squares[i].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        change = mean / (1 - beta1**step) * lr
        rectifier = _rectifier(step, beta2)
        if rectifier is not None:
            root = square.sqrt() + eps
            change = change * ((1 - beta2**step) ** 0.5 / root) * rectifier
        param.mul_(shrink).sub_(change)
    return []


def _rectifier(step, beta2):
    """The factor for the adaptive step; None while the mean square has too few samples."""
    limit = 2 / (1 - beta2) - 1
    length = limit - 2 * step * beta2**step / (1 - beta2**step)
    if length <= 5.0:
        return None
    top = (length - 4) * (length - 2) * limit
    return (top / ((limit - 4) * (limit - 2) * length)) ** 0.5
