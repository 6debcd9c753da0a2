"""Reverse mode: `vjp`, `grad`, `grad_and_value`, `linearize`, on the ordinary tape.

A transform differentiates with respect to inputs of its own: fresh leaves, or views of tensors
that an outer tape records. So nested transforms cannot be confused, and what depends on fresh
leaves only is detached when the transform ends. `jacrev` is in jacobian.py.
"""

import functools

import rushlight as rl
from rushlight import _native
from rushlight.func.levels import count_tapes, current, payload_at
from rushlight.utils._pytree import tree_flatten, tree_map, tree_unflatten


class Tape:
    """Context: records what happens to the tensors that `watch` returns."""

    def __init__(self):
        self.level, self.outer = current(), _native.is_grad_enabled()
        self.watched, self.leaves = [], ()
        self.uses = []  # as long as it is not empty, the tape is in use

    def __enter__(self):
        self.began = _native.push_tape(self.level.kind if self.level else 0)
        self.recording = _native.set_grad_enabled(True)
        self.uses.append(self.level)
        count_tapes(1)
        return self

    def __exit__(self, *exception):
        self.uses.pop()
        count_tapes(-1)
        _native.set_grad_enabled(self.recording)
        if self.began:  # only ops inside the level were recorded for it
            _native.pop_tape()

    def watch(self, x):
        """An alias of x to differentiate with respect to."""
        if self.level is not None and payload_at(self.level, x) is None:
            x = self.level.lift(x)
        if self.outer and x.requires_grad:
            x = x.view_as(x)
        else:
            x = self.leaf(_native.untaped(x))
        self.watched.append(x)
        return x

    def leaf(self, x):
        """x as a leaf of this tape: once it has ended, nobody differentiates by it."""
        x.requires_grad_()._tapes = self.uses
        self.leaves += (x,)
        return x

    def joined(self, x):
        """Does something further out want to differentiate x?"""
        return self.outer and x.requires_grad and _native.leads_outside(x, self.leaves)

    def release(self, x):
        """A result without what only this tape recorded."""
        if not isinstance(x, rl.Tensor) or not x.requires_grad or self.joined(x):
            return x
        return _native.untaped(x)

    def gradients(self, outputs, starts, create_graph=None, retain_graph=True):
        """Of `outputs` with respect to what is watched; zeros where there is no dependence."""
        if create_graph is None:
            create_graph = self.is_watched(outputs, starts)
        found = self.raw_gradients(outputs, starts, self.watched, create_graph, retain_graph)
        return [self.release(g) for g in found]

    def is_watched(self, *tensors):
        """Does something further out differentiate these? Any level may, through its wrappers."""
        return current() is not None or any([self.joined(x) for xs in tensors for x in xs])

    def raw_gradients(self, outputs, starts, inputs, create_graph, retain_graph=True):
        """The same with respect to any inputs, as the tape records them."""
        # an empty output may stand for one that was not asked for, to which rules pay no heed
        live = [(o, s) for o, s in zip(outputs, starts) if o.requires_grad and o.numel()]
        if not live:
            return [rl.zeros_like(_native.untaped(x)) for x in inputs]
        outputs, starts = zip(*live)
        found = rl.autograd.grad(
            outputs,
            tuple(inputs),
            starts,
            retain_graph=retain_graph or create_graph,
            create_graph=create_graph,
            allow_unused=True,
        )
        return [
            rl.zeros_like(_native.untaped(x)) if g is None else g for g, x in zip(found, inputs)
        ]


def settled(x):
    """x without its graph if that leads only to what tapes that have ended differentiated by."""
    return x if not x.requires_grad or _native.leads_outside(x, ()) else _native.untaped(x)


def require_tensors(name, values, what, error=RuntimeError):
    """Raises unless all are tensors."""
    for value in values:
        if not isinstance(value, rl.Tensor):
            raise error(
                f"{name}: expected {what} to contain only tensors, got {type(value).__name__}"
            )


