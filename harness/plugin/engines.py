"""The engine of each device: every test that takes one runs once on each device that can run it."""

from collections.abc import Iterator
from typing import Any

import pytest

from priot_hil.harness.device_kinds import OpenedEngine
from priot_hil.harness.devices import find_device, open_engine
from priot_hil.harness.errors import LinkLost
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

from .options import DEVICES_KEY, OPTIONS_KEY


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that takes an engine on every device asked for."""
    if "engine" in metafunc.fixturenames:
        devices: tuple[str, ...] = metafunc.config.stash[DEVICES_KEY]
        metafunc.parametrize("engine", devices, indirect=True, scope="session")


def device_of(item: pytest.Item) -> str | None:
    """The device that a test runs on; None where it takes no engine."""
    callspec: Any = getattr(item, "callspec", None)
    return None if callspec is None else callspec.params.get("engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves to slow devices their short suite, and skips what this machine has no device for."""
    devices: tuple[str, ...] = config.stash[DEVICES_KEY]
    kinds = {name: kind for name in devices if (kind := find_device(name)) is not None}
    reasons = {name: kind.unavailable() for name, kind in kinds.items()}
    chosen, long = [], []
    for item in items:
        device = device_of(item)
        if device in kinds and kinds[device].is_slow and item.get_closest_marker("short") is None:
            long.append(item)
            continue
        chosen.append(item)
        if device in reasons and (reason := reasons[device]) is not None:
            item.add_marker(pytest.mark.skip(reason=f"no device {device} here: {reason}"))
    if long:
        items[:] = chosen
        config.hook.pytest_deselected(items=long)


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> Iterator[OpenedEngine]:
    """The engine of one device: training steps, epochs and single kernels. Every load starts it anew."""
    try:
        opened = open_engine(request.param, request.config.stash[OPTIONS_KEY])
    except (InputError, LinkLost) as error:
        pytest.exit(f"error: {error}", returncode=2)
    yield opened
    close: Any = getattr(opened, "close", None)
    if close is not None:
        close()


@pytest.fixture(scope="session")
def reference() -> ReferenceEngine:
    """The engine to believe."""
    return ReferenceEngine()
