"""Validation images: rotated, from the training set, none of which the run trains with."""

import numpy as np
import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.data import ImageSet, transfer_task
from priot_hil.reproductions.split import Split, draw_task


@pytest.fixture(scope="module")
def numbered():
    """A set in which each image holds its own number; training images are even, test images odd."""

    def images(first, count):
        numbers = np.arange(first, first + 2 * count, 2, dtype=np.uint8)
        return np.broadcast_to(numbers[:, None, None], (count, 28, 28)).copy(), numbers % 10

    return ImageSet(*images(0, 40), *images(101, 30))


def numbers(samples):
    """The numbers in the middle of the images, which a rotation leaves there; pixels are halved."""
    return set(samples.images[:, 0, 14, 14].tolist())


def test_validation_images_are_apart_from_those_trained_with(numbered):
    """Drawn from what the training leaves of the training set; by the seed."""
    tested = draw_task(numbered, Split.TEST, 30, 7, 16, 30)
    validated = draw_task(numbered, Split.VALIDATION, 30, 7, 16, 20)
    assert np.array_equal(tested.train.images, validated.train.images)
    assert numbers(validated.test) <= set(range(40)) - numbers(validated.train)
    assert len(numbers(validated.test)) == 20
    assert numbers(tested.test) == set(range(50, 80))
    again = draw_task(numbered, Split.VALIDATION, 30, 7, 16, 20)
    other = draw_task(numbered, Split.VALIDATION, 30, 8, 16, 20)
    assert np.array_equal(validated.test.images, again.test.images)
    assert not np.array_equal(validated.test.images, other.test.images)


def test_test_images_are_those_of_the_transfer_task(numbered):
    """The split adds nothing where the test set judges."""
    drawn, expected = draw_task(numbered, Split.TEST, 45, 3, 5, 6), transfer_task(numbered, 45, 3, 5, 6)
    assert np.array_equal(drawn.test.images, expected.test.images)
    assert np.array_equal(drawn.test.labels, expected.test.labels)


@pytest.mark.parametrize("judged", [0, 25])
def test_no_more_are_drawn_than_are_left(numbered, judged):
    """24 of 40 are, after 16."""
    with pytest.raises(InputError, match=r"images.*1\.\.(24|30), got"):
        draw_task(numbered, Split.VALIDATION, 30, 7, 16, judged)
