"""What an engine can do, by names, so that a test can say what it needs."""

from .device_kinds import OpenedEngine
from .engines import DeviceEngine
from .protocol import CapabilityCode

DATASET = "dataset"
LARGE_ARENA = "large_arena"
LARGE_ARENA_BYTES = 4 << 20
NAMES = (*(code.name.lower() for code in CapabilityCode if code.name), LARGE_ARENA)


def capabilities(engine: OpenedEngine) -> frozenset[str]:
    """The names of what the device says in its hello; the reference keeps data sets of any size and counts nothing."""
    if not isinstance(engine, DeviceEngine):
        return frozenset({DATASET, LARGE_ARENA})
    hello = engine.device.hello
    said = {code.name.lower() for code in CapabilityCode if code.name and hello.capabilities & code}
    return frozenset(said | {LARGE_ARENA} if hello.arena_bytes >= LARGE_ARENA_BYTES else said)


def missing(engine: OpenedEngine, need: str) -> str | None:
    """Why an engine cannot do what a test needs; None where it can."""
    if need not in capabilities(engine):
        return f"needs {need}, which the device does not offer"
    if need == DATASET and isinstance(engine, DeviceEngine) and not engine.device.takes_dataset:
        return f"needs {need}, and this host has no way to write the device's flash"
    return None
