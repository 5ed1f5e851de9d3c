"""The Engine contract in PyTorch."""

import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from priot_hil.reference.checks import Int8Array, check_range, check_tensor
from priot_hil.reference.engine import Epoch, KernelCase, KernelResult, Observation, Step
from priot_hil.reference.errors import InputError, NotReady
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.loss import loss_error, predict
from priot_hil.reference.network import Network, Stage
from priot_hil.reference.reference_engine import check_samples, trace_names
from priot_hil.reference.run import Method, Model, Shifts, State, check_run
from priot_hil.reference.scales import logit_exponent

from .arithmetic import update_shift
from .edges import Edges, make_edges
from .passes import Arrived, Forward, backward, forward
from .products import choose_products
from .updates import Updates, choose_updates

Labels = npt.NDArray[np.integer]

BATCH_ELEMENTS = 1 << 23  # of the largest tensor of an evaluation's batch
BATCH = 64


@dataclass(eq=False)
class Loaded:
    """A run on the device.

    Attributes:
        model: As it was loaded.
        method: Of the run.
        initial: Its first state, for the constants in it.
        edges: What is learned, by layer with weights.
        rng: The generator's state.
    """

    model: Model
    method: Method
    initial: State
    edges: dict[int, Edges]
    rng: int

    @property
    def weights(self) -> dict[int, torch.Tensor]:
        """The effective weights by layer."""
        return {i: edges.effective for i, edges in self.edges.items()}


class Samples(NamedTuple):
    """Images (int8, on the device) and labels."""

    images: torch.Tensor
    labels: Labels


class Learned(NamedTuple):
    """What a step did to a layer: the shifts used, and the largest magnitudes where they are dynamic."""

    shifts: Shifts
    forward: int | None = None
    backward: int | None = None
    gradient: int | None = None


