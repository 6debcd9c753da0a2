"""Records of random numbers. The same seed gives PyTorch's CPU numbers."""

import rushlight as rl
from rushlight import _native
from rushlight.ops._decisions import some
from rushlight.ops._elementwise import with_example
from rushlight.ops._record import op


def _fill(schema, doc, call=None, result=None):
    made = op(schema, at="Tensor")(_named(with_example(doc, call, result) if call else doc))
    made.vjp(self=lambda g: rl.zeros_like(g))


def _named(doc):
    def body(): ...

    body.__doc__ = doc
    return body


_fill(
    "uniform_(Tensor(a!) self, float from=0, float to=1, *, Generator? generator=None) -> Tensor",
    "Fills with numbers uniform on [from, to).",
    "empty(3).uniform_(2, 3).floor()",
    "tensor([2., 2., 2.])",
)
_fill(
    "normal_(Tensor(a!) self, float mean=0, float std=1, *, Generator? generator=None) -> Tensor",
    "Fills with normal numbers.",
    "empty(2).normal_(1, 0)",
    "tensor([1., 1.])",
)
_fill(
    "random_(Tensor(a!) self, *, Generator? generator=None) -> Tensor",
    "Fills with integers over the dtype's whole range of exact integers.",
    "empty(2, dtype=torch.bool).random_().shape",
    "torch.Size([2])",
)
_fill(
    "random_.from(Tensor(a!) self, int from, int? to, *, Generator? generator=None) -> Tensor",
    "Fills with integers of [from, to); to None means up to the dtype's largest exact integer.",
)
# Before the one of a number, which would take a tensor without dimensions for one.
_fill(
    "bernoulli_.Tensor(Tensor(a!) self, Tensor p, *, Generator? generator=None) -> Tensor",
    "Fills with 1 or 0, each with its own probability.",
)
_fill(
    "bernoulli_(Tensor(a!) self, float p=0.5, *, Generator? generator=None) -> Tensor",
    "Fills with 1 (probability p) or 0.",
    "empty(2).bernoulli_(1.0)",
    "tensor([1., 1.])",
)
_fill(
    "exponential_(Tensor(a!) self, float lambd=1, *, Generator? generator=None) -> Tensor",
    "Fills with exponential numbers of rate lambd.",
    "empty(2).exponential_() >= 0",
    "tensor([True, True])",
)
_fill(
    "cauchy_(Tensor(a!) self, float median=0, float sigma=1, *, "
    "Generator? generator=None) -> Tensor",
    "Fills with Cauchy numbers.",
    "empty(2).cauchy_().isnan()",
    "tensor([False, False])",
)
_fill(
    "log_normal_(Tensor(a!) self, float mean=1, float std=2, *, "
    "Generator? generator=None) -> Tensor",
    "Fills with exponentials of normal numbers.",
    "empty(2).log_normal_() > 0",
    "tensor([True, True])",
)
_fill(
    "geometric_(Tensor(a!) self, float p, *, Generator? generator=None) -> Tensor",
    "Fills with the number of trials up to the first success.",
    "empty(2).geometric_(0.5) >= 1",
    "tensor([True, True])",
)


@op("random_.to(Tensor(a!) self, int to, *, Generator? generator=None) -> Tensor", at="Tensor")
def _(self, to, generator):
    """Fills with integers of [0, to)."""
    return self.random_(0, to, generator=generator)


_OPTIONS = (
    "dtype? dtype=None, layout? layout=None, device? device=None, bool pin_memory=False, "
    "bool requires_grad=False"
)


def _empty(size, dtype, device, pin_memory, requires_grad, fill):
    out = rl.empty(size, dtype=dtype, device=device, pin_memory=pin_memory)
    fill(out)
    return out.requires_grad_() if requires_grad else out


@op(f"rand(int[] size, *, Generator? generator=None, {_OPTIONS}) -> Tensor")
def _(size, generator, dtype, layout, device, pin_memory, requires_grad):
    """Numbers uniform on [0, 1), of the given size.

    Example::

        >>> rl.rand(2, 3).shape
        torch.Size([2, 3])
    """
    ...


@op(f"randn(int[] size, *, Generator? generator=None, {_OPTIONS}) -> Tensor")
def _(size, generator, dtype, layout, device, pin_memory, requires_grad):
    """Standard normal numbers, of the given size.

    Example::

        >>> rl.randn(2, 3).shape
        torch.Size([2, 3])
    """
    ...


def _integers(dtype):
    """The dtype to draw integers of, which has to be a real one even if there are none to draw."""
    if dtype.is_complex:
        raise RuntimeError(f"randint: expected a real dtype, got {dtype}")
    return dtype


