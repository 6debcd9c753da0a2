"""Fractional max pooling: windows at pseudo-random positions (Graham 2014)."""

import rushlight as rl
from rushlight.ops._elementwise import shown
from rushlight.ops._record import op
from rushlight.ops.pool import _spread, _to_maxima


@op(
    "_fractional_max(Tensor input, Tensor samples, int[] kernel_size, int[] output_size) "
    "-> (Tensor values, Tensor indices)",
    at=("internal",),
    grad_name="FractionalMaxPoolBackward0",
)
def _fractional_max(input, samples, kernel_size, output_size):
    """Maxima of windows, which random numbers for each plane and dimension place."""
    ...


_fractional_max.vjp(
    input=lambda g_values, indices, input, kernel_size: _to_maxima(
        g_values, indices, input, kernel_size
    )
)


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
    space = input.shape[-dims:]
    if input.dim() not in (dims + 1, dims + 2) or 0 in input.shape[-dims - 1 :]:
        raise RuntimeError(
            f"{name}: expected a {dims + 1}D or {dims + 2}D input with non-zero sizes for the "
            f"non-batch dimensions, got shape {tuple(input.shape)}"
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
    samples = _samples_of(name, input, dims, samples)
    values, indices = _fractional_max(input, samples, kernel, out)
    return (values, indices) if return_indices else values


def _samples_of(name, input, dims, samples):
    """Random numbers for each plane and dimension: the ones given, of at least as many inputs."""
    batch = input.shape[0] if input.dim() == dims + 2 else 1
    shape = (batch, input.shape[-dims - 1], dims)
    if samples is None:
        return rl.rand(*shape, dtype=input.dtype)
    fits = samples.dim() == 3 and samples.shape[0] >= batch and samples.shape[1:] == shape[1:]
    if not fits or samples.dtype != input.dtype:
        raise RuntimeError(
            f"{name}: expected _random_samples of {input.dtype} and the shape {shape}, or of more "
            f"inputs, got {samples.dtype} and {tuple(samples.shape)}"
        )
    return samples[:batch]


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
