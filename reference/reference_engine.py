"""The reference as an engine: every other engine is compared with this one."""

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .arithmetic import update_shift
from .checks import Int8Array, Int32Array, check_range, check_tensor
from .engine import Epoch, KernelCase, KernelResult, Observation, Step
from .errors import InputError, NotReady
from .kernel import run_kernel
from .loss import predict, probability_error, round_error
from .methods import apply_update, effective_weights, score_gradient, update_of
from .network import Network
from .passes import Backward, Forward, backward, forward
from .run import Method, Model, Shifts, State, check_run
from .scales import logit_exponent

Tensor = npt.NDArray[np.signedinteger]
Labels = npt.NDArray[np.integer]


class ReferenceEngine:
    """Engine, KernelEngine and DatasetEngine over the pure functions of this package.

    Beside the trace's tensors, `tensor` knows the inner ones of the last step: ``"<i>.accumulator"``,
    ``"<i>.effective_weights"``, ``"<i>.gradient"``, ``"<i>.score_gradient"`` (PRIOT), ``"<i>.update"``,
    ``"<i>.error_accumulator"`` and ``"<i>.input_error"`` (not for the first layer with weights), ``"<i>.before"``, the
    values that the update changed, the shifts used as ``"<i>.forward_shift"``, ``"<i>.backward_shift"`` and
    ``"<i>.gradient_shift"`` (0-d), per layer ``"layer<j>.output"`` and ``"layer<j>.error"``, the error that arrives at
    that layer's output, and ``"probability_error"``, the loss error before it is rounded.

    Args:
        update: The step that learning takes against a gradient; another one than the semantics' serves studies of them.
    """

    name = "reference"

    def __init__(self, update: Callable[[Int32Array, int], Int8Array] = update_of) -> None:
        self._update = update
        self._run: tuple[Model, Method, State] | None = None
        self._data: tuple[Int8Array, Labels, Int8Array, Labels] | None = None
        self._trace: dict[str, Tensor] = {}

    def load(self, model: Model, method: Method, state: State) -> None:
        """Take over a run; see `Engine.load`."""
        check_run(model, method, state)
        weights = {i: weights.copy() for i, weights in model.weights.items()}
        self._run = replace(model, weights=weights), method, _copy(state)
        self._data = None
        self._trace = {}

    def train_step(self, image: Int8Array, label: int) -> Step:
        """Learn from one sample; see `Engine.train_step`."""
        prediction, shifts = self._learn(image, label)
        network = self._loaded()[0].network
        crcs = {name: zlib.crc32(self._trace[name].tobytes()) for name in trace_names(network)}
        return Step(prediction, shifts, crcs)

    def predict(self, image: Int8Array) -> int:
        """Classify one sample; see `Engine.predict`."""
        model, _, state = self._loaded()
        check_tensor("image", image, model.network.input_shape)
        ahead = forward(model.network.layers, self._effective_weights(), image, state.scales)
        self._trace = _forward_trace(model.network, ahead)
        return predict(ahead.outputs[-1])

    def observe(self, image: Int8Array, label: int) -> dict[int, Observation]:
        """Run the dynamic step without an update; see `Engine.observe`."""
        _, _, state = self._loaded()
        if state.scales is not None:
            do = "load the run with scales None to calibrate it"
            raise InputError.about("observe", expected="dynamic shifts", got="static scales", do=do)
        _, shifts = self._step(image, label)
        return {
            i: Observation(
                self._counted(f"{i}.accumulator", used.forward),
                self._counted(f"{i}.error_accumulator", used.backward),
                self._counted(self._learned(i), used.gradient),
            )
            for i, used in shifts.items()
        }

    def state(self) -> State:
        """A copy of the state as it is now; see `Engine.state`."""
        return _copy(self._loaded()[2])

    def tensor(self, name: str) -> Tensor:
        """A copy of a tensor of the last step, by name; see `Engine.tensor`."""
        if name not in self._trace:
            known = ", ".join(self._trace) or "none before the first step"
            raise InputError.about("tensor", expected=f"one of {known}", got=repr(name), do="name one of them")
        return self._trace[name].copy()

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """Compute one stage; see `KernelEngine.run_kernel`."""
        return run_kernel(case)

    def load_data(
        self, train_images: Int8Array, train_labels: Labels, test_images: Int8Array, test_labels: Labels
    ) -> None:
        """Take over the samples of the loaded run; see `DatasetEngine.load_data`."""
        network = self._loaded()[0].network
        for what, images, labels in (("train", train_images, train_labels), ("test", test_images, test_labels)):
            check_samples(what, images, labels, network)
        self._data = train_images.copy(), train_labels.copy(), test_images.copy(), test_labels.copy()

    def train_epoch(self, order: npt.NDArray[np.integer]) -> Epoch:
        """Take one training step for each index; see `DatasetEngine.train_epoch`."""
        images, labels, _, _ = self._dataset()
        for index in order:
            check_range("index in the order", index, 0, len(images) - 1)
        correct = sum(self._learn(images[i], int(labels[i]))[0] == labels[i] for i in order)
        return Epoch(len(order), int(correct))

    def evaluate(self) -> int:
        """Count the right predictions on the test set; see `DatasetEngine.evaluate`."""
        _, _, images, labels = self._dataset()
        return int(sum(self.predict(image) == label for image, label in zip(images, labels, strict=True)))

    def state_crc(self) -> int:
        """zlib.crc32 of the state; see `DatasetEngine.state_crc`."""
        model, _, state = self._loaded()
        crc = 0
        for i in model.network.weighted:
            values = state.values[i]
            crc = zlib.crc32((values if state.scored is None else values[state.scored[i]]).tobytes(), crc)
        return zlib.crc32(state.rng.to_bytes(4, "little"), crc)

    def _learn(self, image: Int8Array, label: int) -> tuple[int, dict[int, Shifts]]:
        """A training step without its CRCs: the prediction and the shifts."""
        prediction, shifts = self._step(image, label)
        model, method, state = self._loaded()
        values = dict(state.values)
        for i, used in shifts.items():
            update = self._update(self._trace[self._learned(i)], used.gradient)
            self._trace[f"{i}.update"], self._trace[f"{i}.before"] = update, values[i]
            values[i] = apply_update(values[i], update)
        self._run = model, method, State(values, state.rng, state.scales, state.scored)
        return prediction, shifts

    def _step(self, image: Int8Array, label: int) -> tuple[int, dict[int, Shifts]]:
        """A step up to its update: fills the trace and moves the generator on."""
        model, method, state = self._loaded()
        network, scales = model.network, state.scales
        check_tensor("image", image, network.input_shape)
        check_range("label", label, 0, network.classes - 1)
        weights = self._effective_weights()
        ahead = forward(network.layers, weights, image, scales)
        logits = ahead.outputs[-1]
        exponent = logit_exponent(model, ahead.shifts)
        exact = probability_error(logits, exponent, label)
        error, rng = round_error(exact, method.loss_rounding, state.rng)
        back = backward(network.layers, weights, ahead, error, scales, last=network.weighted[0])
        self._trace = _forward_trace(network, ahead) | _backward_trace(network, back) | {"probability_error": exact}
        shifts = {}
        for i in network.weighted:
            self._trace[f"{i}.effective_weights"] = weights[i]
            if method.kind.learns_scores:
                scored = None if state.scored is None else state.scored[i]
                self._trace[f"{i}.score_gradient"] = score_gradient(model.weights[i], back.gradients[i], scored)
            learned = self._trace[self._learned(i)]
            shift = update_shift(learned, method.mu) if scales is None else scales[i].gradient
            shifts[i] = Shifts(ahead.shifts[i], back.shifts[i], shift)
            self._trace[f"{i}.gradient_shift"] = np.array(shift)
        self._run = model, method, State(state.values, rng, scales, state.scored)
        return predict(logits), shifts

    def _effective_weights(self) -> dict[int, Int8Array]:
        model, method, state = self._loaded()
        if method.theta is None:
            return dict(state.values)
        return {
            i: effective_weights(
                model.weights[i], state.values[i], None if state.scored is None else state.scored[i], method.theta
            )
            for i in model.network.weighted
        }

    def _learned(self, index: int) -> str:
        """The name of the gradient that layer `index` learns from: P or G."""
        return f"{index}.score_gradient" if self._loaded()[1].kind.learns_scores else f"{index}.gradient"

    def _counted(self, name: str, shift: int) -> int | None:
        """The shift of a tensor; None if the tensor is all zero or does not exist."""
        return shift if name in self._trace and self._trace[name].any() else None

    def _loaded(self) -> tuple[Model, Method, State]:
        if self._run is None:
            raise NotReady.about("engine", expected="a loaded run", got="none", do="call load first")
        return self._run

    def _dataset(self) -> tuple[Int8Array, Labels, Int8Array, Labels]:
        if self._data is None:
            raise NotReady.about("engine", expected="a loaded data set", got="none", do="call load_data first")
        return self._data


