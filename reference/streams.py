"""Seeded streams of random draws: each use of a run's seed has a stream of its own."""

import numpy as np
import numpy.typing as npt

from .errors import InputError
from .ranges import SEED

# 3 is taken by the order of an epoch, which has the epoch as a third number.
STREAMS = {"data": 0, "scores": 1, "selection": 2, "calibration": 4, "validation": 5}
ORDER = 3


def check_seed(seed: int) -> None:
    """Refuse a seed outside 0..2**32-1.

    Raises:
        InputError: It is outside.
    """
    SEED.check("seed", seed)


def stream(seed: int, name: str) -> np.random.Generator:
    """Open a stream of a run's seed at its beginning.

    Args:
        seed: 0..2**32-1.
        name: ``"data"``, ``"scores"``, ``"selection"``, ``"calibration"`` or ``"validation"``.

    Returns:
        A generator that nothing else draws from.

    Raises:
        InputError: The seed is out of range or the name unknown.
    """
    check_seed(seed)
    if name not in STREAMS:
        names = ", ".join(STREAMS)
        raise InputError.about("stream", expected=f"one of {names}", got=repr(name), do="choose one of them")
    return np.random.Generator(np.random.PCG64([seed, STREAMS[name]]))


def order(seed: int, epoch: int, count: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits its samples.

    Args:
        seed: 0..2**32-1.
        epoch: 0, 1, ...
        count: Number of samples.

    Returns:
        int64, (count,): a permutation of 0..count-1.

    Raises:
        InputError: A number is out of range.
    """
    check_seed(seed)
    SEED.check("epoch", epoch)
    SEED.check("number of samples", count)
    return np.random.Generator(np.random.PCG64([seed, ORDER, epoch])).permutation(count)
