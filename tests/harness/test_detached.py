"""Detached runs: a device that trains on its own, is looked at, refuses the rest meanwhile, and can be stopped."""

import struct
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from priot_hil.harness.detached import can_run, progress, start_run, stop_run
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import (
    MAX_RUN_EPOCHS,
    PAYLOAD_LIMIT,
    CommandCode,
    HelloResponse,
    OperationCode,
    ResetRequest,
    RunRequest,
    StatusCode,
    TensorCode,
    WriteRequest,
)
from priot_hil.harness.strategies import Run
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]
pytestmark = pytest.mark.usefixtures("flash")
Orders = list[npt.NDArray[np.int64]]

on_link = pytest.mark.parametrize("device_engine", ["process", "board"], indirect=True)
LONG = 1000  # times the samples of a run that is still at work when it is looked at
TAG = 0xABCD1234


def device_of(engine: DeviceEngine) -> LinkDevice:
    """The device behind the link."""
    assert isinstance(engine.device, LinkDevice)
    return engine.device


def prepare(engine: DeviceEngine, run: Run, orders: Orders, times: int = 1) -> LinkDevice:
    """Model and data on the device; each sample `times` times over."""
    engine.load(run.model, run.method, run.state)
    images, labels = np.concatenate([run.images] * times), np.concatenate([run.labels] * times)
    engine.load_data(images, labels, run.images[:4], run.labels[:4], orders)
    return device_of(engine)


def at_work(engine: DeviceEngine, run: Run) -> LinkDevice:
    """A device in the middle of a long run."""
    device = prepare(engine, run, [np.arange(6 * LONG)] * MAX_RUN_EPOCHS, LONG)
    start_run(device, MAX_RUN_EPOCHS, TAG)
    assert progress(device).is_running
    return device


@on_link
@pytest.mark.parametrize("kind", MethodKind)
def test_a_detached_run_is_the_run(device_engine: DeviceEngine, make_run: MakeRun, kind: MethodKind) -> None:
    """Looked at all the time: the reference's counts and checksums after every epoch, in an order for each."""
    run = make_run(kind)
    orders = [np.array(order) for order in ([3, 1, 0, 5, 4, 2], [0, 0, 0, 5, 5, 5], [5, 4, 3, 2, 1, 0])]
    device = prepare(device_engine, run, orders)
    start_run(device, 3, TAG)
    deadline = time.monotonic() + 20
    while (now := progress(device)).is_running:
        assert time.monotonic() < deadline
        device.link.listen(0.001)
    assert (now.tag, now.epochs, now.is_complete) == (TAG, 3, True)
    reference = ReferenceEngine()
    reference.load(run.model, run.method, run.state)
    reference.load_data(run.images, run.labels, run.images[:4], run.labels[:4])
    expected = [(0, reference.evaluate(), reference.state_crc())]
    for order in orders:
        trained = reference.train_epoch(order).correct
        expected.append((trained, reference.evaluate(), reference.state_crc()))
    assert [(r.train_correct, r.test_correct, r.state_crc) for r in now.results] == expected
    assert len({r.state_crc for r in now.results}) == 4
    assert all((r.cycles > 0) == (device_engine.name == "emulator") for r in now.results[1:])
    assert device_engine.state_crc() == reference.state_crc()