class TorchEngine:
    """Engine, KernelEngine and DatasetEngine on a device of torch.

    The sums of a step are products of matrices that are proved exact when the engine is made; the loss and its random
    numbers are the reference's, on the host. What is learned stays on the device.

    Args:
        device: What torch calls it: ``"cpu"`` or ``"cuda"``.
        name: What `--device` calls the engine.
        updates: How layers learn; None for the fastest way on this device.

    Raises:
        InputError: The device rounds sums of whole numbers.
    """

    def __init__(self, device: str = "cpu", name: str = "torch", updates: Updates | None = None) -> None:
        self.name = name
        self._device = torch.device(device)
        with exactly(self._device):
            self._products = choose_products(self._device)
        self._updates = choose_updates(self._device, self._products) if updates is None else updates
        self._run: Loaded | None = None
        self._data: tuple[Samples, Samples] | None = None
        self._trace: dict[str, torch.Tensor] = {}

    def load(self, model: Model, method: Method, state: State) -> None:
        """Take over a run; see `Engine.load`."""
        check_run(model, method, state)
        edges = {}
        for i in model.network.weighted:
            weights, scores, scored = state.values[i], None, None
            if method.kind.learns_scores:
                weights, scores = model.weights[i], state.values[i]
                scored = None if state.scored is None else state.scored[i]
            edges[i] = self._edges(weights, scores, scored, method.theta)
        self._run = Loaded(model, method, _constants(state), edges, int(state.rng))
        self._data, self._trace = None, {}

    def train_step(self, image: Int8Array, label: int) -> Step:
        """Learn from one sample; see `Engine.train_step`."""
        prediction, learned = self._step(self._image(image), label)
        crcs = {name: zlib.crc32(_whole(self._trace[name]).tobytes()) for name in trace_names(self._network())}
        return Step(prediction, {i: layer.shifts for i, layer in learned.items()}, crcs)

    def predict(self, image: Int8Array) -> int:
        """Classify one sample; see `Engine.predict`."""
        return int(self._predict(self._image(image)[None])[0])

    def observe(self, image: Int8Array, label: int) -> dict[int, Observation]:
        """Run the dynamic step without an update; see `Engine.observe`."""
        if self._loaded().initial.scales is not None:
            do = "load the run with scales None to calibrate it"
            raise InputError.about("observe", expected="dynamic shifts", got="static scales", do=do)
        _, learned = self._step(self._image(image), label, updating=False)
        return {
            i: Observation(
                layer.shifts.forward if layer.forward else None,
                layer.shifts.backward if layer.backward else None,
                layer.shifts.gradient if layer.gradient else None,
            )
            for i, layer in learned.items()
        }

    def state(self) -> State:
        """A copy of the state as it is now; see `Engine.state`."""
        run = self._loaded()
        network = run.model.network
        values = {i: _whole(edges.values).reshape(network.weight_shape(i)) for i, edges in run.edges.items()}
        return replace(_constants(run.initial), values=values, rng=run.rng)

    def tensor(self, name: str) -> Int8Array:
        """A copy of a tensor of the last step's trace; see `Engine.tensor`."""
        self._loaded()
        if name not in self._trace:
            known = ", ".join(self._trace) or "none before the first step"
            raise InputError.about(f"tensor of {self.name}", expected=f"one of {known}", got=repr(name), do="name one")
        return _whole(self._trace[name])

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """Compute one stage; see `KernelEngine.run_kernel`. The loaded run is forgotten, as on a device."""
        check_kernel_case(case)
        self._run, self._data, self._trace = None, None, {}
        layers, scales = (case.layer, *case.behind), None if case.shifts is None else {0: case.shifts}
        with exactly(self._device):
            edges = self._edges(case.weights, case.scores, case.scored, case.theta)
            weights = {0: edges.effective}
            ahead = forward(self._products, layers, weights, self._put(case.image)[None], scales)
            error, windows = self._put(case.error), ahead.windows[0]
            *_, first = backward(self._products, layers, weights, ahead, error, scales, last=-1)
            assert first.passed is not None, "-1 lets the error through"
            rows = first.error.reshape(first.error.shape[0], -1)
            gradient = self._products(rows, windows).to(torch.int32).cpu().numpy().reshape(case.weights.shape)
            if case.shifts is None:
                shift = update_shift(self._updates.largest(edges, rows, windows), case.mu)
            else:
                shift = case.shifts.gradient
            self._updates.learn(edges, rows, windows, shift)
            return KernelResult(
                output=_whole(ahead.inputs[-1][0]),
                input_error=_whole(first.passed.values[0]),
                gradient=gradient,
                updated=_whole(edges.values).reshape(case.weights.shape),
                shifts=Shifts(ahead.requantized[0].shifts[0], first.passed.shifts[0], shift),
            )

    def load_data(
        self, train_images: Int8Array, train_labels: Labels, test_images: Int8Array, test_labels: Labels
    ) -> None:
        """Take over the samples of the loaded run; see `DatasetEngine.load_data`."""
        network = self._network()
        check_samples("training", train_images, train_labels, network)
        check_samples("test", test_images, test_labels, network)
        self._data = (
            Samples(torch.tensor(train_images, device=self._device), train_labels.copy()),
            Samples(torch.tensor(test_images, device=self._device), test_labels.copy()),
        )

    def train_epoch(self, order: npt.NDArray[np.integer]) -> Epoch:
        """Take one training step for each index; see `DatasetEngine.train_epoch`."""
        train, _ = self._dataset()
        for index in order:
            check_range("index in the order", index, 0, len(train.labels) - 1)
        correct = 0
        for index in order:
            label = int(train.labels[index])
            correct += self._step(train.images[index].to(self._products.dtype), label)[0] == label
        return Epoch(len(order), correct)

    def evaluate(self) -> int:
        """Count the right predictions on the test set; see `DatasetEngine.evaluate`."""
        _, test = self._dataset()
        size, correct = _batch_size(self._network()), 0
        for begin in range(0, len(test.labels), size):
            predictions = self._predict(test.images[begin : begin + size].to(self._products.dtype))
            correct += int(np.count_nonzero(predictions == test.labels[begin : begin + size]))
        return correct

    def state_crc(self) -> int:
        """zlib.crc32 of the state; see `DatasetEngine.state_crc`."""
        run = self._loaded()
        crc = 0
        for edges in run.edges.values():
            learned = edges.values if edges.scored is None else edges.values[edges.scored]
            crc = zlib.crc32(_whole(learned).tobytes(), crc)
        return zlib.crc32(run.rng.to_bytes(4, "little"), crc)

    def _step(self, image: torch.Tensor, label: int, updating: bool = True) -> tuple[int, dict[int, Learned]]:
        """A step: its prediction, and what it did to each layer."""
        run = self._loaded()
        network, scales = run.model.network, run.initial.scales
        check_range("label", label, 0, network.classes - 1)
        with exactly(self._device):
            weights = run.weights
            ahead = forward(self._products, network.layers, weights, image[None], scales)
            logits = _whole(ahead.inputs[-1][0])
            exponent = logit_exponent(run.model, {i: done.shifts[0] for i, done in ahead.requantized.items()})
            loss, run.rng = loss_error(logits, exponent, label, run.method.loss_rounding, run.rng)
            trace, learned = _outputs(network, ahead), {}
            errors = backward(
                self._products, network.layers, weights, ahead, self._put(loss), scales, last=network.weighted[0]
            )
            for arrived in errors:
                if (stage := _stage_ending_at(network, arrived.layer)) is not None:
                    trace[f"{stage}.error"] = arrived.error
                if arrived.layer in run.edges:
                    learned[arrived.layer] = self._learn(run, ahead, arrived, updating)
        self._trace = trace | {"loss_error": trace[f"{network.weighted[-1]}.error"]}
        return predict(logits), {i: learned[i] for i in network.weighted}

    def _learn(self, run: Loaded, ahead: Forward, arrived: Arrived, updating: bool) -> Learned:
        """What an error does to a layer with weights."""
        i, scales = arrived.layer, run.initial.scales
        edges, windows = run.edges[i], ahead.windows[i]
        rows = arrived.error.reshape(arrived.error.shape[0], -1)
        largest = None
        if scales is None:
            largest = self._updates.largest(edges, rows, windows)
            shift = update_shift(largest, run.method.mu)
        else:
            shift = scales[i].gradient
        if updating:
            self._updates.learn(edges, rows, windows, shift)
        done, passed = ahead.requantized[i], arrived.passed
        return Learned(
            Shifts(done.shifts[0], 0 if passed is None else passed.shifts[0], shift),
            done.largest[0] if done.largest else None,
            passed.largest[0] if passed is not None and passed.largest else None,
            largest,
        )

    def _predict(self, images: torch.Tensor) -> npt.NDArray[np.int64]:
        """The predictions of some samples; the trace is the last one's."""
        run = self._loaded()
        with exactly(self._device):
            ahead = forward(self._products, run.model.network.layers, run.weights, images, run.initial.scales)
            self._trace = _outputs(run.model.network, ahead)
            return np.array([predict(logits) for logits in _whole(ahead.inputs[-1])])

    def _edges(
        self, weights: Int8Array, scores: Int8Array | None, scored: npt.NDArray[np.bool_] | None, theta: int | None
    ) -> Edges:
        with exactly(self._device):
            return make_edges(self._products, self._device, weights, scores, scored, theta)

    def _image(self, image: Int8Array) -> torch.Tensor:
        check_tensor("image", image, self._network().input_shape)
        return self._put(image)

    def _put(self, values: Int8Array) -> torch.Tensor:
        """Values as the passes take them."""
        return torch.from_numpy(np.ascontiguousarray(values)).to(self._device, self._products.dtype)

    def _loaded(self) -> Loaded:
        if self._run is None:
            raise NotReady.about(f"run on {self.name}", expected="a loaded one", got="none", do="load one first")
        return self._run

    def _network(self) -> Network:
        return self._loaded().model.network

    def _dataset(self) -> tuple[Samples, Samples]:
        self._loaded()
        if self._data is None:
            do = "call load_data first"
            raise NotReady.about(f"data set on {self.name}", expected="a loaded one", got="none", do=do)
        return self._data


