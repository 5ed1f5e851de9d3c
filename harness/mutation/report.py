"""The table of a campaign, made from its records alone."""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path
from statistics import median, quantiles

from priot_hil.harness.files import write_aside
from priot_hil.harness.outputs import set_aside
from priot_hil.harness.schema import Count, Location, Text, checked, expect_as_written, expect_none, read_json

from .records import KILLED, Record, Verdict, findings
from .trial import is_device_test

TABLE = "mutation.md"
RECORDS = "mutation.json"
CONTEXT = 36  # characters that are shown around a change
COLUMNS = ("mutants", "does not compile", "same code", "killed", "equivalent", "open", "median s to kill")
Argue = Callable[[str], Mapping[str, str]]
HOW = {Verdict.FAILED: "a test failed", Verdict.CRASHED: "the process crashed", Verdict.HUNG: "a test did not end"}


def is_open(record: Record, argued: Mapping[str, str]) -> bool:
    """Whether a mutant is neither killed nor argued away."""
    return record.verdict is Verdict.SURVIVED and record.id not in argued


def is_by_a_case(record: Record) -> bool:
    """Whether a generated case killed it, and not a stored one, a request or a crash."""
    return record.verdict is Verdict.FAILED and not is_device_test(record.test) and "golden" not in record.test


def summary(records: Sequence[Record], argued: Mapping[str, str], stale: Sequence[str]) -> Iterator[str]:
    """The figures, for people, and what is left to do."""
    counts = Counter(record.verdict for record in records)
    killed = sum(counts[verdict] for verdict in KILLED)
    left = [record for record in records if is_open(record, argued)]
    seconds = [record.seconds for record in records if record.verdict in KILLED]
    yield (
        f"{len(records)} mutants: {killed} killed, {counts[Verdict.SURVIVED] - len(left)} equivalent by argument, "
        f"{counts[Verdict.SAME_CODE]} by their code, {counts[Verdict.NOT_COMPILED]} do not compile, "
        f"{len(left)} survived"
    )
    if seconds:
        yield f"killed after {median(seconds):.1f} s in the median, {max(seconds):.1f} s at most"
    for record in left:
        yield f"survived: {record.id}, firmware/{record.file}:{record.line}"
        yield from (f"    {line}" for line in difference(record))
    wrong = [record.id for record in records if record.verdict in KILLED and record.id in argued]
    yield from (f"argued to be equivalent, and killed: {id_}" for id_ in wrong)
    yield from (f"argued about, and no mutant any more: {id_}" for id_ in stale)


def difference(record: Record) -> tuple[str, str]:
    """The change: what stood there and what stands there now, with a little of the line around it."""
    before, after = record.before, record.after
    head = _common(before, after)
    tail = _common(before[head:][::-1], after[head:][::-1])
    begin, end = max(head - CONTEXT, 0), max(tail - CONTEXT, 0)

    def told(sign: str, text: str) -> str:
        return f"{sign} {'... ' if begin else ''}{text[begin : len(text) - end]}{' ...' if end else ''}"

    return told("-", before), told("+", after)


