"""Leads hypothesis toward sums in the middle between two numbers and at the ends of int8."""

import numpy as np
from hypothesis import target

from priot_hil.harness.compare_kernel import Trace
from priot_hil.reference.arithmetic import round_shift
from priot_hil.reference.engine import KernelCase

from .classes import sums_of

ENOUGH = 20  # in one case; more would only make cases large
ENDS = (126, 129)  # what is not clipped yet, and what is


def steer(case: KernelCase) -> None:
    """Scores the case that a property is at: the more such sums, the more will be drawn like it."""
    trace = Trace(case)
    ties = ends = 0
    for sums, way in zip(sums_of(trace, case)[:2], ("forward", "backward"), strict=True):
        shift = int(trace.tensor(f"0.{way}_shift"))
        rest, rounded = np.abs(sums) & ((1 << shift) - 1), np.abs(round_shift(sums, shift))
        ties += int(np.count_nonzero(rest == 1 << shift - 1)) if shift else 0
        ends += int(np.count_nonzero((rounded >= ENDS[0]) & (rounded <= ENDS[1])))
    target(float(min(ties, ENOUGH)), label="ties")
    target(float(min(ends, ENOUGH)), label="ends of int8")