@op(
    "randint.low(int low, int high, int[] size, *, Generator? generator=None, "
    f"{_OPTIONS}) -> Tensor"
)
def _randint(low, high, size, generator, dtype, layout, device, pin_memory, requires_grad):
    """Integers of [low, high), int64 unless a dtype is given.

    Example::

        >>> rl.randint(3, 4, (2,))
        tensor([3, 3])
    """
    return _empty(
        size,
        _integers(dtype or rl.int64),
        device,
        pin_memory,
        requires_grad,
        lambda t: t.random_(low, high, generator=generator),
    )


@op(f"randint(int high, int[] size, *, Generator? generator=None, {_OPTIONS}) -> Tensor")
def _(high, size, generator, dtype, layout, device, pin_memory, requires_grad):
    """Integers of [0, high)."""
    return rl.randint(
        0,
        high,
        size,
        generator=generator,
        dtype=dtype,
        device=device,
        pin_memory=pin_memory,
        requires_grad=requires_grad,
    )


_LIKE = (
    "dtype? dtype=None, layout? layout=None, device? device=None, bool pin_memory=False, "
    "bool requires_grad=False, memory_format? memory_format=None"
)


def _like(self, dtype, device, memory_format, pin_memory, requires_grad, fill):
    out = rl.empty_like(
        self, dtype=dtype, device=device, memory_format=memory_format, pin_memory=pin_memory
    )
    fill(out)
    return out.requires_grad_() if requires_grad else out


