"""A user's published accuracies: differences by hand, and what a bad file is told."""

from dataclasses import replace

import pytest

from priot_hil.reference.errors import InputError
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.published import read_published
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.runner import reproduce
from priot_hil.reproductions.table import Table, cell_of

FILE = """
format = "priot-published/1"
source = "a made-up table"
measure = "last"

[accuracies."static NITI"]
30 = 42.5

[accuracies.PRIOT]
30 = 61
45 = 70.25
"""


@pytest.fixture
def two_angles(experiment):
    """The small table at two angles, three seeds of 100 test images."""
    return replace(experiment, angles=(30, 45), seeds=(10, 11, 12), test_samples=100)


@pytest.fixture
def write(tmp_path):
    """Writes a file with something replaced."""

    def write_file(old="", new=""):
        assert old in FILE
        path = tmp_path / "published.toml"
        path.write_text(FILE.replace(old, new, 1), encoding="utf-8")
        return path

    return write_file


def test_differences_by_hand(two_angles, write):
    """The last accuracies of PRIOT at 30 degrees are 60, 62, 64: 62 is 1 above 61; the rest was not run."""
    nothing = Counts(*[()] * 6)
    records = [
        RunRecord(
            run.key,
            run.description(),
            {},
            (),
            None,
            1,
            nothing,
            tuple(
                EpochRecord(i, right, None, 0, None, None, nothing) for i, right in enumerate((90, 40 + 2 * run.seed))
            ),
        )
        for run in plan(two_angles, "host", None, {"float": "a"}, "b")
        if (run.row.name, run.angle) == ("PRIOT", 30)
    ]
    page = read_published(write(), two_angles).page(
        Table(two_angles, "host", {cell_of(record): record for record in records})
    )
    assert "| PRIOT | 30° | 61.00 | 62.00 | 57.03 to 66.97 | +1.00 |" in page
    assert "| PRIOT | 45° | 70.25 | not run | not run | not run |" in page
    assert "| static NITI | 30° | 42.50 | not run" in page
    assert "a made-up table" in page
    best = read_published(write('"last"', '"best"'), two_angles)
    assert "| 90.00 | 90.00 to 90.00 | +29.00 |" in best.page(
        Table(two_angles, "host", {cell_of(record): record for record in records})
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("priot-published/1", "priot-published/2", "format: expected priot-published/1"),
        ('measure = "last"', "", "measure: expected text, got nothing"),
        ('source = "a made-up table"', "", "source: expected text, got nothing"),
        ("accuracies.PRIOT", "accuracies.PRIOR", "accuracies: keys: expected only known ones, got PRIOR"),
        ("45 = 70.25", "60 = 70.25", "accuracies of 'PRIOT': keys: expected only known ones, got 60"),
        ("45 = 70.25", '45 = "70.25"', "accuracies of 'PRIOT': 45: expected a number, got '70.25'"),
        ("45 = 70.25", "45 = nan", "accuracies of 'PRIOT': 45: expected a number, got nan"),
        ("45 = 70.25", "45 = 170.25", "accuracies of 'PRIOT': 45: expected a percentage, 0..100, got 170.25"),
        ("format", "[format", "expected a TOML file"),
    ],
)
def test_a_bad_file_is_refused(two_angles, write, old, new, reason):
    """With the file and what was expected."""
    path = write(old, new)
    with pytest.raises(InputError, match=reason) as refusal:
        read_published(path, two_angles)
    assert str(path) in str(refusal.value)


def test_it_is_refused_before_anything_is_run(tmp_path):
    """A missing file too."""
    with pytest.raises(InputError, match=r"published accuracies .*none.toml: expected a TOML file, got No such file"):
        reproduce("accuracy", quick=True, published=tmp_path / "none.toml", out=tmp_path)
    assert list(tmp_path.iterdir()) == []
