"""What a chaos campaign has found: counted, written as it goes on, and said in a few lines."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from priot_hil.reference.errors import InputError

from .files import write_aside
from .schema import Count, Location, checked, expect_as_written, parse_json, read_bytes, shown

TALLY = Location("tally", "counts of runs", "restore the file, or delete it and begin again")


@dataclass(frozen=True)
class Campaign:
    """What decides each run.

    Attributes:
        device: "process" or "emulator".
        build: Of the firmware.
        seed: Of all runs.
        faults: Planned for a run at most.
    """

    device: str
    build: str
    seed: int
    faults: int


@dataclass
class Tally:
    """How runs ended; each counter by its own names."""

    runs: Count = 0
    exact: Count = 0
    retries: Count = 0
    resends: Count = 0
    lost: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)  # "wrong", "hang"; must stay empty
    smallest: list[str] = field(default_factory=list)  # a broken case of a chunk, shrunk, and what was wrong

    def add(self, other: "Tally") -> None:
        """Counts another one's runs in."""
        self.runs += other.runs
        self.exact += other.exact
        self.retries += other.retries
        self.resends += other.resends
        self.lost += other.lost
        self.faults += other.faults
        self.broken += other.broken
        self.smallest += other.smallest


def report(total: Tally, campaign: Campaign) -> Iterator[str]:
    """The figures, for people."""

    def listed(counter: Counter[str]) -> str:
        return ", ".join(f"{name} {count:,}" for name, count in sorted(counter.items())) or "none"

    yield f"{total.runs:,} runs on {campaign.device}, up to {campaign.faults} faults each, seed {campaign.seed}"
    yield f"  faults met (> to the device, < to the host): {total.faults.total():,}: {listed(total.faults)}"
    yield f"  requests sent again: {total.retries:,} after a deadline, {total.resends:,} after damage"
    yield f"  exact to the end: {total.exact:,}; link lost: {total.lost.total():,}: {listed(total.lost)}"
    yield f"  wrong results: {total.broken['wrong']}, hangs: {total.broken['hang']}"
    if total.smallest:
        case, wrong = min(zip(total.smallest[::2], total.smallest[1::2], strict=True), key=lambda found: len(found[0]))
        yield f"  the smallest that breaks the promise: {wrong}"
        yield f"  replay: ./run invoke chaos --device {campaign.device} --case '{case}'"


def read_chunks(path: Path, campaign: Campaign) -> dict[int, Tally] | None:
    """What has been done of a campaign.

    Returns:
        The chunks by their numbers, none where there is no file yet; None where the file is another campaign's.

    Raises:
        InputError: The file is damaged.
    """
    if not path.exists() or not path.stat().st_size:
        return {}
    try:
        place = replace(TALLY, name=f"{path}")
        found = parse_json(read_bytes(path, place), place)
        if found["campaign"] != vars(campaign):
            return None
        return {
            int(index): tally_from_json(tally, place.of(f"chunks.{index}")) for index, tally in found["chunks"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        do = "give it another name, or name another file with --out"
        got = f"{type(error).__name__} {error}"
        raise InputError.about(f"{path}", expected="a campaign of chaos", got=got, do=do) from error


def tally_from_json(content: object, place: Location = TALLY) -> Tally:
    """A tally as it was written.

    Raises:
        InputError: It is none, or does not add up; names the field.
    """
    tally = checked(Tally, content, place)
    for name in ("lost", "faults", "broken"):
        if any(count < 0 for count in getattr(tally, name).values()):
            raise place.refusal(name, expected="counts of 0 or more", got=shown(dict(getattr(tally, name))))
    if tally.runs != (ends := tally.exact + tally.lost.total() + tally.broken.total()):
        raise place.refusal("runs", expected=f"{ends}: exact, lost and broken together", got=tally.runs)
    if len(tally.smallest) % 2:
        raise place.refusal("smallest", expected="cases, each with what was wrong", got=f"{len(tally.smallest)} texts")
    expect_as_written(content, json.loads(json.dumps(vars(tally))), place)
    return tally


def write_chunks(path: Path, campaign: Campaign, chunks: dict[int, Tally]) -> None:
    """Writes all that is done, and the sum.

    Raises:
        InputError: The file cannot be written.
    """
    total = Tally()
    for tally in chunks.values():
        total.add(tally)
    content = {
        "campaign": vars(campaign),
        "total": vars(total),
        "chunks": {index: vars(tally) for index, tally in sorted(chunks.items())},
    }
    write_aside(path, json.dumps(content) + "\n")
