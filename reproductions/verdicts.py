"""What a table says about a declared claim: a verdict on the direction and one on the range, never on a single cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .claims import Claim, Measure
from .intervals import Spread, spread
from .records import RunRecord
from .table import Table


class Verdict(StrEnum):
    """What is said."""

    HOLDS = "holds"
    IN_PART = "holds in part"
    DIFFERS = "differs"
    NOT_RUN = "not run"


@dataclass(frozen=True)
class Judgement:
    """A claim judged.

    Attributes:
        claim: The claim.
        direction: Whether the differences lie on the claimed side.
        range: Whether they lie in the published range; None where none is published.
        differences: Of each row at each angle; none where a run is missing.
    """

    claim: Claim
    direction: Verdict
    range: Verdict | None
    differences: tuple[Spread, ...]


def judge(table: Table, claim: Claim) -> Judgement:
    """Judge a claim.

    The direction holds where at every angle and row the interval of the mean difference lies above the threshold, and
    differs where no mean does. The range holds where every mean lies in it, and differs where no interval touches it.
    Between the two, a claim holds in part.

    Args:
        table: What was run.
        claim: The claim.

    Returns:
        The judgement; not run where a run is missing, or where there is but one seed.
    """
    differences = [
        gains(table, row, claim.over, angle, claim.measure) for row in claim.rows for angle in table.experiment.angles
    ]
    known = [spread(each) for each in differences if each is not None and len(each) > 1]
    has_range = claim.low is not None and claim.high is not None
    if len(known) < len(differences) or table.experiment.quick:
        return Judgement(claim, Verdict.NOT_RUN, Verdict.NOT_RUN if has_range else None, ())
    direction = _verdict([each.low > claim.above for each in known], [each.mean > claim.above for each in known])
    within = None
    if claim.low is not None and claim.high is not None:
        low, high = claim.low, claim.high
        within = _verdict(
            [low <= each.mean <= high for each in known],
            [each.low <= high and each.high >= low for each in known],
        )
    return Judgement(claim, direction, within, tuple(known))


def gains(table: Table, row: str, over: str, angle: int, measure: Measure) -> list[float] | None:
    """How many points a row lies above another, seed by seed; None where a run is missing."""
    mine, others = table.column(row, angle), table.column(over, angle)
    if mine is None or others is None:
        return None
    return [_accuracy(a, measure) - _accuracy(b, measure) for a, b in zip(mine, others, strict=True)]


def _accuracy(record: RunRecord, measure: Measure) -> float:
    return record.best if measure is Measure.BEST else record.last


def _verdict(strictly: Sequence[bool], loosely: Sequence[bool]) -> Verdict:
    if all(strictly):
        return Verdict.HOLDS
    return Verdict.IN_PART if any(loosely) else Verdict.DIFFERS