@pytest.mark.slow
@on_link
def test_a_device_at_work_is_busy(device_engine: DeviceEngine, make_run: MakeRun) -> None:
    """Whatever is asked meanwhile is refused, however long its frame, and the work goes on; a new host may look."""
    device = at_work(device_engine, make_run(MethodKind.PRIOT))
    requests = [
        (CommandCode.STATE, b""),
        (CommandCode.LOAD, b""),
        (CommandCode.START, b""),
        (CommandCode.PREDICT, b""),
        (CommandCode.TRAIN_STEP, bytes(3)),
        (CommandCode.KERNEL, bytes([OperationCode.FORWARD, 0, 0, 0, 0, 0])),
        (CommandCode.DATASET, b""),
        (CommandCode.TRAIN_EPOCH, bytes(2)),
        (CommandCode.EVALUATE, b""),
        (CommandCode.READ, bytes(8)),
        (CommandCode.WRITE, WriteRequest(TensorCode.IMAGE, 0, 0).pack() + bytes(1000)),
        (CommandCode.ERASE, struct.pack("<II", 0, 4096)),
        (CommandCode.STORE, struct.pack("<I", 0) + bytes(256)),
        (CommandCode.RUN, RunRequest(0, 1).pack()),
        (CommandCode.BATCH, b""),
    ]
    for command, payload in requests:
        with pytest.raises(KernelStatus, match=r"\(busy\)") as caught:
            device.command(command, payload)
        assert caught.value.status == StatusCode.BUSY
    before = progress(device)
    device.link.hello()
    after = progress(device)
    assert before.tag == after.tag == TAG
    assert after.is_running
    assert (after.epoch, after.sample) > (before.epoch, before.sample)
    stop_run(device)


@on_link
def test_a_run_can_be_stopped(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """Its results stay until the next load; the device is free again."""
    run = make_run(MethodKind.NITI_STATIC)
    device = at_work(device_engine, run)
    # A new host may look before it stops the run.
    assert HelloResponse.unpack(device.link.hello()).payload_limit == PAYLOAD_LIMIT
    assert progress(device).is_running
    stop_run(device)
    stopped = progress(device)
    assert (stopped.tag, stopped.is_running, stopped.is_complete) == (TAG, False, False)
    state = device_engine.state_crc()
    assert progress(device) == stopped
    assert device_engine.state_crc() == state
    watch(device_engine, run).expect_untouched()
    assert (progress(device).tag, progress(device).results) == (0, ())


@on_link
def test_a_restart_loses_a_run(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """RESET is taken at work; the device remembers nothing of the run."""
    run = make_run(MethodKind.PRIOT_S)
    device = at_work(device_engine, run)
    device.command(CommandCode.RESET, ResetRequest(0).pack())
    assert (progress(device).tag, progress(device).is_running) == (0, False)
    watch(device_engine, run).expect_untouched()


@on_link
def test_a_run_that_cannot_start_is_refused(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """Without data, for more epochs than there are orders, without a tag; and the loaded run is untouched."""
    run = make_run(MethodKind.PRIOT)
    watched = watch(device_engine, run)
    device = device_of(device_engine)
    assert can_run(device)
    with pytest.raises(KernelStatus, match="no_dataset"):
        start_run(device, 1, TAG)
    watched.expect_untouched()
    prepare(device_engine, run, [np.arange(6)] * 2)
    before = device_engine.state_crc()
    for epochs, tag, value in ((3, TAG, 3), (0xFFFF, TAG, 0xFFFF), (2, 0, 0)):
        with pytest.raises(KernelStatus, match=rf"bad_value, value {value}\)"):
            device.command(CommandCode.RUN, RunRequest(epochs, tag).pack())
    assert progress(device).tag == 0
    prepare(device_engine, run, [np.arange(6)] * (MAX_RUN_EPOCHS + 1))
    with pytest.raises(KernelStatus, match=rf"bad_value, value {MAX_RUN_EPOCHS + 1}\)"):
        device.command(CommandCode.RUN, RunRequest(MAX_RUN_EPOCHS + 1, TAG).pack())
    for epochs, tag, bounds in (
        (MAX_RUN_EPOCHS + 1, TAG, r"0\.\.40"),
        (-1, TAG, r"0\.\.40"),
        (1, 0, r"1\.\.4294967295"),
    ):
        with pytest.raises(InputError, match=bounds):
            start_run(device, epochs, tag)
    assert device_engine.state_crc() == before


@pytest.mark.parametrize("device_engine", ["host"], indirect=True)
def test_what_has_no_loop_of_its_own_does_not_run(device_engine: DeviceEngine) -> None:
    """The library works only while it is called."""
    with pytest.raises(KernelStatus, match="unknown_command"):
        device_engine.device.command(CommandCode.RUN, RunRequest(0, TAG).pack())
