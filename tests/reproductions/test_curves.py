"""Training curves: their points by hand, and the picture's bytes."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from priot_hil.reproductions import plot
from priot_hil.reproductions.chain import linked
from priot_hil.reproductions.curves import CURVES
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Table, cell_of

TOTALS = Counts((100, 100), (0, 50), (100, 10), (8, 10), (60, 40), (60, 40))


@pytest.fixture(scope="module")
def table(experiment):
    """Three rows, one of which does not train, two seeds, an epoch; the second seed has twice the counts."""
    rows = tuple(row for row in experiment.rows if row.name in ("before transfer", "static NITI", "PRIOT"))
    small = replace(experiment, rows=rows, seeds=(10, 11), test_samples=10, train_samples=20)
    records = []
    for run in plan(small, "host", None, {"float": "a"}, "b"):
        k = run.seed - 9
        pruned = 5 * k if run.row.name == "PRIOT" else None
        before = Counts((0, 0), (0, 0), (9, 9), (0, 0), (0, 0), (0, 0))
        after = Counts((4 * k, 6 * k), (0, 5 * k), (9, 9), (2 * k, 10), (10 * k, 0), (30 * k, 10 * k))
        epochs = (
            EpochRecord(0, 3 * k, None, 0, pruned, None, before),
            EpochRecord(1, 4 * k, 5 * k, 0, pruned, None, after),
        )
        records.append(RunRecord(run.key, run.description(), {}, (), None, 50, TOTALS, epochs))
    return Table(small, "host", {cell_of(record): record for record in records})


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("test accuracy", {0: (30, 60), 1: (40, 80)}),
        ("training accuracy", {1: (25, 50)}),
        ("pruned edges", {0: (10, 20), 1: (10, 20)}),
        ("saturated outputs", {0: (0, 0), 1: (5, 10)}),
        ("saturated errors", {0: (0, 0), 1: (10, 20)}),
        ("dead units", {0: (0, 0), 1: (25, 50)}),
        ("changed values", {1: (10, 20)}),
        ("update size", {1: (0.4, 0.8)}),
    ],
)
def test_points_by_hand(table, name, points):
    """Each seed's value of PRIOT: their mean, and 12.706 / sqrt(2) deviations to either side."""
    (curve,) = (curve for curve in CURVES if curve.name == name)
    found = curve.points(table, "PRIOT", 30)
    assert [epoch for epoch, _ in found] == list(points)
    for (_, spread), (one, two) in zip(found, points.values(), strict=True):
        assert spread.mean == pytest.approx((one + two) / 2)
        assert spread.high - spread.mean == pytest.approx(12.706 * (two - one) / 2)


def test_every_curve_is_worked_out_above():
    """None is added without its test."""
    assert len(CURVES) == 8


def test_what_is_not_there_has_no_curve(table):
    """NITI prunes nothing; a missing run leaves its whole row out."""
    pruned = next(curve for curve in CURVES if curve.name == "pruned edges")
    assert pruned.points(table, "static NITI", 30) == []
    some = {cell: record for cell, record in table.records.items() if cell.seed == 10}
    assert CURVES[0].points(replace(table, records=some), "PRIOT", 30) == []


@pytest.mark.slow
def test_the_picture_has_the_same_bytes_each_time(table):
    """It names its records and shows each row and each quantity that can be read out of it."""
    picture = plot.svg(table)
    assert plot.svg(table) == picture
    assert linked(table.entries())[-1].sha256.encode() in picture
    texts = {"".join(element.itertext()).strip() for element in ElementTree.fromstring(picture).iter()}
    assert {"static NITI", "PRIOT", "30 degrees", *(curve.name for curve in CURVES)} <= texts
    assert "before transfer" not in texts


@pytest.mark.slow
def test_the_axes_show_what_can_be(table):
    """Intervals of two seeds reach below 0 and above 100 %; the axes do not, but for an edge."""
    axes = plot.draw(Figure, table, CURVES).axes[:: len(table.experiment.angles)]
    assert [each.get_ylabel().split("\n")[0] for each in axes] == [curve.name for curve in CURVES]
    for each, curve in zip(axes, CURVES, strict=True):
        low, high = each.get_ylim()
        reached = max(point.high for _, point in curve.points(table, "PRIOT", 30))
        top = min(reached, 100) if curve.unit == "%" else reached
        assert -0.05 * top < low < 0
        assert top < high < 1.1 * top


def test_the_picture_lies_beside_its_table_but_for_published_ones(table, tmp_path, monkeypatch):
    """Those are for `publish` to make."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plot, "ROOT", tmp_path / "checkout")
    monkeypatch.setattr(plot, "read_table", lambda _: table)
    for folder, expected in (("mine", tmp_path / "mine"), ("checkout/docs/results", Path("results"))):
        assert plot.write_curves(tmp_path / folder / "a.jsonl") == expected / "a-curves.svg"
    assert not (tmp_path / "checkout").exists()
