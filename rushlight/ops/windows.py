"""Window functions: `signal.windows` and the older `hann_window` and its like, one formula each.

A formula gets the sample positions in double precision and the span: the distance from the first
sample to the last of the symmetric window, or to where a periodic one begins again. To add one:
a formula, and a record for each place that offers it.
"""

import math

import rushlight as rl
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op

_OPTIONS = "dtype? dtype=None, layout? layout=None, device? device=None, bool requires_grad=False"

# ---- formulas ----------------------------------------------------------------------------------


def _cosines(coefficients):
    """A sum of cosines with alternating signs."""

    def formula(n, span):
        turn = n * (2 * math.pi / span)
        window, *rest = coefficients  # the cosine of 0 turns is 1
        for k, a in enumerate(rest, 1):
            window = (-1) ** k * a * (turn * k if k > 1 else turn).cos() + window
        return window if rest else rl.full_like(n, window)

    return formula


def _hamming(alpha):
    return _cosines((alpha, 1 - alpha))


_HANN = _hamming(0.5)
_BLACKMAN = _cosines((0.42, 0.5, 0.08))
_NUTTALL = _cosines((0.3635819, 0.4891775, 0.1365995, 0.0106411))  # Nuttall 1981


def _bartlett(n, span):
    return 1 - (n * (2 / span) - 1).abs()


def _kaiser(beta):
    def formula(n, span):
        height = 1 - (n * (2 / span) - 1).square()
        return rl.i0(beta * height.clamp_min(0).sqrt()) / rl.i0(rl.tensor(beta, dtype=n.dtype))

    return formula


# ---- making one --------------------------------------------------------------------------------


def _made(formula, length, symmetric, dtype, device, requires_grad):
    """The formula at ``length`` points; a single point is 1."""
    dtype = dtype or rl.get_default_dtype()
    if length < 2:
        window = rl.ones(length, dtype=dtype, device=device)
    else:
        n = rl.arange(length, dtype=rl.float64)
        window = formula(n, float(length - symmetric)).to(device=device, dtype=dtype)
    return window.requires_grad_() if requires_grad else window


