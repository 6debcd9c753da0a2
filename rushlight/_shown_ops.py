"""What the package's own ops are to PyTorch's ``__torch_dispatch__``.

`SHOWN`: record name -> function of its arguments that says which of PyTorch's ops it is:
``(name, args, kwargs)`` and, if their results differ, what makes ours of PyTorch's. None: it is
another one. `PARTS`: record name -> the same result by several ops, where PyTorch has several.
"""

import math

import rushlight as rl
from rushlight import _native
from rushlight.ops._record import op, table

SHOWN, PARTS = {}, {}
#: compositions of which PyTorch has an op of the same name, and does not use it
TAKEN_APART = ("norm", "norm.linalg")


def _shown(*names):
    return lambda function: SHOWN.update(dict.fromkeys(names, function))


def _parts(*names):
    return lambda function: PARTS.update(dict.fromkeys(names, function))


def _view(x, *size):
    """Not as its method: classes have attributes of any name."""
    return rl.Tensor.view(x, *size)


def _first(results):
    return results[0]


@_shown("convert")
def _(self, dtype, memory_format):
    kwargs = {} if dtype is None else {"dtype": dtype}
    if memory_format not in (None, rl.preserve_format):
        kwargs["memory_format"] = memory_format
    return "_to_copy", (self,), kwargs


@_shown("dense_copy")
def _(self, memory_format):
    return "clone", (self,), {"memory_format": memory_format}


@op("_unsafe_view(Tensor self, int[] size) -> Tensor", at=("internal",))
def _unsafe_view(self, size):
    """A view of a tensor that nobody else has."""
    return _view(self, size)


_unsafe_view.vjp(self=lambda g, self_meta: g.reshape(self_meta.shape))


@_shown("sub")
def _(self, other, alpha):
    if isinstance(self, rl.Tensor):
        return None
    return "rsub.Scalar", (other, self, alpha), {}


@_parts("div")
def _(self, other):
    return NotImplemented if isinstance(self, rl.Tensor) else rl.mul(rl.reciprocal(other), self)


@_shown("_vector_norm")
def _(self, order, dim, keepdim, dtype):
    dim = [dim] if isinstance(dim, int) else dim
    return "linalg_vector_norm", (self, order, dim, keepdim), {"dtype": dtype}


# ---- products ------------------------------------------------------------------------------------


@_parts("linear")
def _(input, weight, bias, *_):
    if bias is None or weight.dim() != 2:
        return rl.matmul(input, rl.t(weight))
    if input.dim() == 2:
        return rl.addmm(bias, input, rl.t(weight))
    if input.dim() == 1 or not input.is_contiguous():
        return rl.add(rl.matmul(input, rl.t(weight)), bias)
    rows = _view(input, -1, input.shape[-1])
    return _view(rl.addmm(bias, rows, rl.t(weight)), *input.shape[:-1], weight.shape[0])


@_parts("matmul")
def _(input, other, *_):
    a, b = input.dim(), other.dim()
    if a == 1 and b == 1:
        return rl.dot(input, other)
    if a == 2 and b == 1:
        return rl.mv(input, other)
    if a == 1 and b == 2:
        return rl.mm(rl.unsqueeze(input, 0), other).squeeze_(0)
    if a == 2 and b == 2:
        return rl.mm(input, other)
    if a >= 3 and b in (1, 2):
        return _folded(input, other)
    if b >= 3 and a in (1, 2) and not _is_better_batched(input, other):
        back = _folded(other.mT, rl.t(input) if a == 2 else input)
        return back.mT if a == 2 else back
    return _batched(input, other)


def _is_better_batched(input, other):
    return not other.mT.is_contiguous() or other.requires_grad and input.dim() == 2


def _folded(input, other):
    rows = rl.reshape(input, (-1, input.shape[-1]))
    if other.dim() == 1:
        return _unsafe_view(rl.mv(rows, other), input.shape[:-1])
    return _unsafe_view(rl.mm(rows, other), (*input.shape[:-1], other.shape[-1]))


