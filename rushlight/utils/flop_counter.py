"""`FlopCounterMode`: counts the multiplications and additions of products and convolutions.

It is a dispatch mode: ops are those of ``torch.ops.aten``, forward and backward. To count another
op: `register_flop_formula`.
"""

import functools
import math
import warnings
from collections import defaultdict

import rushlight as rl
from rushlight.utils._python_dispatch import TorchDispatchMode
from rushlight.utils._pytree import tree_leaves, tree_map
from rushlight.utils.module_tracker import ModuleTracker

__all__ = ["FlopCounterMode", "register_flop_formula"]

aten = rl.ops.aten
flop_registry = {}  # packet -> formula of the op's arguments and `out_val`


def _shape(x):
    return x.shape if isinstance(x, rl.Tensor) else x


def shape_wrapper(formula):
    """The formula with tensors' shapes in the place of tensors, and the result's: `out_shape`."""

    @functools.wraps(formula)
    def of_shapes(*args, out_val=None, **kwargs):
        args, kwargs, out = tree_map(_shape, (args, kwargs, out_val))
        return formula(*args, out_shape=out, **kwargs)

    return of_shapes


def register_flop_formula(targets, get_raw=False):
    """Decorator: how many operations an op takes, or each of several.

    Args:
        targets: packets, such as ``torch.ops.mylib.foo``.
        get_raw: pass tensors and ``out_val`` to the formula, not shapes and ``out_shape``.

    Raises:
        ValueError: for what is no packet.
        RuntimeError: if there is a formula already.
    """
    from rushlight.library._operator import OpOverloadPacket

    def register(formula):
        raw = formula if get_raw else shape_wrapper(formula)
        for target in tree_leaves(targets):
            if not isinstance(target, OpOverloadPacket):
                raise ValueError(
                    "register_flop_formula(targets): expected each target to be OpOverloadPacket "
                    f"(i.e. torch.ops.mylib.foo), got {target} which is of type {type(target)}"
                )
            if target in flop_registry:
                raise RuntimeError(f"duplicate registrations for {target}")
            flop_registry[target] = raw
        return raw

    return register


@register_flop_formula(aten.mm)
def mm_flop(a_shape, b_shape, *args, out_shape=None, **kwargs):
    """Of a product of matrices."""
    (m, k), (k2, n) = a_shape, b_shape
    if k != k2:
        raise AssertionError(f"matmul: inner dimensions must match (k == k2), got {k} and {k2}")
    return m * n * 2 * k


@register_flop_formula(aten.addmm)
def addmm_flop(self_shape, a_shape, b_shape, out_shape=None, **kwargs):
    """Of one that is added to something."""
    return mm_flop_of(a_shape, b_shape)


def mm_flop_of(a_shape, b_shape):
    """`mm_flop` of shapes."""
    return a_shape[0] * b_shape[1] * 2 * a_shape[1]


@register_flop_formula(aten.bmm)
def bmm_flop(a_shape, b_shape, out_shape=None, **kwargs):
    """Of a batch of products."""
    return a_shape[0] * mm_flop_of(a_shape[1:], b_shape[1:])


@register_flop_formula(aten.baddbmm)
def baddbmm_flop(self_shape, a_shape, b_shape, out_shape=None, **kwargs):
    """Of one that is added to something."""
    return a_shape[0] * mm_flop_of(a_shape[1:], b_shape[1:])


def conv_flop_count(x_shape, w_shape, out_shape, transposed=False):
    """Of a convolution."""
    places = (x_shape if transposed else out_shape)[2:]
    return math.prod(places) * x_shape[0] * math.prod(w_shape) * 2


@register_flop_formula(aten.convolution)
def conv_flop(
    x_shape, w_shape, _bias, _stride, _padding, _dilation, transposed, *args, out_shape=None, **kw
):
    """Of a convolution or its transpose."""
    return conv_flop_count(x_shape, w_shape, out_shape, transposed)