def _checked(name, M, dtype, layout):
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not None and layout != rl.strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    dtype = dtype or rl.get_default_dtype()
    if dtype not in (rl.float32, rl.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")


# The signal windows answer for a sparse layout themselves: their error is a ValueError.
_SIGNAL_OPTIONS = _OPTIONS.replace("layout? layout", "any layout")


def _signal(arguments, doc):
    """Declares ``signal.windows.NAME``; decorates the formula, or its maker from the arguments."""

    def declare(formula_of):
        name, _, own = arguments.partition(" ")
        own = own + ", " if own else ""

        def body(M, *values):
            *given, symmetric, dtype, layout, device, requires_grad = values
            _checked(name, M, dtype, layout)
            formula = formula_of(*given) if own else formula_of
            return _made(formula, M, symmetric, dtype, device, requires_grad)

        example = ", a=(0.5, 0.5)" if name == "general_cosine" else ""
        body.__doc__ = with_example(
            f"{doc}\n\n    {_RESULT}",
            f"signal.windows.{name}(3{example}).shape",
            "torch.Size([3])",
        )
        schema = f"{name}.window(int M, *, {own}bool sym=True, {_SIGNAL_OPTIONS}) -> Tensor"
        op(schema, at="signal.windows", differentiable=False, out=False)(body)
        return formula_of

    return declare


_RESULT = """``M`` points with largest value 1: symmetric for filters (``sym``), or one period for
    spectra. float32 or float64, the default dtype if none is named. Raises ValueError for a
    negative ``M``, another dtype or layout, or a parameter out of range."""

# ---- signal.windows ----------------------------------------------------------------------------

_signal("bartlett", "The triangular (Bartlett) window, zero at its ends.")(_bartlett)
_signal("blackman", "The Blackman window: three cosines that leave little leakage.")(_BLACKMAN)
_signal("hann", "The Hann window: one cosine, zero at its ends.")(_HANN)
_signal("nuttall", "Nuttall's minimum four-term Blackman-Harris window.")(_NUTTALL)


@_signal("hamming", "The Hamming window: one cosine on a pedestal of 0.08.")
def _plain_hamming(n, span):
    return _hamming(0.54)(n, span)


@_signal("general_hamming float alpha=0.54", "``alpha - (1 - alpha) cos``, a raised cosine.")
def _general_hamming(alpha):
    return _hamming(alpha)


@_signal("general_cosine any a", "The cosines with coefficients ``a``, of alternating signs.")
def _general_cosine(a):
    if not isinstance(a, (list, tuple)) and not hasattr(a, "__iter__"):
        raise TypeError(f"general_cosine: a must be a list or tuple of numbers, got {a!r}")
    if not len(a):
        raise ValueError("general_cosine: the coefficients a cannot be empty")
    return _cosines(tuple(a))


@_signal("cosine", "Half a period of the sine, sampled in the middle of each step.")
def _cosine(n, span):
    return ((n + 0.5) * (math.pi / (span + 1))).sin()


@op(
    "exponential.window(int M, *, float? center=None, float tau=1.0, bool sym=True, "
    f"{_SIGNAL_OPTIONS}) -> Tensor",
    at="signal.windows",
    differentiable=False,
    out=False,
)
def exponential(M, center, tau, sym, dtype, layout, device, requires_grad):
    """``exp(-|n - center| / tau)``, by default around the middle; other centres need ``sym=False``.

    Example::

        >>> rl.signal.windows.exponential(3)
        tensor([0.3679, 1.0000, 0.3679])
    """
    _checked("exponential", M, dtype, layout)
    if tau <= 0:
        raise ValueError(f"exponential: tau must be positive, got: {tau}")
    if sym and center is not None:
        raise ValueError("exponential: center must be None for symmetric windows (sym=True)")

    def formula(n, span):
        return (-(n - (span / 2 if center is None else center)).abs() / tau).exp()

    return _made(formula, M, sym, dtype, device, requires_grad)


@_signal("gaussian float std=1.0", "The Gaussian of standard deviation ``std`` (in samples).")
def _gaussian(std):
    if std <= 0:
        raise ValueError(f"gaussian: the standard deviation std must be positive, got: {std}")
    return lambda n, span: (-0.5 * ((n - span / 2) / std).square()).exp()


@_signal("kaiser float beta=12.0", "The Kaiser window, concentrated by ``beta`` (Kaiser 1974).")
def _signal_kaiser(beta):
    if beta < 0:
        raise ValueError(f"kaiser: beta must be non-negative, got: {beta}")
    return _kaiser(float(beta))


# ---- the older names ---------------------------------------------------------------------------


def _older(name, formula, length, periodic, dtype, layout, device, requires_grad, pin_memory):
    if length < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got {length}")
    if layout is not None and layout != rl.strided:
        raise RuntimeError(f"{name} is not implemented for sparse layouts, got: {layout}")
    dtype = dtype or rl.get_default_dtype()
    if dtype.is_complex:
        raise NotImplementedError(f"{name} is not implemented for {dtype}")
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    window = _made(formula, length, not periodic, dtype, device, requires_grad)
    return window.pin_memory() if pin_memory else window


def _declare_older(name, formula_of, overload="", own="", doc=None):
    """``torch.NAME(window_length, periodic=True, ...)``; makers have their own arguments first."""
    default = "" if own else "=True"

    def body(window_length, *values):
        periodic, given, options = values[0], values[1:-5], values[-5:]
        return _older(name, formula_of(*given), window_length, periodic, *options)

    doc = doc or f"As `signal.windows.{name[:-7]}`, periodic by default."
    body.__doc__ = doc if overload else with_example(doc, f"{name}(3).shape", "torch.Size([3])")
    op(
        f"{name}{overload}(int window_length, bool periodic{default}, {own}*, {_OPTIONS}, "
        "bool pin_memory=False) -> Tensor",
        method=False,
        differentiable=False,
        out=False,
    )(body)


_declare_older("bartlett_window", lambda: _bartlett)
_declare_older("blackman_window", lambda: _BLACKMAN)
_declare_older("hann_window", lambda: _HANN)
_declare_older("hamming_window", lambda: _hamming(0.54))
_declare_older(
    "hamming_window",
    lambda alpha, beta: _cosines((alpha, beta)),
    ".alpha",
    "float alpha, float beta=0.46, ",
    "``alpha - beta cos`` over the window.",
)
_declare_older("kaiser_window", lambda: _kaiser(12.0))
_declare_older(
    "kaiser_window", _kaiser, ".beta", "float beta, ", "Concentrated by ``beta`` (Kaiser 1974)."
)
