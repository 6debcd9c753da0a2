"""The `masked` namespace: reductions, scans and normalisations that leave masked-out elements out.

A mask is broadcast to the input and True where an element counts. Most ops put the value that
changes nothing (`_neutral`) at the other places and call the plain op. To add one: a record with
its neutral value. Tensors that carry a mask with them are in rushlight/masked.
"""

import rushlight as rl
from rushlight.ops._decisions import some
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op

# ---- masks and neutral values ------------------------------------------------------------------


def _mask_for(input, mask):
    """The mask as bool in the input's shape."""
    if mask.dim() > input.dim():
        raise IndexError(
            f"masked: expected a mask that broadcasts to the input's shape {list(input.shape)}, "
            f"got one of more dimensions: {list(mask.shape)}"
        )
    return mask.to(rl.bool).expand(input.shape)


def _lowest(dtype):
    return -float("inf") if dtype.is_floating_point else rl.iinfo(dtype).min


def _highest(dtype):
    return float("inf") if dtype.is_floating_point else rl.iinfo(dtype).max


def _lowest_or_complex(dtype):
    return complex(-float("inf"), 0) if dtype.is_complex else _lowest(dtype)


def _neutral(name, value, dtype):
    if not callable(value):
        return value
    if dtype == rl.bool or (dtype.is_complex and value is not _lowest_or_complex):
        raise NotImplementedError(
            f"masked.{name}: no value of {dtype} can stand for masked-out ones"
        )
    return value(dtype)


def _filled(name, input, mask, value):
    """The input with ``value`` (or what it makes of the dtype) where it is masked out."""
    if input.layout != rl.strided:
        raise NotImplementedError(f"masked.{name}: expected a strided input, got {input.layout}")
    if mask is None:
        return input
    fill = _neutral(name, value, input.dtype)
    return rl.where(_mask_for(input, mask), input, rl.tensor(fill, dtype=input.dtype))


def _dims(dim, ndim):
    """The dimensions as a sorted tuple of non-negative ints; None and () mean all."""
    if dim is None or (not isinstance(dim, int) and len(dim) == 0):
        return tuple(range(ndim))
    given, size = (dim,) if isinstance(dim, int) else tuple(dim), max(ndim, 1)
    for d in given:
        if not -size <= d < size:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-size}, {size - 1}], "
                f"but got {d})"
            )
    dims = tuple(sorted([d % size for d in given]))
    if len(set(dims)) != len(dims):
        raise RuntimeError(f"masked: a dimension appears multiple times in dim={list(given)}")
    return dims


def _wide(dtype):
    """Sums and products of small integers are int64."""
    small = dtype in (rl.uint8, rl.bool, rl.int8, rl.int16, rl.int32)
    return rl.int64 if small else dtype


def _masked(schema, arguments="bool keepdim=False, "):
    """Declares ``masked.NAME``: ``schema`` is the name and its positional arguments."""
    name, _, positional = schema.partition("(")
    options = f"*, {arguments}dtype? dtype=None, Tensor? mask=None"
    return op(
        f"{name}.masked({positional}, {options}) -> Tensor", at="masked", method=False, out=False
    )


# ---- sums and products -------------------------------------------------------------------------


@_masked("sum(Tensor input, int[]? dim=None")
def masked_sum(input, dim, keepdim, dtype, mask):
    """The sum of the elements where ``mask`` is True, over ``dim`` (all by default); 0 of none.

    Example::

        >>> rl.masked.sum(rl.tensor([1., 2., 4.]), mask=rl.tensor([True, False, True]))
        tensor(5.)
    """
    dims = _dims(dim, input.dim())
    filled = _filled("sum", input, mask, 0)
    return rl.sum(filled, dims, keepdim, dtype=dtype or _wide(input.dtype))


