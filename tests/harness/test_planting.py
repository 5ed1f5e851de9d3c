"""A copy of the firmware with a bug in it, and without it again."""

from contextlib import suppress
from pathlib import Path

import pytest

from priot_hil.harness.paths import ROOT
from priot_hil.harness.planting import Change, FirmwareCopy
from priot_hil.reference.errors import InputError

CRC = "engine/priot_crc32.c"


@pytest.fixture
def copy(tmp_path: Path) -> FirmwareCopy:
    """A fresh copy."""
    copy = FirmwareCopy(tmp_path / "copy")
    copy.refresh()
    return copy


def text_of(copy: FirmwareCopy, name: str) -> str:
    """A source of the copy."""
    return (copy.root / "firmware" / name).read_text()


def test_changes_last_as_long_as_the_context(copy: FirmwareCopy) -> None:
    """Two changes of one file, both there, both gone; nothing of this checkout is touched."""
    ours = (ROOT / "firmware" / "kernels" / "priot_math.h").read_text()
    changes = [Change("kernels/priot_math.h", "#define PRIOT_INT8_MAX 127", "#define PRIOT_INT8_MAX 126")]
    changes.append(Change("kernels/priot_math.h", "x ^= x >> 17;", "x ^= x >> 16;"))
    with copy.planted(*changes):
        assert text_of(copy, changes[0].file) == ours.replace("_MAX 127", "_MAX 126").replace(">> 17", ">> 16")
    assert text_of(copy, changes[0].file) == ours
    with suppress(ZeroDivisionError), copy.planted(*changes):
        raise ZeroDivisionError
    assert text_of(copy, changes[0].file) == ours
    assert (ROOT / "firmware" / "kernels" / "priot_math.h").read_text() == ours


@pytest.mark.parametrize(("clean", "got"), [("no such text", "0 times"), ("x ^= x", "3 times")])
def test_a_stale_change_is_refused(copy: FirmwareCopy, clean: str, got: str) -> None:
    """A text that is not there, or more than once, is named; nothing is changed."""
    before = text_of(copy, "kernels/priot_math.h")
    with (
        pytest.raises(InputError, match=f"expected once, got {got}"),
        copy.planted(Change("kernels/priot_math.h", clean, "")),
    ):
        pass
    assert text_of(copy, "kernels/priot_math.h") == before


def test_refreshing_mends_and_removes_and_leaves_the_rest_alone(copy: FirmwareCopy) -> None:
    """A source that was left broken is mended, a foreign one goes; a file that is right keeps its time."""
    firmware = copy.root / "firmware"
    kept = (firmware / "kernels" / "priot_math.h").stat().st_mtime_ns
    (firmware / CRC).write_text("broken")
    (firmware / "engine" / "foreign.c").write_text("int foreign;")
    copy.refresh()
    assert text_of(copy, CRC) == (ROOT / "firmware" / CRC).read_text()
    assert not (firmware / "engine" / "foreign.c").exists()
    assert (firmware / "kernels" / "priot_math.h").stat().st_mtime_ns == kept