@contextmanager
def exactly(device: torch.device) -> Iterator[None]:
    """Rule out what a caller may have switched on: autocast, which rounds results, and the records of autograd."""
    with torch.inference_mode(), torch.autocast(device.type, enabled=False):
        yield


def _whole(values: torch.Tensor) -> Int8Array:
    """A copy as int8 on the host."""
    array: Int8Array = values.to("cpu", torch.int8, copy=True).numpy()
    return array


def _outputs(network: Network, ahead: Forward) -> dict[str, torch.Tensor]:
    """The outputs of each stage, of the last sample, by the trace's names."""
    trace = {f"{stage.layer}.output": ahead.inputs[_end(stage) + 1][-1] for stage in network.stages}
    return trace | {"logits": ahead.inputs[-1][-1]}


def _end(stage: Stage) -> int:
    """The index of a stage's last layer."""
    return max((stage.layer, *stage.behind))


def _stage_ending_at(network: Network, index: int) -> int | None:
    return next((stage.layer for stage in network.stages if _end(stage) == index), None)


def _constants(state: State) -> State:
    """Copies of what a run does not change; its values are left out."""
    scored = None if state.scored is None else {i: mask.copy() for i, mask in state.scored.items()}
    return State({}, 1, None if state.scales is None else dict(state.scales), scored)


def _batch_size(network: Network) -> int:
    """How many samples an evaluation takes at once."""
    largest = 1
    for i in network.weighted:
        outputs, *fan_in = network.weight_shape(i)
        largest = max(largest, network.positions(i) * max(outputs, math.prod(fan_in)))
    return max(1, min(BATCH, BATCH_ELEMENTS // largest))
