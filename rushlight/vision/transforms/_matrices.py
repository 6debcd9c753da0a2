"""Coefficients of geometric transforms, as lists of Python numbers; nothing here sees an image.

All map output pixels to input pixels, which is the direction in which images are resampled.
"""

import math

import rushlight as rl


def inverse_affine(center, angle, translate, scale, shear):
    """Row-major 2x3 inverse of translate . center . rotate . shear . scale . -center.

    Angles are in degrees, clockwise; `shear` is a pair (x, y).
    """
    rotation = math.radians(angle)
    shear_x, shear_y = (math.radians(value) for value in shear)
    cx, cy = center
    tx, ty = translate
    # Rotation after shear, RSS in the text books: [[a, b], [c, d]] has determinant one.
    a = math.cos(rotation - shear_y) / math.cos(shear_y)
    b = -a * math.tan(shear_x) - math.sin(rotation)
    c = math.sin(rotation - shear_y) / math.cos(shear_y)
    d = -c * math.tan(shear_x) + math.cos(rotation)
    m00, m01, m10, m11 = d / scale, -b / scale, -c / scale, a / scale
    offset_x = m00 * (-cx - tx) + m01 * (-cy - ty) + cx
    offset_y = m10 * (-cx - tx) + m11 * (-cy - ty) + cy
    return [m00, m01, offset_x, m10, m11, offset_y]


def affine_output_size(matrix, width, height):
    """`(width, height)` of the box around the transformed image, which is centred at the origin."""
    x, y = 0.5 * width, 0.5 * height
    corners = rl.tensor([[-x, -y, 1.0], [-x, y, 1.0], [x, y, 1.0], [x, -y, 1.0]])
    moved = corners @ rl.tensor(matrix).view(2, 3).T + rl.tensor([x, y])
    # Whole numbers that rounding moved a little must not grow the image by a pixel.
    tolerance = 1e-4
    high = ((moved.amax(0) / tolerance).trunc() * tolerance).ceil()
    low = ((moved.amin(0) / tolerance).trunc() * tolerance).floor()
    size = high - low
    return int(size[0]), int(size[1])


def perspective(startpoints, endpoints):
    """The eight coefficients (a, ..., h) of x' = (ax + by + c) / (gx + hy + 1), y' alike.

    They take each end point back to its start point.
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            "perspective: expected four start points and four end points, "
            f"got {len(startpoints)} and {len(endpoints)}"
        )
    rows = []
    for (x, y), (u, v) in zip(endpoints, startpoints):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    system = rl.tensor(rows, dtype=rl.float64)
    wanted = rl.tensor(startpoints, dtype=rl.float64).view(8)
    return rl.linalg.lstsq(system, wanted).solution.to(rl.float32).tolist()