def _batched(input, other):
    left = rl.unsqueeze(input, 0) if input.dim() == 1 else input
    right = rl.unsqueeze(other, -1) if other.dim() == 1 else other
    batch = rl.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    n, m, p = left.shape[-2], left.shape[-1], right.shape[-1]
    size = math.prod(batch)
    rows = left.expand(*batch, n, m).reshape(size, n, m)
    columns = right.expand(*batch, m, p).reshape(size, m, p)
    sizes = (*batch,) + (n,) * (input.dim() > 1) + (p,) * (other.dim() > 1)
    return _unsafe_view(rl.bmm(rows, columns), sizes)


@_shown("_conv_forward")
def _(input, weight, bias, stride, padding, dilation, groups):
    given = (input, weight, bias, *map(list, (stride, padding, dilation)))
    return "convolution", (*given, False, [0] * len(stride), groups), {}


@_shown("_conv_input")
def _(grad, weight, bias, size, stride, padding, dilation, groups):
    kernel = weight.shape[2:]
    extra = [
        n - ((g - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, g, s, p, d, k in zip(
            size[-len(stride) :], grad.shape[2:], stride, padding, dilation, kernel
        )
    ]
    given = (grad, weight, bias, *map(list, (stride, padding, dilation)))
    return "convolution", (*given, True, extra, groups), {}


@_shown("_conv_weight")
def _(grad, input, kernel_size, stride, padding, dilation, groups):
    weight = rl.empty(
        grad.shape[1], input.shape[1] // groups, *kernel_size, dtype=grad.dtype, device="meta"
    )  # of which only the geometry counts
    where = (*map(list, (stride, padding, dilation)), False, [0] * len(stride), groups)
    return (
        "convolution_backward",
        (grad, input, weight, None, *where, [False, True, False]),
        {},
        (lambda results: results[1]),
    )


@_shown("_attention")
def _(query, key, value, bias, is_causal, scale):
    kwargs = {"attn_mask": bias}
    if scale != 1 / math.sqrt(query.shape[-1]):
        kwargs["scale"] = scale
    return (
        "_scaled_dot_product_flash_attention_for_cpu",
        (query, key, value, 0.0, is_causal),
        kwargs,
    )


# ---- shapes --------------------------------------------------------------------------------------


@_parts("flatten")
def _(self, start_dim, end_dim):
    if self.dim() == 0:
        return self.reshape(1)
    start, end = start_dim % self.dim(), end_dim % self.dim()
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return self
    return self.reshape(
        *self.shape[:start], math.prod(self.shape[start : end + 1]), *self.shape[end + 1 :]
    )


@_parts("reshape")
def _(self, shape):
    off = _native.set_dispatch_off(True)  # may it be a view?
    try:
        plain = rl.empty(0, device="meta", dtype=self.dtype).as_strided(self.shape, self.stride())
        made = plain.reshape(shape)
        is_view = made._is_view()
    finally:
        _native.set_dispatch_off(off)
    if is_view:
        return _view(self, made.shape)
    whole = rl.clone(self, memory_format=rl.contiguous_format)
    return _unsafe_view(whole, made.shape)


@_parts("chunk")
def _(self, chunks, dim):
    size = -(-self.shape[dim] // chunks) if chunks > 0 else 0
    if size == 0:
        return NotImplemented
    return rl.split(self, size, dim)


@_parts("narrow")
def _(self, dim, start, length):
    size = self.shape[dim]
    begin = start + size if start < 0 else start
    if not 0 <= begin <= size - length or length < 0:
        return NotImplemented  # the op says what is wrong
    return table["slice"](self, dim, begin, begin + length, 1)


@_shown("numpy_T")
def _(self):
    return "permute", (self, list(range(self.dim()))[::-1]), {}


@_shown("mT")
def _(self):
    return "transpose.int", (self, -2, -1), {}


@_parts("square")
def _(self):
    return rl.pow(self, 2)


# ---- activations and losses ----------------------------------------------------------------------


def _softmax(name):
    return lambda input, dim: (name, (input, dim, False), {})


def _softmax_backward(name):
    return lambda grad, output, dim: (name, (grad, output, dim, output.dtype), {})


for _name in ("_softmax", "_log_softmax"):
    SHOWN[_name] = _softmax(_name)
    SHOWN[_name + "_backward"] = _softmax_backward(_name + "_backward_data")


@_shown("relu_backward")
def _(grad, result):
    return "threshold_backward", (grad, result, 0), {}


@_shown("gelu_tanh")
def _(self):
    return "gelu", (self,), {"approximate": "tanh"}


@_shown("gelu_tanh_backward")
def _(grad, self):
    return "gelu_backward", (grad, self), {"approximate": "tanh"}


@_shown("_glu")
def _(self, dim):
    return "glu", (self, dim), {}


@_shown("clamp_functor")
def _(self, low, high):
    if isinstance(low, rl.Tensor) or isinstance(high, rl.Tensor):
        return "clamp.Tensor", (self, low, high), {}
    return "clamp", (self, low, high), {}


@_parts("_cross_entropy")
def _(input, target, weight, ignore_index, reduction, keep):
    logs = table["_log_softmax"](input, min(input.dim() - 1, 1))
    output, total = table["_nll"](logs, target, weight, ignore_index, reduction)
    return output, total, logs.detach()


@_shown("_nll")
def _(input, target, weight, ignore_index, reduction):
    if input.dim() > 2:
        return None
    return "nll_loss_forward", (input, target, weight, reduction, ignore_index), {}


@_shown("_nll_backward")
def _(grad, input, target, weight, ignore_index, reduction, total_weight):
    if input.dim() > 2:
        return None
    given = (grad, input, target, weight, reduction, ignore_index, total_weight)
    return "nll_loss_backward", given, {}


@_shown("_mse")
def _(input, target, reduction, knee):
    return "mse_loss", (input, target, reduction), {}


@_shown("_mse_slope")
def _(grad, input, target, reduction, knee):
    return "mse_loss_backward", (grad, input, target, reduction), {}


# ---- pooling, normalisation, tables --------------------------------------------------------------


@_shown("_max_pool")
def _(input, kernel_size, *rest):
    if len(kernel_size) != 2:
        return None
    return "max_pool2d_with_indices", (input, kernel_size, *rest), {}


@_shown("_max_pool_values")
def _(input, kernel_size, *rest):
    if len(kernel_size) != 2:
        return None
    return "max_pool2d_with_indices", (input, kernel_size, *rest), {}, _first


@_shown("_adaptive_avg_pool")
def _(input, output_size):
    if len(output_size) != 2:
        return None
    if tuple(output_size) == (1, 1):
        return "mean.dim", (input, [-1, -2], True), {}
    return "_adaptive_avg_pool2d", (input, list(output_size)), {}


@_shown("_embedding")
def _(weight, indices, padding_idx, scale_grad_by_freq):
    return "embedding", (weight, indices, padding_idx, scale_grad_by_freq), {}


@_shown("_group_norm")
def _(input, weight, bias, rows, groups, inner, eps):
    size, channels = input.shape[:2]

    def flat(results):
        return _in_shape(results, (rows,))

    given = (input, weight, bias, size, channels, math.prod(input.shape[2:]), groups, eps)
    return "native_group_norm", given, {}, flat


def _in_shape(results, shape):
    """The statistics in the shape that our gradient rules read; a view that nobody is shown."""
    output, *statistics = results
    if any(map(_native.has_torch_dispatch, statistics)):
        return output, *[s.reshape(shape) for s in statistics]
    off = _native.set_dispatch_off(True)
    try:
        return output, *[s.reshape(shape) for s in statistics]
    finally:
        _native.set_dispatch_off(off)


@_shown("_row_norm")
def _(input, weight, bias, rows, groups, inner, eps):
    if groups != 1:
        return None
    last = input.dim()
    while last > 0 and math.prod(input.shape[:last]) != rows:
        last -= 1
    if math.prod(input.shape[:last]) != rows:
        return None

    def flat(results):
        return _in_shape(results, (rows,))

    return "native_layer_norm", (input, list(input.shape[last:]), weight, bias, eps), {}, flat


@_shown("_batch_norm")
def _(input, weight, bias, running_mean, running_var, training, momentum, eps):
    given = (input, weight, bias, running_mean, running_var, training, momentum, eps)
    return "native_batch_norm", given, {}
