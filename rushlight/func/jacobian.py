"""Whole derivatives: `jvp`, `jacrev`, `jacfwd`, `hessian`.

A Jacobian is one `vmap` of a `vjp` over the unit cotangents, or of a `jvp` over the unit tangents.
"""

import functools

import rushlight as rl
from rushlight import _native
from rushlight.func.forward import JvpLevel
from rushlight.func.tape import (
    chosen_arguments,
    require_outputs,
    require_tensors,
    settled,
    split_aux,
    vjp,
)
from rushlight.func.vmap import vmap
from rushlight.utils._pytree import tree_flatten, tree_map, tree_unflatten


def jvp(func, primals, tangents, *, strict=False, has_aux=False):
    """The output of ``func(*primals)`` and its derivative along ``tangents``.

    Args:
        func: a function of (trees of) tensors that returns a (tree of) tensors.
        primals, tangents: tuples of the same form.
        strict: an output that does not depend on the primals is an error, instead of having the
            derivative zero.
        has_aux: `func` returns ``(output, aux)``; aux is handed through.

    Returns:
        ``(output, jvp_output)``, or ``(output, jvp_output, aux)``.

    Raises:
        RuntimeError: if primals and tangents differ in form, size or dtype.

    Example::

        >>> rl.func.jvp(rl.sin, (rl.zeros(2),), (rl.tensor([1., 2.]),))
        (tensor([0., 0.]), tensor([1., 2.]))
    """
    if not isinstance(primals, tuple) or not isinstance(tangents, tuple):
        raise RuntimeError(
            "jvp: expected primals and tangents to be tuples, got "
            f"{type(primals).__name__} and {type(tangents).__name__}"
        )
    flat, spec = tree_flatten(primals)
    flat_tangents, tangent_spec = tree_flatten(tangents)
    if spec != tangent_spec:
        raise RuntimeError(
            f"jvp: expected primals and tangents of one form, got {spec} and {tangent_spec}"
        )
    if not primals:
        raise RuntimeError("jvp: expected at least one primal, got ()")
    require_tensors("jvp(f, primals, tangents)", flat + flat_tangents, "primals and tangents")
    _require_same_sizes(flat, flat_tangents)
    with JvpLevel() as level:
        duals = [level.dual(p.view_as(p), t) for p, t in zip(flat, flat_tangents)]
        output, aux = split_aux("jvp", func(*tree_unflatten(duals, spec)), has_aux)
        outputs, out_spec = tree_flatten(output)
        require_outputs("jvp(f, primals, tangents)", outputs)
        parts = [_ended(level, o, strict) for o in outputs]
        aux = tree_map(lambda x: level.parts(x)[0], aux)
    result = tree_unflatten([p for p, _ in parts], out_spec)
    change = tree_unflatten([t for _, t in parts], out_spec)
    return (result, change, aux) if has_aux else (result, change)


def _require_same_sizes(primals, tangents):
    for p, t in zip(primals, tangents):
        if p.shape != t.shape:
            raise RuntimeError(
                f"jvp: expected a tangent of the primal's size {tuple(p.shape)}, got "
                f"{tuple(t.shape)}"
            )
        if p.dtype != t.dtype:
            raise RuntimeError(
                f"jvp: expected a tangent of the primal's dtype {p.dtype}, got {t.dtype}"
            )


def _ended(level, output, strict):
    primal, tangent = level.parts(output)
    values = getattr(_native.payload(output), "values", None) if _native.kind_of(output) else None
    if isinstance(values, rl.Tensor) and level.parts(values)[1] is not None:
        raise NotImplementedError(
            "jvp: an output of f is sparse, and tangents are not; return its values() or to_dense()"
        )
    if tangent is None:
        if strict:
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): an output of f is independent of the "
                "primals"
            )
        tangent = rl.zeros_like(primal)
    return settled(primal), settled(tangent)


# ---- Jacobians -------------------------------------------------------------------------------


def _units(tensors):
    """The unit vectors of the space of all elements: a tensor (N, *size) for each tensor."""
    count = sum([x.numel() for x in tensors])
    parts, start = [], 0
    for x in tensors:
        n = x.numel()
        rows = rl.zeros((count, n), dtype=x.dtype, device=x.device)
        rows[start : start + n].fill_diagonal_(1)
        parts.append(rows.reshape((count, *x.shape)))
        start += n
    return parts


def _require_real(name, inputs, outputs):
    for x, what in [(x, "an input") for x in inputs] + [(x, "an output") for x in outputs]:
        if x.is_complex():
            raise RuntimeError(
                f"{name}: {what} is complex, and so has no single derivative; use view_as_real, or "
                f"{'vjp' if name == 'jacrev' else 'jvp'}"
            )


