"""Showing tensors: grids of images, files, boxes, masks and key points drawn on images, flow.

Reading and writing files as they are is in `io`. A new drawing is a function here.
"""

import math
import warnings

import rushlight as rl
from rushlight._notes import early_arguments

from ._pillow import pillow
from .transforms.functional import pil_to_tensor, to_pil_image

__all__ = [
    "draw_bounding_boxes",
    "draw_keypoints",
    "draw_segmentation_masks",
    "flow_to_image",
    "make_grid",
    "save_image",
]


@early_arguments(range="value_range")
def make_grid(
    tensor, nrow=8, padding=2, normalize=False, value_range=None, scale_each=False, pad_value=0.0
):
    """Images side by side, `(3, H, W)`.

    Args:
        tensor: `(N, C, H, W)`, `(C, H, W)`, `(H, W)`, or a list of `(C, H, W)`; one channel is
            made three.
        nrow: images in a row.
        padding, pad_value: width and value of what is between.
        normalize: whether values are scaled to [0, 1] from `value_range`, or from their own range.
        scale_each: whether each image has a range of its own.

    Example::

        >>> import rushlight as rl
        >>> from rushlight.vision.utils import make_grid
        >>> make_grid(rl.rand(5, 3, 4, 6), nrow=3).shape
        torch.Size([3, 14, 26])
    """
    if not isinstance(tensor, rl.Tensor):
        if not isinstance(tensor, list) or not all(isinstance(t, rl.Tensor) for t in tensor):
            raise TypeError(
                f"make_grid: expected a tensor or a list of tensors, got {type(tensor)}"
            )
        tensor = rl.stack(tensor)
    images = _as_colour_batch(tensor)
    if normalize:
        images = _normalized(images.clone(), value_range, scale_each)
    count, channels, height, width = images.shape
    if tensor.ndim != 4 or count == 1:
        return images.squeeze(0) if count == 1 else images
    cols = min(nrow, count)
    rows = math.ceil(count / cols)
    cell_h, cell_w = height + padding, width + padding
    grid = images.new_full((channels, rows * cell_h + padding, cols * cell_w + padding), pad_value)
    for i, image in enumerate(images):
        top, left = i // cols * cell_h + padding, i % cols * cell_w + padding
        grid[:, top : top + height, left : left + width] = image
    return grid


def _as_colour_batch(tensor):
    if tensor.ndim == 2:
        tensor = tensor.unsqueeze(0)
    if tensor.ndim == 3:
        tensor = tensor.unsqueeze(0)
    return rl.cat([tensor] * 3, 1) if tensor.shape[1] == 1 else tensor


def _normalized(images, value_range, scale_each):
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError("make_grid: value_range has to be a tuple (min, max)")

    def scale(part):
        low, high = value_range or (float(part.min()), float(part.max()))
        part.clamp_(min=low, max=high).sub_(low).div_(max(high - low, 1e-5))

    for part in images if scale_each else [images]:
        scale(part)
    return images


def save_image(tensor, fp, format=None, **kwargs):
    """Saves `make_grid(tensor, **kwargs)` of values in [0, 1] to a path or file."""
    grid = make_grid(tensor, **kwargs)
    pixels = grid.mul(255).add_(0.5).clamp_(0, 255).to(rl.uint8)
    to_pil_image(pixels).save(fp, format=format)


def _check_image(image, name):
    if not isinstance(image, rl.Tensor):
        raise TypeError(f"{name}: expected a tensor, got {type(image)}")
    if not (image.dtype == rl.uint8 or image.is_floating_point()):
        raise ValueError(f"{name}: expected a uint8 or floating image, got {image.dtype}")
    if image.ndim != 3:
        raise ValueError(f"{name}: expected one image (C, H, W), got {tuple(image.shape)}")


def _drawable(image):
    """A Pillow image of mode RGB, and the way back to the type of `image`."""
    image = image.expand(3, -1, -1) if image.shape[0] == 1 else image
    picture = to_pil_image(image)

    def back(drawn):
        out = pil_to_tensor(drawn)
        return out.to(image.dtype) / 255 if image.is_floating_point() else out

    return picture, back


