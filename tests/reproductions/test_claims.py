"""Claims: what an experiment may declare, and the verdicts of tables made by hand."""

from dataclasses import replace
from datetime import date

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions import report
from priot_hil.reproductions.claims import Claim, Measure
from priot_hil.reproductions.experiment import FOLDER, read_experiment
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Table, cell_of
from priot_hil.reproductions.verdicts import Verdict, judge

ACCURACY = (FOLDER / "accuracy.toml").read_text(encoding="utf-8")
CLAIM = Claim("a", "b", "c", ("PRIOT",), "static NITI", Measure.BEST, above=0, low=8.08, high=33.75)


@pytest.fixture(scope="module")
def judged(experiment):
    """Judges a claim on three seeds: PRIOT's lead over static NITI in points, seed by seed, at two angles.

    The leads are those of the best epoch, which is the middle one; at the last they are smaller by 20.
    """
    rows = tuple(row for row in experiment.rows if row.name in ("static NITI", "PRIOT"))
    three = replace(experiment, rows=rows, seeds=(10, 11, 12), angles=(30, 45), test_samples=1000)

    def judge_claim(leads, claim=CLAIM, **changes):
        records = []
        for run in plan(three, "host", None, {"float": "a"}, "b"):
            lead = leads[run.angle][run.seed - 10] * 10 if run.row.name == "PRIOT" else 0
            last = lead - 200 if run.row.name == "PRIOT" else 0
            epochs = tuple(
                EpochRecord(i, 400 + right, None, 0, None, None, Counts(*[()] * 6))
                for i, right in enumerate((-200, lead, last))
            )
            records.append(RunRecord(run.key, run.description(), {}, (), None, 1, Counts(*[()] * 6), epochs))
        return judge(Table(replace(three, **changes), "host", {cell_of(record): record for record in records}), claim)

    return judge_claim


# Three seeds that lie 1 point apart have an interval of 2.48 points to either side of the middle one.
@pytest.mark.parametrize(
    ("at_30", "at_45", "direction", "within"),
    [
        (10, 30, Verdict.HOLDS, Verdict.HOLDS),
        (8.1, 33.7, Verdict.HOLDS, Verdict.HOLDS),
        (8, 20, Verdict.HOLDS, Verdict.IN_PART),  # the mean is outside, the interval touches
        (8, 40, Verdict.HOLDS, Verdict.IN_PART),  # that interval is all that touches
        (5, 20, Verdict.HOLDS, Verdict.IN_PART),  # one angle is far outside
        (5, 40, Verdict.HOLDS, Verdict.DIFFERS),
        (2.4, 20, Verdict.IN_PART, Verdict.IN_PART),  # an interval reaches below 0
        (-5, 20, Verdict.IN_PART, Verdict.IN_PART),
        (1, -1, Verdict.IN_PART, Verdict.DIFFERS),
        (-1, -5, Verdict.DIFFERS, Verdict.DIFFERS),
    ],
)
def test_verdicts(judged, at_30, at_45, direction, within):
    """By the rule in the experiment's file."""
    found = judged({30: [at_30 - 1, at_30, at_30 + 1], 45: [at_45 - 1, at_45, at_45 + 1]})
    assert (found.direction, found.range) == (direction, within)
    assert [round(each.mean, 6) for each in found.differences] == [at_30, at_45]


def test_the_measure_and_the_threshold(judged):
    """At the last epoch the lead is 20 points less; a threshold below it makes the direction hold."""
    leads = {30: [11, 12, 13], 45: [21, 22, 23]}
    last = judged(leads, replace(CLAIM, measure=Measure.LAST))
    assert [round(each.mean, 6) for each in last.differences] == [-8, 2]
    found = judged(leads, replace(CLAIM, measure=Measure.LAST, above=-11, low=None, high=None))
    assert (found.direction, found.range) == (Verdict.HOLDS, None)
    assert judged(leads, replace(CLAIM, measure=Measure.LAST, above=-10)).direction is Verdict.IN_PART


def test_what_was_not_run_has_no_verdict(judged):
    """A seed more than there are records; one seed; the short form."""
    leads = {30: [10, 11, 12], 45: [10, 11, 12]}
    for changes in ({"seeds": (10, 11, 12, 13)}, {"seeds": (10,)}, {"quick": True}):
        found = judged(leads, **changes)
        assert (found.direction, found.range, found.differences) == (Verdict.NOT_RUN, Verdict.NOT_RUN, ())


def test_the_declared_claims():
    """The abstract's sentence over static NITI first; the rule says when it was written and what had been seen."""
    experiment = read_experiment("accuracy")
    first = experiment.claims[0]
    assert (first.rows, first.over, first.measure) == (("PRIOT",), "static NITI", Measure.BEST)
    assert (first.above, first.low, first.high) == (0, 8.08, 33.75)
    assert experiment.rule.written == date(2026, 11, 25)
    assert "seeds 10 to 19" in experiment.rule.seen
    page = "\n".join(report.rule(Table(experiment, "host", {})))
    assert "were written on 2026-11-25" in page
    assert "seeds 10 to 19" in page


def test_the_confirmation_is_the_same_table_on_other_seeds():
    """Rows, rule and claims are those of the first; not even a quick look takes one of the fresh seeds."""
    first, second = read_experiment("accuracy"), read_experiment("confirmation")
    assert second.seeds == tuple(range(20, 30))
    assert set(second.shortened().seeds).isdisjoint(second.seeds)
    same = {"table": "", "title": "", "note": "", "seeds": (), "quick_seeds": (), "sources": ()}
    assert replace(first, **same) == replace(second, **same)
    assert [name for name, _ in second.sources] == ["confirmation.toml", "accuracy.toml"]


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('rows = ["PRIOT"]', 'rows = ["PRIOT-X"]', "claim: rows: expected different ones of before transfer"),
        ('rows = ["PRIOT"]', "rows = []", "claim: rows"),
        ('over = "static NITI"', 'over = "NITI"', "claim: over: expected one of before transfer"),
        ('measure = "best"', 'measure = "mean"', r"claim: measure: expected one of \['best', 'last'\], got mean"),
        ("above = 0", 'above = "0"', "claim: above: expected a number, got '0'"),
        ("above = 0", "", "claim: above: expected a number, got nothing"),
        ("low = 8.08", "low = 40", "claim: low: expected at most high, 33.75, got 40"),
        ("low = 8.08\n", "", "claim: low: expected a number, got nothing"),
        ("written = 2026-11-25", 'written = "today"', "rule: written: expected a date, got 'today'"),
        ("[rule]", "[role]", "rule: expected a table, got nothing"),
        ("above = 0", "above = 0\nbelow = 3", "claim: keys: expected only known ones, got below"),
    ],
)
def test_a_bad_claim_is_refused(tmp_path, old, new, reason):
    """With the key and what was expected."""
    assert old in ACCURACY
    (tmp_path / "accuracy.toml").write_text(ACCURACY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=reason):
        read_experiment("accuracy", tmp_path)


def test_a_base_that_is_missing_is_named(tmp_path):
    """And one that names itself ends."""
    (tmp_path / "a.toml").write_text('base = "none"\n', encoding="utf-8")
    with pytest.raises(InputError, match=r"none.toml.*No such file"):
        read_experiment("a", tmp_path)
    (tmp_path / "a.toml").write_text('base = "a"\n', encoding="utf-8")
    with pytest.raises(InputError, match="format: expected text, got nothing"):
        read_experiment("a", tmp_path)
