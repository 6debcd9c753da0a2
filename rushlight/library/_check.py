"""Tests of operators that programs define: does one do what its schema, its kernel for shapes and
its gradient rules say? A test is a function in `_TESTS`; it raises what is wrong.
"""

import rushlight as rl
from rushlight.testing import assert_close
from rushlight.utils._pytree import tree_flatten, tree_map

from ._operator import tensors_in


class OpCheckError(Exception):
    """An operator failed one of the tests."""


def opcheck(op, args, kwargs=None, test_utils=None, raise_exception=True, atol=None, rtol=None):
    """Tests an operator on some arguments.

    ``test_schema``: nothing changes or aliases but what the schema says. ``test_faketensor``: the
    kernel for shapes agrees with the results. ``test_autograd_registration``: gradient rules are
    known where results require gradients. ``test_aot_dispatch_dynamic``: two runs agree, in their
    results and gradients.

    Args:
        op: from `custom_op`, or of ``torch.ops``.
        args, kwargs: the arguments.
        test_utils: the name of a test, or several; all of them if None.
        raise_exception: whether to raise OpCheckError at the first failure.
        atol, rtol: how far apart two runs may be.

    Returns:
        for each test, "SUCCESS" or the exception.

    Example::

        >>> @rl.library.custom_op("checked::twice", mutates_args=())
        ... def twice(x: rl.Tensor) -> rl.Tensor:
        ...     return x * 2
        >>> _ = twice.register_fake(lambda x: rl.empty_like(x))
        >>> rl.library.opcheck(twice, (rl.ones(2),), test_utils="test_faketensor")
        {'test_faketensor': 'SUCCESS'}
    """
    names = [test_utils] if isinstance(test_utils, str) else list(test_utils or _TESTS)
    unknown = [name for name in names if name not in _TESTS]
    if unknown:
        raise ValueError(f"opcheck: unknown tests {unknown}; there are {list(_TESTS)}")
    results = {}
    for name in names:
        try:
            _TESTS[name](op, args, kwargs or {}, atol, rtol)
            results[name] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise OpCheckError(f"opcheck: {name} failed with {error}") from error
            results[name] = error
    return results


def _schema_of(op):
    found = getattr(op, "_opoverload", op)
    schema = getattr(found, "_schema", None)
    return schema or found.default._schema


def _copies(value):
    def copied(x):
        if not isinstance(x, rl.Tensor):
            return x
        return x.detach().clone().requires_grad_(x.requires_grad)

    return tree_map(copied, value)


def _schema(op, args, kwargs, atol, rtol):
    args, kwargs = _copies((args, kwargs))
    bound = _schema_of(op).bind(args, kwargs)
    before = {name: _copies(value) for name, value in bound.items()}
    with rl.no_grad():
        results = tensors_in(tree_flatten(op(*args, **kwargs))[0])
    writes = {a.name for a in _schema_of(op).arguments if a.is_write}
    for name, value in bound.items():
        for now, then in zip(tensors_in([value]), tensors_in([before[name]])):
            if name in writes:
                continue
            if not rl.equal(now.isnan() | (now == then), rl.ones_like(now, dtype=rl.bool)):
                raise RuntimeError(f"the argument {name!r} changed; list it in mutates_args")
            if any(_shared(now, result) for result in results):
                raise RuntimeError(f"a result shares the memory of the argument {name!r}")


def _shared(a, b):
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr() and a.numel() > 0


def _fake(op, args, kwargs, atol, rtol):
    def to_meta(x):
        return x.detach().to("meta") if isinstance(x, rl.Tensor) else x

    with rl.no_grad():
        real = tree_flatten(op(*_copies(args), **_copies(kwargs)))[0]
        fake = tree_flatten(op(*tree_map(to_meta, args), **tree_map(to_meta, kwargs)))[0]
    for one, other in zip(real, fake):
        if not isinstance(one, rl.Tensor):
            continue
        for what in ("shape", "dtype"):
            if getattr(one, what) != getattr(other, what):
                raise RuntimeError(
                    f"the kernel for shapes gives {what} {getattr(other, what)}, the result has "
                    f"{getattr(one, what)}"
                )


def _registration(op, args, kwargs, atol, rtol):
    args, kwargs = _copies((args, kwargs))
    results = tensors_in(tree_flatten(op(*args, **kwargs))[0])
    needs = any(
        t.requires_grad for t in tree_flatten((args, kwargs))[0] if isinstance(t, rl.Tensor)
    )
    floats = [r for r in results if r.is_floating_point() or r.is_complex()]
    if needs and floats and not any(r.requires_grad for r in floats):
        raise RuntimeError("no result requires gradients; give rules with register_autograd")


def _run(op, args, kwargs):
    args, kwargs = _copies((args, kwargs))
    results = tensors_in(tree_flatten(op(*args, **kwargs))[0])
    leaves = [x for x in tree_flatten((args, kwargs))[0] if isinstance(x, rl.Tensor)]
    leaves = [x for x in leaves if x.requires_grad]
    if not any(r.requires_grad for r in results):
        return results
    total = sum(r.abs().sum() for r in results if r.requires_grad)
    return results + [
        g for g in rl.autograd.grad(total, leaves, allow_unused=True) if g is not None
    ]


def _twice(op, args, kwargs, atol, rtol):
    _fake(op, args, kwargs, atol, rtol)
    assert_close(_run(op, args, kwargs), _run(op, args, kwargs), atol=atol, rtol=rtol)


_TESTS = {
    "test_schema": _schema,
    "test_autograd_registration": _registration,
    "test_faketensor": _fake,
    "test_aot_dispatch_dynamic": _twice,
}
