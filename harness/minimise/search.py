"""The search: whatever can be left out so that the case still fails is left out, the largest parts first."""

import time
from collections.abc import Callable, Iterator

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import Case
from priot_hil.reference.errors import InputError

from .run import smaller_runs
from .stage import smaller_stages


def minimise(case: Case, still_fails: Callable[[Case], bool], seconds: float) -> Case:
    """Find a case from which nothing more can be left out.

    Args:
        case: One that fails, with no stored results.
        still_fails: Whether a smaller one does, and in the same way. An `InputError` of it says that the case is not
            legal; any other exception ends the search.
        seconds: After which the smallest so far has to do.

    Returns:
        The smallest found; the case itself where it stores results, which belong to it alone.
    """
    if case.expected.has_results:
        return case
    deadline = time.monotonic() + seconds
    found = True
    while found:
        found = False
        for candidates in passes(case):
            # A part that was left out may make room for more of its kind.
            while (smaller := first(candidates(case), still_fails, deadline)) is not None:
                case, found = smaller, True
    return case


def passes(case: Case) -> tuple[Callable[[Case], Iterator[Case]], ...]:
    """The ways to make a case smaller."""
    return smaller_stages() if isinstance(case, KernelCapsule) else smaller_runs()


def first(candidates: Iterator[Case], still_fails: Callable[[Case], bool], deadline: float) -> Case | None:
    """The first that still fails; None where none does, or the time is over."""
    for candidate in candidates:
        if time.monotonic() > deadline:
            return None
        try:
            if still_fails(candidate):
                return candidate
        except InputError:
            continue
    return None
