"""Firmware built elsewhere as a device: a library, a program or an image by its path."""

from pathlib import Path

import pytest

from priot_hil.harness.capsule import read_capsule
from priot_hil.harness.devices import open_engine
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import LinkLost
from priot_hil.harness.firmware import build
from priot_hil.harness.replay import replay
from priot_hil.reference.errors import InputError

GOLDEN = Path(__file__).parent.parent / "capsules" / "golden"


def built(form: str) -> Path | None:
    """What this checkout builds in a form."""
    return {
        "library": lambda: build("host").library,
        "process": lambda: build("host").process,
        "image": lambda: build("rp2040").ram.elf,
    }[form]()


@pytest.mark.parametrize("form", ["library", "process", "image"])
def test_a_file_is_a_device_under_its_own_name(form: str) -> None:
    """It runs a golden case, and messages name the file, so that a replay line can be pasted."""
    name = f"{form}:{built(form)}"
    engine = open_engine(name)
    assert isinstance(engine, DeviceEngine)
    try:
        assert engine.name == name
        assert replay(read_capsule(GOLDEN / "002_priot.npz"), engine) is None
    finally:
        engine.close()


@pytest.mark.parametrize(
    ("form", "refusal"),
    [
        ("library", r"expected a library like libpriot, got .*; build it with `invoke build --preset host`"),
        ("process", r"cannot be started \(.*\); build it first"),
        ("image", r"expected an? .*ELF.*, got"),
    ],
)
def test_a_file_of_another_kind_is_refused(form: str, refusal: str, tmp_path: Path) -> None:
    """A text file, and none at all: one sentence each."""
    path = tmp_path / "notes.txt"
    with pytest.raises(InputError, match=r"expected a file, got none of that name; check the path"):
        open_engine(f"{form}:{path}")
    path.write_text("no firmware\n")
    with pytest.raises((InputError, LinkLost), match=refusal):
        open_engine(f"{form}:{path}")


@pytest.mark.parametrize("form", ["library", "process", "image"])
def test_a_name_without_a_folder_is_the_file_here(form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not one that the system would look for."""
    source = built(form)
    assert source is not None
    (tmp_path / "mine").symlink_to(source)
    monkeypatch.chdir(tmp_path)
    for path in ("mine", "./mine"):
        engine = open_engine(f"{form}:{path}")
        assert isinstance(engine, DeviceEngine)
        assert engine.name == f"{form}:mine"
        engine.close()
