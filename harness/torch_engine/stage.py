"""A single stage on its own; `reference/kernel.py` defines it."""

import torch

from priot_hil.reference.engine import KernelCase, KernelResult
from priot_hil.reference.run import Shifts

from .arithmetic import update_shift
from .edges import EdgeArrays
from .kernels import Kernels
from .layouts import channels_first, weights_of, whole
from .passes import backward, forward, rows_of


def run_stage(kernels: Kernels, case: KernelCase, device: torch.device) -> KernelResult:
    """Compute a stage forward, back and its update.

    Args:
        kernels: Of the layer.
        case: A legal one.
        device: Where the kernels run.

    Returns:
        As every engine must.
    """
    layers, scales = (case.layer, *case.behind), None if case.shifts is None else {0: case.shifts}
    arrays = EdgeArrays(case.weights, case.scores, case.scored, case.theta)
    edges = arrays.put(case.layer, case.input_shape, device)
    image, error = (torch.tensor(values, device=device)[None] for values in (case.image, case.error))
    ahead = forward(kernels, layers, {0: edges}, image, scales)
    *_, arrived = backward(kernels, layers, {0: edges}, ahead, error, scales, last=-1)
    assert arrived.passed is not None, "-1 lets the error through"
    rows, windows = rows_of(arrived.error), ahead.windows[0]
    gradient = kernels.gradient(rows, windows).cpu().numpy()
    if case.shifts is None:
        shift = update_shift(kernels.largest(edges, rows, windows), case.mu)
    else:
        shift = case.shifts.gradient
    kernels.learn(edges, rows, windows, shift)
    shape = case.weights.shape
    return KernelResult(
        output=whole(channels_first(ahead.inputs[-1])[0]),
        input_error=whole(channels_first(arrived.passed.values)[0]),
        gradient=weights_of(gradient, shape),
        updated=weights_of(whole(edges.values), shape),
        shifts=Shifts(ahead.requantized[0].shifts[0], arrived.passed.shifts[0], shift),
    )
