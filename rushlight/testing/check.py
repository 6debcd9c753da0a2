"""The bar that an operator has to pass: `check_op` for one sample, `check_grads` for gradients.

A record is any object with ``name`` (str) and ``reference`` (the same in other terms, to be run
in double precision; None for the operator itself); optional are ``defaults`` (arguments that the
reference gets if a sample leaves them out), ``function`` (the public callable), ``public_name``,
``at`` (the namespaces that have it: ``"torch"``, ``"Tensor"``, ``"nn.functional"`` ...),
``differentiable`` and ``meta`` (bool, True if absent). The records of `rushlight.ops` are such
objects. A further check is a function ``(record, dtype, sample) -> None`` in `_CHECKS`; it raises
AssertionError.
"""

import rushlight as rl

from .comparison import assert_close, default_tolerances

__all__ = ["Sample", "check_grads", "check_op"]


class Sample:
    """Arguments of one call."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def map(self, change):
        """The same sample with ``change`` applied to every tensor, also inside lists."""
        args = [_map_tensors(value, change) for value in self.args]
        return Sample(*args, **{k: _map_tensors(v, change) for k, v in self.kwargs.items()})

    def tensors(self):
        """All tensors, in order."""
        found = []
        self.map(lambda tensor: found.append(tensor) or tensor)
        return found

    def call(self, function):
        return function(*self.args, **self.kwargs)

    def __repr__(self):
        shown = [_shown(value) for value in self.args]
        return ", ".join(shown + [f"{k}={_shown(v)}" for k, v in self.kwargs.items()])


def _shown(value):
    if isinstance(value, rl.Tensor):
        return f"{str(value.dtype).rpartition('.')[2]}{list(value.shape)}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return repr(value)


def _map_tensors(value, change):
    if isinstance(value, rl.Tensor):
        return change(value)
    if type(value) in (list, tuple):
        return type(value)(_map_tensors(part, change) for part in value)
    return value


def _as_sample(sample):
    if isinstance(sample, Sample):
        return sample
    return Sample(*sample) if isinstance(sample, tuple) else Sample(sample)


def check_op(record, dtype, sample):
    """Check one operator on one sample.

    Checked: agreement with the reference in double precision; the same from strided inputs, as a
    method, and in shape and dtype on the meta device; inputs left alone; in double precision also
    gradients of first and second order.

    Args:
        record: see the head of this module.
        dtype: the dtype that floating point tensors of the sample are converted to.
        sample: a `Sample`, a tuple of arguments, or a single argument.

    Raises:
        AssertionError: naming operator, sample, and the check that failed.

    Example::

        >>> from types import SimpleNamespace
        >>> record = SimpleNamespace(name="exp", at=("torch", "Tensor"), reference=rl.exp)
        >>> rl.testing.check_op(record, rl.float32, rl.ones(3))
    """
    sample = _as_sample(sample).map(lambda tensor: _to_precision(tensor, dtype))
    for check in _CHECKS:
        try:
            check(record, dtype, sample)
        except AssertionError as error:
            what = check.__doc__.strip()
            raise AssertionError(f"{record.name}({sample!r}): {what}\n{error}") from error


def check_grads(function, inputs, order=2, **tolerances):
    """Check gradients of ``function`` at ``inputs`` against finite differences in float64.

    Args:
        function: from tensors to a tensor or a tuple of them.
        inputs: a tensor or a sequence of arguments; floating point and complex tensors become
            double precision and are differentiated.
        order (int): 1, or 2 to check the gradients of the gradients as well.
        tolerances: ``eps``, ``atol``, ``rtol``, ``nondet_tol`` of `rushlight.autograd.gradcheck`.

    Raises:
        AssertionError: if a gradient is wrong.

    Example::

        >>> rl.testing.check_grads(rl.sin, rl.tensor([0.5, 1.0]))
    """
    if order not in (1, 2):
        raise ValueError(f"check_grads(): order must be 1 or 2, got {order}")
    inputs = (inputs,) if isinstance(inputs, rl.Tensor) else tuple(inputs)
    prepared = tuple([_differentiable_copy(value) for value in inputs])
    try:
        rl.autograd.gradcheck(function, prepared, **tolerances)
        if order == 2 and _has_second_order(function, prepared):
            rl.autograd.gradgradcheck(function, prepared, **tolerances)
    except rl.autograd.GradcheckError as error:
        raise AssertionError(str(error)) from error


def _has_second_order(function, inputs):
    outputs = function(*inputs)
    outputs = (outputs,) if isinstance(outputs, rl.Tensor) else outputs
    return any(isinstance(o, rl.Tensor) and o.requires_grad for o in outputs)


def _differentiable_copy(value):
    if not isinstance(value, rl.Tensor) or not _is_inexact(value):
        return value
    wide = rl.complex128 if value.is_complex() else rl.float64
    return value.detach().to(wide).clone().requires_grad_()


def _is_inexact(tensor):
    return tensor.is_floating_point() or tensor.is_complex()


def _to_precision(tensor, dtype):
    return tensor.detach().to(dtype) if _is_inexact(tensor) else tensor


def _to_double(tensor):
    if not _is_inexact(tensor):
        return tensor
    return tensor.to(rl.complex128 if tensor.is_complex() else rl.float64)


def _public_name(record):
    return getattr(record, "public_name", record.name)


def _function_of(record):
    """The public callable of a record: its own, or looked up where the record says it is."""
    given = getattr(record, "function", None)
    if given is not None:
        return given
    places = (record.at,) if isinstance(record.at, str) else record.at
    found = rl
    for part in () if "torch" in places else places[0].split("."):
        found = getattr(found, part)
    return getattr(found, _public_name(record))


def _reference_of(record):
    """The reference with the record's default arguments; the operator itself if there is none."""
    if record.reference is None:
        return _function_of(record)
    defaults = getattr(record, "defaults", {})
    code = getattr(record.reference, "__code__", None)
    names = code.co_varnames[: code.co_argcount] if code is not None else ()

    def reference(*args, **kwargs):
        left = {name: defaults[name] for name in names[len(args) :] if name in defaults}
        return record.reference(*args, **{**left, **kwargs})

    return reference


