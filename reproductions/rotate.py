"""Rotation without floating point: nearest neighbour in 16.16 fixed point.

It gives the pixels that Pillow's ``Image.rotate`` gives, and needs neither it nor a cosine at run time.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

FRACTION_BITS = 16


class Affine(NamedTuple):
    """Where a pixel (x, y) of the result comes from, in 16.16 fixed point: (a*x + b*y + c, d*x + e*y + f)."""

    a: int
    b: int
    c: int
    d: int
    e: int
    f: int


# By (degrees counter-clockwise, side in pixels): the angles of the tables need no sine, whose last bit is a library's.
TABULATED = {
    (30, 28): Affine(56756, -32768, 593668, 32768, 56756, -291068),
    (45, 28): Affine(46341, -46341, 917504, 46341, 46341, -333702),
    (30, 32): Affine(56756, -32768, 676764, 32768, 56756, -339044),
    (45, 32): Affine(46341, -46341, 1048576, 46341, 46341, -387993),
}


def rotation(angle: float, side: int) -> Affine:
    """The constants of a rotation about the centre of a square image.

    Args:
        angle: Degrees, counter-clockwise.
        side: Of the image, in pixels.

    Returns:
        The tabulated constants where there are some, else computed ones.
    """
    tabulated = TABULATED.get((int(angle), side)) if angle == int(angle) else None
    return tabulated or compute_rotation(angle, side)


def compute_rotation(angle: float, side: int) -> Affine:
    """Compute the constants as Pillow does: sampled at pixel centres, rounded half up.

    Args:
        angle: Degrees, counter-clockwise.
        side: Of the image, in pixels.

    Returns:
        The six constants; the same on every machine but for a last bit, where its sine differs.
    """
    cosine, sine = round(math.cos(math.radians(angle)), 15), round(math.sin(math.radians(angle)), 15)
    centre = side / 2
    across = centre - cosine * (centre - 0.5) + sine * (centre - 0.5)
    down = centre - sine * (centre - 0.5) - cosine * (centre - 0.5)
    return Affine(*(math.floor(v * 2**FRACTION_BITS + 0.5) for v in (cosine, -sine, across, sine, cosine, down)))


def rotate(images: npt.NDArray[np.uint8], affine: Affine) -> npt.NDArray[np.uint8]:
    """Rotate images; what comes from outside is 0.

    Args:
        images: uint8, (n, height, width), or (n, height, width, channels).
        affine: Where each pixel comes from.

    Returns:
        uint8, the same shape.
    """
    height, width = images.shape[1:3]
    y, x = np.indices((height, width))
    source_x = (affine.a * x + affine.b * y + affine.c) >> FRACTION_BITS
    source_y = (affine.d * x + affine.e * y + affine.f) >> FRACTION_BITS
    inside = (source_x >= 0) & (source_x < width) & (source_y >= 0) & (source_y < height)
    rotated = images[:, np.where(inside, source_y, 0), np.where(inside, source_x, 0)]
    shown = inside if images.ndim == 3 else inside[..., np.newaxis]
    return np.where(shown, rotated, np.uint8(0))
