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
from priot_hil.reference.network import Network
from priot_hil.reference.reference_engine import check_samples, trace_names
from priot_hil.reference.run import Method, Model, Shifts, State, check_run
from priot_hil.reference.scales import logit_exponent

from .arithmetic import update_shift
from .choice import choose_kernels
from .edges import EdgeArrays, Edges
from .kernels import Kernels
from .layouts import channels_first, weights_of, whole
from .passes import Arrived, Forward, backward, forward, rows_of
from .stage import run_stage

Labels = npt.NDArray[np.integer]

BATCH_ELEMENTS = 1 << 23  # of the largest tensor of an evaluation's batch
BATCH = 64


@dataclass(eq=False)
class Loaded:
    """A run on the device.

    Attributes:
        model: As it was loaded, without its weights.
        method: Of the run.
        constants: What of its first state no step changes: scales and scored edges.
        edges: What is learned, by layer with weights.
        rng: The generator's state.
    """

    model: Model
    method: Method
    constants: State
    edges: dict[int, Edges]
    rng: int


class Samples(NamedTuple):
    """Images (int8, on the device) and labels."""

    images: torch.Tensor
    labels: Labels


class Learned(NamedTuple):
    """What a step did to a layer: the shifts used, and the largest magnitudes where they are dynamic."""

    shifts: Shifts
    forward: int | None
    backward: int | None
    gradient: int | None


