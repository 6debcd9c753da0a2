"""What the records of elementwise ops share: recording one-argument functions. The records
themselves are in the families' modules.
"""

from rushlight.ops._record import op, pointwise, to_float


def with_example(doc, call, result):
    """The text of an op with what ``call`` gives."""
    return f"{doc}\n\n    Example::\n\n        >>> rl.{call}\n        {result}\n    "


def shown(call, result):
    """Decorator: what ``call`` gives is the example of a body made in a loop."""

    def add(body):
        if body.__doc__:  # `python -OO` leaves none
            body.__doc__ = with_example(body.__doc__.rstrip(), call, result)
        return body

    return add


def unary(name, doc, rule, dtype=to_float, example=None, **more):
    """Records ``name(self)``; the doc's formula is all that differs between these.

    ``example`` is the elements of an input and what comes of them: ``("0., 1.", "0., 2.")``.
    """

    def body(self): ...

    if example:
        doc = with_example(doc, f"{name}(rl.tensor([{example[0]}]))", f"tensor([{example[1]}])")
    body.__doc__ = doc
    made = op(f"{name}(Tensor self) -> Tensor", kind=pointwise, dtype=dtype, **more)(body)
    if rule is not None:
        made.vjp(self=rule)
    return made


def slope_op(schema, doc):
    """The gradient of an elementwise op in one pass, itself to be given rules: ``(grad, x, ...)``.

    One pass rounds once: to 16 bits, that is not the same as its formula in several ops.
    """

    def body(*args): ...

    body.__doc__ = doc
    return op(schema, kind=pointwise, at=("internal",), inplace=False)(body)


def slope_of_output(name, doc, formula, second):
    """The rule ``(g, result)`` of an op whose slope is a formula in its result: in one pass, by
    the functor ``name``, unless complex. ``second`` is the slope's own rule for the result.
    """
    fused = slope_op(f"{name}(Tensor grad, Tensor output) -> Tensor", doc)
    fused.vjp(grad=lambda g, output: fused(g, output), output=second)
    return lambda g, result: (formula if result.is_complex() else fused)(g, result)