@_masked("prod(Tensor input, int[]? dim=None")
def masked_prod(input, dim, keepdim, dtype, mask):
    """The product of the elements where ``mask`` is True, over ``dim``; 1 of none.

    Example::

        >>> rl.masked.prod(rl.tensor([2., 3.]), mask=rl.tensor([True, False]))
        tensor(2.)
    """
    result = _filled("prod", input, mask, 1).to(dtype or _wide(input.dtype))
    for d in reversed(_dims(dim, input.dim())):
        result = result.prod(d, keepdim=keepdim)
    return result


@_masked("cumsum(Tensor input, int dim", "")
def masked_cumsum(input, dim, dtype, mask):
    """Running sums along ``dim`` that pass over masked-out elements, in the input's dtype.

    Example::

        >>> rl.masked.cumsum(rl.tensor([2., 3.]), 0, mask=rl.tensor([True, False]))
        tensor([2., 2.])
    """
    (d,) = _dims(dim, input.dim()) or (0,)
    dtype = dtype or input.dtype
    return rl.cumsum(_filled("cumsum", input, mask, 0), d, dtype=dtype)


@_masked("cumprod(Tensor input, int dim", "")
def masked_cumprod(input, dim, dtype, mask):
    """Running products along ``dim`` that pass over masked-out elements, in the input's dtype.

    Example::

        >>> rl.masked.cumprod(rl.tensor([2., 3.]), 0, mask=rl.tensor([True, False]))
        tensor([2., 2.])
    """
    (d,) = _dims(dim, input.dim()) or (0,)
    dtype = dtype or input.dtype
    return rl.cumprod(_filled("cumprod", input, mask, 1), d, dtype=dtype)


# ---- extrema -----------------------------------------------------------------------------------


@_masked("amax(Tensor input, int[]? dim=None")
def masked_amax(input, dim, keepdim, dtype, mask):
    """The largest element where ``mask`` is True; the dtype's lowest value (-inf) of none.

    Example::

        >>> rl.masked.amax(rl.tensor([1., 9., 4.]), mask=rl.tensor([True, False, True]))
        tensor(4.)
    """
    filled = _filled("amax", input, mask, _lowest)
    return rl.amax(filled, _dims(dim, input.dim()), keepdim).to(dtype or input.dtype)


@_masked("amin(Tensor input, int[]? dim=None")
def masked_amin(input, dim, keepdim, dtype, mask):
    """The smallest element where ``mask`` is True; the dtype's highest value (inf) of none.

    Example::

        >>> rl.masked.amin(rl.tensor([2., 1.]), mask=rl.tensor([True, False]))
        tensor(2.)
    """
    filled = _filled("amin", input, mask, _highest)
    return rl.amin(filled, _dims(dim, input.dim()), keepdim).to(dtype or input.dtype)


@_masked("argmax(Tensor input, int? dim=None")
def masked_argmax(input, dim, keepdim, dtype, mask):
    """The position of the largest element where ``mask`` is True, in the input's dtype.

    Example::

        >>> rl.masked.argmax(rl.tensor([2., 3.]), 0, mask=rl.tensor([True, False]))
        tensor(0.)
    """
    filled = _filled("argmax", input, mask, _lowest)
    return rl.argmax(filled, dim, keepdim).to(dtype or input.dtype)


@_masked("argmin(Tensor input, int? dim=None")
def masked_argmin(input, dim, keepdim, dtype, mask):
    """The position of the smallest element where ``mask`` is True, in the input's dtype.

    Example::

        >>> rl.masked.argmin(rl.tensor([2., 1.]), 0, mask=rl.tensor([True, False]))
        tensor(0.)
    """
    filled = _filled("argmin", input, mask, _highest)
    return rl.argmin(filled, dim, keepdim).to(dtype or input.dtype)


# ---- statistics --------------------------------------------------------------------------------


def _count(input, dims, keepdim, mask):
    """How many elements count, along ``dims``."""
    counted = rl.ones_like(input, dtype=rl.bool) if mask is None else _mask_for(input, mask)
    return counted.sum(dims, keepdim)


