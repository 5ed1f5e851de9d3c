"""The search: whatever a case fails without is taken away, the largest parts first."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import Case, check_case
from priot_hil.reference.errors import InputError

from .run import smaller_runs
from .stage import smaller_stages

SECONDS = 5.0
Fails = Callable[[Case], bool]


def smaller(case: Case, fails: Fails, seconds: float = SECONDS) -> Case:
    """Take away from a case whatever it fails without.

    Results that are stored in it belong to it alone and go first: the reference says what a smaller one must give.

    Args:
        case: A case that fails.
        fails: Whether another one does; it is asked of legal cases only.
        seconds: After which the smallest so far has to do.

    Returns:
        The smallest found; the case itself where nothing can go.
    """
    end = time.monotonic() + seconds
    if case.expected.has_results:
        bare: dict[str, Any] = {"expected": type(case.expected)()}
        without = _first(iter([replace(case, **bare)]), fails, end)
        if without is None:
            return case
        case = without
    is_smaller = True
    while is_smaller:
        is_smaller = False
        for ways in smaller_stages() if isinstance(case, KernelCapsule) else smaller_runs():
            # A part that has gone may make room for more of its kind.
            while (candidate := _first(ways(case), fails, end)) is not None:
                case, is_smaller = candidate, True
    return case


def _first(candidates: Iterator[Case], fails: Fails, end: float) -> Case | None:
    """The first legal case that fails; None where there is none, or the time is over."""
    for candidate in candidates:
        if time.monotonic() >= end:
            return None
        try:
            check_case(candidate)
        except InputError:
            continue  # the cut left nothing legal
        if fails(candidate):
            return candidate
    return None
