"""The report: means, deviations, gains seed by seed, and what was not run."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from priot_hil.reproductions import report
from priot_hil.reproductions.chain import linked
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Cell, Table


@pytest.fixture(scope="module")
def table(experiment):
    """Three seeds, two angles, static NITI and PRIOT; 1,000 test images, so that a right one is a tenth of a point."""
    rows = tuple(row for row in experiment.rows if row.name in ("before transfer", "static NITI", "PRIOT"))
    return replace(experiment, rows=rows, seeds=(10, 11, 12), angles=(30, 45), test_samples=1000)


@pytest.fixture(scope="module")
def planned(table):
    """Its runs."""
    return plan(table, "host", "emulator", {"float": "a"}, "b")


def record(run, *right):
    """A record with these numbers of right predictions."""
    counts = Counts(*[(0,)] * 6)
    epochs = tuple(EpochRecord(i, count, None, 0, None, None, counts) for i, count in enumerate(right))
    return RunRecord(run.key, run.description(), {}, (), None, 1, counts, epochs)


def made(experiment, planned, curves):
    """A table of these curves by row and seed, at 30 degrees."""
    records = {
        Cell(run.row.name, run.angle, run.seed): record(run, *curves[run.row.name, run.seed])
        for run in planned
        if run.angle == 30 and (run.row.name, run.seed) in curves
    }
    return Table(experiment, "host", records)


CURVES = {
    ("before transfer", 10): [500],
    ("before transfer", 11): [500],
    ("before transfer", 12): [500],
    ("static NITI", 10): [500, 700, 600],
    ("static NITI", 11): [800, 100, 200],
    ("static NITI", 12): [500, 600, 600],
    ("PRIOT", 10): [500, 800, 810],
    ("PRIOT", 11): [500, 900, 890],
    ("PRIOT", 12): [500, 600, 800],
}


def test_cells(table, planned):
    """By hand: static NITI's best 70, 80, 60; PRIOT's 81, 90, 80; so the gains are 11, 10, 20.

    The intervals of three seeds reach 4.303 / sqrt(3) = 2.484 deviations to either side.
    """
    rows = report.body(made(table, planned, CURVES))
    none = ["not run"] * 3
    assert report.header(table) == [
        "",
        *["30° best", "30° last", "30° gain", "45° best", "45° last", "45° gain"],
        "emulated board",
    ]
    assert rows == [
        [
            "before transfer",
            *("50.0 ± 0.0\n50.0 to 50.0", "50.0 ± 0.0\n50.0 to 50.0", "-20.0 ± 10.0\n-44.8 to +4.8"),
            *(*none, "equal, untrained"),
        ],
        [
            "static NITI",
            *("70.0 ± 10.0\n45.2 to 94.8", "46.7 ± 23.1\n-10.7 to 104.0", ""),
            *(*none, "equal, 2 epochs"),
        ],
        [
            "PRIOT",
            *("83.7 ± 5.5\n70.0 to 97.3", "83.3 ± 4.9\n71.1 to 95.6", "+13.7 ± 5.5\n+0.0 to +27.3"),
            *(*none, "equal, 2 epochs"),
        ],
    ]


def test_claims_are_told_with_their_verdicts(table, planned):
    """PRIOT's leads of 11, 10 and 20 points, by hand; a claim about rows that were not run says so."""
    at_30 = replace(table, angles=(30,))
    page = report.markdown(made(at_30, planned, CURVES), "file.jsonl")
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| PRIOT improves")]
    assert lines[0][1:] == ["over static NITI, best epoch", "+13.7 ± 5.5<br>+0.0 to +27.3", "holds in part", "holds"]
    assert lines[2][1:] == ["over dynamic NITI too, best epoch", "not run", "not run", "not run"]
    (told,) = (line for line in page.splitlines() if line.startswith("“PRIOT improves accuracy"))
    assert told.endswith(f"points over existing methods”: {table.claims[0].source}.")
    assert "Rule and thresholds were written on 2026-11-25." in page


