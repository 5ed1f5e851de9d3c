"""The contract: what every engine can do, and what a step, an observation and a kernel case are.

An engine is the reference, the C library on the host, or a device at the end of a link. Two engines agree when every
tensor of every step's trace is equal. The trace's tensors are ``"<i>.output"`` and ``"<i>.error"`` for each stage, i
being the index of its layer with weights: the stage's int8 output, and the int8 error that arrives there.
``"logits"`` and ``"loss_error"`` are those of the last stage.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from .checks import BoolArray, Int8Array, Int32Array
from .kinds import MethodKind
from .network import Layer, Weighted
from .run import Method, Model, Shifts, State


@dataclass(frozen=True)
class Step:
    """What one training step reports.

    Attributes:
        prediction: The lowest index of the largest logit, before the update.
        shifts: The shifts used, by layer; the first layer's backward shift is 0.
        crcs: zlib.crc32 of the int8 bytes, in C order, of each tensor of the trace.
        cycles: Processor cycles of the step, where the engine can count them.
    """

    prediction: int
    shifts: dict[int, Shifts]
    crcs: dict[str, int]
    cycles: int | None = None


@dataclass(frozen=True)
class Observation:
    """The dynamic shifts of one layer on one sample; None where the tensor was all zero, or does not exist."""

    forward: int | None
    backward: int | None
    gradient: int | None


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training set reports.

    Attributes:
        steps: Training steps taken.
        correct: Right predictions among them, each made before its own update.
        cycles: Processor cycles of all steps, where the engine can count them.
    """

    steps: int
    correct: int
    cycles: int | None = None


@dataclass(frozen=True, eq=False)
class KernelCase:
    """One stage on its own: forward, error, gradient and update with a chosen error and chosen shifts.

    Attributes:
        layer: The layer with weights.
        behind: The layers without weights behind it.
        input_shape: Of the layer's input.
        kind: What is learned.
        theta: -127..127 for the learners of scores, None for NITI.
        weights: int8, W.
        scores: int8, S for the learners of scores, else None.
        scored: bool, the scored edges for PRIOT-S, else None.
        image: int8, input_shape: the layer's input.
        error: int8, the error at the stage's output.
        shifts: 0..31 each, or None for dynamic ones.
        mu: 0..7, bit width of the update where the shifts are dynamic.
    """

    layer: Weighted
    behind: tuple[Layer, ...]
    input_shape: tuple[int, ...]
    kind: MethodKind
    theta: int | None
    weights: Int8Array
    scores: Int8Array | None
    scored: BoolArray | None
    image: Int8Array
    error: Int8Array
    shifts: Shifts | None
    mu: int = 5


@dataclass(frozen=True, eq=False)
class KernelResult:
    """What a stage computes from a `KernelCase`.

    Attributes:
        output: int8, the stage's output.
        input_error: int8, input_shape; computed here even for a network's first layer.
        gradient: int32, shape of the weights: the sum over positions of error x input.
        updated: int8, shape of the weights: the new W (NITI) or S (PRIOT; unscored edges as they were).
        shifts: Those used.
    """

    output: Int8Array
    input_error: Int8Array
    gradient: Int32Array
    updated: Int8Array
    shifts: Shifts


class Engine(Protocol):
    """Runs training steps and predictions of one loaded run."""

    @property
    def name(self) -> str:
        """What to call the engine in messages."""
        ...

    def load(self, model: Model, method: Method, state: State) -> None:
        """Take over a run; nothing of an earlier one remains.

        Raises:
            InputError: The run is not legal, or does not fit this engine; the earlier run stays.
        """
        ...

    def train_step(self, image: Int8Array, label: int) -> Step:
        """Learn from one sample.

        Args:
            image: int8, the network's input shape, -127..127.
            label: 0..K-1.
        """
        ...

    def predict(self, image: Int8Array) -> int:
        """Classify one sample; nothing is drawn or changed, but `tensor` then gives this pass's outputs."""
        ...

    def observe(self, image: Int8Array, label: int) -> dict[int, Observation]:
        """Run the dynamic step without an update and report its shifts by layer; only the generator moves on.

        Raises:
            InputError: The run was loaded with static scales.
        """
        ...

    def state(self) -> State:
        """A copy of the state as it is now."""
        ...

    def tensor(self, name: str) -> npt.NDArray[np.signedinteger]:
        """A copy of a tensor of the last step's trace, by name.

        Raises:
            InputError: There is no tensor of that name.
        """
        ...


class KernelEngine(Protocol):
    """Runs single stages; gradients can be seen only here, since a device never stores one it can fuse."""

    @property
    def name(self) -> str:
        """What to call the engine in messages."""
        ...

    def run_kernel(self, case: KernelCase) -> KernelResult:
        """Compute one stage forward, backward and its update.

        Raises:
            InputError: The case is not legal.
        """
        ...


class DatasetEngine(Engine, Protocol):
    """Holds a data set and runs whole epochs on it."""

    def load_data(
        self,
        train_images: Int8Array,
        train_labels: npt.NDArray[np.integer],
        test_images: Int8Array,
        test_labels: npt.NDArray[np.integer],
    ) -> None:
        """Take over the samples of the loaded run; the next `load` forgets them.

        Args:
            train_images: int8, (n, *input shape).
            train_labels: Whole numbers, (n,), 0..K-1.
            test_images: int8, (m, *input shape).
            test_labels: Whole numbers, (m,), 0..K-1.
        """
        ...

    def train_epoch(self, order: npt.NDArray[np.integer]) -> Epoch:
        """Take one training step for each index of `order`, in that order."""
        ...

    def evaluate(self) -> int:
        """Count the right predictions on the test set."""
        ...

    def state_crc(self) -> int:
        """zlib.crc32 of the state.

        Layer by layer in network order the int8 bytes of W, or of S on the scored edges in flat order; then the
        generator's state as four little-endian bytes.
        """
        ...
