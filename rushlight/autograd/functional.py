"""Whole derivatives of functions: `jacobian`, `hessian`, and products with them.

Everything is built from `rushlight.autograd.grad`, one backward pass per row. A further product
is a function here that prepares inputs with `_prepare` and cleans up with `_finish`.
"""

import rushlight as rl

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def jacobian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    strategy="reverse-mode",
):
    """All derivatives of the outputs of ``func`` with respect to its inputs.

    Args:
        func: a function of tensors returning a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        create_graph (bool): make the result differentiable.
        strict (bool): an output that does not depend on an input is an error, not zeros.
        vectorize (bool): compute all rows (or columns) in one pass.
        strategy (str): ``"reverse-mode"``, or ``"forward-mode"``, which needs ``vectorize``.

    Returns:
        A tensor of shape ``output.shape + input.shape``; with a tuple of inputs, a tuple of them;
        with a tuple of outputs, a tuple of those.

    Raises:
        RuntimeError: with ``strict``, if an output is independent of an input.

    Example::

        >>> rl.autograd.functional.jacobian(lambda x: x ** 2, rl.tensor([1., 2.]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    _check_strategy("jacobian", strategy, strict, vectorize)
    if strategy == "forward-mode":
        return _jacobian_forward(func, inputs, create_graph)
    with rl.enable_grad():
        ins, is_tuple = _as_tuple(inputs, "inputs", "jacobian")
        ins = _prepare(ins, create_graph)
        outputs, out_is_tuple = _call("jacobian", func, ins, strict)
        if vectorize:
            rows = tuple([_jacobian_at_once(o, ins, create_graph) for o in outputs])
        else:
            rows = tuple(
                [_jacobian_of(i, o, ins, create_graph, strict) for i, o in enumerate(outputs)]
            )
        rows = _finish(rows, create_graph)
    rows = rows if is_tuple else tuple([row[0] for row in rows])
    return rows if out_is_tuple else rows[0]


def _jacobian_at_once(output, inputs, create_graph):
    """The derivatives of one output: one pass for all its elements."""
    if not output.requires_grad or not output.numel():
        return tuple([x.new_zeros(output.shape + x.shape) for x in inputs])
    units = rl.eye(output.numel(), dtype=output.dtype).reshape((-1, *output.shape))
    grads = rl.autograd.grad(
        output,
        inputs,
        units,
        retain_graph=True,
        create_graph=create_graph,
        allow_unused=True,
        is_grads_batched=True,
    )
    return tuple(
        [
            x.new_zeros(output.shape + x.shape) if g is None else g.reshape(output.shape + x.shape)
            for g, x in zip(grads, inputs)
        ]
    )


def _jacobian_forward(func, inputs, create_graph):
    from rushlight.func import jacfwd

    ins, is_tuple = _as_tuple(inputs, "inputs", "jacobian")
    with rl.enable_grad():
        ins = _prepare(ins, True) if create_graph else tuple([x.detach() for x in ins])
        found = jacfwd(func, tuple(range(len(ins))))(*ins)
    if not is_tuple:
        several = isinstance(found[0], tuple)
        found = tuple([row[0] for row in found]) if several else found[0]
    return _finish(found, create_graph)


def _jacobian_of(nth, output, inputs, create_graph, strict):
    """The derivatives of one output: a tensor per input."""
    columns = [[] for _ in inputs]
    for number in output.reshape(-1).unbind():
        grads = _grad((number,), inputs, None, create_graph, retain_graph=True)
        for i, (grad, x) in enumerate(zip(grads, inputs)):
            where = f"Output {nth} of the user-provided function is independent of input {i}"
            columns[i].append(_filled(grad, x, strict, create_graph, "jacobian", where))
    return tuple(
        [
            rl.stack(column).reshape(output.shape + x.shape)
            if column
            else x.new_zeros(output.shape + x.shape)
            for column, x in zip(columns, inputs)
        ]
    )


def hessian(
    func,
    inputs,
    create_graph=False,
    strict=False,
    vectorize=False,
    outer_jacobian_strategy="reverse-mode",
):
    """All second derivatives of a scalar function.

    Args:
        func: a function of tensors returning a tensor with one element.
        inputs, create_graph, strict, vectorize: as in `jacobian`.
        outer_jacobian_strategy (str): ``"reverse-mode"``, or ``"forward-mode"``, which needs
            ``vectorize``.

    Returns:
        A tensor of shape ``input.shape + input.shape``; with a tuple of inputs, a tuple of tuples,
        the first index belonging to the first derivative.

    Example::

        >>> rl.autograd.functional.hessian(lambda x: (x ** 3).sum(), rl.tensor([1., 2.]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    _check_strategy("hessian", outer_jacobian_strategy, strict, vectorize)
    ins, is_tuple = _as_tuple(inputs, "inputs", "hessian")

    def gradient(*xs):
        output = _scalar("hessian", func, xs, strict)
        grads = _grad((output,), xs, None, True)
        return tuple(
            [
                _filled(
                    g,
                    x,
                    strict,
                    True,
                    "hessian",
                    f"The output of the user-provided function is independent of input {i}",
                )
                for i, (g, x) in enumerate(zip(grads, xs))
            ]
        )

    if outer_jacobian_strategy == "forward-mode":
        found = _hessian_forward(func, ins, create_graph)
    else:
        found = jacobian(
            gradient, ins, create_graph=create_graph, strict=strict, vectorize=vectorize
        )
    return found if is_tuple else found[0][0]


def _hessian_forward(func, ins, create_graph):
    """Second derivatives in forward mode over the gradient."""
    from rushlight.func import jacrev

    def rows(*xs):
        output = _as_tuple(func(*xs), "outputs of the user-provided function", "hessian")[0]
        if len(output) != 1 or output[0].numel() != 1:
            _scalar("hessian", lambda *_: func(*xs), xs, False)
        return output[0].reshape(())

    return _jacobian_forward(jacrev(rows, tuple(range(len(ins)))), ins, create_graph)


def vjp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of ``func`` and the product of ``v`` with its Jacobian.

    Args:
        func: a function of tensors returning a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: a tensor of the shape of the output (or a tuple of them); 1 if None, for an output with
            one element.
        create_graph, strict: as in `jacobian`.

    Returns:
        ``(output, product)``, the product having the form of ``inputs``.

    Example::

        >>> x = rl.tensor([1., 2.])
        >>> rl.autograd.functional.vjp(lambda x: x ** 2, x, rl.ones(2))[1]
        tensor([2., 4.])
    """
    with rl.enable_grad():
        ins, is_tuple = _as_tuple(inputs, "inputs", "vjp")
        ins = _prepare(ins, create_graph)
        outputs, out_is_tuple = _call("vjp", func, ins, strict)
        starts = _vectors("vjp", v, outputs, out_is_tuple)
    with rl.set_grad_enabled(create_graph or rl.is_grad_enabled()):
        grads = _grad(outputs, ins, starts, create_graph)
        product = _filled_all(grads, ins, strict, create_graph, "vjp")
    return _result(outputs, product, out_is_tuple, is_tuple, create_graph)


def jvp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of ``func`` and the product of its Jacobian with ``v``.

    It is computed by differentiating a vector-Jacobian product with respect to its vector, in
    which it is linear.

    Args:
        func: a function of tensors returning a tensor or a tuple of them.
        inputs: a tensor or a tuple of them.
        v: a tensor of the shape of the input (or a tuple of them); 1 if None, for an input with
            one element.
        create_graph, strict: as in `jacobian`.

    Returns:
        ``(output, product)``, the product having the form of the output.

    Example::

        >>> x = rl.tensor([1., 2.])
        >>> rl.autograd.functional.jvp(lambda x: x ** 2, x, rl.ones(2))[1]
        tensor([2., 4.])
    """
    with rl.enable_grad():
        ins, is_tuple = _as_tuple(inputs, "inputs", "jvp")
        ins = _prepare(ins, create_graph)
        tangents = _vectors("jvp", v, ins, is_tuple)
        outputs, out_is_tuple = _call("jvp", func, ins, strict)
        probes = tuple([rl.zeros_like(o, requires_grad=True) for o in outputs])
        grads = _filled_all(_grad(outputs, ins, probes, True), ins, strict, True, "jvp")
        products = _product_with(grads, probes, tangents, create_graph, strict, "jvp")
    return _result(outputs, products, out_is_tuple, out_is_tuple, create_graph)


def vhp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of a scalar ``func`` and the product of ``v`` with its Hessian.

    Args:
        func: a function of tensors returning a tensor with one element.
        inputs: a tensor or a tuple of them.
        v: a tensor of the shape of the input (or a tuple of them); 1 if None, for an input with
            one element.
        create_graph, strict: as in `jacobian`.

    Returns:
        ``(output, product)``, the product having the form of ``inputs``.

    Example::

        >>> x = rl.tensor([1., 2.])
        >>> rl.autograd.functional.vhp(lambda x: (x ** 3).sum(), x, rl.ones(2))[1]
        tensor([ 6., 12.])
    """
    with rl.enable_grad():
        ins, is_tuple = _as_tuple(inputs, "inputs", "vhp")
        ins = _prepare(ins, create_graph)
        vectors = _vectors("vhp", v, ins, is_tuple)
        output = _scalar("vhp", func, ins, strict)
        first = _filled_all(_grad((output,), ins, None, True), ins, strict, True, "vhp")
        second = _grad(first, ins, vectors, create_graph)
        product = _filled_all(second, ins, strict, create_graph, "vhp")
    return _result((output,), product, False, is_tuple, create_graph)


def hvp(func, inputs, v=None, create_graph=False, strict=False):
    """The output of a scalar ``func`` and the product of its Hessian with ``v``.

    Arguments, result and example as for `vhp`, which is cheaper and, the Hessian being symmetric
    for twice continuously differentiable functions, has the same value.
    """
    with rl.enable_grad():
        ins, is_tuple = _as_tuple(inputs, "inputs", "hvp")
        ins = _prepare(ins, create_graph)
        vectors = _vectors("hvp", v, ins, is_tuple)
        output = _scalar("hvp", func, ins, strict)
        first = _filled_all(_grad((output,), ins, None, True), ins, strict, True, "hvp")
        probes = tuple([rl.zeros_like(x, requires_grad=True) for x in ins])
        second = _filled_all(_grad(first, ins, probes, True), ins, strict, True, "hvp")
        product = _product_with(second, probes, vectors, create_graph, strict, "hvp")
    return _result((output,), product, False, is_tuple, create_graph)


# ---- helpers ---------------------------------------------------------------------------------


def _check_strategy(function, strategy, strict, vectorize):
    if strategy not in ("reverse-mode", "forward-mode"):
        raise AssertionError(
            f"{function}(): expected strategy to be 'reverse-mode' or 'forward-mode', "
            f"got {strategy!r}"
        )
    if strategy == "forward-mode":
        if strict:
            raise RuntimeError(f"{function}(): strict=True needs strategy='reverse-mode'")
        if not vectorize:
            raise NotImplementedError(f"{function}(): strategy='forward-mode' needs vectorize=True")
    if strict and vectorize:
        raise RuntimeError(
            f"{function}(): `strict=True` and `vectorize=True` are not supported together; set "
            "one of them to False"
        )


def _as_tuple(values, what, function):
    is_tuple = isinstance(values, tuple)
    result = values if is_tuple else (values,)
    for i, value in enumerate(result):
        if not isinstance(value, rl.Tensor):
            raise TypeError(
                f"The {what} given to {function} must be either a Tensor or a tuple of Tensors "
                f"but the value at index {i} has type {type(value)}."
            )
    return result, is_tuple


def _prepare(inputs, create_graph):
    """Inputs of our own to differentiate: joined to the caller's history only if wanted."""
    if create_graph:
        return tuple(
            [x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs]
        )
    return tuple([x.detach().requires_grad_() for x in inputs])


def _call(function, func, inputs, strict):
    outputs, is_tuple = _as_tuple(func(*inputs), "outputs of the user-provided function", function)
    if strict:
        for i, output in enumerate(outputs):
            if not output.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The "
                    f"outputs must depend on the inputs of {function} with strict=True."
                )
    return outputs, is_tuple


def _scalar(function, func, inputs, strict):
    outputs, is_tuple = _call(function, func, inputs, strict)
    if is_tuple or outputs[0].numel() != 1:
        raise RuntimeError(
            f"The function given to {function} should return a single Tensor with a single element"
        )
    return outputs[0].reshape(())


def _vectors(function, v, like, is_tuple):
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"{function}(): the vector v can only be None if the tensor it multiplies has a "
                "single element"
            )
        return (rl.ones_like(like[0]),)
    vectors, _ = _as_tuple(v, "vector v", function)
    if len(vectors) != len(like):
        raise RuntimeError(
            f"{function}(): expected v to have {len(like)} tensors, got {len(vectors)}"
        )
    for i, (vector, tensor) in enumerate(zip(vectors, like)):
        if vector.shape != tensor.shape:
            raise RuntimeError(
                f"{function}(): entry {i} of v has shape {tuple(vector.shape)}, expected "
                f"{tuple(tensor.shape)}"
            )
    return vectors