@_masked("mean(Tensor input, int[]? dim=None")
def masked_mean(input, dim, keepdim, dtype, mask):
    """The mean of the elements where ``mask`` is True; NaN of none. ValueError for integers.

    Example::

        >>> rl.masked.mean(rl.tensor([1., 2., 4.]), mask=rl.tensor([True, False, True]))
        tensor(2.5000)
    """
    dtype = dtype or input.dtype
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            f"masked.mean: expected a floating point or complex dtype, got {dtype}; give dtype="
        )
    total = masked_sum(input, dim, keepdim=keepdim, dtype=dtype, mask=mask)
    return total / _count(input, _dims(dim, input.dim()), keepdim, mask)


@_masked("median(Tensor input, int dim=-1")
def masked_median(input, dim, keepdim, dtype, mask):
    """The lower median along ``dim`` of the elements where ``mask`` is True; NaN of none.

    ValueError if there are none and the input is not floating point.

    Example::

        >>> rl.masked.median(rl.tensor([2., 1.]), 0, mask=rl.tensor([True, False]))
        tensor(2.)
    """
    (d,) = _dims(dim, input.dim()) or (0,)
    values = input if input.is_floating_point() else input.to(rl.float32)
    found = rl.nanmedian(_filled("median", values, mask, float("nan")), d, keepdim).values
    if input.is_floating_point():
        return found
    if some(found.isnan()):
        raise ValueError(f"masked.median: a slice is fully masked out and {input.dtype} has no NaN")
    return found.to(dtype or input.dtype)


@_masked("norm(Tensor input, Scalar? ord=2.0, int[]? dim=None")
def masked_norm(input, ord, dim, keepdim, dtype, mask):
    """The vector norm of order ``ord`` of the elements where ``mask`` is True.

    Orders as for `linalg.vector_norm`.

    Example::

        >>> rl.masked.norm(rl.tensor([3., 4.]), 2, mask=rl.tensor([True, False]))
        tensor(3.)
    """
    ord = 2.0 if ord is None else ord
    neutral = _highest if ord == -float("inf") else 0
    filled = _filled("norm", input, mask, neutral)
    dims = _dims(dim, input.dim())
    return rl.linalg.vector_norm(filled, ord, dims, keepdim, dtype=dtype or input.dtype)


def _variance(input, dim, unbiased, correction, keepdim, dtype, mask):
    if unbiased is not None and correction is not None:
        raise AssertionError("masked.var: give either unbiased or correction, not both")
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    inexact = input.is_floating_point() or input.is_complex()
    dtype = dtype or (input.dtype if inexact else rl.float32)
    working = dtype if dtype.is_floating_point or dtype.is_complex else rl.float32
    dims = _dims(dim, input.dim())
    count = _count(input, dims, True, mask)
    centred = input - masked_sum(input, dim, keepdim=True, dtype=dtype, mask=mask) / count
    squares = centred * centred.conj()
    total = masked_sum(squares, dim, keepdim=keepdim, dtype=working, mask=mask)
    freedom = count if keepdim else count.reshape(total.shape)
    if correction:
        real = rl.empty(0, dtype=working).abs().dtype
        freedom = (freedom.to(real) - correction).clamp_min(0)
    return (total / freedom).to(dtype)


_SPREAD = "Scalar? correction=None, bool keepdim=False, "


@_masked("var(Tensor input, int[]? dim=None, bool? unbiased=None", _SPREAD)
def masked_var(input, dim, unbiased, correction, keepdim, dtype, mask):
    """The variance of the elements where ``mask`` is True, divided by their number less
    ``correction`` (1; ``unbiased=False`` is 0).

    Example::

        >>> rl.masked.var(rl.tensor([1., 3., 9.]), mask=rl.tensor([True, True, False]))
        tensor(2.)
    """
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask)


@_masked("std(Tensor input, int[]? dim=None, bool? unbiased=None", _SPREAD)
def masked_std(input, dim, unbiased, correction, keepdim, dtype, mask):
    """The standard deviation: the square root of `masked.var`.

    Example::

        >>> rl.masked.std(rl.tensor([1., 3., 9.]), mask=rl.tensor([True, True, False]))
        tensor(1.4142)
    """
    return _variance(input, dim, unbiased, correction, keepdim, dtype, mask).sqrt()


