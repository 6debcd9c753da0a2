"""Full backward hooks of modules: seeing the gradients of all inputs and outputs at once.

Registering hooks and calling through them is in `_hooks.py`.
"""

import rushlight as rl


class BackwardHook:
    """Sees the gradients of a module's inputs and outputs through two identity functions.

    `setup_input_hook(args)` and `setup_output_hook(result)` pass tensors through an autograd
    identity each; a hook on its node sees the gradients of all those tensors at once. Gradients
    of things that are not tensors are None.
    """

    def __init__(self, module, user_hooks, user_pre_hooks):
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs = None
        self.input_positions = self.output_positions = None
        self.n_inputs = self.n_outputs = -1

    def setup_input_hook(self, args):
        self.n_inputs = len(args)
        args, self.input_positions = _through_identity(args, self._inputs_known)
        return args

    def setup_output_hook(self, result):
        single = not isinstance(result, tuple)
        if single and not isinstance(result, rl.Tensor):
            import warnings

            warnings.warn(
                f"{type(self.module).__name__}: backward hooks are called for outputs that are a "
                f"tensor or a tuple of tensors, not for a {type(result).__name__}",
                stacklevel=4,
            )
        values = (result,) if single else result
        self.n_outputs = len(values)
        values, self.output_positions = _through_identity(values, self._outputs_known)
        return values[0] if single else values

    def _outputs_known(self, _, grad_output):
        grads = _spread(grad_output, self.output_positions, self.n_outputs)
        for hook in self.user_pre_hooks:
            new = hook(self.module, grads)
            if new is not None:
                grads = _checked(new, grads, "Backward pre hook", "grad_output")
        self.grad_outputs = grads
        if self.input_positions is None:
            self._run_without_inputs()
        return tuple(grads[i] for i in self.output_positions)

    def _inputs_known(self, grad_input, _):
        if self.grad_outputs is None:
            return None  # the gradient did not come through the module's output
        grads = _spread(grad_input, self.input_positions, self.n_inputs)
        for hook in self.user_hooks:
            new = hook(self.module, grads, self.grad_outputs)
            if new is not None:
                grads = _checked(new, grads, "Backward hook", "grad_input")
        self.grad_outputs = None
        return tuple(grads[i] for i in self.input_positions)

    def _run_without_inputs(self):
        import warnings

        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module "
            "outputs since no inputs require gradients.",
            stacklevel=5,
        )
        for hook in self.user_hooks:
            new = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if new is not None and not (isinstance(new, tuple) and all(g is None for g in new)):
                raise RuntimeError(
                    "Backward hook for Modules where no input requires gradient should always "
                    "return None or None for all gradients."
                )
        self.grad_outputs = None


def _spread(grads, positions, n):
    """A tuple of `n` entries: `grads` at `positions`, None elsewhere."""
    result = [None] * n
    for i, grad in zip(positions, grads):
        result[i] = grad
    return tuple(result)


def _checked(new, old, hook, what):
    if len(new) != len(old):
        raise RuntimeError(
            f"{hook} returned an invalid number of {what}, got {len(new)}, but expected {len(old)}"
        )
    return new


class _IdentityFunction(rl.autograd.Function):
    """Passes tensors on; its node is where gradients are seen together."""

    @staticmethod
    def forward(ctx, *tensors):
        ctx.mark_non_differentiable(*[t for t in tensors if not t.requires_grad])
        return tensors

    @staticmethod
    def backward(ctx, *grads):
        return grads


def _through_identity(values, node_hook):
    """(values with their tensors behind an identity node, positions of the tensors).

    The positions are None, and `values` as they were, if no tensor records gradients.
    """
    positions = [i for i, v in enumerate(values) if isinstance(v, rl.Tensor)]
    tensors = [values[i] for i in positions]
    if not rl.is_grad_enabled() or not any(t.requires_grad for t in tensors):
        return values, None
    passed = _IdentityFunction.apply(*tensors)
    node = next(t.grad_fn for t in passed if t.grad_fn is not None)
    node.register_hook(node_hook)
    result = list(values)
    for i, tensor in zip(positions, passed):
        result[i] = tensor
    kind = type(values)
    return (tuple(result) if kind is tuple else kind(*result)), positions