def jacrev(func, argnums=0, *, has_aux=False, chunk_size=None, _preallocate_and_copy=False):
    """A function that returns the Jacobian of ``func``, computed in reverse mode.

    Args:
        func: returns a (tree of) tensors (and aux, with `has_aux`).
        argnums: the number of the argument to differentiate with respect to, or a tuple of them.
        has_aux: `func` returns ``(output, aux)``; the result is then ``(jacobian, aux)``.
        chunk_size: how many rows are computed at once; None for all. It bounds the memory needed.

    Returns:
        For each tensor of the output, for each of the chosen arguments, a tensor of shape
        ``output.shape + input.shape``.

    Example::

        >>> rl.func.jacrev(lambda x: x ** 2)(rl.tensor([1., 2.]))
        tensor([[2., 0.],
                [0., 4.]])
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"jacrev: expected chunk_size to be positive or None, got {chunk_size}")

    @functools.wraps(func)
    def jacobian(*args, **kwargs):
        chosen, replaced = chosen_arguments("jacrev", args, argnums)

        def of_chosen(*values):
            return func(*replaced(values), **kwargs)

        output, vjp_fn, *aux = vjp(of_chosen, *chosen, has_aux=has_aux)
        outputs, out_spec = tree_flatten(output)
        inputs, in_spec = tree_flatten(chosen)
        _require_real("jacrev", inputs, outputs)

        def rows(*starts):
            return vjp_fn(tree_unflatten(list(starts), out_spec))

        found = vmap(rows, chunk_size=chunk_size)(*_units(outputs))
        flat = map(vjp_fn.release, tree_flatten(found)[0])
        columns = [_by_output(g, outputs, x.shape) for g, x in zip(flat, inputs)]
        trees = [tree_unflatten(list(row), in_spec) for row in zip(*columns)]
        trees = [tree[0] for tree in trees] if isinstance(argnums, int) else trees
        result = tree_unflatten(trees, out_spec)
        return (result, aux[0]) if has_aux else result

    return jacobian


def _by_output(rows, outputs, size):
    """Gradients stacked over all elements of the outputs, as a Jacobian for each output."""
    parts = rows.split([o.numel() for o in outputs])
    return [part.reshape((*o.shape, *size)) for part, o in zip(parts, outputs)]


def jacfwd(func, argnums=0, has_aux=False, *, randomness="error"):
    """A function that returns the Jacobian of ``func``, computed in forward mode.

    Arguments and result as of `jacrev`; `randomness` as of `vmap`.

    Example::

        >>> rl.func.jacfwd(lambda x: x ** 2)(rl.tensor([1., 2.]))
        tensor([[2., 0.],
                [0., 4.]])
    """

    @functools.wraps(func)
    def jacobian(*args, **kwargs):
        chosen, replaced = chosen_arguments("jacfwd", args, argnums)
        inputs, in_spec = tree_flatten(chosen)
        require_tensors("jacfwd", inputs, "the differentiated arguments")

        def of_chosen(*values):
            return func(*replaced(values), **kwargs)

        def column(*tangents):
            unflat = tree_unflatten(list(tangents), in_spec)
            return jvp(of_chosen, chosen, unflat, has_aux=has_aux)[1:]

        found, *aux = vmap(column, out_dims=_out_dims(has_aux), randomness=randomness)(
            *_units(inputs)
        )
        changes, out_spec = tree_flatten(found)
        _require_real("jacfwd", inputs, changes)
        trees = [tree_unflatten(_by_input(c, inputs), in_spec) for c in changes]
        trees = [tree[0] for tree in trees] if isinstance(argnums, int) else trees
        result = tree_unflatten(trees, out_spec)
        return (result, tree_map(lambda x: x[0], aux[0])) if has_aux else result

    return jacobian


def _out_dims(has_aux):
    return (-1, 0) if has_aux else (-1,)


def _by_input(columns, inputs):
    """Derivatives along all units, in the last dimension, as a Jacobian for each input."""
    parts = columns.split([x.numel() for x in inputs], -1)
    return [part.reshape((*columns.shape[:-1], *x.shape)) for part, x in zip(parts, inputs)]


def hessian(func, argnums=0):
    """A function that returns all second derivatives of ``func``: ``jacfwd(jacrev(func))``.

    Example::

        >>> rl.func.hessian(lambda x: (x ** 3).sum())(rl.tensor([1., 2.]))
        tensor([[ 6.,  0.],
                [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
