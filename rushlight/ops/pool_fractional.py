"""Fractional max pooling: windows at pseudo-random positions (Graham 2014)."""

import rushlight as rl
from rushlight.ops._elementwise import shown
from rushlight.ops._record import op
from rushlight.ops.pool import _pool_take, _spread


def _fractional_starts(sample, size, out, kernel):
    """Window starts of one dimension for random numbers `sample` (any shape): shape + (out,)."""
    if out == 1:
        return rl.full(sample.shape + (1,), size - kernel, dtype=rl.int64)
    if out == 0:
        return rl.empty(sample.shape + (0,), dtype=rl.int64)
    alpha = (size - kernel) / (out - 1)
    steps = rl.arange(out - 1, dtype=sample.dtype)
    starts = ((steps + sample.unsqueeze(-1)) * alpha).to(rl.int64) - (
        sample.unsqueeze(-1) * alpha
    ).to(rl.int64)
    last = rl.full(sample.shape + (1,), size - kernel, dtype=rl.int64)
    return rl.cat([starts, last], -1)


def _checked(name, argument, given, dims):
    sizes = _spread(given, dims)
    if len(sizes) != dims:
        raise RuntimeError(f"{name}: {argument} must be one number or {dims}, got {given}")
    if argument == "kernel_size" and min(sizes) < 1:
        raise RuntimeError(f"{name}: {argument} must be at least 1, got {given}")
    return sizes


def _fractional(dims, input, kernel_size, output_size, output_ratio, return_indices, samples):
    name = f"fractional_max_pool{dims}d"
    if (output_size is None) == (output_ratio is None):
        raise ValueError(
            f"{name} requires specifying either an output_size or an output_ratio, not both"
        )
    x = input if input.dim() == dims + 2 else input.unsqueeze(0)
    space = x.shape[2:]
    if 0 in input.shape[1:]:
        raise RuntimeError(
            f"{name}: expected non-zero sizes for the non-batch dimensions, got shape "
            f"{tuple(input.shape)}"
        )
    kernel = _checked(name, "kernel_size", kernel_size, dims)
    if output_size is None:
        ratio = (
            (output_ratio,) * dims if not isinstance(output_ratio, (tuple, list)) else output_ratio
        )
        if len(ratio) != dims:
            raise ValueError(f"{name}: output_ratio must be one number or {dims}, got {ratio}")
        output_size = [int(space[d] * ratio[d]) for d in range(dims)]
    out = _checked(name, "output_size", output_size, dims)
    for s, k, o in zip(space, kernel, out):
        if o + k - 1 > s - (dims == 3):
            raise RuntimeError(
                f"{name}: kernel size {kernel} and output size {out} are too large for input "
                f"size {tuple(space)}"
            )
    if samples is None:
        samples = rl.rand(x.shape[0], x.shape[1], dims, dtype=input.dtype)
    elif samples.shape[0] < x.shape[0]:
        raise RuntimeError(
            f"{name}: expected _random_samples for at least {x.shape[0]} inputs, got "
            f"{samples.shape[0]}"
        )
    values, indices = _fractional_windows(x, kernel, out, samples[: x.shape[0]])
    if input.dim() != dims + 2:
        values, indices = values.squeeze(0), indices.squeeze(0)
    return (values, indices) if return_indices else values


def _fractional_windows(x, kernel, out, samples):
    """Gathers every window's elements, then takes their maximum."""
    dims, space = len(kernel), x.shape[2:]
    flat_index = None
    for d in range(dims):
        # The last spatial dimension uses the first random number.
        starts = _fractional_starts(
            samples[:, :, dims - 1 - d] if dims == 2 else samples[:, :, d],
            space[d],
            out[d],
            kernel[d],
        )
        cells = starts.unsqueeze(-1) + rl.arange(kernel[d])
        shape = [*cells.shape[:2]] + [1] * (2 * dims)
        shape[2 + d], shape[2 + dims + d] = out[d], kernel[d]
        cells = cells.view(shape)
        flat_index = cells if flat_index is None else flat_index * space[d] + cells
    n, c = x.shape[:2]
    cells, taps = rl.Size(out).numel(), rl.Size(kernel).numel()
    windows = flat_index.expand(n, c, *out, *kernel).reshape(n, c, cells * taps)
    values = x.detach().reshape(n, c, space.numel()).gather(-1, windows).view(n, c, *out, taps)
    at = values.argmax(-1, keepdim=True)
    indices = windows.view(n, c, *out, taps).gather(-1, at).squeeze(-1)
    return _pool_take(x, indices, dims), indices


def _define_fractional(dims):
    arguments = (
        "(Tensor input, any kernel_size, any output_size=None, any output_ratio=None,"
        " bool return_indices={}, Tensor? _random_samples=None) -> Tensor"
    )

    plane, size = f"rl.ones(1, 1{', 5' * dims})", f"torch.Size([1, 1{', 2' * dims}])"

    node = f"FractionalMaxPool{dims}DBackward0"

    @op(
        f"fractional_max_pool{dims}d" + arguments.format(False),
        at=("nn.functional",),
        grad_name=node,
    )
    @shown(f"nn.functional.fractional_max_pool{dims}d({plane}, 2, output_size=2).shape", size)
    def pool(input, kernel_size, output_size, output_ratio, return_indices, _random_samples):
        """Max pooling over windows at pseudo-random positions (Graham 2014)."""
        return _fractional(
            dims, input, kernel_size, output_size, output_ratio, return_indices, _random_samples
        )

    @op(
        f"fractional_max_pool{dims}d_with_indices" + arguments.format(True),
        at=("nn.functional",),
        grad_name=node,
    )
    @shown(f"nn.functional.fractional_max_pool{dims}d_with_indices({plane}, 2, 2)[1].shape", size)
    def with_indices(
        input, kernel_size, output_size, output_ratio, return_indices, _random_samples
    ):
        """Fractional max pooling with the positions of the maxima."""
        return _fractional(
            dims, input, kernel_size, output_size, output_ratio, True, _random_samples
        )


for _dims in (2, 3):
    _define_fractional(_dims)