def _palette(count):
    """`count` colours that differ."""
    base = (2**25 - 1, 2**15 - 1, 2**21 - 1)
    return [tuple(i * part % 255 for part in base) for i in range(count)]


def _colours(colors, count):
    """One RGB triple for each of `count` objects; from None, one colour, or a list."""
    if colors is None:
        return _palette(count)
    several = isinstance(colors, list)
    if several and len(colors) < count:
        raise ValueError(f"expected {count} colours, got {len(colors)}")
    parse = lambda c: pillow("ImageColor").getrgb(c) if isinstance(c, str) else tuple(c)
    return [parse(c) for c in colors[:count]] if several else [parse(colors)] * count


def draw_bounding_boxes(
    image, boxes, labels=None, colors=None, fill=False, width=1, font=None, font_size=None
):
    """Draws boxes `(N, 4)` as (x1, y1, x2, y2) on an image `(1 or 3, H, W)`.

    Images are of bytes or of floats in [0, 1].

    Args:
        labels: a text or None for each.
        colors: a name, a triple or a list of these; different ones by default.
        fill: whether to fill boxes with a transparent colour.
        width: of the lines.
        font, font_size: a TrueType file and its size for the labels.
    """
    _check_image(image, "draw_bounding_boxes")
    if image.shape[0] not in (1, 3):
        raise ValueError("draw_bounding_boxes: only grey and RGB images are supported")
    if len(boxes) == 0:
        warnings.warn("draw_bounding_boxes: there are no boxes to draw", stacklevel=2)
        return image
    if (boxes[:, 0] > boxes[:, 2]).any() or (boxes[:, 1] > boxes[:, 3]).any():
        raise ValueError("draw_bounding_boxes: expected x1 <= x2 and y1 <= y2")
    if labels is not None and len(labels) != len(boxes):
        raise ValueError(f"draw_bounding_boxes: {len(labels)} labels for {len(boxes)} boxes")
    picture, back = _drawable(image)
    draw = pillow("ImageDraw").Draw(picture, "RGBA" if fill else None)
    letters = _font(font, font_size)
    labels = labels or [None] * len(boxes)
    for box, colour, label in zip(
        boxes.to(rl.int64).tolist(), _colours(colors, len(boxes)), labels
    ):
        draw.rectangle(box, width=width, outline=colour, fill=(*colour, 100) if fill else None)
        if label is not None:
            draw.text((box[0] + width + 1, box[1] + width + 1), label, fill=colour, font=letters)
    return back(picture)


def _font(font, size):
    fonts = pillow("ImageFont")
    return fonts.load_default(size=size) if font is None else fonts.truetype(font, size or 10)


def draw_segmentation_masks(image, masks, alpha=0.8, colors=None):
    """Tints an RGB image `(3, H, W)` where boolean masks `(N, H, W)` or `(H, W)` are true.

    Where masks overlap the tint is black.

    Args:
        alpha: share of the tint, in [0, 1].
        colors: a name, a triple or a list of these; different ones by default.
    """
    _check_image(image, "draw_segmentation_masks")
    if image.shape[0] != 3:
        raise ValueError("draw_segmentation_masks: expected an RGB image")
    masks = masks.unsqueeze(0) if masks.ndim == 2 else masks
    if masks.ndim != 3 or masks.dtype != rl.bool or masks.shape[-2:] != image.shape[-2:]:
        raise ValueError("draw_segmentation_masks: expected boolean masks of the image's size")
    if len(masks) == 0:
        warnings.warn("draw_segmentation_masks: there are no masks to draw", stacklevel=2)
        return image
    painted = image.detach().clone()
    for mask, colour in zip(masks, _colours(colors, len(masks))):
        tint = rl.tensor(colour, dtype=rl.uint8)
        tint = tint.to(image.dtype) / 255 if image.is_floating_point() else tint
        painted[:, mask] = tint[:, None]
    painted[:, masks.sum(0) > 1] = 0
    mixed = image * (1 - alpha) + painted * alpha
    untouched = ~masks.any(0)
    mixed[:, untouched] = image[:, untouched].to(mixed.dtype)
    return mixed.to(image.dtype)


