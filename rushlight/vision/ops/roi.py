"""Pooling of regions of feature maps: aligned or in whole pixels, plain or position-sensitive.

Bilinear reading is separable, so an aligned region is two small matrices, one for each axis.
"""

import math

import rushlight as rl
from rushlight import nn

__all__ = [
    "PSRoIAlign",
    "PSRoIPool",
    "RoIAlign",
    "RoIPool",
    "ps_roi_align",
    "ps_roi_pool",
    "roi_align",
    "roi_pool",
]


def _rois(boxes, name):
    """`(K, 5)`: index of the image and corners; from that, or from one tensor an image."""
    if isinstance(boxes, (list, tuple)):
        for part in boxes:
            if part.ndim != 2 or part.shape[1] != 4:
                raise ValueError(f"{name}: expected boxes (L, 4), got {tuple(part.shape)}")
        numbered = [rl.cat([rl.full_like(part[:, :1], i), part], 1) for i, part in enumerate(boxes)]
        return rl.cat(numbered)
    if boxes.ndim != 2 or boxes.shape[1] != 5:
        raise ValueError(f"{name}: expected boxes (K, 5), got {tuple(boxes.shape)}")
    return boxes


def _pair(size):
    return (size, size) if isinstance(size, int) else tuple(size)


def _reading(begin, length, bins, samples, size, dtype):
    """`(bins, size)`: weights of the pixels of one axis in the mean of each bin's samples."""
    samples = samples if samples > 0 else math.ceil(length / bins)
    steps = (rl.arange(bins * samples, dtype=dtype) + 0.5) * (length / bins / max(samples, 1))
    at = steps + begin
    inside = (at >= -1.0) & (at <= size)
    at = at.clamp(0, size - 1)  # the last pixel goes on to the border
    low = at.floor()
    share = at - low
    low = low.long()
    pixels = rl.arange(size)
    near = (low[:, None] == pixels).to(dtype) * (1 - share)[:, None]
    far = ((low + 1)[:, None] == pixels).to(dtype) * share[:, None]
    weights = (near + far) * inside[:, None]
    return weights.view(bins, samples, size).sum(1) / max(samples, 1)


def _axes(input, roi, output_size, scale, offset, sampling_ratio, least):
    """Reading matrices for rows and columns of a region."""
    _, x1, y1, x2, y2 = roi
    matrices = []
    for begin, end, bins, size in (
        (y1, y2, output_size[0], input.shape[2]),
        (x1, x2, output_size[1], input.shape[3]),
    ):
        begin, end = begin * scale - offset, end * scale - offset
        length = max(end - begin, least)
        matrices.append(_reading(begin, length, bins, sampling_ratio, size, input.dtype))
    return matrices


def roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1, aligned=False):
    """Means of bilinear samples in the bins of regions (He et al. 2017).

    Args:
        input: `(N, C, H, W)`.
        boxes: `(K, 5)` with the image's index first, or a list of `(L, 4)`, one an image.
        output_size: bins (height, width) or one number.
        spatial_scale: from the boxes' coordinates to the input's.
        sampling_ratio: samples a bin along each axis; as many as pixels if not positive.
        aligned: whether pixel centres are at half coordinates, as they should be.

    Returns `(K, C, *output_size)`. Differentiable in `input`.
    """
    size = _pair(output_size)
    rois = _rois(boxes, "roi_align").detach().tolist()
    offset, least = (0.5, 0.0) if aligned else (0.0, 1.0)
    found = []
    for roi in rois:
        rows, cols = _axes(input, roi, size, spatial_scale, offset, sampling_ratio, least)
        found.append(rows @ input[int(roi[0])] @ cols.T)
    return rl.stack(found) if found else input.new_zeros((0, input.shape[1], *size))


def _position_channels(input, size, name):
    """Channels of the output; the input has one for each bin."""
    bins = size[0] * size[1]
    if input.shape[1] % bins:
        raise RuntimeError(f"{name}: {input.shape[1]} channels are no multiple of {bins} bins")
    return input.shape[1] // bins


def ps_roi_align(input, boxes, output_size, spatial_scale=1.0, sampling_ratio=-1):
    """`roi_align` where every bin reads channels of its own (Li et al. 2017).

    `input` is `(N, C * bins, H, W)`; the result `(K, C, *output_size)`.
    """
    size = _pair(output_size)
    channels = _position_channels(input, size, "ps_roi_align")
    found = []
    for roi in _rois(boxes, "ps_roi_align").detach().tolist():
        rows, cols = _axes(input, roi, size, spatial_scale, 0.5, sampling_ratio, -math.inf)
        maps = input[int(roi[0])].view(channels, *size, *input.shape[2:])
        found.append(((rows[:, None, None] @ maps) @ cols[..., None]).squeeze(-1).squeeze(-1))
    return rl.stack(found) if found else input.new_zeros((0, channels, *size))


