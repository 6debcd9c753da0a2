"""`FlopCounterMode`: counts the multiplications and additions of products, convolutions, attention.

Ops are seen through the hook of `rushlight._interpose`, forward and backward. To count another op:
a formula in `_FORMULAS`.
"""

import math

import rushlight as rl
from rushlight._interpose import interpose

__all__ = ["FlopCounterMode"]


def _matmul(a, b, *_, **__):
    rows = a.numel() // max(a.shape[-1], 1) if b.dim() <= 2 else None
    if rows is not None:
        return 2 * rows * a.shape[-1] * (b.shape[-1] if b.dim() == 2 else 1)
    left = a.shape if a.dim() > 1 else (1, *a.shape)
    batch = math.prod(rl.broadcast_shapes(left[:-2], b.shape[:-2]))
    return 2 * batch * left[-2] * left[-1] * b.shape[-1]


def _linear(x, weight, *_, **__):
    return 2 * x.numel() * (weight.shape[0] if weight.dim() == 2 else 1)


def _added_product(_, a, b, *__, **___):
    return _matmul(a, b)


def _conv(x, weight, *_, result, **__):
    return 2 * result.numel() * math.prod(weight.shape[1:])


def _conv_transpose(x, weight, *_, **__):
    return 2 * x.numel() * math.prod(weight.shape[1:])


def _attention(query, key, value, *_, **__):
    batch = math.prod(query.shape[:-2])
    length, size = query.shape[-2:]
    return 2 * batch * length * key.shape[-2] * (size + value.shape[-1])


_FORMULAS = {
    "mm": _matmul,
    "bmm": _matmul,
    "mv": _matmul,
    "dot": _matmul,
    "matmul": _matmul,
    "linear": _linear,
    "addmm": _added_product,
    "baddbmm": _added_product,
    "addmv": _added_product,
    **{f"conv{n}d": _conv for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": _conv_transpose for n in (1, 2, 3)},
    "scaled_dot_product_attention": _attention,
}


class FlopCounterMode:
    """``with FlopCounterMode() as counter``: counts floating-point operations.

    Args:
        mods: modules whose parts are named in the result; by default, those that are called.
        depth: how deep modules are shown.
        display: print the result at the end.
        custom_mapping: {op: formula}, a formula taking the op's arguments and ``out_shape``.

    Example::

        >>> with rl.utils.flop_counter.FlopCounterMode(display=False) as counter:
        ...     _ = rl.ones(2, 3) @ rl.ones(3, 4)
        >>> counter.get_total_flops()
        48
    """

    def __init__(self, mods=None, depth=2, display=True, custom_mapping=None):
        self.depth, self.display, self._custom = depth, display, dict(custom_mapping or {})
        self._names, self._open = {}, []
        for mod in [mods] if isinstance(mods, rl.nn.Module) else mods or ():
            self._name(mod, type(mod).__name__)
        self.flop_counts = {"Global": {}}
        self._watch = interpose(self._call)

    def _name(self, module, root):
        for name, inner in module.named_modules():
            self._names.setdefault(id(inner), f"{root}.{name}" if name else root)

    def __enter__(self):
        self.flop_counts = {"Global": {}}
        hooks = rl.nn.modules.module
        self._hooks = [
            hooks.register_module_forward_pre_hook(self._begin),
            hooks.register_module_forward_hook(self._end),
        ]
        self._watch.__enter__()
        return self

    def __exit__(self, *exception):
        self._watch.__exit__(*exception)
        for hook in self._hooks:
            hook.remove()
        if self.display:
            print(self.get_table(self.depth))

    def _begin(self, module, args):
        if id(module) not in self._names:
            self._name(module, type(module).__name__)
        self._open.append(self._names[id(module)])

    def _end(self, module, args, result):
        self._open.pop()

    def _call(self, function, args, kwargs):
        name = getattr(function, "__name__", "")
        custom = self._custom.get(function)
        if custom is None and name not in _FORMULAS:
            return NotImplemented
        result = function(*args, **kwargs)
        if custom is not None:
            flops = custom(*args, **kwargs, out_shape=getattr(result, "shape", None))
        elif "conv" in name:
            flops = _FORMULAS[name](*args, **kwargs, result=result)
        else:
            flops = _FORMULAS[name](*args, **kwargs)
        for place in ["Global", *dict.fromkeys(self._open)]:
            counts = self.flop_counts.setdefault(place, {})
            counts[function] = counts.get(function, 0) + flops
        return result

    def get_total_flops(self):
        """All of them."""
        return sum(self.flop_counts["Global"].values())

    def get_flop_counts(self):
        """{module, or "Global": {op: flops}}."""
        return {place: dict(counts) for place, counts in self.flop_counts.items()}

    def get_table(self, depth=None):
        """A table of modules and ops as text."""
        depth, total = self.depth if depth is None else depth, self.get_total_flops() or 1
        lines = [f"{'Module':<40}{'FLOP':>16}{'% Total':>10}"]
        for place, counts in self.flop_counts.items():
            if place.count(".") >= depth:
                continue
            flops = sum(counts.values())
            lines.append(f"{place:<40}{flops:>16}{100 * flops / total:>9.2f}%")
            lines += [
                f" - {f.__name__:<37}{n:>16}{100 * n / total:>9.2f}%" for f, n in counts.items()
            ]
        return "\n".join(lines)