@op(f"rand_like(Tensor self, *, Generator? generator=None, {_LIKE}) -> Tensor", method=False)
def _(self, generator, dtype, layout, device, pin_memory, requires_grad, memory_format):
    """`rand` of the input's size.

    Example::

        >>> rl.rand_like(rl.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return _like(
        self,
        dtype,
        device,
        memory_format,
        pin_memory,
        requires_grad,
        lambda t: t.uniform_(generator=generator),
    )


@op(f"randn_like(Tensor self, *, Generator? generator=None, {_LIKE}) -> Tensor", method=False)
def _(self, generator, dtype, layout, device, pin_memory, requires_grad, memory_format):
    """`randn` of the input's size.

    Example::

        >>> rl.randn_like(rl.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return _like(
        self,
        dtype,
        device,
        memory_format,
        pin_memory,
        requires_grad,
        lambda t: t.normal_(generator=generator),
    )


@op(
    "randint_like.low(Tensor self, int low, int high, *, Generator? generator=None, "
    f"{_LIKE}) -> Tensor",
    method=False,
)
def _(self, low, high, generator, dtype, layout, device, pin_memory, requires_grad, memory_format):
    """`randint` of the input's size.

    Example::

        >>> rl.randint_like(rl.ones(2), 3, 4)
        tensor([3., 3.])
    """
    return _like(
        self,
        _integers(dtype or self.dtype),
        device,
        memory_format,
        pin_memory,
        requires_grad,
        lambda t: t.random_(low, high, generator=generator),
    )


@op(
    f"randint_like(Tensor self, int high, *, Generator? generator=None, {_LIKE}) -> Tensor",
    method=False,
)
def _(self, high, generator, dtype, layout, device, pin_memory, requires_grad, memory_format):
    """`randint` of the input's size."""
    return _like(
        self,
        _integers(dtype or self.dtype),
        device,
        memory_format,
        pin_memory,
        requires_grad,
        lambda t: t.random_(0, high, generator=generator),
    )


@op(
    "randperm(int n, *, Generator? generator=None, dtype? dtype=None, layout? layout=None, "
    "device? device=None, bool pin_memory=False, bool requires_grad=False) -> Tensor"
)
def _(n, generator, dtype, layout, device, pin_memory, requires_grad):
    """A random permutation of 0 ... n-1.

    Example::

        >>> rl.randperm(4).sort().values
        tensor([0, 1, 2, 3])
    """
    ...


@op(
    "multinomial(Tensor self, int num_samples, bool replacement=False, *, "
    "Generator? generator=None) -> Tensor",
    differentiable=False,
)
def _(self, num_samples, replacement, generator):
    """Category numbers drawn with the (unnormalised) probabilities in each row.

    Example::

        >>> rl.multinomial(rl.tensor([0., 1., 0.]), 2, replacement=True)
        tensor([1, 1])
    """
    ...


@op("bernoulli(Tensor self, *, Generator? generator=None) -> Tensor", grad_name=True)
def _(self, generator):
    """1 with the given probabilities, else 0.

    Example::

        >>> rl.bernoulli(rl.tensor([0., 1.]))
        tensor([0., 1.])
    """
    drawn = rl.empty_like(self, memory_format=rl.contiguous_format)
    drawn.bernoulli_(self.detach(), generator=generator)
    return drawn + self * 0 if self.requires_grad else drawn


@op("bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor", grad_name=True)
def _(self, p, generator):
    """1 with probability p, else 0, of the input's size."""
    drawn = rl.empty_like(self, memory_format=rl.contiguous_format)
    return drawn.bernoulli_(p, generator=generator)


@op(
    "normal(Tensor | Scalar mean, Tensor | Scalar std=1, *, Generator? generator=None) -> Tensor",
    method=False,
)
def _(mean, std, generator):
    """Normal numbers with a mean and a standard deviation for each element.

    Example::

        >>> rl.normal(rl.tensor([1., 2.]), rl.zeros(2))
        tensor([1., 2.])
    """
    if isinstance(std, rl.Tensor) and std.numel() and some(std < 0):
        raise RuntimeError("normal expects all elements of std >= 0.0")
    like = [t for t in (mean, std) if isinstance(t, rl.Tensor)]
    shape = rl.broadcast_shapes(*[t.shape for t in like])
    mean, std = [v.detach() if isinstance(v, rl.Tensor) else v for v in (mean, std)]
    drawn = rl.empty(shape, dtype=like[0].dtype).normal_(0, 1, generator=generator)
    drawn = (drawn * std + mean).to(drawn.dtype)
    # in the graph, or dual, with a derivative of zero
    for given in [t for t in like if t.requires_grad or _native.kind_of(t)]:
        drawn = rl.where(rl.tensor(True), drawn, given.to(drawn.dtype))
    return drawn


@op(
    "normal.size(float mean, float std, int[] size, *, Generator? generator=None, "
    "dtype? dtype=None, layout? layout=None, device? device=None, bool pin_memory=False, "
    "bool requires_grad=False) -> Tensor"
)
def _(mean, std, size, generator, dtype, layout, device, pin_memory, requires_grad):
    """Normal numbers of the given size."""
    return _empty(
        size,
        dtype,
        device,
        pin_memory,
        requires_grad,
        lambda t: t.normal_(mean, std, generator=generator),
    )


@op("poisson(Tensor self, Generator? generator=None) -> Tensor", method=False)
def poisson(self, generator):
    """Poisson numbers, each with its own rate. Raises RuntimeError for a negative rate.

    Example::

        >>> rl.poisson(rl.zeros(2))
        tensor([0., 0.])
    """
    ...


poisson.vjp(self=lambda g, self: rl.zeros_like(self))  # forward mode: not linear


@op(
    "binomial(Tensor count, Tensor prob, Generator? generator=None) -> Tensor",
    at="torch",
    differentiable=False,
)
def _(count, prob, generator):
    """Binomial numbers, each with its own count and probability (floating tensors).

    Example::

        >>> rl.binomial(rl.tensor([5.]), rl.tensor([1.]))
        tensor([5.])
    """
    ...


def _once(*arguments):
    """Gradient rules for derivatives of samplers, which have none themselves."""

    def rule(g):
        raise NotImplementedError(
            "samples of gamma, beta and Dirichlet distributions are differentiable only once; "
            "take their gradient without create_graph"
        )

    return dict.fromkeys(arguments, rule)


@op("_standard_gamma_grad(Tensor self, Tensor output) -> Tensor", at="torch")
def standard_gamma_grad(self, output):
    """The derivative of gamma numbers ``output`` in their shapes ``self``, of the same shape.

    Example::

        >>> rl._standard_gamma_grad(rl.ones(1), rl.ones(1)).shape
        torch.Size([1])
    """
    ...


standard_gamma_grad.vjp(**_once("self", "output"))


@op("_standard_gamma(Tensor self, Generator? generator=None) -> Tensor", at="torch")
def standard_gamma(self, generator):
    """Gamma numbers of rate 1, each with its own shape, in which they are differentiable once.

    Example::

        >>> rl._standard_gamma(rl.ones(2)) > 0
        tensor([True, True])
    """
    ...


standard_gamma.vjp(self=lambda g, self, result: g * rl._standard_gamma_grad(self, result))


@op("_dirichlet_grad(Tensor x, Tensor alpha, Tensor total) -> Tensor", at="torch")
def dirichlet_grad(x, alpha, total):
    """``dx/dalpha / (1 - x)`` of beta numbers x of shapes alpha and total - alpha.

    Example::

        >>> rl._dirichlet_grad(rl.full((1, 2), 0.5), rl.ones(1, 2), rl.full((1, 2), 2.)).shape
        torch.Size([1, 2])
    """
    ...


dirichlet_grad.vjp(**_once("x", "alpha", "total"))


@op("_sample_dirichlet(Tensor self, Generator? generator=None) -> Tensor", at="torch")
def sample_dirichlet(self, generator):
    """Dirichlet samples over the last dimension, differentiable once in the shapes ``self``.

    Example::

        >>> rl._sample_dirichlet(rl.ones(1, 3)).sum().round()
        tensor(1.)
    """
    ...


def _through_shares(g, self, result):
    """Each share grows by its own derivative, at the cost of the others in proportion to them."""
    own = rl._dirichlet_grad(result, self, self.sum(-1, True).expand_as(self))
    return own * (g - (result * g).sum(-1, True))


sample_dirichlet.vjp(self=_through_shares)