def test_a_cell_with_an_unfinished_run_says_so(table, planned):
    """One seed of static NITI is missing: its cell and every gain over it; one of PRIOT is the one on the board."""
    curves = {key: curve for key, curve in CURVES.items() if key not in [("static NITI", 11), ("PRIOT", 10)]}
    _, static, priot = report.body(made(table, planned, curves))
    assert static[1:4] == ["not run"] * 3
    assert static[-1] == "equal, 2 epochs"
    assert priot[1:4] == ["not run"] * 3
    assert priot[-1] == "not run"
    curves = {key: curve for key, curve in CURVES.items() if key != ("static NITI", 11)}
    _, _, priot = report.body(made(table, planned, curves))
    assert priot[1:4] == ["83.7 ± 5.5\n70.0 to 97.3", "83.3 ± 4.9\n71.1 to 95.6", "not run"]


def test_one_seed_has_no_deviation(table):
    """A single number."""
    single = replace(table, seeds=(11,))
    planned = plan(single, "host", None, {"float": "a"}, "b")
    _, static, priot = report.body(made(single, planned, CURVES))
    assert static[1:4] == ["80.0", "20.0", ""]
    assert priot[1:4] == ["90.0", "89.0", "+10.0"]


def test_legend_names_the_setting(table):
    """The axes that decide the picture, the seeds, how the setting was chosen, and the abstract's range."""
    text = "\n".join(report.legend(Table(table, "host", {})))
    for part in ("(float)", "stochastic", "mu = 5", "seeds 10 to 12", "8.08 to 33.75", "seeds 1 to 3", "engine: host"):
        assert part in text
    assert "seeds 10, 12;" in report.legend(Table(replace(table, seeds=(10, 12)), "host", {}))[0]
    assert "seed 10;" in report.legend(Table(replace(table, seeds=(10,)), "host", {}))[0]


def test_markdown_and_terminal_show_the_same_cells(table, planned):
    """Every cell of every row, in order."""
    filled = made(table, planned, CURVES)
    columns, rows = report.header(table), report.body(filled)
    lines = report.markdown(filled, "file.jsonl").splitlines()
    assert lines[0] == f"# {table.title}"
    assert [cell.strip().replace("<br>", "\n") for cell in lines[6].strip("|").split("|")] == rows[2]
    assert lines[-1] == f"Made from 9 records; the chain in file.jsonl ends with {linked(filled.entries())[-1].sha256}."
    assert {line.count("|") for line in lines[2:7]} == {len(columns) + 1}
    shown = io.StringIO()
    Console(file=shown, width=130).print(report.terminal_table("A title", columns, rows))
    for part in "\n".join(rows[2]).splitlines():
        assert part in shown.getvalue()


def test_the_legend_tells_of_a_row_at_another_setting(table):
    """What is another there, and nothing of the rows at the usual one."""
    other = replace(table.rows[-1], setting=replace(table.setting, mu=2, pretraining="niti"))
    told = report.legend(Table(replace(table, rows=(*table.rows[:-1], other)), "host", {}))
    assert "PRIOT: niti, mu 2." in told
    assert not any(line.startswith("PRIOT") for line in report.legend(Table(table, "host", {})))


def test_a_network_too_large_for_boards_has_no_column_for_them(table, planned):
    """Nor a cell, nor a word in the legend."""
    whole = made(table, planned, CURVES)
    large = replace(whole, experiment=replace(whole.experiment, network="vgg11"))
    assert report.header(large.experiment) == report.header(table)[:-1]
    assert report.body(large) == [cells[:-1] for cells in report.body(whole)]
    assert report.table_lines(large)[1].count("--:") == report.table_lines(large)[1].count("|") - 2 == 6
    assert any("mulated board" in line for line in report.legend(whole))
    assert not any("mulated board" in line for line in report.legend(large))
