"""Which test runs on which device: on all asked for, but for what a slow, missing or lesser one cannot run."""

from typing import Any

import pytest

from priot_hil.harness.capabilities import NAMES, missing
from priot_hil.harness.devices import find_device
from priot_hil.reference.errors import InputError

from .options import DEVICES_KEY

LONG_KEY = pytest.StashKey[list[tuple[str, str]]]()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test that takes an engine on every device asked for."""
    if "engine" in metafunc.fixturenames:
        devices: tuple[str, ...] = metafunc.config.stash[DEVICES_KEY]
        metafunc.parametrize("engine", devices, ids=map(id_of, devices), indirect=True, scope="session")


def id_of(device: str) -> str:
    """What a test's id calls a device: without slashes, which pytest takes for folders."""
    return device.replace("/dev/", "").replace("/", "-")


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
        _check_needs(item)
        device = device_of(item)
        if device is not None and kinds[device].is_slow and item.get_closest_marker("short") is None:
            long.append(item)
            continue
        chosen.append(item)
        if device is not None:
            item.user_properties.append(("device", device))
            if (reason := reasons[device]) is not None:
                item.add_marker(pytest.mark.skip(reason=f"no {device} here: {reason}"))
    config.stash[LONG_KEY] = [(item.nodeid, str(device_of(item))) for item in long]
    if long:
        items[:] = chosen
        config.hook.pytest_deselected(items=long)


@pytest.hookimpl(trylast=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test whose engine, which is open by now, lacks what the test needs."""
    engine = getattr(item, "funcargs", {}).get("engine")
    if engine is None:
        return
    for marker in item.iter_markers("needs"):
        for need in marker.args:
            if reason := missing(engine, need):
                pytest.skip(reason)


def _check_needs(item: pytest.Item) -> None:
    for marker in item.iter_markers("needs"):
        if unknown := [need for need in marker.args if need not in NAMES]:
            expected, got = f"names out of {', '.join(NAMES)}", ", ".join(map(str, unknown))
            error = InputError.about(f"{item.nodeid} needs", expected=expected, got=got, do="correct the test")
            raise pytest.UsageError(str(error))