def _round(value):
    """Halves away from zero, as C does."""
    return math.floor(abs(value) + 0.5) * (1 if value >= 0 else -1)


def _bins(begin, length, bins, size):
    """First and last pixel of each bin, cut to the image."""
    step = length / bins
    clip = lambda v: min(max(v, 0), size)
    return [
        (clip(math.floor(i * step) + begin), clip(math.ceil((i + 1) * step) + begin))
        for i in range(bins)
    ]


def _whole_bins(input, roi, size, scale, last):
    """Bins of rows and columns; `last` is one if the last pixels count."""
    x1, y1, x2, y2 = (_round(v * scale) for v in roi[1:])
    height, width = (length - 1 + last for length in input.shape[2:])
    rows = _bins(y1, max(y2 - y1 + last, 1), size[0], height)
    return rows, _bins(x1, max(x2 - x1 + last, 1), size[1], width)


def roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Maxima over the bins of regions, rounded to whole pixels (Girshick 2015).

    Arguments are those of `roi_align`; empty bins give zero.
    """
    size = _pair(output_size)
    found = []
    for roi in _rois(boxes, "roi_pool").detach().tolist():
        rows, cols = _whole_bins(input, roi, size, spatial_scale, 1)
        image, zero = input[int(roi[0])], input.new_zeros(input.shape[1])
        cells = [
            image[:, top:bottom, left:right].amax((1, 2)) if bottom > top and right > left else zero
            for top, bottom in rows
            for left, right in cols
        ]
        found.append(rl.stack(cells, 1).view(-1, *size))
    return rl.stack(found) if found else input.new_zeros((0, input.shape[1], *size))


def ps_roi_pool(input, boxes, output_size, spatial_scale=1.0):
    """Means over whole pixels where every bin reads channels of its own (Dai et al. 2016)."""
    size = _pair(output_size)
    channels = _position_channels(input, size, "ps_roi_pool")
    found = []
    for roi in _rois(boxes, "ps_roi_pool").detach().tolist():
        rows, cols = _whole_bins(input, roi, size, spatial_scale, 0)
        maps = input[int(roi[0])].view(channels, *size, *input.shape[2:])
        zero = input.new_zeros(channels)
        cells = [
            maps[:, i, j, top:bottom, left:right].mean((1, 2))
            if bottom > top and right > left
            else zero
            for i, (top, bottom) in enumerate(rows)
            for j, (left, right) in enumerate(cols)
        ]
        found.append(rl.stack(cells, 1).view(-1, *size))
    return rl.stack(found) if found else input.new_zeros((0, channels, *size))


class _Pooling(nn.Module):
    """Base: a function of features and boxes with its arguments kept."""

    _function = None

    def __init__(self, **options):
        super().__init__()
        self._names = tuple(options)
        for name, value in options.items():
            setattr(self, name, value)

    def forward(self, input, rois):
        options = {name: getattr(self, name) for name in self._names}
        return self._function(input, rois, **options)

    def __repr__(self):
        shown = ", ".join(f"{name}={getattr(self, name)}" for name in self._names)
        return f"{type(self).__name__}({shown})"


class RoIAlign(_Pooling):
    """`roi_align` as a layer of features and boxes."""

    _function = staticmethod(roi_align)

    def __init__(self, output_size, spatial_scale, sampling_ratio, aligned=False):
        super().__init__(
            output_size=output_size,
            spatial_scale=spatial_scale,
            sampling_ratio=sampling_ratio,
            aligned=aligned,
        )


class PSRoIAlign(_Pooling):
    """`ps_roi_align` as a layer of features and boxes."""

    _function = staticmethod(ps_roi_align)

    def __init__(self, output_size, spatial_scale, sampling_ratio):
        super().__init__(
            output_size=output_size, spatial_scale=spatial_scale, sampling_ratio=sampling_ratio
        )


class RoIPool(_Pooling):
    """`roi_pool` as a layer of features and boxes."""

    _function = staticmethod(roi_pool)

    def __init__(self, output_size, spatial_scale):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)


class PSRoIPool(_Pooling):
    """`ps_roi_pool` as a layer of features and boxes."""

    _function = staticmethod(ps_roi_pool)

    def __init__(self, output_size, spatial_scale):
        super().__init__(output_size=output_size, spatial_scale=spatial_scale)
