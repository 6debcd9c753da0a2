"""`assert_close`: tensors, numbers and containers of them compared within tolerances.

Two phases: `_pairs` walks the containers and finds out how each pair is to be compared, then the
pairs are compared in order. A new kind of value is a row in `_comparison_of`.
"""

import rushlight as rl

__all__ = ["assert_close", "default_tolerances"]

# dtype -> (rtol, atol); other dtypes must be equal.
_TOLERANCES = {
    "float16": (1e-3, 1e-5),
    "bfloat16": (1.6e-2, 1e-5),
    "float32": (1.3e-6, 1e-5),
    "float64": (1e-7, 1e-7),
    "complex32": (1e-3, 1e-5),
    "complex64": (1.3e-6, 1e-5),
    "complex128": (1e-7, 1e-7),
}


def default_tolerances(*dtypes):
    """``(rtol, atol)`` for comparing values of these dtypes: the loosest of each.

    Example::

        >>> rl.testing.comparison.default_tolerances(rl.float32)
        (1.3e-06, 1e-05)
    """
    found = [_TOLERANCES.get(str(dtype).rpartition(".")[2], (0.0, 0.0)) for dtype in dtypes]
    return max(rtol for rtol, _ in found), max(atol for _, atol in found)


def assert_close(
    actual,
    expected,
    *,
    allow_subclasses=True,
    rtol=None,
    atol=None,
    equal_nan=False,
    check_device=True,
    check_dtype=True,
    check_layout=True,
    check_stride=False,
    msg=None,
):
    """Raise unless ``|actual - expected| <= atol + rtol * |expected|`` everywhere.

    Args:
        actual, expected: tensors, or whatever both become tensors from, numbers, bools, None, or
            sequences and mappings of these. Both must be of related types.
        allow_subclasses (bool): whether one may be of a subclass of the other's type.
        rtol, atol (float): tolerances, both or neither; chosen by dtype if left out.
        equal_nan (bool): whether nan equals nan.
        check_device, check_dtype, check_layout, check_stride (bool): what else must agree, besides
            the shape. Values of different dtypes are compared in the common one.
        msg: a message to be raised instead, or a function from the message to another.

    Raises:
        AssertionError: naming the first difference.
        TypeError: if the types cannot be compared.
        ValueError: if only one tolerance is given.

    Example::

        >>> rl.testing.assert_close(rl.tensor([1.0]), rl.tensor([1.0 + 1e-7]))
    """
    __tracebackhide__ = True  # pytest then shows the caller's line
    options = _Options(
        allow_subclasses,
        rtol,
        atol,
        equal_nan,
        check_device,
        check_dtype,
        check_layout,
        check_stride,
    )
    message = None  # inputs that cannot be compared keep their own message
    try:
        pairs = _pairs(actual, expected, (), options)
        message = msg
        for path, compare, left, right in pairs:
            options.path = path
            compare(left, right, options)
    except _Mismatch as mismatch:
        error = mismatch.to_error(message)
    else:
        return
    raise error


class _Options:
    def __init__(self, subclasses, rtol, atol, equal_nan, device, dtype, layout, stride):
        self.allow_subclasses, self.equal_nan = subclasses, equal_nan
        self.rtol, self.atol = rtol, atol
        self.check_device, self.check_dtype = device, dtype
        self.check_layout, self.check_stride = layout, stride
        self.path = ()

    def tolerances(self, *dtypes):
        return default_tolerances(*dtypes) if self.rtol is None else (self.rtol, self.atol)

    def check_tolerances(self):
        if (self.rtol is None) != (self.atol is None):
            missing = "rtol" if self.rtol is None else "atol"
            raise _Mismatch(
                "Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                f"{missing}.",
                self.path,
                ValueError,
            )


class _Mismatch(Exception):
    """A difference, and where in the containers it was found."""

    def __init__(self, message, path=(), kind=AssertionError):
        super().__init__(message)
        self.message, self.path, self.kind = message, path, kind

    def to_error(self, msg):
        if isinstance(msg, str):
            return self.kind(msg)
        text = self.message
        if self.path:
            item = "".join([f"[{key!r}]" for key in self.path])
            text += f"\n\nThe failure occurred for item {item}"
        return self.kind(text if msg is None else msg(text))


# ---- walking containers ----------------------------------------------------------------------


def _pairs(actual, expected, path, options):
    """A list of (path, comparison, actual, expected)."""
    from collections.abc import Mapping, Sequence

    def both(kind):
        return all(isinstance(v, kind) and not isinstance(v, str) for v in (actual, expected))

    if both(Sequence):
        keys = _sequence_keys(actual, expected, path)
    elif both(Mapping):
        keys = _mapping_keys(actual, expected, path)
    else:
        options.path = path
        return [(path, _comparison_of(actual, expected, options), actual, expected)]
    return [
        pair for key in keys for pair in _pairs(actual[key], expected[key], path + (key,), options)
    ]


