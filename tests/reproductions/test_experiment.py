"""Experiment files: the table's setting, and what a bad file is told."""

from dataclasses import replace

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reference.kinds import LossRounding, MethodKind, Selection
from priot_hil.reproductions.experiment import FOLDER, read_experiment, tables
from priot_hil.reproductions.row import Row
from priot_hil.reproductions.setting import Setting, UpdateRounding
from priot_hil.reproductions.split import Split

ACCURACY = (FOLDER / "accuracy.toml").read_text(encoding="utf-8")


def test_the_table_of_accuracies():
    """The published rows and columns at the default setting, with seeds that nobody has looked at."""
    experiment = read_experiment("accuracy")
    assert experiment.angles == (30, 45)
    assert experiment.seeds == tuple(range(10, 20))
    assert (experiment.epochs, experiment.train_samples, experiment.test_samples) == (30, 1024, 1024)
    setting = Setting("float", LossRounding.STOCHASTIC, 5, 1000, False, 32, UpdateRounding.PSEUDO_STOCHASTIC)
    recommended = replace(setting, loss_rounding=LossRounding.NEAREST, mu=4)
    assert (experiment.setting, experiment.split) == (setting, Split.TEST)
    assert "seeds 1 to 3" in experiment.note
    assert experiment.rows == (
        Row("before transfer", MethodKind.NITI_STATIC, setting, trains=False),
        Row("dynamic NITI", MethodKind.NITI_DYNAMIC, setting),
        Row("static NITI", MethodKind.NITI_STATIC, setting),
        Row("PRIOT", MethodKind.PRIOT, setting, theta=-64),
        Row("PRIOT recommended", MethodKind.PRIOT, recommended, theta=-64),
        Row("PRIOT-S 10 % random", MethodKind.PRIOT_S, setting, True, 0, 10, Selection.RANDOM),
        Row("PRIOT-S 10 % magnitude", MethodKind.PRIOT_S, setting, True, 0, 10, Selection.MAGNITUDE),
        Row("PRIOT-S 20 % random", MethodKind.PRIOT_S, setting, True, 0, 20, Selection.RANDOM),
        Row("PRIOT-S 20 % magnitude", MethodKind.PRIOT_S, setting, True, 0, 20, Selection.MAGNITUDE),
    )


def test_quick_is_shorter_and_else_the_same():
    """One seed, and fewer epochs."""
    full = read_experiment("accuracy")
    quick = full.shortened()
    assert quick.quick
    assert quick.seeds == (10,)
    assert 1 <= quick.epochs < full.epochs
    assert (quick.rows, quick.angles, quick.setting) == (full.rows, full.angles, full.setting)


def test_quick_may_leave_angles_out():
    """Where a run of each row at each angle would take too long."""
    full = read_experiment("accuracy-vgg11")
    assert (full.angles, full.shortened().angles) == ((30, 45), (45,))


def test_an_unknown_table_is_told_which_there_are():
    """As at the command line."""
    with pytest.raises(InputError, match=f"expected one of {', '.join(tables())}, got 'costs'"):
        read_experiment("costs")
    assert {"accuracy", "confirmation"} <= set(tables())


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("\nmu = 5", "\nmu = 8", "mu: expected a whole number in 0..7, got 8"),
        ("\nmu = 5", "", "mu: expected a whole number, got nothing"),
        ("\nmu = 5", "\nmu = true", "mu: expected a whole number, got True"),
        ("\nmu = 5", "\nmu = 5\nspeed = 3", "keys: expected only known ones, got speed"),
        ("epochs = 30", "epochs = 0", "epochs: expected a whole number in 1..1000, got 0"),
        ("seeds = [10]", "seeds = []", "quick: seeds: expected different numbers"),
        ("seeds = [10]", "seeds = [10, 10]", "quick: seeds: expected different numbers"),
        ("angles = [30, 45]", 'angles = ["30"]', "angles: expected a whole number"),
        ('"stochastic"', '"up"', "loss_rounding: expected one of .*, got up"),
        ('"tiny_cnn"', '"huge_cnn"', "network: expected one of tiny_cnn"),
        ('row = "static NITI"', 'row = "NITI"', "baseline row"),
        ('name = "dynamic NITI"', 'name = "static NITI"', "names of their own"),
        ('method = "niti_dynamic"', 'method = "sgd"', "method: expected one of .*, got sgd"),
        ('method = "niti_dynamic"', 'method = "niti_dynamic"\ntheta = 3', "only known ones, got theta"),
        ("theta = -64", "theta = -128", "theta: expected a whole number in -127..127, got -128"),
        ('selection = "random"', "", "'PRIOT-S 10 % random': selection"),
        ("priot-experiment/1", "priot-experiment/2", "format: expected priot-experiment/1"),
        ("angles = [", "angles = ", "accuracy.toml: .*line"),
    ],
)
def test_a_bad_file_is_refused(tmp_path, old, new, reason):
    """With the file, the key and what was expected."""
    assert old in ACCURACY
    (tmp_path / "accuracy.toml").write_text(ACCURACY.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match=reason) as refusal:
        read_experiment("accuracy", tmp_path)
    assert str(refusal.value).startswith(f"experiment {tmp_path / 'accuracy.toml'}")


def test_row_by_row_goes_through_all_rows(tmp_path):
    """One that is left out would never be performed."""
    for order, reason in (('["PRIOT"]', "row_by_row: expected all of"), ('["NITI"]', "row_by_row: expected different")):
        text = ACCURACY.replace("[quick]", f"row_by_row = {order}\n[quick]", 1)
        (tmp_path / "accuracy.toml").write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=reason):
            read_experiment("accuracy", tmp_path)
    full = read_experiment("accuracy-vgg11")
    assert sorted(full.row_by_row) == sorted(row.name for row in full.rows)
