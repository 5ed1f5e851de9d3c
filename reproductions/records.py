"""Records: what a run gave, epoch by epoch; kept with its state so that an interrupted run goes on."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from priot_hil.harness.files import write_aside
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import Shifts, State

from .files import pack, unpack

FORMAT = "priot-run/1"
DO = "delete it and give the same command again"


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
    """

    epoch: int
    test_correct: int
    train_correct: int | None
    state_crc: int
    pruned: int | None
    cycles: int | None


@dataclass(frozen=True)
class RunRecord:
    """A run and what it gave so far.

    Attributes:
        key: Of the run.
        run: Its description.
        scales: Static shifts [forward, backward, gradient] by layer; None where they are dynamic.
        edges: Weights of the network.
        epochs: One record for the untrained model, then one an epoch.
    """

    key: str
    run: dict[str, Any]
    scales: dict[str, list[int]] | None
    edges: int
    epochs: tuple[EpochRecord, ...] = ()

    @property
    def trained(self) -> int:
        """Epochs trained; -1 if not even the untrained model was evaluated."""
        return len(self.epochs) - 1

    def upto(self, epochs: int) -> "RunRecord":
        """The record of the first epochs alone."""
        return replace(self, epochs=self.epochs[: epochs + 1])

    def extended(self, epoch: EpochRecord) -> "RunRecord":
        """The record with one epoch more."""
        return replace(self, epochs=(*self.epochs, epoch))

    @property
    def best(self) -> float:
        """The highest accuracy in percent, the untrained model's included."""
        return self._percent(max(epoch.test_correct for epoch in self.epochs))

    @property
    def last(self) -> float:
        """The accuracy in percent after the last epoch."""
        return self._percent(self.epochs[-1].test_correct)

    def _percent(self, correct: int) -> float:
        return 100 * correct / int(self.run["test_samples"])

    def to_json(self) -> dict[str, Any]:
        """The record as JSON; what was run stands beside what it gave."""
        given = {"scales": self.scales, "edges": self.edges, "epochs": [asdict(epoch) for epoch in self.epochs]}
        return {"format": FORMAT, "key": self.key, **self.run, **given}


def record_from_json(content: dict[str, Any]) -> RunRecord:
    """Read a record.

    Raises:
        KeyError, TypeError, ValueError: It is not one of this format.
    """
    run = dict(content)
    if run.pop("format") != FORMAT:
        raise ValueError(f"format is not {FORMAT}")
    key, scales, edges, epochs = (run.pop(name) for name in ("key", "scales", "edges", "epochs"))
    return RunRecord(key, run, scales, edges, tuple(EpochRecord(**epoch) for epoch in epochs))


def write_records(path: Path, records: Iterable[RunRecord]) -> None:
    """Write records as JSON Lines, one run a line."""
    write_aside(path, "".join(json.dumps(record.to_json()) + "\n" for record in records))


def read_records(path: Path) -> list[RunRecord]:
    """Read records from JSON Lines.

    Raises:
        InputError: The file is missing, or a line is not a record.
    """
    try:
        return [record_from_json(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__} {error}"
        raise InputError.about(f"{path}", expected=f"JSON Lines of {FORMAT}", got=got, do=DO) from error


def keep(path: Path, record: RunRecord, state: State) -> None:
    """Keep a run as it is after an epoch: written aside, then renamed.

    Args:
        path: The run's file.
        record: What it gave so far.
        state: The state to go on from.
    """
    arrays = {f"v{i}": values for i, values in state.values.items()}
    masks = {f"m{i}": mask for i, mask in (state.scored or {}).items()}
    meta = json.dumps({"record": record.to_json(), "rng": state.rng})
    write_aside(path, pack({"meta": np.array(meta), **arrays, **masks}))


def kept(path: Path, key: str) -> tuple[RunRecord, State] | None:
    """Read back what `keep` kept.

    Args:
        path: The run's file.
        key: The run's.

    Returns:
        Record and state, or None where there is no file.

    Raises:
        InputError: The file is damaged or another run's.
    """
    if not path.exists():
        return None
    what = f"kept run {path}"
    arrays = unpack(path.read_bytes(), what, DO)
    try:
        meta = json.loads(str(arrays.pop("meta")))
        record = record_from_json(meta["record"])
        values = {int(name[1:]): array for name, array in arrays.items() if name[0] == "v"}
        masks = {int(name[1:]): array for name, array in arrays.items() if name[0] == "m"}
        scales = None if record.scales is None else {int(i): Shifts(*s) for i, s in record.scales.items()}
        state = State(values, int(meta["rng"]), scales, masks or None)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        got = f"{type(error).__name__} {error}"
        raise InputError.about(what, expected="a record and its state", got=got, do=DO) from error
    if record.key != key:
        raise InputError.about(what, expected=f"run {key}", got=f"run {record.key}", do=DO)
    return record, state
