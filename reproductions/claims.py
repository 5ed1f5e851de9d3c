"""Published claims, declared beside the experiment before its runs, with the rule that judges them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from priot_hil.reference.errors import InputError

from .fields import Fields

DO = "correct the experiment file"


class Measure(StrEnum):
    """Which accuracy of a run counts."""

    BEST = "best"
    LAST = "last"


@dataclass(frozen=True)
class Rule:
    """How claims are judged.

    Attributes:
        written: When the rule and the claims' thresholds were written.
        seen: Which results had been seen by then.
        text: The rule in words.
    """

    written: date
    seen: str
    text: str


@dataclass(frozen=True)
class Claim:
    """A claim about differences of accuracy, in points, between rows of the table.

    Attributes:
        text: The published sentence.
        source: Where it stands.
        reading: How it is read here.
        rows: The rows it is about.
        over: The row they are compared with, seed by seed.
        measure: Best or last epoch.
        above: The direction: differences lie above this many points.
        low: The lower end of the published range; None where none is published.
        high: Its upper end.
    """

    text: str
    source: str
    reading: str
    rows: tuple[str, ...]
    over: str
    measure: Measure
    above: float
    low: float | None = None
    high: float | None = None


def read_claims(fields: Fields, rows: Sequence[str]) -> tuple[Rule | None, tuple[Claim, ...]]:
    """Take the rule and the claims out of an experiment file; a file without claims needs no rule.

    Args:
        fields: The file.
        rows: The names of the table's rows.

    Raises:
        InputError: A claim is not legal, names no row, or there is no rule.
    """
    claims = tuple(_claim(content, rows) for content in (fields.take("claims", list) if "claims" in fields else []))
    if not claims:
        return None, ()
    told = Fields("rule", fields.take("rule", dict), DO)
    rule = Rule(told.take("written", date), told.take("seen", str).strip(), told.take("text", str).strip())
    told.check_nothing_left()
    return rule, claims


def _claim(content: Any, rows: Sequence[str]) -> Claim:
    if not isinstance(content, dict):
        raise InputError.about("claims", expected="tables", got=repr(content), do=DO)
    fields = Fields("claim", content, DO)
    has_range = "low" in fields or "high" in fields
    claim = Claim(
        text=fields.take("text", str),
        source=fields.take("source", str),
        reading=fields.take("reading", str),
        rows=fields.texts("rows", rows),
        over=fields.text("over", rows),
        measure=fields.choice("measure", Measure),
        above=fields.real("above"),
        low=fields.real("low") if has_range else None,
        high=fields.real("high") if has_range else None,
    )
    fields.check_nothing_left()
    if claim.low is not None and claim.high is not None and claim.low > claim.high:
        raise InputError.about("claim: low", expected=f"at most high, {claim.high}", got=claim.low, do=DO)
    return claim
