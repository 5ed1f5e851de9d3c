"""The report of what ran where: a summary by device, a matrix, and the boards that were given up."""

from pathlib import Path
from typing import Any

import pytest

from priot_hil.harness.devices import find_device
from priot_hil.harness.files import write_aside
from priot_hil.harness.results import Board, Outcome, Result, Results, without_device

from .options import DEVICES_KEY, NOT_KEPT_KEY, OPTIONS_KEY, worker_input
from .selection import LONG_KEY, id_of

LONG = "priot_long"
NOT_KEPT = "priot_not_kept"


def pytest_configure(config: pytest.Config) -> None:
    """Collects results where all of them arrive: here, or in the controller of the workers."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Reporter(config), "priot-reporter")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Says what runs where, and whether there are boards for all workers."""
    devices: tuple[str, ...] = config.stash[DEVICES_KEY]
    workers = getattr(config.option, "numprocesses", None) or 1
    lines = [f"devices: {', '.join(devices)}, each held against the reference"]
    for device in devices:
        kind = find_device(device)
        if kind is not None and 0 < len(kind.boards) < workers and not device.endswith("*"):
            lines.append(f"{device}: {len(kind.boards)} for {workers} workers, of which some wait until one is free")
    return lines


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hands what a worker left out or could not keep to its controller, which runs nothing itself."""
    if worker_input(session.config):
        # pytest-xdist adds this attribute to a worker's config.
        output: dict[str, Any] = session.config.workeroutput  # type: ignore[attr-defined]
        output[LONG] = session.config.stash.get(LONG_KEY, [])
        output[NOT_KEPT] = session.config.stash[NOT_KEPT_KEY]


class Reporter:
    """Keeps the results of a session and reports them at its end.

    Args:
        config: The session's.
    """

    def __init__(self, config: pytest.Config) -> None:
        devices: tuple[str, ...] = config.stash[DEVICES_KEY]
        self._config = config
        self._results = Results(devices)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes the result out of a test's reports."""
        properties: dict[str, Any] = dict(report.user_properties)
        device = properties.get("device")
        if device is None:
            return
        if (result := result_of(report, "infrastructure" in properties)) is not None:
            self._add(report.nodeid, device, result)
        if report.when == "call" and "board" in properties:
            board = Board(
                properties["board"],
                properties.get("build_id", ""),
                properties.get("board_id", ""),
                int(properties.get("clock_hz", 0)),
            )
            self._results.add_board(device, board)

    def _add(self, test: str, device: str, result: Result) -> None:
        self._results.add(without_device(id_of(device), test), device, result)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Takes over what a worker left out, each the same, and what it could not keep."""
        output = getattr(node, "workeroutput", {})
        for test, device in output.get(LONG, []):
            self._add(test, device, Result(Outcome.NOT_RUN))
        self._config.stash[NOT_KEPT_KEY] += output.get(NOT_KEPT, [])

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line for each device; what could not be kept; and the matrix, where one was asked for."""
        for test, device in self._config.stash.get(LONG_KEY, []):
            self._add(test, device, Result(Outcome.NOT_RUN))
        quarantine = self._config.stash[OPTIONS_KEY].quarantine
        lines = self._results.summary(quarantine.causes() if quarantine else {})
        if lines:
            terminalreporter.section("what ran where", sep="-")
            for line in lines:
                terminalreporter.line(line)
        if not_kept := self._config.stash[NOT_KEPT_KEY]:
            terminalreporter.section("not kept", sep="-")
            for line in dict.fromkeys(not_kept):
                terminalreporter.line(line)
        if matrix := self._config.getoption("--matrix"):
            write_aside(Path(matrix), self._results.markdown())
            terminalreporter.line(f"matrix: {matrix}")


def result_of(report: pytest.TestReport, is_lost: bool) -> Result | None:
    """What a report says of its test; None where it says nothing yet."""
    if report.skipped:
        if hasattr(report, "wasxfail"):
            return Result(Outcome.SKIPPED, f"expected to fail: {report.wasxfail}")
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        return Result(Outcome.SKIPPED, reason.removeprefix("Skipped: "))
    if report.failed:
        return Result(Outcome.LOST if is_lost else Outcome.FAILED if report.when == "call" else Outcome.ERROR)
    return Result(Outcome.PASSED) if report.when == "call" else None
