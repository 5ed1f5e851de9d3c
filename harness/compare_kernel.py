"""The first divergence in a single stage: shift, tensor, element."""

from collections.abc import Iterator

import numpy as np

from priot_hil.reference.engine import KernelCase, KernelEngine, KernelResult
from priot_hil.reference.errors import InputError
from priot_hil.reference.kernel import run_kernel
from priot_hil.reference.methods import effective_weights, score_gradient
from priot_hil.reference.network import Stage
from priot_hil.reference.passes import backward, forward
from priot_hil.reference.run import Shifts

from .capsule_kernel import ExpectedKernel, KernelCapsule
from .divergence import Difference, Divergence, difference_of, first_difference
from .origin import Tensor, explained

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
            found = Divergence(engine.name, None, stage_name(case), tensor, difference, moment=MOMENT)
            return explained(found, Trace(case).tensor, Trace(case), 0)
    return None


class Trace:
    """What the reference computes of a stage on the way, by the names of `ReferenceEngine.tensor`.

    Args:
        case: A legal stage.
    """

    def __init__(self, case: KernelCase) -> None:
        self.layers = (case.layer, *case.behind)
        self.weighted = (0,)
        self.stages = (Stage(0, tuple(range(1, len(self.layers)))),)
        scales = None if case.shifts is None else {0: case.shifts}
        weights = {0: case.weights}
        if case.scores is not None and case.theta is not None:
            weights = {0: effective_weights(case.weights, case.scores, case.scored, case.theta)}
        ahead = forward(self.layers, weights, case.image, scales)
        back = backward(self.layers, weights, ahead, case.error, scales, last=-1)
        self._tensors: dict[str, Tensor] = {
            **{f"layer{j}.output": output for j, output in enumerate(ahead.outputs)},
            **{f"layer{j}.error": error for j, error in back.errors.items()},
            "0.accumulator": ahead.accumulators[0],
            "0.error_accumulator": back.accumulators[0],
            "0.gradient": back.gradients[0],
            "0.before": case.weights if case.scores is None else case.scores,
        }
        if case.kind.learns_scores:
            self._tensors["0.score_gradient"] = score_gradient(case.weights, back.gradients[0], case.scored)
        for way, shift in zip(Shifts._fields, run_kernel(case).shifts, strict=True):
            self._tensors[f"0.{way}_shift"] = np.array(shift)

    def tensor(self, name: str) -> Tensor:
        """One of them.

        Raises:
            InputError: There is none of that name.
        """
        if name not in self._tensors:
            known = ", ".join(self._tensors)
            raise InputError.about(
                "tensor of a stage", expected=f"one of {known}", got=repr(name), do="name one of them"
            )
        return self._tensors[name]


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