def _sequence_keys(actual, expected, path):
    if len(actual) != len(expected):
        raise _Mismatch(
            f"The length of the sequences mismatch: {len(actual)} != {len(expected)}", path
        )
    return range(len(actual))


def _mapping_keys(actual, expected, path):
    missing, surplus = set(expected) - set(actual), set(actual) - set(expected)
    if missing or surplus:
        raise _Mismatch(
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {sorted(missing, key=repr)}\n"
            f"Additional keys in the actual mapping: {sorted(surplus, key=repr)}",
            path,
        )
    try:
        return sorted(actual)
    except TypeError:  # keys without an order
        return list(actual)


def _comparison_of(actual, expected, options):
    pair = actual, expected
    if actual is None or expected is None:
        return _compare_none
    if all(_is_bool(v) for v in pair):
        return _compare_bools
    if all(_is_number(v) for v in pair):
        options.check_tolerances()
        return _compare_numbers
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not options.allow_subclasses and type(actual) is not type(expected):
        related = False
    if not related or not all(map(_becomes_tensor, pair)):
        raise _Mismatch(
            "No comparison pair was able to handle inputs of type "
            f"{type(actual)} and {type(expected)}.",
            options.path,
            TypeError,
        )
    options.check_tolerances()
    return _compare_tensors


def _is_number(value):
    if isinstance(value, (int, float, complex)):
        return True
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "shape", None) == ()
    return is_scalar and type(value).__name__ != "ndarray" and not _is_bool(value)


def _is_bool(value):
    return type(value).__name__ in ("bool", "bool_")  # NumPy's has either name


def _becomes_tensor(value):
    if isinstance(value, rl.Tensor):
        return True
    try:
        rl.as_tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return False
    return True


# ---- single values ---------------------------------------------------------------------------


def _compare_none(actual, expected, options):
    if actual is not expected:
        raise _Mismatch(f"None mismatch: {actual} is not {expected}", options.path)


def _compare_bools(actual, expected, options):
    if bool(actual) is not bool(expected):
        raise _Mismatch(f"Booleans mismatch: {actual} is not {expected}", options.path)


def _compare_numbers(actual, expected, options):
    actual, expected = [v.item() if hasattr(v, "item") else v for v in (actual, expected)]
    dtypes = [_dtype_of_number(v) for v in (actual, expected)]
    rtol, atol = options.tolerances(*dtypes)
    if options.check_dtype and type(actual) is not type(expected):
        raise _Mismatch(
            f"The (d)types do not match: {type(actual)} != {type(expected)}.", options.path
        )
    if actual == expected or (options.equal_nan and actual != actual and expected != expected):
        return
    difference = abs(actual - expected)
    if difference - difference == 0 and difference <= atol + rtol * abs(expected):
        return
    raise _Mismatch(_scalar_message(actual, expected, rtol, atol), options.path)


def _dtype_of_number(value):
    if isinstance(value, complex):
        return rl.complex128
    return rl.float64 if isinstance(value, float) else rl.int64


def _scalar_message(actual, expected, rtol, atol):
    absolute = abs(actual - expected)
    relative = float("inf") if expected == 0 else absolute / abs(expected)
    exact = rtol == 0 and atol == 0
    return (
        f"Scalars are not {'equal' if exact else 'close'}!\n\n"
        f"Expected {expected} but got {actual}.\n"
        f"Absolute difference: {absolute}{_allowed(atol, exact)}\n"
        f"Relative difference: {relative}{_allowed(rtol, exact)}"
    )


def _allowed(tolerance, exact):
    return "" if exact else f" (up to {tolerance} allowed)"


# ---- tensors ---------------------------------------------------------------------------------


def _compare_tensors(actual, expected, options):
    actual, expected = [
        v.detach() if isinstance(v, rl.Tensor) else rl.as_tensor(v) for v in (actual, expected)
    ]
    rtol, atol = options.tolerances(actual.dtype, expected.dtype)
    _compare_attributes(actual, expected, options)
    if "meta" in (actual.device.type, expected.device.type):
        return
    if actual.layout != expected.layout:
        actual, expected = actual.to_dense(), expected.to_dense()
    if actual.layout is rl.strided:
        _compare_values(actual, expected, rtol, atol, options, "Tensor-likes")
    else:
        _compare_sparse(actual, expected, rtol, atol, options)


