"""The committed table of costs follows from its record, the record adds up, and the page says what it says."""

import json
import re

import numpy as np
import pytest

from priot_hil.harness.devices import open_engine
from priot_hil.harness.paths import ROOT
from priot_hil.reproductions.checkpoint import committed_models
from priot_hil.reproductions.cost.bed import make_bed
from priot_hil.reproductions.cost.records import read_record
from priot_hil.reproductions.cost.report import markdown
from priot_hil.reproductions.cost.setting import read_setting
from priot_hil.reproductions.data import load_mnist
from priot_hil.reproductions.performance import Material
from priot_hil.reproductions.table import Cell, read_table

RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def content():
    """The record as plain JSON."""
    return json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page():
    """The page of the findings, on one line."""
    return re.sub(r"\s+", " ", (ROOT / "docs" / "cost.md").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def rows(content):
    """Its rows by name."""
    return {row["row"]: row for row in content["rows"]}


def per_step(taken, *, phases=None, layers=None):
    """Cycles a step, worked out anew."""
    if phases is None and layers is None:
        return taken["cycles"] / taken["steps"]
    parts = [part for part in taken["parts"] if phases is None or part["phase"] in phases]
    return sum(part["cycles"] for part in parts if layers is None or part["layer"] in layers) / taken["steps"]


def test_the_committed_table_follows_from_the_committed_record():
    """To the last character."""
    assert markdown(read_record(RESULTS / "cost.json")) == (RESULTS / "cost.md").read_text(encoding="utf-8")


def test_the_committed_record_is_of_the_setting(content, rows):
    """In full: every row that trains, every epoch, every step."""
    setting = read_setting()
    assert list(rows) == [row.name for row in setting.rows]
    for row in rows.values():
        assert tuple(epoch["epoch"] for epoch in row["epochs"]) == setting.full.epochs
        assert {epoch[what]["steps"] for epoch in row["epochs"] for what in ("training", "inference")} == {1024}
    assert [cost["found"]["steps"] for cost in content["scales"]] == [setting.full.scale_steps] * 2


def test_the_committed_record_adds_up(rows):
    """To the cycle: phases, what lies between steps, and the clock's reading are the firmware's own total."""
    for row in rows.values():
        for epoch in row["epochs"]:
            for taken in (epoch["training"], epoch["inference"]):
                parts = sum(part["cycles"] for part in taken["parts"])
                assert parts + taken["between"] + taken["clock"] == taken["cycles"]
                assert 0 < taken["clock"] < 600
                assert taken["least"] <= per_step(taken) <= taken["most"]


def test_the_steps_are_those_of_the_table_of_accuracies(rows):
    """The states behind the measured epochs are those of its committed records."""
    table = read_table(RESULTS / "accuracy.jsonl")
    for name, row in rows.items():
        record = table.records[Cell(name, 30, 10)]
        crcs = {epoch.epoch: epoch.state_crc for epoch in record.epochs}
        assert [epoch["state_crc"] for epoch in row["epochs"]] == [crcs[1], crcs[30]]
        assert row["scales"] == record.scales


def test_the_page_says_what_the_record_says(content, rows, page):
    """Every figure of the findings, worked out from the record."""
    first = {name: row["epochs"][0] for name, row in rows.items()}
    for name, row in rows.items():
        times = [f"{per_step(e[what]) / 125e3:.1f}" for what in ("training", "inference") for e in row["epochs"]]
        arena = sum(tensor["bytes"] for tensor in row["tensors"])
        assert f"| {name} | {' | '.join(times)} | {arena:,} |" in page
    (flash,) = (image for image in content["programs"] if image["image"] == "flash")
    assert f"{flash['engine_bytes']:,} bytes describe the model" in page
    assert f"the stack takes {max(row['stack'] for row in rows.values()):,} at most" in page
    step = {name: per_step(epoch["training"]) for name, epoch in first.items()}
    spread = [epoch["training"]["most"] / epoch["training"]["least"] for epoch in first.values()]
    assert f"{min(spread):.1f} to {max(spread):.1f} times the cheapest" in page
    arena = {name: sum(tensor["bytes"] for tensor in row["tensors"]) for name, row in rows.items()}
    forward = [100 * per_step(e["training"], phases=["forward"]) / step[name] for name, e in first.items()]
    assert f"the forward pass takes {min(forward):.0f} to {max(forward):.0f} % of a training step" in page
    convolutions = [per_step(e["inference"], layers=[0, 3]) / per_step(e["inference"]) for e in first.values()]
    assert f"the two convolutions {100 * min(convolutions):.0f} to {100 * max(convolutions):.0f} % of an infer" in page
    loss = [per_step(e["training"], phases=["loss"]) for e in first.values()]
    assert f"about {round(max(loss), -2):,.0f} cycles" in page
    prices = [
        (cost["found"]["cycles"] - cost["given"]["cycles"]) / cost["found"]["steps"] for cost in content["scales"]
    ]
    given = [per_step(cost["given"]) for cost in content["scales"]]
    for price, without in zip(prices, given, strict=True):
        assert f"{price / 1000:,.0f} thousand cycles a step, {100 * price / without:.0f} % on top" in page
    found = content["scales"][0]
    maxima = sum(
        per_step(found["found"], phases=[p]) - per_step(found["given"], phases=[p]) for p in ("forward", "error")
    )
    assert f"{maxima / 1000:,.0f} thousand" in page
    priot = step["PRIOT"]
    assert f"{priot / step['static NITI']:.1f} times static NITI's" in page
    assert f"{priot / step['dynamic NITI']:.1f} times dynamic NITI's" in page
    for name in ("10 % random", "10 % magnitude", "20 % random", "20 % magnitude"):
        assert f"{name} {100 - 100 * step[f'PRIOT-S {name}'] / priot:.0f} %" in page
    for percent in (10, 20):
        saved = arena["PRIOT"] - arena[f"PRIOT-S {percent} % random"]
        assert f"{saved:,} bytes ({100 * saved / arena['PRIOT']:.0f} %)" in page
    assert arena["static NITI"] == arena["dynamic NITI"]


@pytest.mark.slow
@pytest.mark.parametrize("row", ["dynamic NITI", "PRIOT", "PRIOT-S 20 % random", "PRIOT-S 20 % magnitude"])
def test_the_errors_that_cost_are_as_many_as_the_page_says(row, page):
    """Those that are not zero in a step, all layers together, mean over the first epoch, counted on the host."""
    setting = read_setting()
    experiment = setting.experiment
    models = committed_models(experiment.network, ["float"])
    bed, host = make_bed(setting, Material(load_mnist(), models), {"float": "a checkpoint"}), open_engine("host")
    bed.load(host, row, bed.first_state(row, host), 1)
    alive = 0
    for sample in bed.visits(1):
        host.train_step(bed.task.train.images[sample], int(bed.task.train.labels[sample]))
        alive += sum(np.count_nonzero(host.tensor(f"{layer}.error")) for layer in bed.network.weighted)
    assert f" {alive / 1024:,.0f} " in page