def require_outputs(name, outputs):
    """RuntimeError unless there are outputs, all of them tensors."""
    if not outputs:
        raise RuntimeError(f"{name}: expected f to return at least one tensor, got none")
    require_tensors(name, outputs, "the output of f")


def split_aux(name, result, has_aux):
    """(output, aux or None) of what a function returned."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise RuntimeError(
            f"{name}: with has_aux=True the function has to return a tuple (output, aux), got "
            f"{type(result).__name__}"
        )
    require_tensors(name, tree_flatten(result[1])[0], "aux")
    return result


def vjp(func, *primals, has_aux=False):
    """The output of ``func(*primals)``, and a function of its vector-Jacobian products.

    Args:
        func: a function of (trees of) tensors that returns a (tree of) tensors.
        primals: where to differentiate.
        has_aux: `func` returns ``(output, aux)``; aux is handed through.

    Returns:
        ``(output, vjp_fn)``, or ``(output, vjp_fn, aux)``. ``vjp_fn(cotangents)`` takes what has
        the form of the output and returns a tuple with an entry for each primal.

    Raises:
        RuntimeError: if the cotangents do not have the output's form.

    Example::

        >>> y, vjp_fn = rl.func.vjp(rl.sin, rl.zeros(2))
        >>> vjp_fn(rl.tensor([1., 2.]))
        (tensor([1., 2.]),)
    """
    flat, spec = tree_flatten(primals)
    require_tensors("vjp(f, *primals)", flat, "primals", ValueError)
    tape = Tape()
    with tape:
        inputs = tree_unflatten([tape.watch(x) for x in flat], spec)
        output, aux = split_aux("vjp", func(*inputs), has_aux)
        outputs, out_spec = tree_flatten(output)
        require_outputs("vjp(f, *primals)", outputs)
    released = tree_unflatten([tape.release(o) for o in outputs], out_spec)

    def vjp_fn(cotangents, retain_graph=True, create_graph=None):
        starts, start_spec = tree_flatten(cotangents)
        if start_spec != out_spec:
            raise RuntimeError(
                f"vjp_fn: expected cotangents of the form of the output, {out_spec}, got "
                f"{start_spec}"
            )
        with tape:
            found = tape.gradients(outputs, starts, create_graph, retain_graph)
        if not _native.is_grad_enabled():
            found = [_native.untaped(g) for g in found]
        return tree_unflatten(found, spec)

    vjp_fn.release = tape.release  # for what was computed of the gradients under a transform
    if has_aux:
        return released, vjp_fn, tree_map(tape.release, aux)
    return released, vjp_fn


def chosen_arguments(name, args, argnums):
    """The arguments numbered `argnums` as a tuple, and a function that puts others there."""
    numbers = argnums if isinstance(argnums, tuple) else (argnums,)
    if not all(isinstance(n, int) for n in numbers):
        raise RuntimeError(f"{name}: argnums has to be an int or a tuple of ints, got {argnums!r}")
    if not numbers:
        raise RuntimeError(f"{name}: argnums is empty; name at least one argument")
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise RuntimeError(
                f"{name}: got argnums={argnums}, but only {len(args)} positional inputs"
            )
    numbers = [n % len(args) for n in numbers]
    if len(set(numbers)) != len(numbers):
        raise RuntimeError(f"{name}: argnums elements must be unique, got {argnums}")

    def replaced(values):
        full = list(args)
        for n, value in zip(numbers, values):
            full[n] = value
        return full

    return tuple([args[n] for n in numbers]), replaced


def grad_and_value(func, argnums=0, has_aux=False):
    """A function that returns the gradient of ``func`` and its value.

    Arguments as of `grad`. It returns ``(gradient, value)``, or ``(gradient, (value, aux))``.

    Example::

        >>> rl.func.grad_and_value(lambda x: x ** 2)(rl.tensor(3.))
        (tensor(6.), tensor(9.))
    """

    @functools.wraps(func)
    def gradient_and_value(*args, **kwargs):
        chosen, replaced = chosen_arguments("grad", args, argnums)
        flat, spec = tree_flatten(chosen)
        require_tensors("grad", flat, "the differentiated arguments", ValueError)
        tape = Tape()
        with tape:
            inputs = tree_unflatten([tape.watch(x) for x in flat], spec)
            result = func(*replaced(inputs), **kwargs)
            output, aux = split_aux("grad", result, has_aux)
            _require_scalar(output)
            start = rl.ones_like(_native.untaped(output))
            found = tree_unflatten(tape.gradients((output,), (start,)), spec)
        found = found[0] if isinstance(argnums, int) else found
        value = tape.release(output)
        return found, (value, tree_map(tape.release, aux)) if has_aux else value

    return gradient_and_value


def _require_scalar(output):
    if not isinstance(output, rl.Tensor):
        raise RuntimeError(
            f"grad: expected the function to return a tensor, got {type(output).__name__}"
        )
    if output.dim():
        raise RuntimeError(
            "grad: expected the function to return a tensor with zero dimensions, got "
            f"{output.dim()}; reduce it, as with sum(), or use vjp or jacrev"
        )


def grad(func, argnums=0, has_aux=False):
    """A function that returns the gradient of ``func``.

    Args:
        func: returns a tensor with no dimensions (and aux, with `has_aux`).
        argnums: the number of the argument to differentiate with respect to, a (tree of) tensors;
            or a tuple of numbers.
        has_aux: `func` returns ``(output, aux)``; the result is then ``(gradient, aux)``.

    Raises:
        RuntimeError: if `func` does not return a tensor with no dimensions, or argnums is wrong.

    Example::

        >>> rl.func.grad(rl.func.grad(lambda x: x ** 3))(rl.tensor(2.))
        tensor(12.)
    """

    @functools.wraps(func)
    def gradient(*args, **kwargs):
        found, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def linearize(func, *primals):
    """The output of ``func(*primals)``, and its derivative as a linear function.

    The function is evaluated once; each call of ``jvp_fn(*tangents)`` then costs no more than the
    derivative itself: the tape of a vector-Jacobian product, which is linear in its vector, is
    transposed.

    Example::

        >>> y, jvp_fn = rl.func.linearize(rl.sin, rl.zeros(2))
        >>> jvp_fn(rl.tensor([1., 2.]))
        tensor([1., 2.])
    """
    flat, spec = tree_flatten(primals)
    require_tensors("linearize(f, *primals)", flat, "primals", ValueError)
    tape = Tape()
    with tape:
        inputs = tree_unflatten([tape.watch(x) for x in flat], spec)
        outputs, out_spec = tree_flatten(func(*inputs))
        require_tensors("linearize(f, *primals)", outputs, "the output of f")
        probes, rows = probe(tape, outputs)

    def jvp_fn(*tangents):
        given, given_spec = tree_flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(f"jvp_fn: expected tangents of the form {spec}, got {given_spec}")
        with tape:
            return tree_unflatten(transposed(tape, probes, rows, given), out_spec)

    return tree_unflatten([tape.release(o) for o in outputs], out_spec), jvp_fn


def probe(tape, outputs):
    """Dummy cotangents of the outputs, and the gradients: linear functions of them."""
    zeros = [rl.zeros_like(_native.untaped(o)) for o in outputs]
    probes = [tape.leaf(z) if is_inexact(z) else z for z in zeros]
    return probes, tape.raw_gradients(outputs, probes, tape.watched, True)


def transposed(tape, probes, rows, tangents):
    """The derivatives of the outputs along the tangents of what is watched."""
    wanted = [p for p in probes if p.requires_grad]
    create = tape.is_watched(rows, tangents)
    found = iter(tape.raw_gradients(rows, tangents, wanted, create))
    return [tape.release(next(found)) if p.requires_grad else rl.zeros_like(p) for p in probes]


def is_inexact(x):
    """Can x have a derivative?"""
    return x.is_floating_point() or x.is_complex()