# ---- the checks; their docstrings are what a failure says ------------------------------------


def _agrees_with_reference(record, dtype, sample):
    """the result must agree with the reference in double precision"""
    reference = _reference_of(record)
    actual = sample.call(_function_of(record))
    expected = sample.map(_to_double).call(reference)
    rtol, atol = default_tolerances(dtype)
    if not isinstance(expected, (tuple, list)):
        actual, expected = [actual], [expected]
    for found, wanted in zip(actual, expected, strict=True):
        assert_close(
            found,
            wanted,
            rtol=rtol,
            atol=max(atol, _rounding(wanted, dtype)),
            equal_nan=True,
            check_dtype=False,
            check_stride=False,
        )


def _rounding(value, dtype):
    """How far the 16-bit roundings on the way, in PyTorch's places, may carry a result: two units
    of the largest.
    """
    if dtype not in (rl.float16, rl.bfloat16) or not isinstance(value, rl.Tensor):
        return 0.0
    finite = value[value.isfinite()].abs()
    return 2 * rl.finfo(dtype).eps * finite.max().item() if finite.numel() else 0.0


def _takes_strided_inputs(record, dtype, sample):
    """strided inputs must give what contiguous ones give"""
    strided = sample.map(_with_gaps)
    assert_close(
        strided.call(_function_of(record)), sample.call(_function_of(record)), equal_nan=True
    )


def _with_gaps(tensor):
    if tensor.dim() == 0 or tensor.numel() == 0:
        return tensor
    return rl.stack([tensor, tensor], -1)[..., 0]


def _is_the_method(record, dtype, sample):
    """the method must give what the function gives"""
    if "Tensor" not in getattr(record, "at", ()):
        return
    method = getattr(rl.Tensor, _public_name(record))
    assert_close(sample.call(method), sample.call(_function_of(record)), equal_nan=True)


def _leaves_inputs_alone(record, dtype, sample):
    """the inputs must not change"""
    tensors = sample.tensors()
    before = [tensor.clone() for tensor in tensors]
    sample.call(_function_of(record))
    assert_close(tensors, before, rtol=0, atol=0, equal_nan=True)


def _infers_on_meta(record, dtype, sample):
    """meta tensors must give the shapes and dtypes that real ones give"""
    if not getattr(record, "meta", True):
        return
    on_meta = sample.map(lambda tensor: tensor.to("meta")).call(_function_of(record))
    assert_close(on_meta, sample.call(_function_of(record)), check_device=False)


def _has_true_gradients(record, dtype, sample):
    """gradients of first and second order must agree with finite differences"""
    tensors = [tensor for tensor in sample.tensors() if _is_inexact(tensor)]
    if dtype != rl.float64 or not tensors or not getattr(record, "differentiable", True):
        return

    def function(*values):
        values = iter(values)
        return sample.map(lambda t: next(values) if _is_inexact(t) else t).call(
            _function_of(record)
        )

    check_grads(function, tensors)


_CHECKS = (
    _leaves_inputs_alone,
    _agrees_with_reference,
    _takes_strided_inputs,
    _is_the_method,
    _infers_on_meta,
    _has_true_gradients,
)