# ---- exponentials ------------------------------------------------------------------------------


@_masked("logsumexp(Tensor input, int[]? dim=None")
def masked_logsumexp(input, dim, keepdim, dtype, mask):
    """log(sum(exp(x))) of the elements where ``mask`` is True; -inf of none.

    Example::

        >>> rl.masked.logsumexp(rl.tensor([2., 1.]), 0, mask=rl.tensor([True, False]))
        tensor(2.)
    """
    filled = _filled("logsumexp", input, mask, _lowest_or_complex)
    return rl.logsumexp(filled, _dims(dim, input.dim()), keepdim).to(dtype or input.dtype)


@op(
    "logaddexp.masked(Tensor input, Tensor other, *, dtype? dtype=None, Tensor? input_mask=None, "
    "Tensor? other_mask=None) -> Tensor",
    at="masked",
    method=False,
    out=False,
)
def masked_logaddexp(input, other, dtype, input_mask, other_mask):
    """log(exp(input) + exp(other)), where masked-out elements count as exp(x) = 0.

    Example::

        >>> rl.masked.logaddexp(rl.zeros(1), rl.ones(1), other_mask=rl.tensor([False]))
        tensor([0.])
    """
    a = _filled("logaddexp", input, input_mask, _lowest)
    b = _filled("logaddexp", other, other_mask, _lowest)
    return rl.logaddexp(a, b).to(dtype or input.dtype)


def _soft(name, neutral, shown, doc):
    function = rl.ops._record.namespaces["nn.functional"][name]

    def body(input, dim, dtype, mask):
        (d,) = _dims(dim, input.dim()) or (0,)
        filled = _filled(name, input, mask, neutral)
        return function(filled, d, dtype=dtype or input.dtype)

    call = f"masked.{name}(rl.zeros(3), 0, mask=rl.tensor([True, True, False]))"
    body.__doc__ = with_example(doc, call, f"tensor([{shown}])")
    _masked(f"{name}(Tensor input, int dim", "")(body)


_soft(
    "softmax",
    _lowest,
    "0.5000, 0.5000, 0.0000",
    "softmax along ``dim`` over the elements where ``mask`` is True.",
)
_soft("log_softmax", _lowest, "-0.6931, -0.6931,    -inf", "The logarithm of `masked.softmax`.")
_soft(
    "softmin",
    _highest,
    "0.5000, 0.5000, 0.0000",
    "softmax(-x) along ``dim`` over the elements where ``mask`` is True.",
)


@_masked("normalize(Tensor input, Scalar ord, int dim", "float eps=1e-12, ")
def masked_normalize(input, ord, dim, eps, dtype, mask):
    """x / max(norm(x), eps) along ``dim``, the norm of the elements where ``mask`` is True.

    Masked-out elements become 0.

    Example::

        >>> rl.masked.normalize(rl.tensor([3., 4.]), 2, 0, mask=rl.tensor([True, False]))
        tensor([1., 0.])
    """
    length = masked_norm(input, ord, dim, keepdim=True, dtype=dtype, mask=mask)
    return _filled("normalize", input, mask, 0) / length.clamp_min(eps)


# ---- samples -----------------------------------------------------------------------------------


def _reduction_samples(make):
    yield (make(2, 3),)
    yield make(2, 3), 1
    yield make(2, 3, 2), 0
    yield (make(),)


def _line_samples(make):
    yield make(2, 3), 1
    yield make(2, 3, 2), -1


for _op in (masked_sum, masked_prod, masked_amax, masked_amin, masked_mean, masked_logsumexp):
    _op.samples(_reduction_samples)
for _op in (masked_cumsum, masked_cumprod, masked_median):
    _op.samples(_line_samples)


@masked_var.samples
def _(make):
    yield (make(2, 3),)
    yield make(2, 3, 2), 1


@masked_normalize.samples
def _(make):
    yield make(2, 3), 2, 1


@masked_logaddexp.samples
def _(make):
    yield make(2, 3), make(3)
