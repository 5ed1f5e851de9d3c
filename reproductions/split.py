"""What a run is judged by: the test images, or validation images, which leave the test set unseen."""

from dataclasses import replace
from enum import StrEnum

import numpy as np

from priot_hil.reference.checks import check_range
from priot_hil.reference.streams import stream

from .data import ImageSet, Samples, TransferTask, samples, transfer_task
from .rotate import rotate, rotation


class Split(StrEnum):
    """Where the images that a run is judged by come from."""

    TEST = "test"
    VALIDATION = "validation"


def draw_task(images: ImageSet, split: Split, angle: float, seed: int, train: int, judged: int) -> TransferTask:
    """Draw the transfer task of a run.

    Args:
        images: The whole set.
        split: Where the images that it is judged by come from.
        angle: Degrees, counter-clockwise.
        seed: Of the run.
        train: Number of training images.
        judged: Number of images that it is judged by.

    Returns:
        The task; its test samples are the validation samples where those are asked for.

    Raises:
        InputError: More images are asked for than there are.
    """
    task = transfer_task(images, angle, seed, train, judged)
    if split is Split.TEST:
        return task
    return replace(task, test=validation_samples(images, angle, seed, train, judged))


def validation_samples(images: ImageSet, angle: float, seed: int, train: int, count: int) -> Samples:
    """Draw rotated images from those of the training set that the transfer task does not train with.

    The model before transfer has seen them upright, as it has seen those that the task trains with.

    Args:
        images: The whole set.
        angle: Degrees, counter-clockwise.
        seed: Of the run; its stream *validation* draws them.
        train: Number of the task's training images.
        count: Number of images.

    Returns:
        The samples.

    Raises:
        InputError: There are not as many left.
    """
    available = len(images.x_train)
    check_range("number of validation images", count, 1, available - train)
    trained = stream(seed, "data").choice(available, train, replace=False)  # the first draw of `transfer_task`
    left = np.setdiff1d(np.arange(available), trained)
    chosen = stream(seed, "validation").choice(left, count, replace=False)
    affine = rotation(angle, images.x_train.shape[1])
    return samples(rotate(images.x_train[chosen], affine), images.y_train[chosen])