def _compare_sparse(actual, expected, rtol, atol, options):
    """Indices have to be equal, values close; so two orders of the same entries do not match."""
    kind = str(actual.layout).rpartition("_")[2].upper()
    for what, method in (("sparse dimensions", "sparse_dim"), ("specified values", "_nnz")):
        if method == "sparse_dim" and actual.layout is not rl.sparse_coo:
            continue
        left, right = (getattr(t, method)() for t in (actual, expected))
        if left != right:
            raise _Mismatch(
                f"The sparse {kind} tensors differ in the number of {what}: {left} != {right}.",
                options.path,
            )
    for method in _SPARSE_PARTS[actual.layout]:
        name, tolerances = method.lstrip("_"), (rtol, atol) if "values" in method else (0, 0)
        parts = (getattr(t, method)() for t in (actual, expected))
        _compare_values(*parts, *tolerances, options, f"The {name} of the sparse {kind} tensors")


_BY_ROWS = "crow_indices", "col_indices", "values"
_BY_COLUMNS = "ccol_indices", "row_indices", "values"
_SPARSE_PARTS = {
    rl.sparse_coo: ("_indices", "_values"),
    rl.sparse_csr: _BY_ROWS,
    rl.sparse_bsr: _BY_ROWS,
    rl.sparse_csc: _BY_COLUMNS,
    rl.sparse_bsc: _BY_COLUMNS,
}  # layout -> methods


def _compare_values(actual, expected, rtol, atol, options, what):
    if actual.dtype != expected.dtype:
        common = rl.promote_types(actual.dtype, expected.dtype)
        actual, expected = actual.to(common), expected.to(common)
    matches = rl.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=options.equal_nan)
    if matches.all().item():
        return
    if actual.dim() == 0:
        message = _scalar_message(actual.item(), expected.item(), rtol, atol)
    else:
        message = _tensor_message(actual, expected, matches, rtol, atol, what)
    raise _Mismatch(message, options.path)


def _compare_attributes(actual, expected, options):
    for name, is_checked in (
        ("shape", True),
        ("layout", options.check_layout),
        ("stride()", options.check_stride and actual.layout is expected.layout is rl.strided),
        ("device", options.check_device),
        ("dtype", options.check_dtype),
    ):
        if not is_checked:
            continue
        left, right = [
            t.stride() if name == "stride()" else getattr(t, name) for t in (actual, expected)
        ]
        if left != right:
            raise _Mismatch(
                f"The values for attribute '{name}' do not match: {left} != {right}.", options.path
            )


def _tensor_message(actual, expected, matches, rtol, atol, what):
    wrong = (~matches).reshape(-1)
    count, total = int(wrong.sum().item()), wrong.numel()
    left, right = actual.reshape(-1), expected.reshape(-1)
    if not left.is_floating_point() and not left.is_complex():
        left, right = left.to(rl.int64), right.to(rl.int64)
    absolute = (left - right).abs()
    absolute[~wrong] = 0
    relative = absolute / right.abs()
    relative[~wrong] = 0
    exact = rtol == 0 and atol == 0
    lines = [
        f"{what} are not {'equal' if exact else 'close'}!\n",
        f"Mismatched elements: {count} / {total} ({count / total:.1%})",
    ]
    for name, values, tolerance in (("absolute", absolute, atol), ("relative", relative, rtol)):
        worst = int(values.argmax().item())
        place = _unravel(worst, actual.shape)
        lines.append(
            f"Greatest {name} difference: {values[worst].item()} at index {place}"
            f"{_allowed(tolerance, exact)}"
        )
    return "\n".join(lines)


def _unravel(position, shape):
    place = []
    for size in reversed(shape):
        position, index = divmod(position, size)
        place.append(index)
    return tuple(reversed(place))


def assert_allclose(actual, expected, rtol=None, atol=None, equal_nan=True, msg=""):
    """Deprecated: `assert_close` without a look at dtypes and devices, and for anything that
    `as_tensor` takes.

    Raises AssertionError for values that are not close, TypeError if just one tolerance is given.
    """
    import warnings

    warnings.warn(
        "torch.testing.assert_allclose() is deprecated; use torch.testing.assert_close()",
        FutureWarning,
        stacklevel=2,
    )
    actual, expected = rl.as_tensor(actual), rl.as_tensor(expected)
    if rtol is None and atol is None:
        rtol, atol = _older_tolerances(actual.dtype, expected.dtype)
    assert_close(
        actual,
        expected,
        rtol=rtol,
        atol=atol,
        equal_nan=equal_nan,
        check_device=True,
        check_dtype=False,
        check_stride=False,
        msg=msg or None,
    )


def _older_tolerances(*dtypes):
    """The larger of what each dtype allowed."""
    known = {rl.float16: (1e-3, 1e-3), rl.float32: (1e-4, 1e-5), rl.float64: (1e-5, 1e-8)}
    pairs = [known.get(dtype, (0.0, 0.0)) for dtype in dtypes]
    return max(r for r, _ in pairs), max(a for _, a in pairs)
