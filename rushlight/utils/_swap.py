"""`swap_tensors`: two tensors become each other, wherever the program holds them.

The exchange itself is in csrc/python/tensor_storage.cpp; what is Python's is exchanged here.
"""

import copyreg


def swap_tensors(t1, t2):
    """Exchanges what two tensors are: elements, class, attributes, gradient and place in the graph.

    Each stays the same object, so that whoever holds it sees the other's content. Graphs that need
    one of the two for backward raise an error then.

    Raises:
        RuntimeError: if one has weak references, retains its gradient, or is the other's gradient
            or base, or if their classes have other ``__slots__``.

    Example::

        >>> a, b = rl.ones(2), rl.zeros(3)
        >>> rl.utils.swap_tensors(a, b)
        >>> a, b
        (tensor([0., 0., 0.]), tensor([1., 1.]))
    """
    slots = copyreg._slotnames(type(t1))
    if sorted(slots) != sorted(copyreg._slotnames(type(t2))):
        raise RuntimeError("Cannot swap t1 and t2 if they have different slots")
    for node in t1._swap_parts(t2):
        node.register_prehook(_swapped)
    t1.__class__, t2.__class__ = type(t2), type(t1)
    for name in slots:
        _swap_attribute(t1, t2, name)


_ABSENT = object()


def _swap_attribute(t1, t2, name):
    given = [getattr(t, name, _ABSENT) for t in (t1, t2)]
    for t, value in zip((t2, t1), given):
        if value is not _ABSENT:
            setattr(t, name, value)
        elif getattr(t, name, _ABSENT) is not _ABSENT:
            delattr(t, name)


def _swapped(grads):
    raise RuntimeError(
        "Trying to execute AccumulateGrad node that was poisoned by swap_tensors: this graph was "
        "made with a tensor that has become another one since; run the forward pass again"
    )
