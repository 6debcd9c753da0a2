"""Dropout in its variants. All draw their masks from the default generator with bernoulli_."""

import rushlight as rl
from rushlight.ops._decisions import unset, unset_like
from rushlight.ops._elementwise import shown
from rushlight.ops._record import op

_NN = ("nn.functional",)


def _check(p):
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


def _kept(input, shape, p):
    """Zeros with probability p, else ones, of a shape or laid out as the input is (None); outside
    any graph.
    """
    noise = unset(shape, input.dtype, input.device) if shape else unset_like(input)
    return noise.bernoulli_(1 - p)


def _dropped(input, shape, p, training, inplace):
    _check(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * rl.zeros((), dtype=input.dtype)
    noise = _kept(input, shape, p).div_(1 - p)
    return input.mul_(noise) if inplace else input * noise


def _channels(input):
    if input.dim() < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return tuple(input.shape[:2]) + (1,) * (input.dim() - 2)


@op("dropout(Tensor input, float p=0.5, bool training=True, bool inplace=False) -> Tensor", at=_NN)
def dropout(input, p, training, inplace):
    """Zeroes each element with probability p and scales the others by 1 / (1 - p)
    (Hinton et al. 2012).

    Example::

        >>> rl.nn.functional.dropout(rl.ones(3), training=False).tolist()
        [1.0, 1.0, 1.0]
    """
    return _dropped(input, None, p, training, inplace)


@op("dropout.torch(Tensor input, float p, bool train) -> Tensor", at=("torch",))
def _torch_dropout(input, p, train):
    """As `rushlight.nn.functional.dropout`.

    Example::

        >>> rl.dropout(rl.ones(2), 0.5, False)
        tensor([1., 1.])
    """
    return _dropped(input, None, p, train, False)


def _check_dims(dims, input):
    """1-d: raises for other inputs than its own. The others have long taken any, and warn."""
    if input.dim() in (dims + 1, dims + 2) and not (dims == 2 and input.dim() == 3):
        return
    name, given = f"dropout{dims}d", tuple(input.shape)
    if dims == 1:
        raise RuntimeError(f"{name}: expected a 2-d or 3-d input, got shape {given}")
    import warnings

    if dims == 2 and input.dim() == 3:
        about = "an input of 3 dimensions is taken as (N, C, L); call dropout1d for that"
    else:
        about = f"expected {dims + 1} or {dims + 2} dimensions, got shape {given}"
    warnings.warn(f"{name}: {about}", UserWarning, stacklevel=4)


def _feature_dropout(dims, input, p, training, inplace):
    _check(p)
    _check_dims(dims, input)
    unbatched = dims != 2 and input.dim() == dims + 1
    x = input.unsqueeze(0) if unbatched else input
    y = _dropped(x, _channels(x), p, training, inplace) if training else x
    if inplace:
        return input
    return y.squeeze(0) if unbatched else y


def _define(dims):
    @op(
        f"dropout{dims}d(Tensor input, float p=0.5, bool training=True, "
        "bool inplace=False) -> Tensor",
        at=_NN,
    )
    @shown(
        f"nn.functional.dropout{dims}d(rl.ones(1, 1{', 2' * dims}), training=False).shape",
        f"torch.Size([1, 1{', 2' * dims}])",
    )
    def feature(input, p, training, inplace):
        """Zeroes whole channels with probability p and scales the others by 1 / (1 - p)."""
        return _feature_dropout(dims, input, p, training, inplace)


for _dims in (1, 2, 3):
    _define(_dims)


@op("feature_dropout(Tensor input, float p, bool train) -> Tensor", at=("torch",))
def feature_dropout(input, p, train):
    """Zeroes whole channels with probability p and scales the others by 1 / (1 - p).

    Example::

        >>> rl.feature_dropout(rl.ones(1, 2, 1), 0.5, False).shape
        torch.Size([1, 2, 1])
    """
    return _dropped(input, _channels(input), p, train, False)


def _alpha(input, shape, p, training, inplace):
    _check(p)
    if p == 0 or not training or input.numel() == 0:
        return input
    if p == 1:
        return input.mul_(0) if inplace else input * rl.zeros((), dtype=input.dtype)
    alpha = 1.7580993408473766  # selu's negative saturation value
    a = 1.0 / ((alpha * alpha * p + 1) * (1 - p)) ** 0.5
    noise = _kept(input, shape, p)
    shift = (noise - 1).mul_(alpha * a).add_(alpha * a * p)
    noise.mul_(a)
    return input.mul_(noise).add_(shift) if inplace else input * noise + shift


@op(
    "alpha_dropout(Tensor input, float p=0.5, bool training=False, bool inplace=False) -> Tensor",
    at=_NN,
)
def alpha_dropout(input, p, training, inplace):
    """Dropout that keeps mean and variance of selu networks (Klambauer et al. 2017).

    Example::

        >>> rl.nn.functional.alpha_dropout(rl.ones(2), 0.5, False)
        tensor([1., 1.])
    """
    return _alpha(input, None, p, training, inplace)


@op(
    "feature_alpha_dropout(Tensor input, float p=0.5, bool training=False, "
    "bool inplace=False) -> Tensor",
    at=_NN,
)
def feature_alpha_dropout(input, p, training, inplace):
    """`alpha_dropout` of whole channels.

    Example::

        >>> rl.nn.functional.feature_alpha_dropout(rl.ones(1, 2, 1), 0.5, False).shape
        torch.Size([1, 2, 1])
    """
    shape = _channels(input) if training and p not in (0, 1) else None
    return _alpha(input, shape, p, training, inplace)
