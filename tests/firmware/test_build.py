"""`build` brings the firmware up to date, the same everywhere, or says in a sentence why it cannot."""

import ctypes
import importlib.metadata
import json
import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from priot_hil.harness import firmware
from priot_hil.harness.estimate import Work
from priot_hil.harness.firmware import BoardFirmware, BuildError, HostFirmware, build, has_host_compiler
from priot_hil.harness.paths import ROOT
from priot_hil.harness.planting import FirmwareCopy
from priot_hil.reference.errors import InputError


def copy_firmware(to: Path) -> Path:
    """A second checkout, as far as the firmware is concerned: other paths, no build, no cache."""
    FirmwareCopy(to).refresh()
    return to


def test_unknown_preset_is_refused() -> None:
    """A preset that is none is answered with the ones there are."""
    known = "rp2040 or rp2040-gcc or host or host-sanitized or host-coverage or fuzz or fuzz-32"
    with pytest.raises(InputError, match=f"{known}, got 'rp2350'"):
        build("rp2350")


@pytest.mark.parametrize("installed", [None, "0.11.0"])
def test_missing_pinned_compiler_is_refused(installed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another zig would make another ELF, so only the pinned one will do."""

    def version(package: str) -> str:
        if installed is None:
            raise importlib.metadata.PackageNotFoundError(package)
        return installed

    monkeypatch.setattr(importlib.metadata, "version", version)
    with pytest.raises(InputError, match=r"pinned compiler ziglang \d.*pip install ziglang==") as caught:
        build("rp2040")
    assert f"got {installed or 'nothing'};" in str(caught.value)


@pytest.mark.parametrize(
    ("preset", "missing"), [("rp2040-gcc", "arm-none-eabi-gcc"), ("host-sanitized", "gcc or clang")]
)
def test_missing_machine_compiler_is_refused(
    preset: str, missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compiler that has to come from the machine is named before CMake looks for it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=f"preset {preset}: expected {missing} on the PATH"):
        build(preset)


def test_second_build_changes_nothing(board: BoardFirmware, capfd: pytest.CaptureFixture[str]) -> None:
    """What is up to date is left alone, without a word."""
    before = board.ram.elf.stat().st_mtime_ns
    assert build("rp2040") == board
    assert board.ram.elf.stat().st_mtime_ns == before
    assert capfd.readouterr() == ("", "")


def test_host_library(host: HostFirmware) -> None:
    """The library loads and exports its calls, and nothing else of the firmware."""
    assert host.library is not None
    library = ctypes.CDLL(str(host.library))
    assert library.priot_host_bytes() > 0
    assert not hasattr(library, "priot_engine_train_step")


def test_source_id_follows_the_sources(host: HostFirmware, source_id_tool: ModuleType, tmp_path: Path) -> None:
    """The host's build id is a hash of paths and bytes of what it was built from; the command line names all of it."""
    rooms = ("kernels", "engine", "link", "boards/host")
    names = sorted(
        path.relative_to(ROOT / "firmware").as_posix()
        for room in rooms
        for path in (ROOT / "firmware" / room).glob("*.[ch]")
    )
    assert {"kernels/priot_math.h", "link/priot_board.h", "boards/host/priot_process.c"} <= set(names)
    sources = [ROOT / "firmware" / name for name in names]
    assert source_id_tool.source_id(ROOT / "firmware", sources) == host.build_id
    copied = copy_firmware(tmp_path)
    sources = [copied / "firmware" / name for name in reversed(names)]
    assert source_id_tool.source_id(copied / "firmware", sources) == host.build_id
    sources[3].write_bytes(sources[3].read_bytes() + b"\n")
    assert source_id_tool.source_id(copied / "firmware", sources) != host.build_id


def test_rooms_see_only_what_is_below_them(board: BoardFirmware) -> None:
    """Kernels and engine are compiled without a way to a board or the link."""
    commands = json.loads((board.ram.elf.parent / "compile_commands.json").read_text())
    seen = {
        Path(command["file"]).parent.name: {
            Path(word[2:]).name for word in shlex.split(command["command"]) if word.startswith("-I")
        }
        for command in commands
    }
    assert seen["kernels"] == {"kernels"}
    assert seen["engine"] == {"kernels", "engine"}
    assert seen["link"] == {"kernels", "engine", "link"}


@pytest.mark.slow
@pytest.mark.skipif(not has_host_compiler(), reason="no gcc or clang on the PATH")
def test_sanitized_process(host: HostFirmware) -> None:
    """The machine's compiler found both planted bugs, or the build would have stopped; it is the same source."""
    sanitized = build("host-sanitized")
    assert sanitized.build_id == host.build_id
    assert b"__asan_init" in sanitized.process.read_bytes()
    assert b"__ubsan_handle" in sanitized.process.read_bytes()


@pytest.mark.slow
def test_images_are_the_same_from_any_directory(
    board: BoardFirmware, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another directory, another cache, an empty PATH: the same bits."""
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    elsewhere = build("rp2040", root=copy_firmware(tmp_path / "a" / "longer path"))
    for here, there in ((board.ram, elsewhere.ram), (board.flash, elsewhere.flash)):
        assert here.elf != there.elf
        assert here.build_id == there.build_id
        for kind in ("elf", "bin", "uf2"):
            assert getattr(here, kind).read_bytes() == getattr(there, kind).read_bytes()
        assert str(tmp_path).encode() not in there.elf.read_bytes()
        assert str(ROOT).encode() not in here.elf.read_bytes()


@pytest.mark.slow
def test_build_stops_at_planted_bugs(tmp_path: Path) -> None:
    """An instruction of another core, floating point, initialised data, a warning: each fails the build by name."""
    root = copy_firmware(tmp_path)
    kernel = root / "firmware" / "kernels" / "priot_requantize_s8.c"
    clean = kernel.read_text()
    planted = {
        "b1[0-9a-f]{2} at 0x.* is not an ARMv6-M instruction": '__asm volatile(".inst.n 0xb100");',
        "__aeabi_fmul is a floating-point helper": "static volatile float x; x = x * x;",
        "initialised data": "static volatile int state = 3; state++;",
        "unused variable": "int nothing;",
    }
    for said, statement in planted.items():
        kernel.write_text(re.sub(r"(\n\w[^\n;]*\([^;{}]*\) \{\n)", rf"\g<1>    {{ {statement} }}\n", clean))
        assert kernel.read_text() != clean
        with pytest.raises(BuildError, match=said):
            build("rp2040", root=root)
    kernel.write_text(clean)
    build("rp2040", root=root)


def test_a_build_says_how_far_it_is(tmp_path: Path, works: list[Work]) -> None:
    """By ninja's own count; what it leaves out is done too."""
    (tmp_path / "firmware").mkdir()
    program = "print('-- configured'); [print(f'[{step}/9] compiling') for step in (1, 4, 8)]"
    firmware._run([sys.executable, "-c", program], tmp_path, "the build of a preset")
    (work,) = works
    assert (work.what, work.done, work.total) == ("the build of a preset", 9, 9)
    with pytest.raises(BuildError, match=r"failed with status 3; its last lines say why:\n-- configured\nno such file"):
        firmware._run(
            [sys.executable, "-c", "import sys; print('-- configured'); print('no such file'); sys.exit(3)"],
            tmp_path,
            "the build of a preset",
        )
