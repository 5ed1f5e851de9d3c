"""Records: what a run gave, epoch by epoch; kept with its state so that an interrupted run goes on."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.manifest import OF_ANOTHER_FORM, contents_of, of_another_form, vouched
from priot_hil.harness.schema import Location, checked, expect_format
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import Shifts, State

from .chain import Entry, read_chain, write_chain
from .probe import Counts
from .record_schema import Beside, EpochRecord, RunResults, check_content

__all__ = ["DO", "EpochRecord", "RunRecord", "keep", "kept", "read_records", "record_from_json", "write_records"]

FORMAT = "priot-run/2"
DO = "delete it and give the same command again"
ANY_RECORD = Location("record", f"a record ({FORMAT})", DO)
RESULTS = {field.name for field in fields(RunResults)}


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


def record_from_json(
    content: dict[str, Any], beside: dict[str, Any] | None = None, place: Location = ANY_RECORD
) -> RunRecord:
    """Read a record.

    Args:
        content: What `RunRecord.to_json` gave.
        beside: What stands beside it; None where that is not to be had.
        place: Where it was read.

    Raises:
        InputError: It is not one of this format, or says what cannot be; names the field.
    """
    expect_format(content, FORMAT, place)
    run = {name: value for name, value in content.items() if name != "format"}
    names = [name for name in run if name in RESULTS]
    results = {name: run.pop(name) for name in names}
    found = check_content(run, results, place)
    if beside is not None:
        checked(Beside, beside, place.of("beside"))
    data, made, scales = results["data"], tuple(results["made"]), results["scales"]
    return RunRecord(found.key, run, data, made, scales, found.edges, found.totals, found.epochs, beside or {})


def write_records(path: Path, records: Iterable[RunRecord]) -> None:
    """Write records as a chain, one run a line.

    Raises:
        InputError: The folder cannot be written.
    """
    write_chain(path, [Entry(record.to_json(), record.beside) for record in records])


def read_records(path: Path) -> list[RunRecord]:
    """Read records from a chain.

    Raises:
        InputError: The file is missing, does not hang together, a line is not a record, or a run is there twice.
    """
    place = Location(f"{path}", f"records ({FORMAT})", DO)
    records: dict[str, RunRecord] = {}
    for number, entry in enumerate(read_chain(path), start=1):
        record = record_from_json(entry.body, entry.beside, place.line(number))
        if record.key in records:
            raise place.line(number).refusal("key", expected="one record of each run", got=f"{record.key} again")
        records[record.key] = record
    return list(records.values())


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
    place = Location(what, f"a record ({FORMAT}) and its state", DO)
    try:
        contents = contents_of(arrays)
        meta = contents.meta
        content = meta["record"]
    except OF_ANOTHER_FORM as error:
        raise of_another_form(what, place.expected, error, DO) from error
    record = record_from_json(content, meta.get("beside"), place)
    try:
        parts: dict[str, dict[int, Any]] = {"v": {}, "m": {}}
        for name, array in contents.arrays.items():
            parts[name[0]][int(name[1:])] = array
        scales = None if record.scales is None else {int(i): Shifts(*s) for i, s in record.scales.items()}
        state = State(parts["v"], int(meta["rng"]), scales, parts["m"] or None)
    except OF_ANOTHER_FORM as error:
        raise of_another_form(what, place.expected, error, DO) from error
    if record.key != key:
        raise InputError.about(what, expected=f"run {key}", got=f"run {record.key}", do=DO)
    return record, state
