"""How a tensor prints: the text of ``repr(tensor)``, and the options that govern it.

Everything here works on plain Python numbers: one strided view picks out what will be shown, one
``tolist()`` brings it over, and the rest is string formatting. No tensor arithmetic belongs here.
To print a new kind of tensor (a layout, a device), extend ``_contents`` and ``_suffixes``.
"""

import rushlight as rl

_INF = float("inf")
_PROFILES = {
    "default": (4, 1000, 3, 80),
    "short": (2, 1000, 2, 80),
    "full": (4, _INF, 3, 80),
}


class _PrintOptions:
    """The current settings; one instance per process, changed by `set_printoptions`."""

    def __init__(self):
        self.precision, self.threshold, self.edgeitems, self.linewidth = _PROFILES["default"]
        self.sci_mode = None


PRINT_OPTS = _PrintOptions()


def set_printoptions(
    precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None, sci_mode=None
):
    """Choose how tensors print from now on.

    Options that are left out keep their value, except ``sci_mode``, which every call sets.

    Args:
        precision: digits after the point (4 at first).
        threshold: number of elements above which only the edges are shown (1000).
        edgeitems: how many elements to show at each end of a summarised dimension (3).
        linewidth: columns after which a row is broken (80).
        profile: a starting point for the four above: ``"default"``, ``"short"`` or ``"full"``.
        sci_mode: True or False to force scientific notation on or off, None to let the values
            decide.

    Raises:
        ValueError: if ``profile`` is not one of the three.

    Example::

        >>> rl.set_printoptions(precision=2)
        >>> rl.tensor([1.12345])
        tensor([1.12])
        >>> rl.set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(
                f"set_printoptions(): profile must be one of {sorted(_PROFILES)}, got {profile!r}"
            )
        base = _PROFILES[profile]
    else:
        base = (
            PRINT_OPTS.precision,
            PRINT_OPTS.threshold,
            PRINT_OPTS.edgeitems,
            PRINT_OPTS.linewidth,
        )
    given = (precision, threshold, edgeitems, linewidth)
    chosen = [default if value is None else value for value, default in zip(given, base)]
    PRINT_OPTS.precision, PRINT_OPTS.threshold, PRINT_OPTS.edgeitems, PRINT_OPTS.linewidth = chosen
    PRINT_OPTS.sci_mode = sci_mode


def get_printoptions():
    """The current print options, as a dict that `set_printoptions` accepts as keywords.

    Example::

        >>> rl._tensor_str.get_printoptions()["precision"]
        4
    """
    return dict(vars(PRINT_OPTS))


class printoptions:
    """Context manager: the print options given hold inside the ``with`` block only.

    Accepts the keywords of `set_printoptions`.

    Example::

        >>> with rl._tensor_str.printoptions(precision=1):
        ...     print(rl.tensor([0.25]))
        tensor([0.2])
    """

    def __init__(self, **options):
        self._options = options

    def __enter__(self):
        self._saved = get_printoptions()
        set_printoptions(**self._options)

    def __exit__(self, *exc_info):
        set_printoptions(**self._saved)


# ---- numbers to strings: each returns the strings and the width of a column -----------------


def _int_strings(values):
    texts = [str(value) for value in values]
    return _pad(texts, max(map(len, texts), default=1))


def _float_strings(values):
    """All of ``values`` in one style; the nonzero finite ones choose style and width."""
    telling = [v for v in values if v and v - v == 0.0]
    if not telling:
        return _whole_strings(values)
    if _wants_scientific(list(map(abs, telling))):
        style = f"%.{PRINT_OPTS.precision}e"
    elif all(map(float.is_integer, telling)):
        return _whole_strings(values)
    else:
        style = f"%.{PRINT_OPTS.precision}f"
    texts = [style % v for v in values]
    if len(telling) == len(values):
        return _pad(texts, max(map(len, texts)))
    return _pad(texts, _telling_width(texts, values))


def _wants_scientific(magnitudes):
    if PRINT_OPTS.sci_mode is not None:
        return PRINT_OPTS.sci_mode
    low, high = min(magnitudes), max(magnitudes)
    return high / low > 1000.0 or high > 1.0e8 or low < 1.0e-4


def _whole_strings(values):
    """Floats that are whole numbers print as ``1.``; nan and inf carry no point."""
    texts = [f"{v:.0f}." if v - v == 0.0 else f"{v:.0f}" for v in values]
    return _pad(texts, _telling_width(texts, values))


def _telling_width(texts, values):
    return max([len(t) for t, v in zip(texts, values) if v and v - v == 0.0], default=1)


def _pad(texts, width):
    return [text.rjust(width) for text in texts], width


def _complex_strings(values):
    real, real_width = _float_strings([v.real for v in values])
    imag, imag_width = _float_strings([v.imag for v in values])
    imag = [text.lstrip() for text in imag]
    texts = [re + (im if im[0] in "+-" else "+" + im) + "j" for re, im in zip(real, imag)]
    return texts, real_width + imag_width + 1


def _strings(tensor):
    """The elements of ``tensor`` in order as strings, and the width of a column."""
    if tensor.dtype is rl.float4_e2m1fn_x2:  # no number: the byte that holds two
        tensor = tensor.view(rl.uint8).float()
    values = tensor.tolist() if tensor.dim() == 1 else tensor.reshape(-1).tolist()
    kind = tensor.dtype
    if kind.is_floating_point:
        return _float_strings(values)
    if kind.is_complex:
        return _complex_strings(values)
    return _int_strings(values)


# ---- strings to nested brackets --------------------------------------------------------------


def _edges(tensor):
    """A view of what is shown of a large tensor, and which of its dimensions are cut short.

    A dimension of n elements that is cut becomes two, (2, edge): first and last ``edge`` elements
    lie n - edge apart, so the whole picture is one strided view.
    """
    edge = PRINT_OPTS.edgeitems
    shape, stride, cut = [], [], []
    for size, step in zip(tensor.shape, tensor.stride()):
        is_cut = size > 2 * edge
        cut.append(is_cut)
        shape += (2, edge) if is_cut else (size,)
        stride += ((size - edge) * step, step) if is_cut else (step,)
    return tensor.as_strided(shape, stride, tensor.storage_offset()), cut


def _bracketed(tensor, indent):
    """The nested brackets of a tensor with at least one element."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.dtype.is_complex:
        tensor = tensor.resolve_conj()
    shape = tensor.shape
    depth = len(shape)
    cut = (False,) * depth
    if depth and tensor.numel() > PRINT_OPTS.threshold:
        if not PRINT_OPTS.edgeitems:
            return "[...]"
        tensor, cut = _edges(tensor)
    if depth == 0:
        return _strings(tensor)[0][0]
    parts, width = _strings(tensor)
    per_line = max(1, int((PRINT_OPTS.linewidth - indent - depth + 1) // (width + 2)))
    for dim in reversed(range(depth)):
        count = 2 * PRINT_OPTS.edgeitems if cut[dim] else shape[dim]
        rows = [parts[i : i + count] for i in range(0, len(parts), count)]
        if cut[dim]:
            gap = " ..." if dim == depth - 1 else "..."
            for row in rows:
                row.insert(PRINT_OPTS.edgeitems, gap)
        parts = [_joined(row, indent + dim, depth - dim, per_line) for row in rows]
    return parts[0]


def _joined(row, indent, depth, per_line):
    """One pair of brackets: ``row`` holds numbers (depth 1) or the text of inner brackets."""
    if depth > 1:
        return "[" + (",\n" + "\n" * (depth - 2) + " " * (indent + 1)).join(row) + "]"
    if len(row) <= per_line:
        return "[" + ", ".join(row) + "]"
    lines = [", ".join(row[i : i + per_line]) for i in range(0, len(row), per_line)]
    return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"


# ---- the whole -------------------------------------------------------------------------------


def _has_implied_dtype(dtype):
    default = rl.get_default_dtype()
    if dtype is default or dtype is rl.int64 or dtype is rl.bool:
        return True
    return dtype is default.to_complex()


def _contents(tensor, indent, given=None):
    """The text inside ``tensor(...)``, if none is given, and the suffixes for shape and dtype."""
    suffixes = []
    is_meta = tensor.device.type == "meta"
    numel = tensor.numel()
    if is_meta or numel == 0:
        if is_meta or tensor.dim() != 1:
            suffixes.append(f"size={tuple(tensor.shape)}")
        if tensor.dtype is not rl.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
        return ("..." if is_meta else "[]") if given is None else given, suffixes
    if not PRINT_OPTS.edgeitems:
        suffixes.append(f"size={tuple(tensor.shape)}")
    if not _has_implied_dtype(tensor.dtype):
        suffixes.append(f"dtype={tensor.dtype}")
    return _bracketed(tensor, indent) if given is None else given, suffixes


def _history_suffix(tensor):
    try:
        grad_fn = tensor.grad_fn
    except RuntimeError:
        # A view made without recording and then changed in place has no valid history.
        return "grad_fn=<Invalid>"
    if grad_fn is not None:
        return f"grad_fn=<{grad_fn.name()}>"
    return "requires_grad=True" if tensor.requires_grad else None


def _with_suffixes(text, suffixes, indent):
    """``text`` and its suffixes, each on a new line if the current one would grow too long."""
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > PRINT_OPTS.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _tensor_str(self, indent):
    """A tensor's elements in brackets, by the name that packages know."""
    return _contents(self, indent)[0]


def _add_suffixes(tensor_str, suffixes, indent, force_newline):
    """A text and its suffixes, in brackets; ``force_newline``: the first on a new line."""
    if force_newline and suffixes:
        tensor_str += ",\n" + " " * indent + suffixes[0]
        suffixes = suffixes[1:]
    return _with_suffixes(tensor_str, suffixes, indent)


def _str_intern(inp, *, tensor_contents=None):
    """As `_str`."""
    return _str(inp, tensor_contents=tensor_contents)


def _str(tensor, *, tensor_contents=None):
    """The text of ``repr(tensor)``; ``tensor_contents`` replaces the numbers when given."""
    kind = type(tensor)
    is_plain = kind is rl.Tensor or kind is rl.nn.Parameter
    prefix = "tensor(" if is_plain else kind.__name__ + "("
    indent = len(prefix)
    contents, suffixes = _contents(tensor, indent, tensor_contents)
    device = tensor.device
    if device.type != "cpu":
        suffixes.insert(0, f"device='{device}'")
    history = _history_suffix(tensor)
    if history is not None:
        suffixes.append(history)
    text = _with_suffixes(prefix + contents, suffixes, indent)
    if not is_plain and isinstance(tensor, rl.nn.Parameter):
        return f"Parameter({text})"
    return text
