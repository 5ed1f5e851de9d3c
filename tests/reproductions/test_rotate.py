"""Rotation in fixed point: against a scalar version, pinned images, and what every rotation must do."""

import numpy as np
import pytest

from priot_hil.reproductions.files import sha256
from priot_hil.reproductions.rotate import TABULATED, Affine, compute_rotation, rotate, rotation

# Of the rotated bytes of `pattern(28)`; Pillow's Image.rotate gives the same.
PINNED = {
    30: "e28f7b6ef25032be4190551f09f139851979440961619a31ce34a9df55e963d1",
    45: "a8f6e3e6f8c2e5d1df287558cc86a8d62402d486e47390177ab42e5720564af6",
    -17.5: "d6383e9b9a0c0c04c86323938c0eee4a98852c6e40da1acf23f7e1936a9273d7",
}
# Of `pattern(32)` in the same way.
PINNED_32 = {
    30: "707a52cbb0f6879d8d54a9a614b56530183f9262a639ffd8e911aedbd9f15d81",
    45: "0d6bc2a16b5095e4ddb170656de3fed1ae4fc1673cb2ea42ad17f2e6ab8f7bdc",
}


def pattern(side):
    """An image whose pixels tell where they came from."""
    return (np.arange(side * side, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(1, side, side)


def rotate_scalar(image, affine):
    """The same, pixel by pixel in Python integers."""
    side = len(image)
    result = [[0] * side for _ in range(side)]
    for y in range(side):
        for x in range(side):
            column = (affine.a * x + affine.b * y + affine.c) // 65536
            row = (affine.d * x + affine.e * y + affine.f) // 65536
            if 0 <= column < side and 0 <= row < side:
                result[y][x] = int(image[row][column])
    return result


@pytest.mark.parametrize("angle", [30, 45, 1, -90, 200.25])
@pytest.mark.parametrize("side", [28, 32, 5])
def test_equals_the_scalar_version(angle, side):
    """Two images at once, each pixel as the scalar version has it."""
    images = np.concatenate([pattern(side), 255 - pattern(side)])
    affine = rotation(angle, side)
    expected = [rotate_scalar(image, affine) for image in images]
    assert rotate(images, affine).tolist() == expected


def test_fractions_round_down():
    """One 65,536th left of a pixel lies in the one before; left of the first there is none."""
    image = pattern(5)
    moved = rotate(image, Affine(65536, 0, -1, 0, 65536, 65535))
    assert moved[0, :, 0].tolist() == [0] * 5
    assert np.array_equal(moved[0, :, 1:], image[0, :, :-1])


@pytest.mark.parametrize("angle", PINNED)
def test_images_are_pinned(angle):
    """The bytes that runs were made with."""
    assert sha256(rotate(pattern(28), rotation(angle, 28)).tobytes()) == PINNED[angle]


@pytest.mark.parametrize("angle", PINNED_32)
def test_larger_images_are_pinned(angle):
    """Of the size of CIFAR-10's, with colours or without."""
    grey = pattern(32)
    coloured = rotate(np.stack([grey, 255 - grey, grey], axis=-1), rotation(angle, 32))
    assert sha256(rotate(grey, rotation(angle, 32)).tobytes()) == PINNED_32[angle]
    assert sha256(coloured[..., 2].tobytes()) == PINNED_32[angle]
    assert np.array_equal(coloured[..., 1], rotate(255 - grey, rotation(angle, 32)))


@pytest.mark.parametrize("side", [28, 32])
@pytest.mark.parametrize("angle", [30, 45, 7.25])
def test_equals_pillow(angle, side):
    """Where Pillow is installed."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    pixels = pattern(side)
    turned = np.asarray(image.fromarray(pixels[0]).rotate(angle))
    assert np.array_equal(rotate(pixels, rotation(angle, side))[0], turned)


@pytest.mark.parametrize(("angle", "side"), TABULATED)
def test_tabulated_constants_are_the_computed_ones(angle, side):
    """The table holds what the formula gives."""
    assert compute_rotation(angle, side) == TABULATED[angle, side]


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_exact(quarters):
    """Counter-clockwise, as `numpy.rot90` turns."""
    turned = rotate(pattern(28), compute_rotation(90 * quarters, 28))
    assert np.array_equal(turned, np.rot90(pattern(28), quarters, (1, 2)))


def test_corners_are_empty():
    """What comes from outside is 0, not a pixel of the border."""
    turned = rotate(np.full((1, 28, 28), 255, np.uint8), rotation(45, 28))
    assert turned[0, [0, 0, -1, -1], [0, -1, 0, -1]].tolist() == [0, 0, 0, 0]
    assert turned[0, 14, 14] == 255
