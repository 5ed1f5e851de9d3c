"""The Engine contract over a device, whether it is the library in this process or a board at the end of a link."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from priot_hil.reference.checks import check_range, check_tensor
from priot_hil.reference.engine import Epoch, KernelCase, KernelResult, Observation, Step
from priot_hil.reference.errors import InputError, NotReady
from priot_hil.reference.kernel import check_kernel_case
from priot_hil.reference.network import Network
from priot_hil.reference.reference_engine import check_samples
from priot_hil.reference.run import Method, Model, Shifts, State, check_run

from .batch import Request, reads, run_all, score_writes, writes
from .description import describe_kernel, describe_run, pack_dataset
from .device import Device
from .errors import KernelStatus
from .kernel_run import kernel_requests, kernel_result
from .limits import PLACE
from .protocol import (
    DYNAMIC_SHIFT,
    CapabilityCode,
    CommandCode,
    DatasetRecord,
    DatasetResponse,
    EvaluateResponse,
    PredictResponse,
    StateResponse,
    StatusCode,
    TensorCode,
    TraceRecord,
    TrainEpochRequest,
    TrainEpochResponse,
    TrainStepRequest,
    TrainStepResponse,
)
from .store import CHECK_SECONDS

Int8Array = npt.NDArray[np.int8]

STEP_SECONDS = 2.0  # a step of any network that fits a board takes less
EPOCH_SAMPLES = 1024  # room for the order of an epoch; a longer one goes in parts
NOTHING: frozenset[str] = frozenset()
PREDICTION = frozenset({"output"})
TRAINING = frozenset({"output", "error"})


class DeviceEngine:
    """Runs training steps, kernels and epochs on a device.

    Args:
        device: Owned and closed by the engine.
        name: What `--device` calls it; None for the device's own name.
    """

    def __init__(self, device: Device, name: str | None = None) -> None:
        self.name = name or device.name
        self.device = device
        self._model: Model | None = None
        self._method: Method | None = None
        self._initial: State | None = None
        self._samples: int | None = None  # of the training set that the device holds for the run
        self._trace: frozenset[str] = NOTHING  # the kinds of tensors that the last step has left

    def go_on_with(self, other: "DeviceEngine") -> None:
        """Takes over the device of another engine, which is used no more; a run has to be loaded again."""
        self.name, self.device = other.name, other.device
        self._model = self._method = self._initial = self._samples = None

    def load(self, model: Model, method: Method, state: State) -> None:
        """See `Engine.load`."""
        check_run(model, method, state)
        self._command_load(describe_run(model, method, state, EPOCH_SAMPLES))
        self._model, self._method, self._initial = model, method, state
        self._samples = None
        self._trace = NOTHING
        requests: list[Request] = []
        for layer in model.network.weighted:
            learns_scores = method.kind.learns_scores
            requests += writes(TensorCode.WEIGHTS, layer, (model.weights if learns_scores else state.values)[layer])
            if learns_scores:
                scored = None if state.scored is None else state.scored[layer]
                requests += score_writes(layer, state.values[layer], scored)
        run_all(self.device, [*requests, Request(CommandCode.START)])

    def train_step(self, image: Int8Array, label: int) -> Step:
        """See `Engine.train_step`."""
        answer, traces = self._step(image, label, observe=False)
        network = self._run()[0].network
        shifts, crcs = {}, {}
        for layer, trace in zip(network.weighted, traces, strict=True):
            shifts[layer] = Shifts(trace.forward, trace.backward, trace.gradient)
            crcs[f"{layer}.output"] = trace.output_crc
            crcs[f"{layer}.error"] = trace.error_crc
        return Step(answer.prediction, shifts, crcs, self._cycles(answer.cycles))

    def observe(self, image: Int8Array, label: int) -> dict[int, Observation]:
        """See `Engine.observe`."""
        model, _, initial = self._run()
        if initial.scales is not None:
            do = "load the run without them to calibrate"
            raise InputError.about("scales to observe", expected="none", got="static scales", do=do)
        _, traces = self._step(image, label, observe=True)
        first = model.network.weighted[0]
        return {
            layer: Observation(
                _counted(trace.forward), None if layer == first else _counted(trace.backward), _counted(trace.gradient)
            )
            for layer, trace in zip(model.network.weighted, traces, strict=True)
        }

    def predict(self, image: Int8Array) -> int:
        """See `Engine.predict`."""
        self._write_image(image, self._run()[0].network)
        self._trace = PREDICTION
        return PredictResponse.unpack(self.device.command(CommandCode.PREDICT, budget=STEP_SECONDS)).prediction

    def state(self) -> State:
        """See `Engine.state`."""
        model, method, initial = self._run()
        values = {}
        for layer in model.network.weighted:
            if method.kind.learns_scores:
                values[layer] = self._read_scores(
                    layer, initial.values[layer], None if initial.scored is None else initial.scored[layer]
                )
            else:
                values[layer] = self._read_array(TensorCode.WEIGHTS, layer, model.weights[layer].shape)
        return State(values, self._state().rng, initial.scales, initial.scored)

    def state_crc(self) -> int:
        """See `DatasetEngine.state_crc`."""
        self._run()
        return self._state().crc

    def tensor(self, name: str) -> Int8Array:
        """See `Engine.tensor`; a device holds the tensors of the trace only."""
        network = self._run()[0].network
        last = network.weighted[-1]
        aliases = {"logits": f"{last}.output", "loss_error": f"{last}.error"}
        shapes = _trace_shapes(network)
        layer, _, kind = aliases.get(name, name).partition(".")
        key = f"{layer}.{kind}"
        if key not in shapes or kind not in self._trace:
            known = f"one of {', '.join([*shapes, *aliases])}, after a step; errors only after a training step"
            raise InputError.about(f"tensor of {self.name}", expected=known, got=repr(name), do="name one of them")
        code = TensorCode.OUTPUT if kind == "output" else TensorCode.ERROR
        return self._read_array(code, int(layer), shapes[key])

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """See `KernelEngine.run_kernel`."""
        check_kernel_case(case)
        model, self._model = self._model, None
        try:
            self._command_load(describe_kernel(case))
        except (InputError, KernelStatus):
            self._model = model  # refused, so the run is still there
            raise
        return kernel_result(case, run_all(self.device, kernel_requests(case)))

    def load_data(
        self,
        train_images: Int8Array,
        train_labels: npt.NDArray[np.integer],
        test_images: Int8Array,
        test_labels: npt.NDArray[np.integer],
        orders: Sequence[npt.NDArray[np.integer]] = (),
    ) -> None:
        """See `DatasetEngine.load_data`; `orders` are those of a detached run, see `pack_dataset`."""
        network = self._run()[0].network
        check_samples("training", train_images, train_labels, network)
        check_samples("test", test_images, test_labels, network)
        data = pack_dataset(train_images, train_labels, test_images, test_labels, orders)
        self.device.put_dataset(data)
        self._samples = None  # what lay there is overwritten
        found = DatasetResponse.unpack(self.device.command(CommandCode.DATASET, budget=CHECK_SECONDS))
        if found != DatasetResponse(len(train_images), len(test_images), DatasetRecord.unpack(data).crc):
            raise KernelStatus(
                f"{self.name} found {found.train} + {found.test} samples with checksum {found.crc:#010x} in flash, "
                "not those just written"
            )
        self._samples = found.train

    def train_epoch(self, order: npt.NDArray[np.integer]) -> Epoch:
        """See `DatasetEngine.train_epoch`."""
        correct = cycles = 0
        samples = self._dataset()
        if len(order):
            check_range("first sample of an epoch", int(np.min(order)), 0, samples - 1)
            check_range("last sample of an epoch", int(np.max(order)), 0, min(samples - 1, PLACE.high))
        for begin in range(0, len(order), EPOCH_SAMPLES):
            part = order[begin : begin + EPOCH_SAMPLES]
            self._write(TensorCode.ORDER, 0, part.astype("<u2"))
            request = TrainEpochRequest(len(part)).pack()
            answer = TrainEpochResponse.unpack(
                self.device.command(CommandCode.TRAIN_EPOCH, request, budget=STEP_SECONDS * len(part))
            )
            correct += answer.correct
            cycles += answer.cycles
            self._trace = TRAINING
        return Epoch(len(order), correct, self._cycles(cycles))

    def evaluate(self) -> int:
        """See `DatasetEngine.evaluate`."""
        return self.evaluation().correct

    def evaluation(self) -> EvaluateResponse:
        """Predicts the whole test set; the device's answer with its cycles."""
        self._dataset()
        answer = EvaluateResponse.unpack(self.device.command(CommandCode.EVALUATE, budget=3600.0))
        if answer.total:
            self._trace = PREDICTION
        return answer

    def close(self) -> None:
        """Lets go of the device."""
        self.device.close()

    def _run(self) -> tuple[Model, Method, State]:
        if self._model is None or self._method is None or self._initial is None:
            raise NotReady.about(f"run on {self.name}", expected="a loaded one", got="none", do="load one first")
        return self._model, self._method, self._initial

    def _dataset(self) -> int:
        """Size of the training set; refuses where none was loaded for this run."""
        self._run()
        if self._samples is None:
            do = "call load_data first"
            raise NotReady.about(f"data set on {self.name}", expected="a loaded one", got="none", do=do)
        return self._samples

    def _command_load(self, description: bytes) -> None:
        """Makes the device check a model, whose limits beside the arena were looked at, and take it.

        Raises:
            InputError: It is too large, which a user can put right.
            KernelStatus: It is refused for another reason: a fault of the firmware or of this class.
        """
        try:
            self.device.command(CommandCode.LOAD, description)
        except KernelStatus as status:
            if status.status != StatusCode.TOO_LARGE:
                raise
            arena = self.device.hello.arena_bytes
            if status.layer is None and status.value is not None and status.value > arena:
                why = f"the arena has {arena} bytes"
            else:
                why = "which of its limits that is, it does not say"
            raise InputError(f"{status}; {why}; make the network smaller.") from status

    def _step(self, image: Int8Array, label: int, observe: bool) -> tuple[TrainStepResponse, list[TraceRecord]]:
        network = self._run()[0].network
        check_range("label", label, 0, network.classes - 1)
        self._write_image(image, network)
        self._trace = PREDICTION if observe else TRAINING
        request = TrainStepRequest(label, int(observe)).pack()
        data = self.device.command(CommandCode.TRAIN_STEP, request, budget=STEP_SECONDS)
        starts = range(TrainStepResponse.size(), len(data), TraceRecord.size())
        return TrainStepResponse.unpack(data), [TraceRecord.unpack(data, start) for start in starts]

    def _state(self) -> StateResponse:
        return StateResponse.unpack(self.device.command(CommandCode.STATE))

    def _cycles(self, cycles: int) -> int | None:
        return cycles if self.device.hello.capabilities & CapabilityCode.CYCLES else None

    def _write_image(self, image: Int8Array, network: Network) -> None:
        check_tensor("image", image, network.input_shape)
        self._write(TensorCode.IMAGE, 0, image)

    def _read_scores(self, layer: int, initial: Int8Array, scored: npt.NDArray[np.bool_] | None) -> Int8Array:
        """The layer's scores; those of unscored edges, which no device stores, as they were at the start."""
        if scored is None:
            return self._read_array(TensorCode.SCORES, layer, initial.shape)
        scores = initial.copy()
        scores[scored] = np.frombuffer(self._read(TensorCode.SCORES, layer, int(np.count_nonzero(scored))), np.int8)
        return scores

    def _write(self, tensor: TensorCode, layer: int, values: npt.NDArray[np.generic]) -> None:
        run_all(self.device, writes(tensor, layer, values))

    def _read(self, tensor: TensorCode, layer: int, count: int) -> bytes:
        return run_all(self.device, reads(tensor, layer, count)).get("", b"")

    def _read_array(self, tensor: TensorCode, layer: int, shape: tuple[int, ...]) -> Int8Array:
        count = int(np.prod(shape))
        return np.frombuffer(self._read(tensor, layer, count), np.int8).reshape(shape).copy()


def _counted(shift: int) -> int | None:
    """An observed shift; None where the tensor was all zero."""
    return None if shift == DYNAMIC_SHIFT else shift


def _trace_shapes(network: Network) -> Mapping[str, tuple[int, ...]]:
    """The shape of every tensor of the trace by its name."""
    shapes = {}
    for stage in network.stages:
        shape = network.shapes[stage.behind[-1] if stage.behind else stage.layer]
        shapes[f"{stage.layer}.output"] = shapes[f"{stage.layer}.error"] = shape
    return shapes
