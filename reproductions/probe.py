"""What accuracy does not show: how much saturates, what is dead and how far the state moves, counted in whole numbers.

Everything is computed outside the engines, from the state after an epoch, with the reference's own passes; so it is the
same for every engine, and an engine need not report it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import prod

import numpy as np
import numpy.typing as npt

from priot_hil.reference.arithmetic import round_shift
from priot_hil.reference.checks import Int8Array, Int32Array
from priot_hil.reference.loss import loss_error
from priot_hil.reference.methods import effective_weights
from priot_hil.reference.network import Stage
from priot_hil.reference.passes import backward, forward
from priot_hil.reference.run import Method, Model, State, run_rng
from priot_hil.reference.scales import logit_exponent

from .data import Samples

LARGEST = 127


@dataclass(frozen=True)
class Counts:
    """Whole numbers for each layer with weights, in network order.

    Attributes:
        clipped_outputs: Outputs before the relu that left -127..127 behind the shift and were clipped.
        clipped_errors: The same of the errors to the layer's input; 0 for the first layer, which passes none on.
        active_outputs: Outputs of the stage (behind relu and pool) that are not 0.
        dead_units: Channels or neurons whose outputs are 0 at every position of every probe image.
        changed: Learned values that are others than before the epoch.
        moved: The sum of the distances between their values before and after it.
    """

    clipped_outputs: tuple[int, ...]
    clipped_errors: tuple[int, ...]
    active_outputs: tuple[int, ...]
    dead_units: tuple[int, ...]
    changed: tuple[int, ...]
    moved: tuple[int, ...]

    def to_json(self) -> dict[str, list[int]]:
        """By name."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self)}


def counts_from_json(content: Mapping[str, list[int]]) -> Counts:
    """Read counts.

    Raises:
        TypeError: A name is missing or unknown.
    """
    return Counts(**{name: tuple(values) for name, values in content.items()})


@dataclass(frozen=True, eq=False)
class Probe:
    """What all epochs of a run are probed with.

    Attributes:
        model: The network and its pre-trained weights.
        method: What is learned, and how the loss is rounded.
        samples: The images and labels; the random numbers that round their loss come from a generator of the probe's
            own, from seed 0, which runs on across them.
        back: For how many of the first samples the error is followed back.
    """

    model: Model
    method: Method
    samples: Samples
    back: int

    def totals(self, state: State) -> Counts:
        """What the counts are out of: how many outputs, errors, units and learned values there are."""
        network, images = self.model.network, len(self.samples.images)
        first, back = network.weighted[0], min(self.back, images)
        learned = tuple(int(np.count_nonzero(mask)) for mask in self._learned(state))
        return Counts(
            clipped_outputs=tuple(images * prod(network.shapes[i]) for i in network.weighted),
            clipped_errors=tuple(back * prod(network.layer_input(i)) * (i != first) for i in network.weighted),
            active_outputs=tuple(images * prod(network.shapes[_end(stage)]) for stage in network.stages),
            dead_units=tuple(network.shapes[i][0] for i in network.weighted),
            changed=learned,
            moved=learned,
        )

    def count(self, before: State, after: State) -> Counts:
        """Count after an epoch.

        Args:
            before: The state before it; the same as `after` before training.
            after: The state after it.

        Returns:
            The counts.
        """
        network, scales = self.model.network, after.scales
        weights = self._effective(after)
        clipped, clipped_back, active = (dict.fromkeys(network.weighted, 0) for _ in range(3))
        is_alive = {i: np.zeros(network.shapes[i][0], np.bool_) for i in network.weighted}
        rng = run_rng(0)
        for index, (image, label) in enumerate(zip(self.samples.images, self.samples.labels, strict=True)):
            ahead = forward(network.layers, weights, image, scales)
            for stage in network.stages:
                i, outputs = stage.layer, ahead.outputs[_end(stage)]
                clipped[i] += _clipped(ahead.accumulators[i], ahead.shifts[i])
                active[i] += int(np.count_nonzero(outputs))
                is_alive[i] |= outputs.reshape(len(is_alive[i]), -1).any(axis=1)
            if index < self.back:
                exponent = logit_exponent(self.model, ahead.shifts)
                error, rng = loss_error(ahead.outputs[-1], exponent, int(label), self.method.loss_rounding, rng)
                back = backward(network.layers, weights, ahead, error, scales, last=network.weighted[0])
                for i, accumulator in back.accumulators.items():
                    clipped_back[i] += _clipped(accumulator, back.shifts[i])
        moves = [
            np.abs(_wide(after, i) - _wide(before, i))[mask]
            for i, mask in zip(network.weighted, self._learned(after), strict=True)
        ]
        return Counts(
            clipped_outputs=tuple(clipped.values()),
            clipped_errors=tuple(clipped_back.values()),
            active_outputs=tuple(active.values()),
            dead_units=tuple(int(np.count_nonzero(~alive)) for alive in is_alive.values()),
            changed=tuple(int(np.count_nonzero(move)) for move in moves),
            moved=tuple(int(move.sum()) for move in moves),
        )

    def _effective(self, state: State) -> dict[int, Int8Array]:
        weights, theta = self.model.weights, self.method.theta
        if theta is None:
            return dict(state.values)
        scored = state.scored or {}
        return {i: effective_weights(weights[i], scores, scored.get(i), theta) for i, scores in state.values.items()}

    def _learned(self, state: State) -> list[npt.NDArray[np.bool_]]:
        """Which values of each layer's state are learned: all, or the scored edges."""
        network, scored = self.model.network, state.scored or {}
        return [scored.get(i, np.ones(network.weight_shape(i), np.bool_)) for i in network.weighted]


def _end(stage: Stage) -> int:
    """The index of a stage's last layer."""
    return max((stage.layer, *stage.behind))


def _clipped(accumulator: Int32Array, shift: int) -> int:
    return int(np.count_nonzero(np.abs(round_shift(accumulator, shift)) > LARGEST))


def _wide(state: State, index: int) -> npt.NDArray[np.int16]:
    return state.values[index].astype(np.int16)
