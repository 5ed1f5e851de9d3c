"""A single stage on a device: the requests of a kernel case, and what their answers say."""

from collections.abc import Iterator, Mapping

import numpy as np

from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import KernelCase, KernelResult
from priot_hil.reference.run import Shifts

from .batch import Request, kernel, reads, score_writes, writes
from .protocol import DYNAMIC_SHIFT, CommandCode, OperationCode, TensorCode


def kernel_requests(case: KernelCase) -> Iterator[Request]:
    """All that follows LOAD: the tensors, the four kernels, and what they give."""
    shifts = case.shifts or Shifts(DYNAMIC_SHIFT, DYNAMIC_SHIFT, DYNAMIC_SHIFT)
    yield from writes(TensorCode.WEIGHTS, 0, case.weights)
    if case.scores is not None:
        yield from score_writes(0, case.scores, case.scored)
    yield from writes(TensorCode.IMAGE, 0, case.image)
    yield Request(CommandCode.START)
    yield kernel(OperationCode.FORWARD, shifts.forward, name="shifts")
    yield from reads(TensorCode.OUTPUT, 0, case.error.size, "output")
    yield from writes(TensorCode.ERROR, 0, case.error)
    yield kernel(OperationCode.ERROR, shifts.backward, name="shifts")
    yield from reads(TensorCode.INPUT_ERROR, 0, case.image.size, "input_error")
    for row in range(len(case.weights)):
        yield kernel(OperationCode.GRADIENT, 0, row)
        yield from reads(TensorCode.GRADIENT, 0, 4 * case.weights[row].size, "gradient")
    yield kernel(OperationCode.UPDATE, shifts.gradient, name="shifts")
    if case.scores is None:
        yield from reads(TensorCode.WEIGHTS, 0, case.weights.size, "updated")
    else:
        count = case.scores.size if case.scored is None else int(np.count_nonzero(case.scored))
        yield from reads(TensorCode.SCORES, 0, count, "updated")


def kernel_result(case: KernelCase, answers: Mapping[str, bytes]) -> KernelResult:
    """The result, out of the answers to `kernel_requests`."""

    def array(name: str, shape: tuple[int, ...]) -> Int8Array:
        return np.frombuffer(answers[name], np.int8).reshape(shape).copy()

    if case.scores is None or case.scored is None:
        updated = array("updated", case.weights.shape)
    else:  # no device stores what is not scored
        updated = case.scores.copy()
        updated[case.scored] = np.frombuffer(answers.get("updated", b""), np.int8)
    gradient = np.frombuffer(answers["gradient"], "<i4").astype(np.int32).reshape(case.weights.shape)
    shifts = Shifts(*answers["shifts"])
    return KernelResult(
        array("output", case.error.shape), array("input_error", case.input_shape), gradient, updated, shifts
    )
