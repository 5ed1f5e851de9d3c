"""Builds and tools that the firmware's tests share."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from priot_hil.harness.firmware import BoardFirmware, HostFirmware, Image, build
from priot_hil.harness.paths import ROOT

THUMB = ("-target", "thumb-freestanding-eabi", "-ffreestanding", "-fno-sanitize=all", "-O2", "-Wl,--entry=planted")


def load_tool(name: str) -> ModuleType:
    """Import firmware/tools/<name>.py, which is a program and no part of a package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "firmware" / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def board() -> BoardFirmware:
    """Both images by the pinned compiler."""
    return build("rp2040")


@pytest.fixture(scope="session")
def host() -> HostFirmware:
    """Library and process by the pinned compiler."""
    return build("host")


@pytest.fixture(scope="session")
def images_tool() -> ModuleType:
    """firmware/tools/images.py."""
    return load_tool("images")


@pytest.fixture(scope="session")
def check_isa() -> ModuleType:
    """firmware/tools/check_isa.py."""
    return load_tool("check_isa")


@pytest.fixture(scope="session")
def source_id_tool() -> ModuleType:
    """firmware/tools/source_id.py."""
    return load_tool("source_id")


@pytest.fixture(params=["ram", "flash"])
def image(request: pytest.FixtureRequest, board: BoardFirmware) -> Image:
    """Each of the two images."""
    return board.ram if request.param == "ram" else board.flash


@pytest.fixture
def zig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Compile one C source with the pinned compiler: ``zig(source, *arguments) -> output``."""
    cache = ROOT / "build" / "firmware" / "zig"
    monkeypatch.setenv("ZIG_GLOBAL_CACHE_DIR", str(cache))
    monkeypatch.setenv("ZIG_LOCAL_CACHE_DIR", str(cache))

    def compile_c(source: str, *arguments: str) -> Path:
        path, output = tmp_path / "planted.c", tmp_path / "planted"
        path.write_text(source)
        command = [sys.executable, "-m", "ziglang", "cc", *arguments, str(path), "-o", str(output)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return output

    return compile_c


@pytest.fixture
def zig_thumb(zig: Callable[..., Path]) -> Callable[..., Path]:
    """Link a bare program whose entry is ``planted`` for one core: ``zig_thumb(source, cpu) -> ELF``."""

    def link(source: str, cpu: str, *arguments: str) -> Path:
        return zig(source, *THUMB, f"-mcpu={cpu}", *arguments)

    return link