class TorchEngine:
    """Engine, KernelEngine and DatasetEngine on a device of torch.

    What is learned stays on the device; the loss and its random numbers are the reference's, on the host.

    Args:
        device: What torch calls it: ``"cpu"`` or ``"cuda"``.
        name: What `--device` calls the engine.
        kernels: Of layers with weights; None for the fastest that are exact on this device.

    Raises:
        InputError: The device rounds sums of whole numbers.
    """

    def __init__(self, device: str = "cpu", name: str = "torch", kernels: Kernels | None = None) -> None:
        self.name = name
        self._device = torch.device(device)
        with exactly(self._device):
            self._kernels = choose_kernels(self._device) if kernels is None else kernels
        self._run: Loaded | None = None
        self._data: tuple[Samples, Samples] | None = None
        self._trace: dict[str, torch.Tensor] = {}

    def load(self, model: Model, method: Method, state: State) -> None:
        """Take over a run; see `Engine.load`."""
        check_run(model, method, state)
        network, edges = model.network, {}
        for i in network.weighted:
            arrays = EdgeArrays(state.values[i], None, None, None)
            if method.kind.learns_scores:
                scored = None if state.scored is None else state.scored[i]
                arrays = EdgeArrays(model.weights[i], state.values[i], scored, method.theta)
            with self._computing():
                edges[i] = arrays.put(network.weighted_layer(i), network.layer_input(i), self._device)
        scored_edges = None if state.scored is None else {i: mask.copy() for i, mask in state.scored.items()}
        constants = State({}, 1, None if state.scales is None else dict(state.scales), scored_edges)
        self._run = Loaded(replace(model, weights={}), method, constants, edges, int(state.rng))
        self._data, self._trace = None, {}

    def train_step(self, image: Int8Array, label: int) -> Step:
        """Learn from one sample; see `Engine.train_step`."""
        prediction, learned = self._step(self._image(image), label)
        crcs = {name: zlib.crc32(self.tensor(name).tobytes()) for name in trace_names(self._network())}
        return Step(prediction, {i: layer.shifts for i, layer in learned.items()}, crcs)

    def predict(self, image: Int8Array) -> int:
        """Classify one sample; see `Engine.predict`."""
        return int(self._predict(self._image(image))[0])

    def observe(self, image: Int8Array, label: int) -> dict[int, Observation]:
        """Run the dynamic step without an update; see `Engine.observe`."""
        if self._loaded().constants.scales is not None:
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
        scales, scored = run.constants.scales, run.constants.scored
        masks = None if scored is None else {i: mask.copy() for i, mask in scored.items()}
        return State({i: self._values(i) for i in run.edges}, run.rng, None if scales is None else dict(scales), masks)

    def tensor(self, name: str) -> Int8Array:
        """A copy of a tensor of the last step's trace; see `Engine.tensor`."""
        self._loaded()
        if name not in self._trace:
            known = ", ".join(self._trace) or "none before the first step"
            raise InputError.about(f"tensor of {self.name}", expected=f"one of {known}", got=repr(name), do="name one")
        return whole(channels_first(self._trace[name])[0])

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """Compute one stage; see `KernelEngine.run_kernel`. The loaded run is forgotten, as on a device."""
        check_kernel_case(case)
        self._run, self._data, self._trace = None, None, {}
        with self._computing():
            return run_stage(self._kernels, case, self._device)

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
        for index in map(int, order):
            label = int(train.labels[index])
            correct += self._step(train.images[index : index + 1], label)[0] == label
        return Epoch(len(order), correct)

    def evaluate(self) -> int:
        """Count the right predictions on the test set; see `DatasetEngine.evaluate`."""
        _, test = self._dataset()
        size, correct = _batch_size(self._network()), 0
        for begin in range(0, len(test.labels), size):
            predictions = self._predict(test.images[begin : begin + size])
            correct += int(np.count_nonzero(predictions == test.labels[begin : begin + size]))
        return correct

    def state_crc(self) -> int:
        """zlib.crc32 of the state; see `DatasetEngine.state_crc`."""
        run = self._loaded()
        crc, scored = 0, run.constants.scored
        for i in run.edges:
            values = self._values(i)
            crc = zlib.crc32((values if scored is None else values[scored[i]]).tobytes(), crc)
        return zlib.crc32(run.rng.to_bytes(4, "little"), crc)

    def _step(self, image: torch.Tensor, label: int, updating: bool = True) -> tuple[int, dict[int, Learned]]:
        """A step: its prediction, and what it did to each layer."""
        run = self._loaded()
        network, scales = run.model.network, run.constants.scales
        check_range("label", label, 0, network.classes - 1)
        with self._computing():
            ahead = forward(self._kernels, network.layers, run.edges, image, scales)
            logits = whole(ahead.inputs[-1][0])
            exponent = logit_exponent(run.model, {i: done.shifts[0] for i, done in ahead.requantized.items()})
            loss, run.rng = loss_error(logits, exponent, label, run.method.loss_rounding, run.rng)
            error = torch.from_numpy(loss)[None].to(self._device)
            trace, learned = _outputs(network, ahead), {}
            stages = {max((stage.layer, *stage.behind)): stage.layer for stage in network.stages}
            for arrived in backward(
                self._kernels, network.layers, run.edges, ahead, error, scales, last=network.weighted[0]
            ):
                if arrived.layer in stages:
                    trace[f"{stages[arrived.layer]}.error"] = arrived.error
                if arrived.layer in run.edges:
                    learned[arrived.layer] = self._learn(run, ahead, arrived, updating)
        self._trace = trace | {"loss_error": error}
        return predict(logits), {i: learned[i] for i in network.weighted}

    def _learn(self, run: Loaded, ahead: Forward, arrived: Arrived, updating: bool) -> Learned:
        """What an error does to a layer with weights."""
        i, scales, largest = arrived.layer, run.constants.scales, None
        edges, windows, error = run.edges[i], ahead.windows[i], rows_of(arrived.error)
        if scales is None:
            largest = self._kernels.largest(edges, error, windows)
            shift = update_shift(largest, run.method.mu)
        else:
            shift = scales[i].gradient
        if updating:
            self._kernels.learn(edges, error, windows, shift)
        done, passed = ahead.requantized[i], arrived.passed
        return Learned(
            Shifts(done.shifts[0], 0 if passed is None else passed.shifts[0], shift),
            done.largest[0] if done.largest else None,
            passed.largest[0] if passed is not None and passed.largest else None,
            largest,
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """Around whatever computes."""
        with exactly(self._device), single(torch.get_num_threads() if self._kernels.has_threads else None):
            yield

    def _predict(self, images: torch.Tensor) -> npt.NDArray[np.int64]:
        """The predictions of some samples; the trace is the last one's."""
        run = self._loaded()
        with self._computing():
            ahead = forward(self._kernels, run.model.network.layers, run.edges, images, run.constants.scales)
            self._trace = _outputs(run.model.network, ahead)
            return np.array([predict(logits) for logits in whole(ahead.inputs[-1])])

    def _image(self, image: Int8Array) -> torch.Tensor:
        check_tensor("image", image, self._network().input_shape)
        return torch.tensor(image, device=self._device)[None]

    def _values(self, layer: int) -> Int8Array:
        """A copy of what a layer has learned."""
        run = self._loaded()
        values: Int8Array = weights_of(whole(run.edges[layer].values), run.model.network.weight_shape(layer))
        return values

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


@contextmanager
def single(threads: int | None) -> Iterator[None]:
    """Keep torch's own operations to one thread, and give it back its number of threads; None lets it have them.

    Its idle threads wait by spinning, on the cores that threads of the kernels need.
    """
    if threads is None:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _outputs(network: Network, ahead: Forward) -> dict[str, torch.Tensor]:
    """The outputs of each stage, of the last sample, by the trace's names."""
    ends = {stage.layer: max((stage.layer, *stage.behind)) for stage in network.stages}
    trace = {f"{layer}.output": ahead.inputs[end + 1][-1:] for layer, end in ends.items()}
    return trace | {"logits": ahead.inputs[-1][-1:]}


def _batch_size(network: Network) -> int:
    """How many samples an evaluation takes at once."""
    largest = 1
    for i in network.weighted:
        outputs, *fan_in = network.weight_shape(i)
        largest = max(largest, network.positions(i) * max(outputs, math.prod(fan_in)))
    return max(1, min(BATCH, BATCH_ELEMENTS // largest))