def _convolution_backward(grad, x, w, _bias, _stride, _padding, _dilation, transposed,
                          _output_padding, _groups, output_mask, out_shape):  # fmt: skip
    per_gradient = conv_flop_count(x, w, grad, transposed)
    return per_gradient * (output_mask[0] + output_mask[1])


register_flop_formula(aten.convolution_backward)(_convolution_backward)


class FlopCounterMode:
    """``with FlopCounterMode() as counter``: counts floating-point operations.

    Args:
        mods: not needed: modules are seen when they are called.
        depth: how deep modules are shown.
        display: print the result at the end.
        custom_mapping: {packet of an op: formula}, a formula taking the shapes of the op's
            arguments and ``out_shape``.

    Example::

        >>> with rl.utils.flop_counter.FlopCounterMode(display=False) as counter:
        ...     _ = rl.ones(2, 3) @ rl.ones(3, 4)
        >>> counter.get_total_flops()
        48
    """

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        if mods is not None:
            warnings.warn(
                "mods argument is not needed anymore, you can stop passing it", stacklevel=2
            )
        self.depth, self.display = depth, display
        custom = {
            op: formula if getattr(formula, "_get_raw", False) else shape_wrapper(formula)
            for op, formula in (custom_mapping or {}).items()
        }
        self.flop_registry = {**flop_registry, **custom}
        self.flop_counts = defaultdict(lambda: defaultdict(int))
        self.mod_tracker = ModuleTracker()

    def __enter__(self):
        self.flop_counts.clear()
        self.mod_tracker.__enter__()
        self._mode = _Mode(self)
        self._mode.__enter__()
        return self

    def __exit__(self, *exception):
        self._mode.__exit__(*exception)
        self.mod_tracker.__exit__(*exception)
        if self.display:
            print(self.get_table(self.depth))

    def _count(self, packet, result, args, kwargs):
        formula = self.flop_registry.get(packet)
        if formula is None:
            return
        flops = formula(*args, **kwargs, out_val=result)
        # The gradient of a convolution's input is a convolution here, and half of an op in PyTorch.
        if packet is aten.convolution and self.mod_tracker.is_bw:
            packet = aten.convolution_backward
        for place in self.mod_tracker.parents:
            self.flop_counts[place][packet] += flops

    def get_total_flops(self):
        """All of them."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self):
        """{module, or "Global": {packet of an op: flops}}."""
        return {place: dict(counts) for place, counts in self.flop_counts.items()}

    def get_table(self, depth=None):
        """A table of modules and ops as text."""
        depth = self.depth if depth is None else depth
        depth = 999999 if depth is None else depth
        total = self.get_total_flops()
        rows, within = [], False
        for place in sorted(self.flop_counts):
            if place == "Global" or place.count(".") + 1 > depth:
                continue
            within |= sum(self.flop_counts[place].values()) >= total
            rows += self._rows(place, place.count("."), total)
        if "Global" in self.flop_counts and not within:
            rows = self._rows("Global", 0, total) + [(" " + name, *rest) for name, *rest in rows]
        return _table(["Module", "FLOP", "% Total"], rows or [("Global", "0", "0%")])

    def _rows(self, place, depth, total):
        counts, pad = self.flop_counts[place], " " * depth
        named = [(pad + place, sum(counts.values()))]
        named += [(f"{pad} - {op}", flops) for op, flops in counts.items()]
        return [(name, _with_suffix(n, total), _percent(n, total)) for name, n in named]


class _Mode(TorchDispatchMode):
    supports_higher_order_operators = True

    def __init__(self, counter):
        super().__init__()
        self.counter = counter

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.counter._count(func.overloadpacket, result, args, kwargs or {})
        return result


def _with_suffix(number, total):
    thousands = max(0, min(4, (len(str(total)) - 2) // 3))
    return f"{number / 1000**thousands:.3f}{('', 'K', 'M', 'B', 'T')[thousands]}"


def _percent(number, total):
    return f"{number / total:.2%}" if total else "0%"


def _table(header, rows):
    """Columns with two blanks between them; all but the first end at the right."""
    lines = [header, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        ).rstrip()
        for line in lines
    )
