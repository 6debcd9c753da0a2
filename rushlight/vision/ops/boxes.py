"""Boxes `(x1, y1, x2, y2)`: areas, conversions, overlaps, duplicates.

Overlaps are of all pairs, `(N, M)` of `(N, 4)` and `(M, 4)`; losses of paired boxes: `losses.py`.
"""

import math

import rushlight as rl

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]


def nms(boxes, scores, iou_threshold):
    """Indices of the boxes that stay, best first: each drops those that overlap it by more.

    Args:
        boxes: `(N, 4)`.
        scores: `(N,)`.
        iou_threshold: overlaps above it are duplicates.

    Example::

        >>> import rushlight as rl
        >>> from rushlight.vision.ops import nms
        >>> boxes = rl.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 1.9], [5.0, 5.0, 6.0, 6.0]])
        >>> nms(boxes, rl.tensor([0.5, 0.9, 0.8]), 0.5)
        tensor([1, 2])
    """
    if boxes.ndim != 2 or boxes.shape[-1] != 4:
        raise RuntimeError(f"nms: expected boxes of shape (N, 4), got {tuple(boxes.shape)}")
    if scores.ndim != 1 or len(scores) != len(boxes):
        raise RuntimeError(f"nms: expected {len(boxes)} scores, got shape {tuple(scores.shape)}")
    order = scores.argsort(dim=0, descending=True, stable=True)
    ranked, kept = boxes.detach()[order], []
    left = rl.arange(len(order))
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        left = left[box_iou(ranked[best : best + 1], ranked[left])[0] <= iou_threshold]
    return order[rl.tensor(kept, dtype=rl.int64)]


def batched_nms(boxes, scores, idxs, iou_threshold):
    """`nms` within each of the categories `idxs`."""
    if boxes.numel() == 0:
        return rl.empty(0, dtype=rl.int64)
    kept = rl.zeros(len(boxes), dtype=rl.bool)
    for category in rl.unique(idxs):
        members = (idxs == category).nonzero().squeeze(1)
        kept[members[nms(boxes[members], scores[members], iou_threshold)]] = True
    kept = kept.nonzero().squeeze(1)
    return kept[scores[kept].argsort(descending=True)]


def remove_small_boxes(boxes, min_size):
    """Indices of the boxes that are at least `min_size` wide and high."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return (sides >= min_size).all(1).nonzero().squeeze(1)


def clip_boxes_to_image(boxes, size):
    """`boxes` `(..., 4)` with coordinates within an image of `size` (height, width)."""
    height, width = size
    x = boxes[..., 0::2].clamp(min=0, max=width)
    y = boxes[..., 1::2].clamp(min=0, max=height)
    return rl.stack((x, y), dim=-1).flatten(-2)


def _from_xyxy(boxes, fmt):
    x1, y1, x2, y2 = boxes.unbind(-1)
    if fmt == "xywh":
        return rl.stack((x1, y1, x2 - x1, y2 - y1), -1)
    return rl.stack(((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1), -1)


def _to_xyxy(boxes, fmt):
    x, y, w, h = boxes.unbind(-1)
    if fmt == "xywh":
        return rl.stack((x, y, x + w, y + h), -1)
    return rl.stack((x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h), -1)


def box_convert(boxes, in_fmt, out_fmt):
    """Converts `(..., 4)` between corners "xyxy", corner and size "xywh", centre "cxcywh"."""
    known = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(f"box_convert: expected formats of {known}, got {in_fmt}, {out_fmt}")
    if in_fmt == out_fmt:
        return boxes.clone()
    corners = boxes if in_fmt == "xyxy" else _to_xyxy(boxes, in_fmt)
    return corners if out_fmt == "xyxy" else _from_xyxy(corners, out_fmt)


def _wide(values):
    """In a type that products and sums do not overflow."""
    if values.is_floating_point():
        return values if values.dtype in (rl.float32, rl.float64) else values.float()
    return values if values.dtype in (rl.int32, rl.int64) else values.int()


def box_area(boxes):
    """Areas of `(..., 4)`."""
    sides = _wide(boxes)[..., 2:] - _wide(boxes)[..., :2]
    return sides[..., 0] * sides[..., 1]


def _overlap(boxes1, boxes2):
    """Intersections and unions of all pairs."""
    low = rl.maximum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = rl.minimum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    sides = _wide(high - low).clamp(min=0)
    inter = sides[..., 0] * sides[..., 1]
    return inter, box_area(boxes1)[..., :, None] + box_area(boxes2)[..., None, :] - inter


def _hull_sides(boxes1, boxes2):
    """Width and height of the smallest boxes around all pairs."""
    low = rl.minimum(boxes1[..., :, None, :2], boxes2[..., None, :, :2])
    high = rl.maximum(boxes1[..., :, None, 2:], boxes2[..., None, :, 2:])
    return _wide(high - low).clamp(min=0)


def box_iou(boxes1, boxes2):
    """Intersection over union of all pairs, `(N, M)`."""
    inter, union = _overlap(boxes1, boxes2)
    return inter / union


def generalized_box_iou(boxes1, boxes2):
    """IoU minus the unused share of the smallest box around both (Rezatofighi et al. 2019)."""
    inter, union = _overlap(boxes1, boxes2)
    sides = _hull_sides(boxes1, boxes2)
    hull = sides[..., 0] * sides[..., 1]
    return inter / union - (hull - union) / hull


def distance_box_iou(boxes1, boxes2, eps=1e-7):
    """IoU minus the squared distance of centres over that of the hull's corners (Zheng 2020)."""
    return _distance_and_plain(boxes1, boxes2, eps)[0]


def _distance_and_plain(boxes1, boxes2, eps):
    iou = box_iou(boxes1, boxes2)
    diagonal = _hull_sides(boxes1, boxes2).square().sum(-1) + eps
    centre1, centre2 = ((b[..., :2] + b[..., 2:]) / 2 for b in (_wide(boxes1), _wide(boxes2)))
    apart = (centre1[..., :, None, :] - centre2[..., None, :, :]).square().sum(-1)
    return iou - apart / diagonal, iou


def complete_box_iou(boxes1, boxes2, eps=1e-7):
    """Distance IoU minus a term for different aspect ratios (Zheng et al. 2020)."""
    diou, iou = _distance_and_plain(boxes1, boxes2, eps)
    angle1, angle2 = (
        rl.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1]))
        for b in (_wide(boxes1), _wide(boxes2))
    )
    v = (4 / math.pi**2) * (angle1[..., :, None] - angle2[..., None, :]).square()
    with rl.no_grad():
        alpha = v / (1 - iou + v + eps)
    return diou - alpha * v


def masks_to_boxes(masks):
    """The boxes `(N, 4)` around the non-zero pixels of masks `(N, H, W)`."""
    boxes = rl.zeros(len(masks), 4)
    for i, mask in enumerate(masks):
        y, x = rl.where(mask != 0)
        boxes[i] = rl.stack([x.min(), y.min(), x.max(), y.max()])
    return boxes
