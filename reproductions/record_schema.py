"""What a run's record may say: types and ranges, and what its numbers have to do with one another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from priot_hil.harness.schema import (
    Count,
    Crc32,
    Finding,
    Index,
    Location,
    Seconds,
    Sha256,
    Text,
    checked,
    expect_none,
    shown,
    under,
)
from priot_hil.reference.kinds import LossRounding, MethodKind, Selection
from priot_hil.reference.network import Network
from priot_hil.reference.ranges import DEVIATION, MU, PERCENT, SEED, SHIFT, THETA, Range
from priot_hil.reference.run import Method, Model, State

from .data import Samples
from .networks import SUBJECTS, subject
from .plan import key_of
from .probe import Counts, Probe
from .provenance import Machine, Made
from .setting import PRETRAININGS, UpdateRounding
from .split import Split

FARTHEST = 254  # that one value can move: from -127 to 127


def _within(legal: Range) -> Any:
    """What a whole number of a range is held against."""
    return Field(ge=legal.low, le=legal.high)


Shift = Annotated[int, _within(SHIFT)]
NetworkName = Annotated[str, Field(pattern=f"^({'|'.join(SUBJECTS)})$")]
Pretraining = Annotated[str, Field(pattern=f"^({'|'.join(PRETRAININGS)})$")]


@dataclass(frozen=True)
class EpochRecord:
    """The model after an epoch.

    Attributes:
        epoch: How many epochs were trained; 0 before training.
        test_correct: Right predictions on the test set.
        train_correct: Right predictions while training in this epoch, each before its own update; None before training.
        state_crc: CRC-32 of the state, as `DatasetEngine.state_crc` defines it.
        pruned: Edges whose weight is masked; None for NITI.
        cycles: Processor cycles of the epoch's training steps, where an engine counted them.
        counts: Saturation, dead units and the size of the update.
    """

    epoch: Count
    test_correct: Count
    train_correct: Count | None
    state_crc: Crc32
    pruned: Count | None
    cycles: Count | None
    counts: Counts

    def to_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return vars(self) | {"counts": self.counts.to_json()}


@dataclass(frozen=True)
class RunDescription:
    """The form of `Run.description`."""

    table: Text
    row: Text
    method: MethodKind
    theta: Annotated[int, _within(THETA)] | None
    pretraining: Pretraining
    loss_rounding: LossRounding
    mu: Annotated[int, _within(MU)]
    calibration_samples: Annotated[int, Field(ge=1, le=60000)]
    zeros_count: bool
    score_deviation: Annotated[int, _within(DEVIATION)]
    update_rounding: UpdateRounding
    percent: Annotated[int, _within(PERCENT)] | None
    selection: Selection | None
    network: NetworkName
    checkpoint_sha256: Sha256
    code_sha256: Sha256
    train_samples: Annotated[int, Field(ge=1, le=60000)]
    test_samples: Annotated[int, Field(ge=1, le=10000)]
    split: Split
    angle: Annotated[int, Field(ge=-360, le=360)]
    seed: Annotated[int, _within(SEED)]
    devices: Annotated[tuple[Text, ...], Field(min_length=1)]

    def findings(self) -> Iterator[Finding]:
        """What does not fit together."""
        is_priot_s = self.method is MethodKind.PRIOT_S
        for name, is_said in (("theta", self.method.learns_scores), ("percent", is_priot_s), ("selection", is_priot_s)):
            value = getattr(self, name)
            if (value is not None) != is_said:
                yield name, f"{'a value' if is_said else 'null'} with {self.method}", value
        if len(set(self.devices)) < len(self.devices):
            yield "devices", "each once", list(self.devices)


@dataclass(frozen=True)
class Arrays:
    """SHA-256 of each array of a data set."""

    x_train: Sha256
    y_train: Sha256
    x_test: Sha256
    y_test: Sha256


@dataclass(frozen=True)
class Data:
    """SHA-256 of what was drawn, and of the arrays of the one data set that it was drawn from."""

    drawn_sha256: Sha256
    mnist_sha256: Arrays | None = None
    cifar10_sha256: Arrays | None = None


@dataclass(frozen=True)
class RunResults:
    """The form of what a record says beside the description of its run.

    Attributes:
        key: Of the run.
        data: SHA-256 of the data set's arrays by the set's name, and of the samples that were drawn from it.
        made: What made it.
        scales: Static shifts [forward, backward, gradient] by layer; None where they are dynamic.
        edges: Weights of the network.
        totals: What the epochs' counts are out of.
        epochs: One for the untrained model, then one an epoch.
    """

    key: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    data: Data
    made: Annotated[tuple[Made, ...], Field(min_length=1)]
    scales: dict[Index, tuple[Shift, Shift, Shift]] | None
    edges: Count
    totals: Counts
    epochs: tuple[EpochRecord, ...]


@dataclass(frozen=True)
class Beside:
    """The form of what stands beside a record: when it was finished, how long it took, and on what machine."""

    finished: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00$")]
    seconds: Seconds
    machine: Machine


def check_content(run: dict[str, Any], results: dict[str, Any], place: Location) -> RunResults:
    """Hold a record against its schema.

    Args:
        run: The description of its run.
        results: All else that it says, but for the format.
        place: Where it stands.

    Returns:
        All else that it says.

    Raises:
        InputError: Something is not legal; names the field.
    """
    said, found = checked(RunDescription, run, place), checked(RunResults, results, place)
    if found.key != (key := key_of(run)):
        raise place.refusal("key", expected=f"that of the run's description, {key}", got=found.key)
    expect_none(chain(said.findings(), _findings(said, found, results["data"])), place)
    return found


def _findings(run: RunDescription, found: RunResults, content: Mapping[str, Any]) -> Iterator[Finding]:
    data_set, network = subject(run.network).data_set, subject(run.network).network
    names = ["drawn_sha256", f"{data_set}_sha256"]
    if {*content} != {*names} or None in (getattr(found.data, name) for name in names):
        yield (
            "data",
            f"the SHA-256 of {' and '.join(names)}, as {run.network} learns from {data_set}",
            shown([*content]),
        )
    if any(made in found.made[:number] for number, made in enumerate(found.made)):
        yield "made", "each once", "one twice"
    layers, is_static = list(network.weighted), run.method is not MethodKind.NITI_DYNAMIC
    if (None if found.scales is None else sorted(map(int, found.scales))) != (layers if is_static else None):
        expected = f"three shifts for each of the layers {layers}" if is_static else f"null with {run.method}"
        yield "scales", expected, "null" if found.scales is None else f"those of {list(found.scales)}"
    edges = sum(prod(network.weight_shape(i)) for i in layers)
    if found.edges != edges:
        yield "edges", f"{edges}, the weights of {run.network}", found.edges
    yield from under("totals", _totals(run, found.totals, network))
    for number, epoch in enumerate(found.epochs):
        yield from under(f"epochs[{number}]", _epoch(run, found.totals, number, epoch))


def _totals(run: RunDescription, totals: Counts, network: Network) -> Iterator[Finding]:
    """Totals follow from the network, from how many images are probed, and from which edges are scored."""
    first, last = network.weighted[0], network.weighted[-1]
    images = _whole(totals.clipped_outputs[:1], prod(network.shapes[first]))
    back = _whole(totals.clipped_errors[-1:], prod(network.layer_input(last)))
    if not images <= run.train_samples:
        yield "clipped_outputs", f"those of at most {run.train_samples} images", list(totals.clipped_outputs)
        return
    of_all = _all_totals(run.network, images, back)
    for name, values in totals.to_json().items():
        expected = of_all[name]
        if name in ("changed", "moved") and run.method is MethodKind.PRIOT_S and len(values) == len(expected):
            expected = [min(max(scored, 0), every) for scored, every in zip(totals.changed, expected, strict=False)]
        if values != expected:
            yield name, expected, values


def _whole(total: Sequence[int], each: int) -> int:
    """How many images a total is of; at least 1."""
    return max(1, sum(total) // each)


@cache
def _all_totals(name: str, images: int, back: int) -> dict[str, list[int]]:
    """What the counts are out of where every edge is learned."""
    model, labels = Model(subject(name).network, {}, {}), np.empty(images, np.int64)
    samples = Samples(np.empty((images, 0), np.int8), labels)
    return Probe(model, Method(MethodKind.NITI_DYNAMIC), samples, back).totals(State({}, 1)).to_json()


def _epoch(run: RunDescription, totals: Counts, number: int, epoch: EpochRecord) -> Iterator[Finding]:
    if epoch.epoch != number:
        yield "epoch", f"{number}, each one more than the one before", epoch.epoch
    if epoch.test_correct > run.test_samples:
        yield "test_correct", f"at most test_samples, {run.test_samples}", epoch.test_correct
    yield from _known("train_correct", epoch.train_correct, number > 0, run.train_samples, "train_samples")
    yield from _known("pruned", epoch.pruned, run.theta is not None, sum(totals.changed), "the scored edges")
    if number == 0 and epoch.cycles is not None:
        yield "cycles", "null before training", epoch.cycles
    out_of, counts = totals.to_json(), epoch.counts.to_json()
    for name, values in counts.items():
        if len(values) != len(out_of[name]):
            yield f"counts.{name}", f"a number for each of {len(out_of[name])} layers", values
            return
        for layer, value in enumerate(values):
            least, most = 0, out_of[name][layer] if number or name not in ("changed", "moved") else 0
            if name == "moved":
                changed = counts["changed"][layer]
                least, most = changed, FARTHEST * changed
            if not least <= value <= most:
                yield f"counts.{name}[{layer}]", f"{least}..{most}", value


def _known(name: str, value: int | None, is_said: bool, most: int, of: str) -> Iterator[Finding]:
    """A count that is said only of some epochs."""
    if (value is not None) != is_said or (value is not None and value > most):
        yield name, f"at most {of}, {most}" if is_said else "null", "null" if value is None else value
