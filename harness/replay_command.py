"""`invoke replay`: a capsule on any number of engines, with a line for each."""

from pathlib import Path

from .cases import read_case
from .devices import open_engine, parse_devices
from .engines import DeviceEngine
from .replay import replay

DIVERGED = 1


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
    names = parse_devices(devices)
    case = read_case(path)
    status = 0
    for name in names:
        engine = open_engine(name)
        try:
            divergence = replay(case, engine)
        finally:
            if isinstance(engine, DeviceEngine):
                engine.close()
        print(f"{name}: {'equal' if divergence is None else divergence}")
        status = status if divergence is None else DIVERGED
    return status
