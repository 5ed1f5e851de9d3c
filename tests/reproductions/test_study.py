"""Studies: the rows that a grid and single changes make, and what a bad file is told."""

from dataclasses import replace

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import LossRounding, Selection
from priot_hil.reproductions.experiment import FOLDER, parse_experiment, read_experiment
from priot_hil.reproductions.plan import NEAREST_UPDATES, plan
from priot_hil.reproductions.setting import UpdateRounding
from priot_hil.reproductions.split import Split

TEXTS = {name: (FOLDER / name).read_text(encoding="utf-8") for name in ("sensitivity.toml", "accuracy.toml")}


@pytest.fixture(scope="module")
def experiment():
    """The committed study."""
    return read_experiment("sensitivity")


def test_the_study_covers_what_the_letter_leaves_open(experiment):
    """Pre-training, loss rounding and all of mu for every method; the rest one by one; development's seeds."""
    study = experiment.study
    assert study.grid.rows == ("dynamic NITI", "static NITI", "PRIOT", "PRIOT-S 10 % magnitude")
    assert len(study.grid.points()) == 2 * 2 * 8
    assert {axis.change for axis in study.axes} == {
        *("zeros_count", "calibration_samples", "theta", "score_deviation", "percent", "update_rounding"),
    }
    assert experiment.split is Split.VALIDATION
    assert max(experiment.seeds) < 10
    assert experiment.claims == ()
    assert len({row.name for row in experiment.rows}) == len(experiment.rows)
    assert not any("," in row.name for row in experiment.rows)


def test_vgg11_s_study_varies_mu_alone():
    """On validation images, a seed of development's; each row at the setting of its table but for mu."""
    study = read_experiment("sensitivity-vgg11")
    assert (study.network, study.split, study.study.axes) == ("vgg11", Split.VALIDATION, ())
    assert max(study.seeds) < 10
    usual = {row.name: row for row in read_experiment("accuracy-vgg11").rows}
    assert len(study.rows) == 3 * 6
    for row in study.rows:
        name, mu = row.name.split(":")[0], row.setting.mu
        setting = replace(usual[name].setting, mu=mu)
        assert row == replace(usual[name], name=f"{name}: float stochastic mu {mu}", setting=setting)


def test_rows_are_what_their_names_say(experiment):
    """What is changed is changed, and nothing else."""
    rows = {row.name: row for row in experiment.rows}
    usual = {row.name: row for row in experiment.study.usual}
    assert rows["PRIOT: float stochastic mu 5"] == replace(usual["PRIOT"], name="PRIOT: float stochastic mu 5")
    row = rows["static NITI: niti nearest mu 0"]
    assert (row.setting.pretraining, row.setting.loss_rounding, row.setting.mu) == ("niti", LossRounding.NEAREST, 0)
    assert (row.kind, row.theta) == (usual["static NITI"].kind, None)
    assert rows["PRIOT: theta 32"] == replace(usual["PRIOT"], name="PRIOT: theta 32", theta=32)
    row = rows["PRIOT-S 10 % random: percent 80"]
    assert (row.percent, row.selection, row.setting) == (80, Selection.RANDOM, experiment.setting)
    for name, value in (("zeros_count", True), ("score_deviation", 64), ("calibration_samples", 10)):
        told = f"PRIOT: {name.replace('_', ' ')}{'' if value is True else f' {value}'}"
        assert rows[told].setting == replace(experiment.setting, **{name: value})


def test_what_no_device_can_do_goes_to_the_reference(experiment):
    """Updates rounded to the nearest; all other rows to the device that was asked for."""
    runs = plan(experiment, "emulator", None, {"float": "a", "niti": "b"}, "c")
    nearest = [run for run in runs if run.row.setting.update_rounding is UpdateRounding.NEAREST]
    assert {run.devices for run in nearest} == {(NEAREST_UPDATES,)}
    assert len(nearest) == 3 * len(experiment.seeds) * len(experiment.angles)
    assert {run.devices for run in runs if run not in nearest} == {("emulator",)}
    assert {run.checkpoint for run in runs if run.row.setting.pretraining == "niti"} == {"b"}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"PRIOT-S 10 % magnitude"]\npretraining', '"PRIOT-T"]\npretraining', "grid: rows: expected different ones of"),
        ("mu = [0, 1,", "mu = [8, 1,", "grid: mu: expected a whole number in 0..7, got 8"),
        ('pretraining = ["float", "niti"]', 'pretraining = ["none"]', "grid: pretraining: expected different ones of"),
        ('"stochastic", "nearest"]', '"up"]', "grid: loss_rounding: expected different ones"),
        ('change = "theta"', 'change = "speed"', "row 'PRIOT': keys: expected only known ones, got speed"),
        (
            "values = [10, 100, 10000]",
            "values = [0]",
            "calibration_samples: expected .* in 1..60000, got 0",
        ),
        ('change = "zeros_count"', 'change = "percent"', "row 'static NITI': keys: .*got percent"),
        ("low = 8.08", 'low = "8"', "gain: low: expected a number"),
        ('row = "PRIOT"\nwritten', 'row = "PRIOT-T"\nwritten', "recommendation: row: expected one of"),
        ('split = "validation"', 'split = "training"', "split: expected one of .*, got training"),
    ],
)
def test_a_bad_study_is_refused(old, new, reason):
    """With the place and what was expected."""
    text = TEXTS["sensitivity.toml"]
    assert old in text
    with pytest.raises(InputError, match=reason):
        parse_experiment("sensitivity", {**TEXTS, "sensitivity.toml": text.replace(old, new, 1)})
