"""One stage on its own, with a chosen error."""

from dataclasses import dataclass

from oracle import passes
from oracle.arithmetic import requantize
from oracle.methods import Edges
from oracle.tensors import Tensor, each
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.run import Shifts


@dataclass
class OracleResult:
    """The fields of a `KernelResult`, as lists."""

    output: Tensor
    input_error: Tensor
    gradient: Tensor
    updated: Tensor
    shifts: Shifts


def run_kernel(case: KernelCase) -> OracleResult:
    """Forward, backward and update of a stage."""
    scores, scored = (None if array is None else array.tolist() for array in (case.scores, case.scored))
    edges = Edges(case.kind, case.theta, case.weights.tolist(), scores, scored)
    weights, image, error = edges.effective_weights(), case.image.tolist(), case.error.tolist()

    accumulator = passes.accumulate(case.layer, weights, image)
    s_f = passes.dynamic_shift(accumulator) if case.shifts is None else case.shifts.forward
    value, inputs = each(lambda v: requantize(v, s_f), accumulator), []
    for layer in case.behind:
        inputs.append(value)
        value = passes.forward(layer, value)
    output = value

    for layer, value in zip(reversed(case.behind), reversed(inputs), strict=True):
        error = passes.input_error(layer, value, error)
    gradient = passes.gradient(case.layer, weights, image, error)
    direction = edges.direction(gradient)
    elements = edges.elements_of(direction)
    s_g = passes.dynamic_update_shift(elements, case.mu) if case.shifts is None else case.shifts.gradient
    error_accumulator = passes.accumulate_error(case.layer, weights, image, error)
    s_b = passes.dynamic_shift(error_accumulator) if case.shifts is None else case.shifts.backward
    return OracleResult(
        output=output,
        input_error=each(lambda v: requantize(v, s_b), error_accumulator),
        gradient=gradient,
        updated=edges.after(edges.update(direction, s_g)),
        shifts=Shifts(s_f, s_b, s_g),
    )
