"""A single stage on its own: forward, error to its input, gradient and update."""

import numpy as np

from .arithmetic import check_shift, update_shift
from .checks import check_tensor
from .engine import KernelCase, KernelResult
from .errors import InputError
from .methods import apply_update, effective_weights, score_gradient, update_of
from .network import Conv2d, Linear, check_overflow, output_shape, weight_shape
from .passes import backward, forward
from .ranges import MU, THETA
from .run import Shifts


def run_kernel(case: KernelCase) -> KernelResult:
    """Compute one stage as every engine must.

    Args:
        case: The stage, its tensors and its shifts.

    Returns:
        Its output, the error to its input, G, and the new weights or scores.

    Raises:
        InputError: The case is not legal.
    """
    check_kernel_case(case)
    layers = (case.layer, *case.behind)
    scales = None if case.shifts is None else {0: case.shifts}
    weights, values = case.weights, case.weights
    if case.scores is not None and case.theta is not None:
        values = case.scores
        weights = effective_weights(case.weights, case.scores, case.scored, case.theta)
    ahead = forward(layers, {0: weights}, case.image, scales)
    back = backward(layers, {0: weights}, ahead, case.error, scales, last=-1)
    gradient = back.gradients[0]
    learned = score_gradient(case.weights, gradient, case.scored) if case.kind.learns_scores else gradient
    shift = update_shift(learned, case.mu) if case.shifts is None else case.shifts.gradient
    return KernelResult(
        output=ahead.outputs[-1],
        input_error=back.input_errors[0],
        gradient=gradient,
        updated=apply_update(values, update_of(learned, shift)),
        shifts=Shifts(ahead.shifts[0], back.shifts[0], shift),
    )


def check_kernel_case(case: KernelCase) -> None:
    """Refuse a case that is not legal in every part.

    Raises:
        InputError: The geometry, a tensor, theta, mu or a shift is not legal; the message says which.
    """
    shape = output_shape(case.layer, case.input_shape, f"{case.layer}")
    positions = int(np.prod(shape[1:], dtype=np.int64))
    check_overflow(f"{case.layer}", case.layer, positions, case.kind, passes_error=True)
    for layer in case.behind:
        if isinstance(layer, Conv2d | Linear):
            do = "give each layer with weights a case of its own"
            raise InputError.about("layers behind", expected="none with weights", got=f"{layer}", do=do)
        shape = output_shape(layer, shape, f"{layer}")
    check_tensor("weights", case.weights, weight_shape(case.layer))
    check_tensor("image", case.image, case.input_shape)
    check_tensor("error", case.error, shape)
    MU.check("mu", case.mu)
    for shift in case.shifts or ():
        check_shift(shift)
    _check_scores(case)


def _check_scores(case: KernelCase) -> None:
    learns = case.kind.learns_scores
    masked = case.kind == "priot_s"
    parts = {"theta": (case.theta, learns), "scores": (case.scores, learns), "scored edges": (case.scored, masked)}
    for what, (value, wanted) in parts.items():
        if (value is not None) != wanted:
            got = "none" if value is None else "some"
            expected = "some" if wanted else "none"
            raise InputError.about(f"{what} of {case.kind}", expected=expected, got=got, do="follow the method")
    if learns:
        THETA.check("theta", case.theta)
        check_tensor("scores", case.scores, weight_shape(case.layer))
    if case.scored is not None and (case.scored.dtype != np.bool_ or case.scored.shape != case.weights.shape):
        got = f"{case.scored.dtype} of shape {case.scored.shape}"
        expected = f"a bool array of shape {case.weights.shape}"
        raise InputError.about("scored edges", expected=expected, got=got, do="correct the mask")