def _grad(outputs, inputs, starts, create_graph, retain_graph=None):
    """Like `rushlight.autograd.grad`, leaving out outputs that require no gradient."""
    starts = (None,) * len(outputs) if starts is None else starts
    live = [(o, s) for o, s in zip(outputs, starts) if o.requires_grad]
    if not live:
        return (None,) * len(inputs)
    outputs, starts = zip(*live)
    return rl.autograd.grad(
        outputs,
        inputs,
        starts,
        allow_unused=True,
        create_graph=create_graph,
        retain_graph=retain_graph,
    )


def _filled(grad, x, strict, create_graph, function, where):
    if grad is None:
        if strict:
            raise RuntimeError(f"{where}. This is not allowed in {function} with strict=True.")
        return rl.zeros_like(x)
    if strict and create_graph and not grad.requires_grad:
        raise RuntimeError(
            f"{where} in its derivative. This is not allowed in {function} with strict=True and "
            "create_graph=True."
        )
    return grad


def _filled_all(grads, inputs, strict, create_graph, function):
    # An intermediate gradient may be constant: only its absence is told here.
    return tuple(
        [
            _filled(g, x, strict, False, function, f"The output is independent of input {i}")
            for i, (g, x) in enumerate(zip(grads, inputs))
        ]
    )


def _product_with(grads, probes, vectors, create_graph, strict, function):
    """``grads`` is linear in ``probes``; its matrix times ``vectors``."""
    products = _grad(grads, probes, vectors, create_graph)
    return _filled_all(products, probes, strict, create_graph, function)


def _finish(value, create_graph):
    if isinstance(value, tuple):
        return tuple([_finish(part, create_graph) for part in value])
    return value if create_graph else value.detach()


def _result(outputs, product, out_is_tuple, is_tuple, create_graph):
    outputs, product = _finish(outputs, create_graph), _finish(product, create_graph)
    return outputs if out_is_tuple else outputs[0], product if is_tuple else product[0]