def trace_names(network: Network) -> list[str]:
    """The names of the trace's tensors (semantics of a step): each stage's output and error, in network order."""
    return [f"{stage.layer}.{what}" for stage in network.stages for what in ("output", "error")]


def check_samples(what: str, images: Int8Array, labels: Labels, network: Network) -> None:
    """Refuse samples that the network cannot take.

    Args:
        what: Name of the samples for the message.
        images: int8, (n, *input shape).
        labels: Whole numbers, (n,), 0..K-1.
        network: The network.

    Raises:
        InputError: A dtype, a shape, a value or the number of either does not fit.
    """
    check_tensor(f"{what} images", images, (len(images), *network.input_shape))
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != (len(images),):
        expected = f"whole numbers of shape ({len(images)},)"
        got = f"{labels.dtype} of shape {labels.shape}"
        raise InputError.about(f"{what} labels", expected=expected, got=got, do="give one label for each image")
    for label in np.unique(labels):
        check_range(f"{what} label", label, 0, network.classes - 1)


def _forward_trace(network: Network, ahead: Forward) -> dict[str, Tensor]:
    trace: dict[str, Tensor] = {f"layer{j}.output": output for j, output in enumerate(ahead.outputs)}
    trace |= {f"{i}.accumulator": accumulator for i, accumulator in ahead.accumulators.items()}
    trace |= {f"{i}.forward_shift": np.array(shift) for i, shift in ahead.shifts.items()}
    for stage in network.stages:
        trace[f"{stage.layer}.output"] = ahead.outputs[max((stage.layer, *stage.behind))]
    return trace | {"logits": ahead.outputs[-1]}


def _backward_trace(network: Network, back: Backward) -> dict[str, Tensor]:
    trace: dict[str, Tensor] = {f"layer{j}.error": error for j, error in back.errors.items()}
    trace |= {f"{i}.gradient": gradient for i, gradient in back.gradients.items()}
    trace |= {f"{i}.error_accumulator": accumulator for i, accumulator in back.accumulators.items()}
    trace |= {f"{i}.backward_shift": np.array(shift) for i, shift in back.shifts.items()}
    for stage in network.stages:
        trace[f"{stage.layer}.error"] = back.errors[max((stage.layer, *stage.behind))]
        if stage.layer in back.input_errors:
            trace[f"{stage.layer}.input_error"] = back.input_errors[stage.layer]
    return trace | {"loss_error": back.errors[len(network.layers) - 1]}


def _copy(state: State) -> State:
    values = {i: value.copy() for i, value in state.values.items()}
    scored = None if state.scored is None else {i: mask.copy() for i, mask in state.scored.items()}
    return State(values, int(state.rng), None if state.scales is None else dict(state.scales), scored)
