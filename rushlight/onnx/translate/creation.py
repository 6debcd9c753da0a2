"""New tensors whose sizes or numbers follow the inputs, and random ones."""

import rushlight as rl
from rushlight.jit._sizes import Size

from .._builder import TYPES
from .._table import random, translates


def _flat(sizes):
    return list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (list, tuple)) else \
        list(sizes)  # fmt: skip


def _filled(g, number, dtype, sizes):
    return g.op("Expand", g.constant(number, dtype), sizes, dtype=dtype)


def _constant(number):
    def new(g, *size, dtype=None, out=None, **options):
        size = options.pop("size", None) or _flat(size)
        return _filled(g, number, dtype or rl.get_default_dtype(), g.ints(size))

    def like(g, self, *, dtype=None, **options):
        return _filled(g, number, dtype or self.dtype, g.shape(self))

    def method(g, self, *size, dtype=None, **options):
        size = options.pop("size", None) or _flat(size)
        return _filled(g, number, dtype or self.dtype, g.ints(size))

    return new, like, method


for _name, _number in (("zeros", 0), ("ones", 1), ("empty", 0)):
    _new, _like, _method = _constant(_number)
    translates(_name)(_new)
    translates(_name + "_like")(_like)
    translates("new_" + _name)(_method)


@translates("full")
def _(g, size, fill_value, *, dtype=None, **options):
    return _fill(g, fill_value, dtype or _natural(fill_value), g.ints(size))


@translates("full_like")
def _(g, self, fill_value, *, dtype=None, **options):
    return _fill(g, fill_value, dtype or self.dtype, g.shape(self))


@translates("new_full")
def _(g, self, size, fill_value, *, dtype=None, **options):
    return _fill(g, fill_value, dtype or self.dtype, g.ints(size))


def _fill(g, value, dtype, sizes):
    return g.op("Expand", g.value(value, dtype), sizes, dtype=dtype)


def _natural(number):
    return rl.full((), number).dtype if not isinstance(number, Size) else rl.int64


@translates("scalar_tensor", "tensor", "as_tensor")
def _(g, value, *, dtype=None, **options):
    if isinstance(value, (list, tuple)):
        return g.ints(value)
    return g.value(value, dtype or rl.get_default_dtype())


@translates("arange")
def _(g, *bounds, dtype=None, **options):
    bounds = [options[k] for k in ("start", "end", "step") if k in options] or list(bounds)
    start, end, step = (
        (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1) if len(bounds) == 2 else bounds
    )
    whole = not any(isinstance(b, float) for b in bounds)
    kind = rl.int64 if whole else rl.get_default_dtype()
    made = g.op("Range", *(g.value(b, kind) for b in (start, end, step)), dtype=kind)
    return made if dtype in (None, kind) else g.cast(made, dtype)


@translates("eye")
def _(g, n, m=None, *, dtype=None, **options):
    dtype = dtype or rl.get_default_dtype()
    square = _filled(g, 0, dtype, g.ints([n, n if m is None else m]))
    return g.op("EyeLike", square, dtype=dtype)


def _drawn(kind):
    def new(g, *size, dtype=None, **options):
        dtype = dtype or rl.get_default_dtype()
        sizes = _flat(size)
        if any(isinstance(n, Size) for n in sizes):
            return g.op(kind + "Like", _filled(g, 0, dtype, g.ints(sizes)), dtype=dtype)
        shape = [int(n) for n in sizes]
        return g.op(kind, dtype=dtype, shape=shape, more={"dtype": TYPES[dtype]})

    def like(g, self, *, dtype=None, **options):
        return g.op(kind + "Like", self, dtype=dtype or self.dtype)

    return new, like


for _name, _kind in (("rand", "RandomUniform"), ("randn", "RandomNormal")):
    _new, _like = _drawn(_kind)
    random(_name)(_new)
    random(_name + "_like")(_like)


def _refuse(name):
    @random(name)
    def _(g, *args, **kwargs):
        raise g.unsupported(name, "random numbers of this kind")


for _name in ("randint", "randint_like", "randperm", "bernoulli", "bernoulli_", "multinomial",
              "normal", "normal_", "uniform_", "poisson"):  # fmt: skip
    _refuse(_name)
