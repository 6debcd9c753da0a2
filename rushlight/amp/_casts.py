"""Which ops autocast runs in which precision on the CPU, and the handler that casts for them.

The lists are those of PyTorch's CPU backend. An op on none of them takes its inputs as they are. To
add one: its public name, without ``torch.``, in a list; the function, the method and the operator
all follow.
"""

import rushlight as rl

_LOWER = """addbmm addmm baddbmm bmm conv1d conv2d conv3d conv_tbc conv_transpose1d conv_transpose2d
    conv_transpose3d linalg.vecdot matmul mm prelu nn.functional.linear
    nn.functional.scaled_dot_product_attention"""

_FLOAT32 = """cdist cholesky cholesky_inverse cholesky_solve geqrf inverse lu_solve nanquantile
    orgqr ormqr pinverse polar prod qr quantile stft svd trace triangular_solve view_as_complex
    fft.fft fft.fft2 fft.fftn fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.irfft fft.irfft2
    fft.irfftn fft.rfft fft.rfft2 fft.rfftn
    linalg.cholesky linalg.cholesky_ex linalg.cond linalg.eig linalg.eigh linalg.eigvals
    linalg.eigvalsh linalg.householder_product linalg.inv linalg.inv_ex linalg.lstsq
    linalg.matrix_rank linalg.qr linalg.solve linalg.svd linalg.svdvals linalg.tensorinv
    linalg.tensorsolve
    nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool3d
    nn.functional.adaptive_max_pool3d_with_indices nn.functional.avg_pool3d
    nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
    nn.functional.cosine_embedding_loss nn.functional.cross_entropy nn.functional.ctc_loss
    nn.functional.fractional_max_pool2d nn.functional.fractional_max_pool2d_with_indices
    nn.functional.fractional_max_pool3d nn.functional.fractional_max_pool3d_with_indices
    nn.functional.grid_sample nn.functional.hinge_embedding_loss nn.functional.huber_loss
    nn.functional.kl_div nn.functional.l1_loss nn.functional.margin_ranking_loss
    nn.functional.max_unpool2d nn.functional.max_unpool3d nn.functional.mse_loss
    nn.functional.multi_margin_loss
    nn.functional.multilabel_margin_loss nn.functional.nll_loss nn.functional.poisson_nll_loss
    nn.functional.smooth_l1_loss nn.functional.soft_margin_loss nn.functional.triplet_margin_loss"""

_WIDEST = "cat index_copy stack"

#: not listed, and defined here in terms of ops that are
_AS_GIVEN = "nn.functional.bilinear"


def _members(name):
    """The function of a public name, the other names of it, and the method."""
    space, _, last = name.rpartition(".")
    owners = [rl, rl.Tensor]
    if space:
        owners = [rl.nn.functional if space[:2] == "nn" else getattr(rl, space)]
    found = [getattr(owner, last) for owner in owners if hasattr(owner, last)]
    if not found:
        raise AttributeError(f"autocast lists {name!r}, which does not exist")
    return found


def _policies():
    """{function: the method of `CastHandler` that treats it}"""
    lists = [(_LOWER, "lower"), (_FLOAT32, "to_float32"), (_WIDEST, "widest")]
    lists += [(_AS_GIVEN, "as_given")]
    found = {f: way for names, way in lists for name in names.split() for f in _members(name)}
    for name in ("local_response_norm", "max_pool3d", "pad"):
        found[getattr(rl.nn.functional, name)] = name
    return found | {rl.Tensor.__matmul__: "lower", rl.Tensor.__rmatmul__: "lower"}


#: float64 is left alone: whoever uses it wants its precision
_CAST = frozenset(
    d
    for d in vars(rl).values()
    if isinstance(d, rl.dtype) and d.is_floating_point and d != rl.float64
)


def _mapped(values, cast):
    """A list of values with `cast` applied to the tensors that may be cast, also in lists."""
    tensor = rl.Tensor
    return [
        (cast(v) if v.dtype in _CAST and v.is_cpu else v)
        if isinstance(v, tensor)
        else type(v)(_mapped(v, cast))
        if isinstance(v, (list, tuple))
        else v
        for v in values
    ]


def _argument(args, kwargs, place, name, default=None):
    return args[place] if place < len(args) else kwargs.get(name, default)


class CastHandler:
    """What the hook asks in a thread while autocast is on. While it runs it is off the stack, so
    the ops inside of an op that it treats are not cast again.
    """

    wanted = None  # set below; functions that the hook asks for

    def __init__(self, state):
        self.state = state

    def __call__(self, function, args, kwargs):
        way = _ways.get(function)
        if way is None or kwargs.get("out") is not None:
            return NotImplemented
        if not rl._native.torch_function_off():
            values = (*args, *kwargs.values())
            if any(map(rl._native.has_torch_function, values)):
                return NotImplemented  # the class is asked first, and calls again
        return getattr(self, way)(function, args, kwargs)

    def lower(self, function, args, kwargs):
        return self._with(self._lowered, function, args, kwargs)

    def to_float32(self, function, args, kwargs):
        return self._with(lambda x: x.to(rl.float32), function, args, kwargs)

    def widest(self, function, args, kwargs):
        """All in float32 if one is, else in the low precision; no other mixture is allowed."""
        dtypes = set()
        _mapped((*args, *kwargs.values()), lambda x: dtypes.add(x.dtype))
        strangers = dtypes - {rl.float32, self._dtype()}
        if strangers and rl.float32 not in dtypes:
            raise RuntimeError(
                f"{function.__name__}: under autocast to {self._dtype()} expected tensors of that "
                f"dtype or torch.float32, got {strangers.pop()}"
            )
        return (self.to_float32 if rl.float32 in dtypes else self.lower)(function, args, kwargs)

    def as_given(self, function, args, kwargs):
        return function(*args, **kwargs)

    def local_response_norm(self, function, args, kwargs):
        """Averages images and volumes as volumes, which is listed."""
        many = _argument(args, kwargs, 0, "input").dim() > 3
        return self.to_float32(function, args, kwargs) if many else NotImplemented

    def max_pool3d(self, function, args, kwargs):
        """Listed unless it returns indices."""
        listed = not _argument(args, kwargs, 6, "return_indices", False)
        return self.to_float32(function, args, kwargs) if listed else NotImplemented

    def pad(self, function, args, kwargs):
        """Padding with values of the input is listed by mode and number of dimensions."""
        sizes = _argument(args, kwargs, 1, "pad")
        mode = _argument(args, kwargs, 2, "mode", "constant")
        listed = mode == "replicate" or (mode == "reflect" and len(sizes) <= 4)
        return self.to_float32(function, args, kwargs) if listed else NotImplemented

    def _dtype(self):
        return self.state.dtypes["cpu"]

    @staticmethod
    def _with(cast, function, args, kwargs):
        named = zip(kwargs, _mapped(kwargs.values(), cast)) if kwargs else ()
        return function(*_mapped(args, cast), **dict(named))

    def _lowered(self, x):
        """In low precision; a parameter's copy is kept for its next use."""
        state = self.state
        dtype, own = state.dtypes["cpu"], x.dtype
        if own == dtype:
            return x
        keep = own == rl.float32 and state.caching and x.requires_grad
        if not keep or not x.is_leaf or x._is_view():
            return x.to(dtype)
        key = id(x), dtype, rl.is_grad_enabled()
        kept = state.cache.get(key)
        if kept is None:
            kept = state.cache[key] = x, x.to(dtype)
        return kept[1]


_ways = _policies()
CastHandler.wanted = frozenset(_ways)
