"""What README and docs show is what the committed records say."""

import json
import statistics
from itertools import chain
from pathlib import Path

import pytest

from priot_hil.harness.paths import ROOT
from priot_hil.reproductions.claims import Measure
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.intervals import spread
from priot_hil.reproductions.plot import source
from priot_hil.reproductions.publish import check_publishable, page, picture_name, published_tables, with_table
from priot_hil.reproductions.records import RunRecord
from priot_hil.reproductions.sensitivity.recommend import recommended_row
from priot_hil.reproductions.table import Cell, read_table
from priot_hil.reproductions.verdicts import Verdict, gains, judge

RESULTS = ROOT / "docs" / "results"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def table_lines(text: str) -> list[str]:
    """The lines of a Markdown text that belong to tables."""
    return [line for line in text.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("path", published_tables(RESULTS), ids=lambda path: path.stem)
def test_nothing_published_is_stale(path: Path) -> None:
    """Page, picture and README are made from the records; `invoke publish` makes them anew."""
    table = read_table(path)
    check_publishable(table, path)
    assert path.with_suffix(".md").read_text(encoding="utf-8") == page(table, path)
    assert with_table(README, table, path.name) == README
    assert source(table) in (RESULTS / picture_name(table)).read_text(encoding="utf-8")
    assert table.experiment == read_experiment(table.experiment.table)


def test_the_readme_shows_the_committed_table() -> None:
    """Every line of the committed table stands in the README."""
    lines = table_lines((RESULTS / "accuracy.md").read_text(encoding="utf-8").split("## Claims")[0])
    assert len(lines) == 11
    assert set(lines) <= set(table_lines(README))


def test_the_committed_table_follows_from_the_committed_records() -> None:
    """Best accuracies of a row, worked out from the records by hand, are the table's."""
    lines = [json.loads(line) for line in (RESULTS / "accuracy.jsonl").read_text(encoding="utf-8").splitlines()]
    records = [record for record in (line.get("body", line) for line in lines) if "row" in record]
    assert len(records) == 180
    rows = {line.split("|")[1].strip(): line for line in table_lines((RESULTS / "accuracy.md").read_text("utf-8"))}
    for name in {record["row"] for record in records}:
        for column, angle in ((2, 30), (5, 45)):
            best = [
                100 * max(epoch["test_correct"] for epoch in record["epochs"]) / record["test_samples"]
                for record in records
                if (record["row"], record["angle"]) == (name, angle)
            ]
            assert len(best) == 10
            shown = rows[name].split("|")[column].strip().split("<br>")[0]
            assert shown == f"{statistics.mean(best):.1f} ± {statistics.stdev(best):.1f}"


def test_the_recommended_row_is_the_study_s() -> None:
    """The table of accuracies has the row that the committed study's rule gives."""
    row = recommended_row(read_table(RESULTS / "sensitivity.jsonl"))
    assert row in read_experiment("accuracy").rows


def test_the_readme_s_sentences_are_the_table_s() -> None:
    """PRIOT's lead over static NITI seed by seed, and that of the recommended setting over PRIOT, worked out anew."""
    table = read_table(RESULTS / "accuracy.jsonl")

    def best(row: str, angle: int) -> list[float]:
        return [table.records[Cell(row, angle, seed)].best for seed in range(10, 20)]

    text = " ".join(README.split())
    sentences = {
        30: "lies {:.0f} points above static NITI's at 30 degrees (seed by seed {})",
        45: "and {:.0f} at 45 ({})",
    }
    for angle, said in sentences.items():
        leads = [a - b for a, b in zip(best("PRIOT", angle), best("static NITI", angle), strict=True)]
        assert said.format(statistics.mean(leads), f"{min(leads):+.1f} to {max(leads):+.1f}") in text
    sentences = {30: "lies {:.1f} points above PRIOT's at 30 degrees", 45: "and {:.1f} above at 45, at the best epoch"}
    for angle, said in sentences.items():
        mine, usual = (statistics.mean(best(row, angle)) for row in ("PRIOT recommended", "PRIOT"))
        assert said.format(mine - usual) in text


def test_the_readme_s_sentences_are_those_of_vgg11_s_table() -> None:
    """That it is whole, and what its rows say, worked out anew."""
    table = read_table(RESULTS / "accuracy-vgg11.jsonl")
    text = " ".join(README.split())
    assert len(table.records) == len(table.cells)
    assert f"all {len(table.records)} runs have been performed" in text

    def of(row: str) -> list[list[RunRecord]]:
        return [[table.records[Cell(row, angle, seed)] for seed in (10, 11, 12)] for angle in (30, 45)]

    def best(row: str) -> list[float]:
        return [statistics.mean(record.best for record in records) for records in of(row)]

    priot = best("PRIOT")
    leads = [[a - b for a, b in zip(priot, best(row), strict=True)] for row in ("static NITI", "dynamic NITI")]
    for record in chain(*of("static NITI"), *of("dynamic NITI")):
        assert record.epochs[1].test_correct / record.run["test_samples"] < 0.13
        assert max(epoch.test_correct for epoch in record.epochs) == record.epochs[0].test_correct
    assert "from the {:.1f} and {:.1f} % before transfer to chance".format(*best("before transfer")) in text
    said = (
        "best epoch reaches {:.1f} and {:.1f} %, {:.1f} and {:.1f} points above static NITI's, {:.1f} and {:.1f} above"
    )
    assert said.format(*priot, *leads[0], *leads[1]) in text
    ahead = [a - b for a, b in zip(best("PRIOT recommended"), priot, strict=True)]
    assert "recommended setting lies {:.1f} and {:.1f} points above PRIOT's. Direction".format(*ahead) in text
    tenth, fifth = best("PRIOT-S 10 % random"), best("PRIOT-S 20 % random")
    said = "a random tenth of the edges it reaches {:.1f} and {:.1f} %, with a random fifth {:.1f} and {:.1f} %"
    assert said.format(*tenth, *fifth) in text
    tenth, fifth = best("PRIOT-S 10 % magnitude"), best("PRIOT-S 20 % magnitude")
    said = (
        "largest weights it stays below the accuracy before transfer, at {:.1f} and {:.1f} %, "
        "and with the fifth too, at {:.1f} and {:.1f} %"
    )
    assert said.format(*tenth, *fifth) in text
    before = best("before transfer")
    assert all(a < b for row in (tenth, fifth) for a, b in zip(row, before, strict=True))
    judged = {claim.reading: judge(table, claim) for claim in table.experiment.claims}
    for reading in ("over static NITI, best epoch", "over dynamic NITI too, best epoch"):
        assert (judged[reading].direction, judged[reading].range) == (Verdict.HOLDS, Verdict.HOLDS)
    found = judged["over static NITI, last epoch"]
    assert (found.direction, found.range) == (Verdict.HOLDS, Verdict.IN_PART)
    (loss,) = (found for found in judged.values() if "minimal accuracy loss" in found.claim.text)
    assert loss.direction is Verdict.IN_PART
    assert "its *minimal accuracy loss* holds in part" in text


def test_the_readme_s_sentences_are_the_confirmation_s() -> None:
    """Leads, an interval, and verdicts, on the seeds that nobody had run."""
    table = read_table(RESULTS / "confirmation.jsonl")
    best, last = (
        [spread(gains(table, "PRIOT", "static NITI", angle, measure) or []) for angle in (30, 45)]
        for measure in Measure
    )
    judged = {claim.reading: judge(table, claim) for claim in table.experiment.claims}
    more = [spread(gains(table, "PRIOT recommended", "PRIOT", angle, Measure.BEST) or []).mean for angle in (30, 45)]
    text = " ".join(README.split())
    said = (
        "lies {:.1f} points above static NITI's at 30 degrees and {:.1f} at 45, where the interval reaches below zero"
    )
    assert said.format(*(each.mean for each in best)) in text
    assert [each.low < 0 for each in best] == [False, True]
    assert "at the last epoch, {:.1f} and {:.1f} points, it holds".format(*(each.mean for each in last)) in text
    assert judged["over static NITI, best epoch"].direction is Verdict.IN_PART
    assert judged["over static NITI, last epoch"].direction is Verdict.HOLDS
    assert "setting lies {:.1f} and {:.1f} points above PRIOT's".format(*more) in text
