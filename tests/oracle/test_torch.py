"""Layers against PyTorch: its convolutions in float64, exact below 2**53, and its autograd for all that goes back.

Only where torch is installed: `PRIOT_EXTRAS=float ./run pytest -m slow tests/oracle`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from equivalence.cases import examples
from hypothesis import given

from oracle import exact
from priot_hil.harness.strategies import Run, kernel_cases, runs
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.layers import maxpool2d_input_error
from priot_hil.reference.network import Conv2d, Flatten, Layer, Linear, MaxPool2d, Relu
from priot_hil.reference.reference_engine import ReferenceEngine

pytestmark = pytest.mark.slow
torch: Any = pytest.importorskip("torch")
functional = torch.nn.functional


def leaf(array: npt.NDArray[np.signedinteger]) -> Any:
    """float64, a batch of one, to be differentiated by."""
    return torch.tensor(array.astype(np.float64), requires_grad=True)


def through(layer: Layer, x: Any, weights: Any = None) -> Any:
    """A layer as torch has it."""
    match layer:
        case Conv2d(_, _, _, stride, padding):
            return functional.conv2d(x[None], weights, stride=stride, padding=padding)[0]
        case Linear():
            return functional.linear(x, weights)
        case Relu():
            return functional.relu(x)
        case MaxPool2d(size):
            return functional.max_pool2d(x[None], size)[0]
        case Flatten():
            return x.flatten()


def whole(tensor: Any) -> npt.NDArray[np.int64]:
    """What torch gives, which must be whole numbers."""
    values: npt.NDArray[np.float64] = tensor.detach().numpy()
    numbers = values.astype(np.int64)
    assert (numbers == values).all()
    return numbers


@examples(200)
@given(case=kernel_cases())
def test_stage_is_torchs(case: KernelCase) -> None:
    """Any stage: the sums of its output, the way of the error through pools and relus, the gradient, the input's error.

    Between the layer and those behind it stands the requantised output, rounded from torch's own sums.
    """
    result = ReferenceEngine().run_kernel(case)
    pruned = np.zeros(case.weights.shape, np.bool_)
    if case.scores is not None and case.theta is not None:
        pruned = (case.scores < case.theta) & (True if case.scored is None else case.scored)
    image, weights = leaf(case.image), leaf(np.where(pruned, 0, case.weights))
    sums = through(case.layer, image, weights)

    stored = leaf(requantized(whole(sums), result.shifts.forward))
    output = stored
    for layer in case.behind:
        output = through(layer, output)
    assert (whole(output) == result.output).all()

    error = torch.tensor(case.error.astype(np.float64))
    (at_layer,) = torch.autograd.grad(output, stored, error) if case.behind else (error,)
    gradient, input_error = torch.autograd.grad(sums, (weights, image), at_layer)
    assert (whole(gradient) == result.gradient).all()
    right = exact.is_requantized(whole(input_error), result.shifts.backward, result.input_error.astype(np.int64))
    assert right.all()


def requantized(sums: npt.NDArray[np.int64], shift: int) -> npt.NDArray[np.int64]:
    """Half away from zero, by division."""
    magnitudes = (2 * np.abs(sums) + 2**shift) // 2 ** (shift + 1)
    return np.sign(sums) * np.minimum(magnitudes, 127)


@examples(60)
@given(run=runs(steps=1))
def test_sums_of_a_step_are_torchs(run: Run) -> None:
    """Every layer with weights of a whole step, from the int8 tensors that reach it: both sums and the gradient."""
    engine, network = ReferenceEngine(), run.model.network
    engine.load(run.model, run.method, run.state)
    engine.train_step(run.images[0], int(run.labels[0]))
    for i in network.weighted:
        x = leaf(engine.tensor(f"layer{i - 1}.output") if i else run.images[0])
        weights = leaf(engine.tensor(f"{i}.effective_weights"))
        sums = through(network.layers[i], x, weights)
        assert (whole(sums) == engine.tensor(f"{i}.accumulator")).all()
        error = torch.tensor(engine.tensor(f"layer{i}.error").astype(np.float64))
        gradient, input_error = torch.autograd.grad(sums, (weights, x), error)
        assert (whole(gradient) == engine.tensor(f"{i}.gradient")).all()
        if i != network.weighted[0]:
            assert (whole(input_error) == engine.tensor(f"{i}.error_accumulator")).all()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_of_equal_maxima_torch_takes_the_same(size: int) -> None:
    """Windows of one value, and of two: the error goes where max_pool2d says that the maximum stands."""
    x = np.zeros((2, 2 * size + size // 2, 2 * size), np.int8)
    x[1, 1::2] = x[1, :, 1::2] = 3
    error = np.arange(1, 9, dtype=np.int8).reshape(2, 2, 2)
    _, places = functional.max_pool2d(torch.tensor(x[None].astype(np.float64)), size, return_indices=True)
    expected = np.zeros((2, x[0].size), np.int8)
    np.put_along_axis(expected, places[0].reshape(2, -1).numpy(), error.reshape(2, -1), axis=1)
    assert (maxpool2d_input_error(MaxPool2d(size), x, error) == expected.reshape(x.shape)).all()
