"""The first divergence in a single stage: shift, tensor, element."""

from collections.abc import Iterator

from priot_hil.reference.engine import KernelCase, KernelEngine, KernelResult
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.run import Shifts

from .capsule_kernel import ExpectedKernel, KernelCapsule
from .compare import Difference, Divergence, difference_of, first_difference

MOMENT = "in a single stage"


def compare_kernel(engine: KernelEngine, capsule: KernelCapsule) -> Divergence | None:
    """Let an engine compute a stage and compare all of it.

    Args:
        engine: The engine to check.
        capsule: The stage; the results stored in it are believed, or the reference's where it stores none.

    Returns:
        The first divergence in the order of computation, or None.

    Raises:
        InputError: The engine refuses the stage.
    """
    case = capsule.case
    got, expected = engine.run_kernel(case), capsule.expected
    if not expected.has_results:
        believed = run_kernel(case)
        expected = ExpectedKernel(
            believed.output, believed.input_error, believed.gradient, believed.updated, believed.shifts
        )
    for tensor, difference in _differences(case, expected, got):
        if difference is not None:
            return Divergence(engine.name, None, stage_name(case), tensor, difference, moment=MOMENT)
    return None


def stage_name(case: KernelCase) -> str:
    """How messages name a stage, e.g. ``"conv2d 1->2 k3, relu (priot, theta -64)"``."""
    theta = "" if case.theta is None else f", theta {case.theta}"
    return f"{', '.join(map(str, (case.layer, *case.behind)))} ({case.kind}{theta})"


def _differences(
    case: KernelCase, expected: ExpectedKernel, got: KernelResult
) -> Iterator[tuple[str, Difference | None]]:
    """Each comparison in the order of computation: what, and its result."""

    def shift(which: str) -> tuple[str, Difference | None]:
        used: Shifts = expected.shifts or got.shifts
        return f"{which} shift", difference_of(getattr(used, which), getattr(got.shifts, which))

    def tensor(name: str, called: str) -> tuple[str, Difference | None]:
        wanted = getattr(expected, name)
        return called, None if wanted is None else first_difference(wanted, getattr(got, name))

    yield shift("forward")
    yield tensor("output", "output")
    yield shift("backward")
    yield tensor("input_error", "input error")
    yield tensor("gradient", "gradient")
    yield shift("gradient")
    yield tensor("updated", "scores" if case.kind.learns_scores else "weights")
