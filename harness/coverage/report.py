"""The counts as Markdown: a table of sources, and every place that generated cases do not reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from .counts import Counts, Place
from .exceptions import Exempt, needless

Share = tuple[int, int]  # reached, all


@dataclass(frozen=True)
class Evidence:
    """What two runs of tests have reached.

    Attributes:
        generated: By generated cases alone.
        chosen: By the tests of chosen cases alone.
        exceptions: Places that neither has to reach.
    """

    generated: Counts
    chosen: Counts
    exceptions: Sequence[Exempt]

    @property
    def total(self) -> Counts:
        """By both."""
        total = Counts(self.generated)
        total.update(self.chosen)
        return total

    def missed(self, counts: Counts) -> list[Place]:
        """What counts have not reached, in order."""
        return sorted(place for place, times in counts.items() if times == 0)

    @property
    def open(self) -> list[Place]:
        """What nothing reaches and nobody has argued."""
        missed = self.missed(self.total)
        return [place for place in missed if not any(exempt.covers(place) for exempt in self.exceptions)]

    @property
    def needless(self) -> list[Exempt]:
        """Exceptions that are not needed any more."""
        return needless(self.exceptions, self.missed(self.total))


def share(counts: Counts, file: str, branches: bool) -> Share:
    """How many lines or outcomes of conditions of a source were reached, of how many; of all sources where it is ""."""
    times = [n for place, n in counts.items() if file in (place.file, "") and bool(place.outcome) is branches]
    return sum(n > 0 for n in times), len(times)


def report(evidence: Evidence, head: str) -> str:
    """The whole page.

    Args:
        evidence: What was reached.
        head: What stands above: what was run, and on what.
    """
    rest = [place for place in evidence.missed(evidence.generated) if evidence.chosen[place] > 0]
    parts = [
        "# Coverage of the kernels and the engine",
        head,
        "\n".join(_table(evidence)),
        "## Reached by chosen cases only",
        _places(rest) or "None.",
        "## Reached by nothing, and why",
        "\n".join(_argued(evidence.exceptions)) or "None.",
    ]
    if evidence.open:
        parts += ["## Reached by nothing, and not argued", _places(evidence.open)]
    if evidence.needless:
        parts += ["## Exceptions that are needed no more", "\n".join(_argued(evidence.needless))]
    return "\n\n".join(parts) + "\n"


def _table(evidence: Evidence) -> list[str]:
    """A line a source, and one for all."""
    lines = [
        "| source | lines | by generated cases | and chosen ones | outcomes of conditions | generated | and chosen |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for file in [*sorted({place.file for place in evidence.generated}), ""]:
        cells = [file or "**all**"]
        for branches in (False, True):
            generated, total = (share(counts, file, branches) for counts in (evidence.generated, evidence.total))
            cells += [str(total[1]), percent(generated), percent(total)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def percent(share: Share) -> str:
    """A share; 100 % is said only where nothing is missing."""
    reached, count = share
    if reached == count:
        return "100 %" if count else "-"
    return f"{min(100 * reached / count, 99.9):.1f} % ({count - reached} missing)"


def _places(places: Iterable[Place]) -> str:
    """Places, source by source and function by function."""
    lines = []
    for (file, function), inside in groupby(places, key=lambda place: (place.file, place.function)):
        lines.append(f"- `{file}`, `{function}`")
        lines += [f"  - {_place(place)}" for place in inside]
    return "\n".join(lines)


def _place(place: Place) -> str:
    return f"line {place.line}: {what(place)}"


def what(place: Place | Exempt) -> str:
    """The code of a line, or a condition with the outcome that it lacks."""
    return f"never {place.outcome}: `{place.code}`" if place.outcome else f"`{place.code}`"


def _argued(exceptions: Iterable[Exempt]) -> list[str]:
    return [f"- `{exempt.function}`, {what(exempt)}: {exempt.because}" for exempt in exceptions]
