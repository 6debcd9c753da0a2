"""Operators that PyTorch has in ``torch.ops.aten`` only: what its public functions turn into there.

To add one, write a function of its name and arguments.
"""

import math

import rushlight as rl
from rushlight.ops._record import table


def _to_copy(
    input,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=None,
    non_blocking=False,
    memory_format=None,
):
    """A copy, of another dtype, layout or device where one is given."""
    if layout is not None and layout is not input.layout:
        raise NotImplementedError(f"aten::_to_copy: from {input.layout} to {layout}")
    memory_format = rl.preserve_format if memory_format is None else memory_format
    made = input.to(
        dtype=input.dtype if dtype is None else dtype,
        device=input.device if device is None else device,
        non_blocking=non_blocking,
        copy=True,
        memory_format=memory_format,
    )
    return made.pin_memory() if pin_memory else made


def _pin_memory(input, device=None):
    """A copy in pinned memory."""
    return input.pin_memory(device)


def _sparse_addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * mat1 @ mat2`` for a sparse `mat1`."""
    return rl.sparse.addmm(input, mat1, mat2, beta=beta, alpha=alpha)


# ---- ops that PyTorch's composites end in --------------------------------------------------------


def alias(input):
    """A view of all."""
    from rushlight.func.indexing import whole

    return whole(input)


def lift_fresh(input):
    """The tensor."""
    return input


def _unsafe_view(input, size):
    """A view that nothing else knows of."""
    from rushlight import _shown_ops  # noqa: F401  declares it

    return table["_unsafe_view"](input, size)


def index(input, indices):
    """The elements at the positions of each dimension; None keeps it whole."""
    if not indices:
        raise IndexError("aten::index: expected positions for a dimension, got an empty list")
    return table["index"](input, indices)


_unsafe_index = index


def linalg_vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None):  # noqa: A002
    """`linalg.vector_norm`."""
    return rl.linalg.vector_norm(input, ord, dim, keepdim, dtype=dtype)


def native_group_norm(input, weight, bias, N, C, HxW, group, eps):  # noqa: N803
    """The result, and the mean and the reciprocal deviation of each group of channels."""
    given = (weight, bias, N * group, group, HxW, eps)
    output, mean, rstd = table["_group_norm"](input, *given)
    return output, mean.reshape(N, group), rstd.reshape(N, group)


def _local_scalar_dense(input):
    """The number in a tensor of one element."""
    return input.item()


def _softmax(input, dim, half_to_float):
    """Softmax in the input's dtype."""
    return _halves(table["_softmax"], input, dim, half_to_float)


def _log_softmax(input, dim, half_to_float):
    """Its logarithm."""
    return _halves(table["_log_softmax"], input, dim, half_to_float)


def _halves(op, input, dim, half_to_float):
    if half_to_float:
        raise RuntimeError("softmax with half to float conversion is not supported on CPU")
    return op(input, dim)


def _softmax_backward_data(grad_output, output, dim, input_dtype):
    """Softmax's gradient."""
    return table["_softmax_backward"](grad_output, output, dim).to(input_dtype)


def _log_softmax_backward_data(grad_output, output, dim, input_dtype):
    """That of its logarithm."""
    return table["_log_softmax_backward"](grad_output, output, dim).to(input_dtype)


def gelu(input, *, approximate="none"):
    """`nn.functional.gelu`."""
    return rl.nn.functional.gelu(input, approximate=approximate)


def gelu_backward(grad_output, input, *, approximate="none"):
    """Its gradient."""
    name = "gelu_tanh_backward" if approximate == "tanh" else "gelu_backward"
    return table[name](grad_output, input)


def glu(input, dim=-1):
    """`nn.functional.glu`."""
    return rl.nn.functional.glu(input, dim)


def silu(input):
    """`nn.functional.silu`."""
    return rl.nn.functional.silu(input)


def mse_loss(input, target, reduction=1):
    """The mean (1), sum (2) or all (0) of squared differences."""
    return table["_mse"](input, target, reduction, 1.0)


def mse_loss_backward(grad_output, input, target, reduction):
    """Its gradient."""
    return table["_mse_slope"](grad_output, input, target, reduction, 1.0)


def nll_loss_forward(input, target, weight, reduction, ignore_index):
    """The loss and the weights' sum."""
    return table["_nll"](input, target, weight, ignore_index, reduction)


def nll_loss_backward(grad, input, target, weight, reduction, ignore_index, total_weight):
    """Its gradient."""
    given = (weight, ignore_index, reduction, total_weight)
    return table["_nll_backward"](grad, input, target, *given)


def convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    """A convolution of any number of dimensions, or its transpose."""
    if not transposed:
        given = (input, weight, bias, stride, padding, dilation, groups)
        return table["_conv_forward"](*given)
    dims = len(stride)
    function = getattr(rl.nn.functional, f"conv_transpose{dims}d")
    return function(input, weight, bias, stride, padding, output_padding, groups, dilation)


def convolution_backward(
    grad_output,
    input,
    weight,
    bias_sizes,
    stride,
    padding,
    dilation,
    transposed,
    output_padding,
    groups,
    output_mask,
):
    """The gradients of a convolution's input, weight and bias, as far as the mask asks for them."""
    where = (stride, padding, dilation, groups)
    given = None
    if output_mask[0] and transposed:
        given = table["_conv_forward"](grad_output, weight, None, *where)
    elif output_mask[0]:
        given = table["_conv_input"](grad_output, weight, None, input.shape[2:], *where)
    weights = None
    if output_mask[1]:
        pair = (input, grad_output) if transposed else (grad_output, input)
        weights = table["_conv_weight"](*pair, weight.shape[2:], *where)
    bias = None
    if output_mask[2]:
        bias = grad_output.sum([0, *range(2, grad_output.dim())])
    return given, weights, bias


def max_pool2d_with_indices(input, kernel_size, stride=(), padding=0, dilation=1, ceil_mode=False):
    """The largest of each window, and where they are."""
    return rl.nn.functional.max_pool2d(
        input, kernel_size, stride or None, padding, dilation, ceil_mode, return_indices=True
    )


def _adaptive_avg_pool2d(input, output_size):
    """`nn.functional.adaptive_avg_pool2d`."""
    return table["_adaptive_avg_pool"](input, output_size)


def avg_pool2d(input, *args, **kwargs):
    """`nn.functional.avg_pool2d`."""
    return rl.nn.functional.avg_pool2d(input, *args, **kwargs)


def native_layer_norm(input, normalized_shape, weight, bias, eps):
    """The result, and the mean and the reciprocal deviation of each row."""
    outer = input.shape[: input.dim() - len(normalized_shape)]
    rows = math.prod(outer)
    output, mean, rstd = table["_row_norm"](input, weight, bias, rows, 1, 1, eps)
    shape = (*outer, *(1,) * len(normalized_shape))
    return output, mean.reshape(shape), rstd.reshape(shape)


def native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps):
    """The result, and the mean and the reciprocal deviation of each channel."""
    given = (weight, bias, running_mean, running_var, training, momentum, eps)
    return table["_batch_norm"](input, *given)


def _scaled_dot_product_flash_attention_for_cpu(
    query, key, value, dropout_p=0.0, is_causal=False, *, attn_mask=None, scale=None
):
    """Attention, and the logarithms of its weights' sums."""
    if dropout_p:
        raise RuntimeError("scaled_dot_product_attention in one pass has no dropout on the CPU")
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    return table["_attention"](query, key, value, attn_mask, is_causal, scale)
