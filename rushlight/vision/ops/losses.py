"""Losses of detection: focal loss, and IoU losses of paired boxes `(..., 4)`."""

import math

import rushlight as rl
import rushlight.nn.functional as F

__all__ = [
    "complete_box_iou_loss",
    "distance_box_iou_loss",
    "generalized_box_iou_loss",
    "sigmoid_focal_loss",
]


def _reduced(loss, reduction, name):
    if reduction == "none":
        return loss
    if reduction == "sum":
        return loss.sum()
    if reduction == "mean":
        return loss.mean() if loss.numel() > 0 else 0.0 * loss.sum()
    raise ValueError(f"{name}: expected reduction none, mean or sum, got {reduction!r}")


def sigmoid_focal_loss(inputs, targets, alpha=0.25, gamma=2, reduction="none"):
    """Cross entropy that weighs easy examples less (Lin et al. 2017).

    Args:
        inputs: logits.
        targets: zeros and ones, of the same shape.
        alpha: weight of the ones, in [0, 1], or negative for none.
        gamma: exponent of the easiness.
    """
    if not (0 <= alpha <= 1) and alpha != -1:
        raise ValueError(f"sigmoid_focal_loss: expected alpha in [0, 1] or -1, got {alpha}")
    p = inputs.sigmoid()
    entropy = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    right = p * targets + (1 - p) * (1 - targets)
    loss = entropy * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction, "sigmoid_focal_loss")


def _pairs(boxes1, boxes2, eps):
    """IoU of pairs, their union, and the sides of the boxes around both."""
    boxes1, boxes2 = (
        b.float() if b.dtype in (rl.float16, rl.bfloat16) else b for b in (boxes1, boxes2)
    )
    low = rl.maximum(boxes1[..., :2], boxes2[..., :2])
    high = rl.minimum(boxes1[..., 2:], boxes2[..., 2:])
    overlaps = (high > low).all(-1)
    inter = rl.where(overlaps, (high - low).prod(-1), 0.0)
    union = sum((b[..., 2:] - b[..., :2]).prod(-1) for b in (boxes1, boxes2)) - inter
    hull = rl.maximum(boxes1[..., 2:], boxes2[..., 2:]) - rl.minimum(
        boxes1[..., :2], boxes2[..., :2]
    )
    return boxes1, boxes2, inter / (union + eps), union, hull


def generalized_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """One minus the generalised IoU of pairs (Rezatofighi et al. 2019)."""
    _, _, iou, union, hull = _pairs(boxes1, boxes2, eps)
    area = hull.prod(-1)
    loss = 1 - (iou - (area - union) / (area + eps))
    return _reduced(loss, reduction, "generalized_box_iou_loss")


def _distance_loss(boxes1, boxes2, eps):
    boxes1, boxes2, iou, _, hull = _pairs(boxes1, boxes2, eps)
    diagonal = hull.square().sum(-1) + eps
    apart = (boxes1[..., :2] + boxes1[..., 2:]) / 2 - (boxes2[..., :2] + boxes2[..., 2:]) / 2
    return boxes1, boxes2, 1 - iou + apart.square().sum(-1) / diagonal, iou


def distance_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """One minus the distance IoU of pairs (Zheng et al. 2020)."""
    loss = _distance_loss(boxes1, boxes2, eps)[2]
    return _reduced(loss, reduction, "distance_box_iou_loss")


def complete_box_iou_loss(boxes1, boxes2, reduction="none", eps=1e-7):
    """One minus the complete IoU of pairs (Zheng et al. 2020)."""
    boxes1, boxes2, loss, iou = _distance_loss(boxes1, boxes2, eps)
    angle1, angle2 = (
        rl.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (boxes1, boxes2)
    )
    v = (4 / math.pi**2) * (angle2 - angle1).square()
    with rl.no_grad():
        alpha = v / (1 - iou + v + eps)
    return _reduced(loss + alpha * v, reduction, "complete_box_iou_loss")
