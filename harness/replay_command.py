"""`invoke replay`: one capsule, or all that are kept, on any number of engines."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from priot_hil.reference.errors import InputError

from .cases import Case, read_case
from .device_kinds import OpenedEngine
from .devices import check_devices, open_engine
from .engines import DeviceEngine
from .errors import DeviceFault, EmulationStuck, KernelStatus
from .paths import ROOT
from .progress import Part, Work, shown
from .replay import replay

DIVERGED = 1
CORPUS = ROOT / "tests" / "capsules"
CRASHES = (DeviceFault, EmulationStuck, KernelStatus)


def replay_capsule(path: Path, devices: str) -> int:
    """Runs a capsule on each device and prints `equal` or the first divergence.

    Args:
        path: The capsule.
        devices: Names with commas.

    Returns:
        0 where all are equal, else 1.

    Raises:
        InputError: The capsule or a device's name is refused.
    """
    names = check_devices(devices)
    case = read_case(path)
    status = 0
    for name in names:
        engine = open_engine(name)
        try:
            divergence = replay(case, engine)
        finally:
            _close(engine)
        print(f"{name}: {'equal' if divergence is None else divergence}")
        status = status if divergence is None else DIVERGED
    return status


def replay_all(devices: str, folder: Path = CORPUS) -> int:
    """Runs all capsules of a folder on each device; prints those that fail, and a line for each device.

    Args:
        devices: Names with commas.
        folder: Where they are, in folders of their own.

    Returns:
        0 where all are equal, else 1; a capsule that is too large for a device is left out and said so.

    Raises:
        InputError: A device's name or a capsule is refused, or there is none.
        LinkLost: A device does not answer.
    """
    names = check_devices(devices)
    paths = sorted(folder.glob("**/*.npz"))
    if not paths:
        raise InputError.about(f"{folder}", expected="capsules", got="none", do="run it in a checkout")
    cases = {path.relative_to(folder).as_posix(): read_case(path) for path in paths}
    with shown(Work("capsules", {name: Part(len(cases), kind=name) for name in names})) as work:
        return max(_replay_on(name, cases, partial(work.advance, name=name)) for name in names)


def _replay_on(name: str, cases: Mapping[str, Case], done: Callable[[], None]) -> int:
    """Runs all on one device; 0 where all are equal, else 1."""
    engine = open_engine(name)
    left_out, failed = 0, 0
    try:
        for path, case in cases.items():
            found: object = None
            try:
                found = replay(case, engine)
            except InputError as refusal:
                left_out += 1
                print(f"{name}: {path}: left out: {refusal}")
            except CRASHES as crash:
                found = f"{type(crash).__name__}: {crash}"
            if found is not None:
                failed += 1
                print(f"{name}: {path}: {found}")
            done()
    finally:
        _close(engine)
    parts = [f"{len(cases) - failed - left_out} of {len(cases)} capsules are equal"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{left_out} left out"] if left_out else []
    print(f"{name}: {', '.join(parts)}", flush=True)
    return DIVERGED if failed else 0


def _close(engine: OpenedEngine) -> None:
    if isinstance(engine, DeviceEngine):
        engine.close()
