"""Records: what a run gave, epoch by epoch; kept with its state so that an interrupted run goes on."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.manifest import OF_ANOTHER_FORM, contents_of, of_another_form, vouched
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import Shifts, State

from .chain import Entry, read_chain, write_chain
from .probe import Counts, counts_from_json

FORMAT = "priot-run/2"
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
        counts: Saturation, dead units and the size of the update.
    """

    epoch: int
    test_correct: int
    train_correct: int | None
    state_crc: int
    pruned: int | None
    cycles: int | None
    counts: Counts

    def to_json(self) -> dict[str, Any]:
        """The record as JSON."""
        return asdict(self) | {"counts": self.counts.to_json()}


@dataclass(frozen=True)
class RunRecord:
    """A run and what it gave so far.

    Attributes:
        key: Of the run.
        run: Its description.
        data: SHA-256 of the data set's arrays, and of the samples that were drawn from it.
        made: What made it, see `provenance.made_by`; more than one where an interrupted run was continued by another.
        scales: Static shifts [forward, backward, gradient] by layer; None where they are dynamic.
        edges: Weights of the network.
        totals: What the epochs' counts are out of.
        epochs: One record for the untrained model, then one an epoch.
        beside: Times and machine, which may differ where everything else is equal.
    """

    key: str
    run: dict[str, Any]
    data: dict[str, Any]
    made: tuple[dict[str, Any], ...]
    scales: dict[str, list[int]] | None
    edges: int
    totals: Counts
    epochs: tuple[EpochRecord, ...] = ()
    beside: dict[str, Any] = field(default_factory=dict, compare=False)

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
        """What is hashed, as JSON; what was run stands beside what it gave."""
        return {
            "format": FORMAT,
            "key": self.key,
            **self.run,
            "data": self.data,
            "made": list(self.made),
            "scales": self.scales,
            "edges": self.edges,
            "totals": self.totals.to_json(),
            "epochs": [epoch.to_json() for epoch in self.epochs],
        }


def record_from_json(content: dict[str, Any], beside: dict[str, Any] | None = None) -> RunRecord:
    """Read a record.

    Raises:
        KeyError, TypeError, ValueError: It is not one of this format.
    """
    run = dict(content)
    if (found := run.pop("format")) != FORMAT:
        raise ValueError(f"format is {found!r}, not {FORMAT}")
    names = ("key", "data", "made", "scales", "edges", "totals", "epochs")
    key, data, made, scales, edges, totals, epochs = (run.pop(name) for name in names)
    read = tuple(EpochRecord(**epoch | {"counts": counts_from_json(epoch["counts"])}) for epoch in epochs)
    return RunRecord(key, run, data, tuple(made), scales, edges, counts_from_json(totals), read, beside or {})


def write_records(path: Path, records: Iterable[RunRecord]) -> None:
    """Write records as a chain, one run a line.

    Raises:
        InputError: The folder cannot be written.
    """
    write_chain(path, [Entry(record.to_json(), record.beside) for record in records])


def read_records(path: Path) -> list[RunRecord]:
    """Read records from a chain.

    Raises:
        InputError: The file is missing, does not hang together, or a line is not a record.
    """
    try:
        return [record_from_json(entry.body, entry.beside) for entry in read_chain(path)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        got = f"{type(error).__name__} {error}"
        raise InputError.about(f"{path}", expected=f"records ({FORMAT})", got=got, do=DO) from error


def keep(path: Path, record: RunRecord, state: State) -> None:
    """Keep a run as it is after an epoch: written aside, then renamed.

    Args:
        path: The run's file.
        record: What it gave so far.
        state: The state to go on from.
    """
    arrays = {f"v{i}": values for i, values in state.values.items()}
    masks = {f"m{i}": mask for i, mask in (state.scored or {}).items()}
    meta = {"record": record.to_json(), "beside": record.beside, "rng": state.rng}
    write_aside(path, pack(vouched(meta, {**arrays, **masks})))


def kept(path: Path, key: str) -> tuple[RunRecord, State] | None:
    """Read back what `keep` kept, or kept before its files had a manifest.

    Args:
        path: The run's file.
        key: The run's.

    Returns:
        Record and state, or None where there is no file.

    Raises:
        InputError: The file is damaged, of another format, or another run's.
    """
    if not path.exists():
        return None
    what = f"kept run {path}"
    arrays = unpack(read_whole(path, what, DO), what, DO)
    try:
        contents = contents_of(arrays)
        meta = contents.meta
        record = record_from_json(meta["record"], meta.get("beside"))
        parts: dict[str, dict[int, Any]] = {"v": {}, "m": {}}
        for name, array in contents.arrays.items():
            parts[name[0]][int(name[1:])] = array
        scales = None if record.scales is None else {int(i): Shifts(*s) for i, s in record.scales.items()}
        state = State(parts["v"], int(meta["rng"]), scales, parts["m"] or None)
    except OF_ANOTHER_FORM as error:
        raise of_another_form(what, f"a record ({FORMAT}) and its state", error, DO) from error
    if record.key != key:
        raise InputError.about(what, expected=f"run {key}", got=f"run {record.key}", do=DO)
    return record, state
