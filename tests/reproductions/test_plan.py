"""The runs of a table: in which order, and what tells one from another."""

from dataclasses import replace

from priot_hil.reference.kinds import LossRounding, MethodKind
from priot_hil.reproductions.experiment import read_experiment
from priot_hil.reproductions.plan import code_fingerprint, plan
from priot_hil.reproductions.setting import UpdateRounding
from priot_hil.reproductions.split import Split


def test_what_decides_a_run_is_in_its_key(runs):
    """Each change gives another key; a longer run has the same."""
    run = runs["PRIOT"]
    changed = [
        replace(run, seed=11),
        replace(run, angle=45),
        replace(run, code="another"),
        replace(run, checkpoint="another"),
        replace(run, train_samples=17),
        replace(run, test_samples=9),
        replace(run, devices=("host",)),
        replace(run, split=Split.VALIDATION),
        *(replace(run, row=other.row) for name, other in runs.items() if name != "PRIOT"),
        *(
            replace(run, row=replace(run.row, **{name: value}))
            for name, value in [("theta", -63), ("kind", MethodKind.PRIOT_S)]
        ),
        *(
            replace(run, row=replace(run.row, setting=replace(run.row.setting, **{name: value})))
            for name, value in [
                ("pretraining", "niti"),
                ("loss_rounding", LossRounding.NEAREST),
                ("mu", 4),
                ("calibration_samples", 999),
                ("zeros_count", True),
                ("score_deviation", 31),
                ("update_rounding", UpdateRounding.NEAREST),
            ]
        ),
    ]
    keys = [run.key, *(other.key for other in changed)]
    assert len(set(keys)) == len(keys)
    assert replace(run, epochs=99).key == run.key


def test_the_fingerprint_sees_every_deciding_file(tmp_path):
    """Another byte, another name or another file changes it; other files do not."""
    (tmp_path / "reference").mkdir()
    path = tmp_path / "reference" / "loss.py"
    path.write_text("1")
    prints = [code_fingerprint(tmp_path)]
    path.write_text("2")
    prints.append(code_fingerprint(tmp_path))
    path.rename(tmp_path / "reference" / "other.py")
    prints.append(code_fingerprint(tmp_path))
    (tmp_path / "reference" / "more.py").write_text("")
    prints.append(code_fingerprint(tmp_path))
    assert len(set(prints)) == 4
    (tmp_path / "README.md").write_text("")
    assert code_fingerprint(tmp_path) == prints[-1]
    assert code_fingerprint() != code_fingerprint(tmp_path)


def test_plan_checks_one_run_of_each_row(experiment):
    """First seed, first angle; these take longest, and come first."""
    full = replace(experiment, seeds=(10, 11), angles=(30, 45))
    planned = plan(full, "host", "emulator", {"float": "a"}, "b")
    checked = planned[: len(full.rows)]
    assert len(planned) == 2 * 2 * len(full.rows)
    assert [run.row for run in checked] == list(full.rows)
    assert {(run.seed, run.angle, run.devices) for run in checked} == {(10, 30, ("host", "emulator"))}
    assert {run.devices for run in planned[len(full.rows) :]} == {("host",)}


def test_a_table_may_go_row_by_row():
    """So that the first rows are whole while the last ones are not begun; the runs are the same."""
    experiment = read_experiment("accuracy")
    names = [row.name for row in experiment.rows]
    orders = ((), ("static NITI", *(name for name in names if name != "static NITI")))
    by_seed, by_row = (
        plan(replace(experiment, row_by_row=each), "host", "emulator", {"float": "a"}, "b") for each in orders
    )
    assert len(by_seed) == len(by_row)
    assert set(by_seed) == set(by_row)
    assert [run.seed for run in by_seed[:19]] == [10] * 18 + [11]
    assert [(run.row.name, run.angle, run.seed) for run in by_row[9:21]] == [
        ("static NITI", 30, 19),
        *[("static NITI", 45, seed) for seed in range(10, 20)],
        ("before transfer", 30, 10),
    ]