def draw_keypoints(
    image, keypoints, connectivity=None, colors=None, radius=2, width=3, visibility=None
):
    """Draws key points `(instances, K, 2)` as (x, y) on an RGB image `(3, H, W)`.

    Args:
        connectivity: pairs of indices of points that white lines join.
        colors: a name, a triple, or a list of these, one an instance.
        radius, width: of points and lines.
        visibility: boolean `(instances, K)`; what isn't visible isn't drawn.
    """
    _check_image(image, "draw_keypoints")
    if image.shape[0] != 3:
        raise ValueError("draw_keypoints: expected an RGB image")
    if keypoints.ndim != 3 or keypoints.shape[-1] != 2:
        raise ValueError(f"draw_keypoints: expected (N, K, 2), got {tuple(keypoints.shape)}")
    seen = rl.ones(keypoints.shape[:-1], dtype=rl.bool) if visibility is None else visibility.bool()
    seen = seen.squeeze(-1) if seen.ndim == 3 else seen
    if seen.shape != keypoints.shape[:-1]:
        raise ValueError("draw_keypoints: expected a visibility for each point")
    picture, back = _drawable(image)
    draw = pillow("ImageDraw").Draw(picture)
    colours = [None] * len(keypoints) if colors is None else _colours(colors, len(keypoints))
    for points, shown, colour in zip(keypoints.to(rl.int64).tolist(), seen.tolist(), colours):
        for (x, y), visible in zip(points, shown):
            if visible:
                corners = (x - radius, y - radius, x + radius, y + radius)
                draw.ellipse(corners, fill=colour, outline=None, width=0)
        for a, b in connectivity or ():
            if shown[a] and shown[b]:
                draw.line((*points[a], *points[b]), width=width)  # in white
    return back(picture)


def flow_to_image(flow):
    """Colours for flow `(N, 2, H, W)` or `(2, H, W)`: hue is direction, saturation is length.

    The colours are those of Baker et al.: A database and evaluation methodology for optical flow
    (2007). Lengths are relative to the greatest. Returns uint8 of three channels.
    """
    if not flow.is_floating_point():
        raise ValueError(f"flow_to_image: expected a floating tensor, got {flow.dtype}")
    single = flow.ndim == 3
    batch = flow.unsqueeze(0) if single else flow
    if batch.ndim != 4 or batch.shape[1] != 2:
        raise ValueError(f"flow_to_image: expected (2, H, W) or (N, 2, H, W), got {flow.shape}")
    longest = batch.square().sum(1).sqrt().max()
    picture = _flow_colours(batch / (longest + rl.finfo(batch.dtype).eps))
    return picture.squeeze(0) if single else picture


def _flow_colours(flow):
    wheel = _colour_wheel()
    length = flow.square().sum(1).sqrt()
    angle = rl.atan2(-flow[:, 1], -flow[:, 0]) / math.pi
    place = (angle + 1) / 2 * (len(wheel) - 1)
    low = place.floor().long()
    high = (low + 1) % len(wheel)
    share = (place - low).unsqueeze(-1)
    colour = (1 - share) * wheel[low] / 255.0 + share * wheel[high] / 255.0
    colour = 1 - length.unsqueeze(-1) * (1 - colour)
    return (255 * colour).floor().to(rl.uint8).permute(0, 3, 1, 2)


def _colour_wheel():
    """`(55, 3)`: from red to magenta, with as many steps between as the eye tells apart."""
    # Steps of a segment, the channel that is full, the one that changes, whether it rises.
    segments = [
        (15, 0, 1, True),
        (6, 1, 0, False),
        (4, 1, 2, True),
        (11, 2, 1, False),
        (13, 2, 0, True),
        (6, 0, 2, False),
    ]
    rows = []
    for steps, full, changing, rises in segments:
        ramp = (255 * rl.arange(steps, dtype=rl.float32) / steps).floor()
        part = rl.zeros(steps, 3)
        part[:, full] = 255
        part[:, changing] = ramp if rises else 255 - ramp
        rows.append(part)
    return rl.cat(rows)