def _common(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def write_report(
    folder: Path,
    device: str,
    records: Sequence[Record],
    argue: Argue,
    of: int,
    say: Callable[[str], None] = print,
) -> None:
    """Puts a campaign into the records of all devices, and makes the table anew.

    Args:
        folder: Of both.
        device: What was mutated.
        records: Of the campaign.
        argue: Says why a mutant is equivalent, by device and id.
        of: How many mutants there are in all.
        say: Told where earlier records are kept that are not among these.

    Raises:
        InputError: The records there cannot be read, or the folder cannot be written.
    """
    campaigns = read_campaigns(folder / RECORDS) if (folder / RECORDS).exists() else {}
    earlier = {record.id for record in campaigns.get(device, (0, []))[1]}
    if earlier - {record.id for record in records}:
        set_aside(folder / RECORDS, f"has records of mutants on {device} that this campaign has not", say)
    campaigns[device] = (of, list(records))
    lines = []
    for name, (count, kept) in sorted(campaigns.items(), reverse=True):
        rows = ",\n".join(json.dumps(_sparse(asdict(record))) for record in kept)
        lines.append(f'"{name}": {{"of": {count}, "records": [\n{rows}\n]}}')
    write_aside(folder / RECORDS, "{\n" + ",\n".join(lines) + "\n}\n")
    write_aside(folder / TABLE, render(campaigns, argue))


def _sparse(entry: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in entry.items() if value not in ("", 0.0, None)}


def read_campaigns(path: Path) -> dict[str, tuple[int, list[Record]]]:
    """The records of each device, with how many mutants there were in all.

    Raises:
        InputError: They are no such file.
    """
    place = Location(f"{path}", "records of mutants", "delete it and give the same command again")
    content = read_json(path, place)
    campaigns = checked(dict[Text, Tried], content, place)
    for name, campaign in campaigns.items():
        at = place.of(f"{name}.records")
        for number, record in enumerate(campaign.records):
            expect_none(findings(record), at.of(f"[{number}]"))
        if (
            len({record.id for record in campaign.records}) < len(campaign.records)
            or len(campaign.records) > campaign.of
        ):
            got = f"{len(campaign.records)} records"
            raise at.refusal(got=got, expected=f"each mutant once, and at most {campaign.of}")
        expect_as_written(content[name]["records"], [_sparse(asdict(record)) for record in campaign.records], at)
    return {name: (campaign.of, list(campaign.records)) for name, campaign in campaigns.items()}


@dataclass(frozen=True)
class Tried:
    """The form of a device's records: how many mutants there were, and those that were tried."""

    of: Count
    records: tuple[Record, ...]


def render(campaigns: Mapping[str, tuple[int, Sequence[Record]]], argue: Argue) -> str:
    """The page: a section for each device, then every mutant that no test killed."""
    lines = ["# Mutants of the firmware, and what killed them", ""]
    lines += ["Made by `./run invoke mutate`; what the words mean is in [mutation.md](../mutation.md).", ""]
    for device, (of, records) in sorted(campaigns.items(), reverse=True):
        argued = argue(device)
        lines += [f"## On {device}", "", f"{len(records)} of {of:,} mutants.", ""]
        lines += list(_table(records, argued, "operator", lambda record: record.operator))
        if len(records) > 100:
            lines += ["", *_table(records, argued, "file", lambda record: record.file)]
        lines += ["", *_kills(records)]
        left = [record for record in records if is_open(record, argued)]
        lines += ["", f"### Survivors on {device}: {len(left) or 'none'}", ""] if left else [""]
        for record in left:
            lines += _shown(record)
    argued_away: dict[str, dict[str, Record]] = defaultdict(dict)
    for device, (_, records) in sorted(campaigns.items(), reverse=True):
        for record in records:
            if record.verdict is Verdict.SURVIVED and (argument := argue(device).get(record.id)):
                argued_away[argument][record.id] = record
    if argued_away:
        lines += ["## Equivalent, and why", ""]
    for argument, same in argued_away.items():
        lines += [argument, ""]
        for record in same.values():
            lines += _shown(record)
    return "\n".join(lines).rstrip() + "\n"


def _shown(record: Record) -> list[str]:
    return [f"`{record.id}` (line {record.line})", "", "```diff", *difference(record), "```", ""]


def _table(
    records: Sequence[Record], argued: Mapping[str, str], name: str, key: Callable[[Record], str]
) -> Iterator[str]:
    """Verdicts by operator or file."""
    yield f"| {name} | {' | '.join(COLUMNS)} |"
    yield f"| :-- |{' --: |' * len(COLUMNS)}"
    rows: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        rows[key(record)].append(record)
    for title, row in [*sorted(rows.items()), ("**all**", list(records))]:
        counts = Counter(record.verdict for record in row)
        seconds = [record.seconds for record in row if record.verdict in KILLED]
        open_ = sum(is_open(record, argued) for record in row)
        cells = (
            len(row),
            counts[Verdict.NOT_COMPILED],
            counts[Verdict.SAME_CODE],
            len(seconds),
            counts[Verdict.SURVIVED] - open_,
            open_,
            f"{median(seconds):.2f}" if seconds else "",
        )
        yield f"| {title} | {' | '.join(map(str, cells))} |"


def _kills(records: Sequence[Record]) -> Iterator[str]:
    """How the killed ones were seen, how soon, and how small the cases are."""
    killed = [record for record in records if record.verdict in KILLED]
    if len(killed) < 2:
        return
    counts = Counter(record.verdict for record in killed)
    yield "Killed: " + ", ".join(f"{HOW[verdict]} {counts[verdict]}" for verdict in KILLED if counts[verdict]) + "."
    by = Counter(_suite(record.test) for record in killed)
    yield "First seen by: " + ", ".join(f"{name} {count}" for name, count in by.most_common()) + "."
    tenths = quantiles([record.seconds for record in killed], n=10, method="inclusive")
    slowest = max(killed, key=lambda record: record.seconds)
    yield (
        f"Seconds from the first test to the kill: median {tenths[4]:.2f}, nine in ten within {tenths[8]:.1f}, "
        f"at most {slowest.seconds:.1f} (`{slowest.id}`)."
    )
    sizes = [record.size for record in killed if record.size is not None]
    if sizes:
        yield (
            f"Shrunk cases of {len(sizes)} of them, in the median and at most: "
            f"weights {_spread([size.weights for size in sizes])}, "
            f"values other than 0 {_spread([size.nonzero for size in sizes])}, "
            f"training steps {_spread([size.steps for size in sizes])}."
        )


def _spread(values: Sequence[int]) -> str:
    return f"{median(values):g} and {max(values)}"


def _suite(test: str) -> str:
    """What a test belongs to, for people."""
    if is_device_test(test):
        return "tests of the device's refusals and data"
    return "the short equivalence suite" if "test_short" in test else "the equivalence suite"
