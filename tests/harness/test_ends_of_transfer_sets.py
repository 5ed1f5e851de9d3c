"""Both ends of what a transfer set and the flash below it may hold: the last is taken, the next is refused."""

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from refusals import status_of

from priot_hil.harness.description import describe_run, pack_dataset
from priot_hil.harness.detached import progress, start_run
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import example_run
from priot_hil.harness.firmware import build
from priot_hil.harness.limits import PLACE, RUN_EPOCHS, SAMPLES, TAG
from priot_hil.harness.link import Link
from priot_hil.harness.protocol import (
    DATASET_MAGIC,
    PAGE_BYTES,
    SECTOR_BYTES,
    CommandCode,
    DatasetRecord,
    EraseRequest,
    RunRequest,
    StatusCode,
    StoreRequest,
    TensorCode,
    TrainEpochRequest,
    WriteRequest,
)
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.errors import InputError
from priot_hil.reference.network import Linear, Network
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Method, MethodKind, Model, State

OK, BAD_RANGE, BAD_VALUE, NO_DATASET = (
    StatusCode.OK,
    StatusCode.BAD_RANGE,
    StatusCode.BAD_VALUE,
    StatusCode.NO_DATASET,
)
pytestmark = pytest.mark.usefixtures("flash")
only_host = pytest.mark.parametrize("device_engine", ["host"], indirect=True)


@pytest.mark.parametrize("device_engine", ["host", "board"], indirect=True)
@pytest.mark.parametrize("epoch", [0, 3])
def test_samples_of_an_epoch(device_engine: DeviceEngine, epoch: int) -> None:
    """As many as the description left room for, each out of the training set."""
    run = example_run(MethodKind.PRIOT)
    device = device_engine.device
    device.put_dataset(pack_dataset(run.images, run.labels, run.images[:1], run.labels[:1]))
    device.command(CommandCode.LOAD, describe_run(run.model, run.method, run.state, epoch))
    device.command(CommandCode.START)
    device.command(CommandCode.DATASET, b"", 30.0)
    assert status_of(device_engine, CommandCode.TRAIN_EPOCH, TrainEpochRequest(epoch).pack()) == OK
    assert status_of(device_engine, CommandCode.TRAIN_EPOCH, TrainEpochRequest(epoch + 1).pack()) == BAD_VALUE
    if epoch:
        for place, expected in ((len(run.images) - 1, OK), (len(run.images), BAD_VALUE)):
            request = WriteRequest(TensorCode.ORDER, 0, 2 * (epoch - 1)).pack() + place.to_bytes(2, "little")
            device.command(CommandCode.WRITE, request)
            assert status_of(device_engine, CommandCode.TRAIN_EPOCH, TrainEpochRequest(epoch).pack()) == expected


def ready(engine: DatasetEngine, samples: int) -> None:
    """A run on so many images of one pixel."""
    weights = {0: np.array([[99], [-99]], np.int8)}
    model = Model(Network((1,), (Linear(1, 2),)), weights, {0: -7})
    engine.load(model, Method(MethodKind.NITI_DYNAMIC), State({0: weights[0].copy()}, 1))
    images = (np.arange(samples) % 255 - 127).astype(np.int8).reshape(-1, 1)
    engine.load_data(images, np.arange(samples) % 2, images[:1], np.zeros(1, np.int64))


@pytest.mark.parametrize("device_engine", ["host", "board"], indirect=True)
@pytest.mark.parametrize(("train", "test"), [(0, 0), (0, 1), (1, 0)])
def test_no_samples(device_engine: DeviceEngine, train: int, test: int) -> None:
    """Either set may be empty: there is nothing to train on, or none is right."""
    run = example_run(MethodKind.NITI_STATIC)
    for engine in (device_engine, ReferenceEngine()):
        engine.load(run.model, run.method, run.state)
        engine.load_data(run.images[:train], run.labels[:train], run.images[:test], run.labels[:test])
        assert engine.train_epoch(np.zeros(0, np.int64)).steps == 0
        assert engine.evaluate() in range(test + 1)
        with pytest.raises(InputError, match=rf"0\.\.{train - 1}, got {train};"):
            engine.train_epoch(np.array([train]))


@only_host
def test_places_that_an_order_names(device_engine: DeviceEngine) -> None:
    """The last that 16 bits count is trained on; the next one, which they cannot, is refused with the bound."""
    reference = ReferenceEngine()
    counts = []
    for engine in (device_engine, reference):
        ready(engine, PLACE.high + 2)
        counts.append(engine.train_epoch(np.array([PLACE.high, 0, PLACE.high - 1])).correct)
    assert counts[0] == counts[1]
    assert device_engine.state_crc() == reference.state_crc()
    with pytest.raises(InputError, match=rf"{PLACE}, got {PLACE.high + 1};"):
        device_engine.train_epoch(np.array([PLACE.high + 1]))


def packed(samples: int, *orders: list[int]) -> bytes:
    """A transfer set of so many images of one pixel, and orders."""
    images, labels = np.zeros((samples, 1), np.int8), np.zeros(samples, np.int64)
    return pack_dataset(images, labels, images[:0], labels[:0], [np.array(order, np.int64) for order in orders])


SEALED: dict[str, Callable[[], tuple[bytes, bytes]]] = {
    # train, test, epochs: the last that a device counts, and the next
    "samples": lambda: (sealed(SAMPLES.high, 0, 0), sealed(SAMPLES.high + 1, 0, 0)),
    "training and test samples": lambda: (sealed(1, SAMPLES.high - 1, 0), sealed(1, SAMPLES.high, 0)),
    "samples in orders": lambda: (sealed(4095, 0, 4097), sealed(4096, 0, 4096)),
}


def sealed(train: int, test: int, epochs: int) -> bytes:
    """A transfer set of images of one pixel, all zero, made without a look at its sizes."""
    body = bytes(3 * (train + test) + 2 * epochs * train)
    return DatasetRecord(DATASET_MAGIC, 1, train, test, epochs, zlib.crc32(body)).pack() + body


@pytest.mark.slow
@only_host
@pytest.mark.parametrize("name", SEALED)
def test_samples_of_a_transfer_set(device_engine: DeviceEngine, name: str) -> None:
    """As many as 24 bits count, in all and in all orders."""
    ready(device_engine, 1)
    for data, expected in zip(SEALED[name](), (OK, NO_DATASET), strict=True):
        device_engine.device.put_dataset(data)
        assert status_of(device_engine, CommandCode.DATASET) == expected


@only_host
@pytest.mark.parametrize("orders", [(), ([2, 1, 0],)], ids=["no order", "an order"])
def test_room_for_a_transfer_set(device_engine: DeviceEngine, orders: tuple[list[int], ...]) -> None:
    """Flash that ends with the set's last byte, and one that ends before it; or before its head does."""
    ready(device_engine, 1)
    data = packed(3, *orders)
    for count in (len(data) - 1, DatasetRecord.size() - 1, 0):
        device_engine.device.put_dataset(data[:count])
        assert status_of(device_engine, CommandCode.DATASET) == NO_DATASET
    device_engine.device.put_dataset(data)
    assert status_of(device_engine, CommandCode.DATASET) == OK
    device_engine.device.put_dataset(sealed(0, 0, 0))
    assert status_of(device_engine, CommandCode.DATASET) == OK


@pytest.mark.parametrize("device_engine", ["process", "board"], indirect=True)
def test_epochs_of_a_detached_run(device_engine: DeviceEngine) -> None:
    """From none to as many as an answer reports, under any tag but 0; of the orders, no more than there are."""
    run = example_run(MethodKind.PRIOT)
    device_engine.load(run.model, run.method, run.state)
    one = run.images[:1], run.labels[:1]
    orders = [np.zeros(1, np.int64)] * (RUN_EPOCHS.high + 1)
    device_engine.load_data(*one, *one, orders)
    device = device_engine.device
    assert isinstance(device, LinkDevice)
    for epochs, tag in ((RUN_EPOCHS.high, TAG.high), (RUN_EPOCHS.low, TAG.low)):
        start_run(device, epochs, tag)
        while (now := progress(device)).is_running:
            device.link.listen(0.001)
        assert (now.tag, len(now.results), now.is_complete) == (tag, epochs + 1, True)
    for epochs, tag, expected in ((RUN_EPOCHS.high + 1, 1, BAD_VALUE), (1, 0, BAD_VALUE), (0xFFFF, 1, BAD_VALUE)):
        assert status_of(device_engine, CommandCode.RUN, RunRequest(epochs, tag).pack()) == expected
    device_engine.load_data(*one, *one, orders[:2])
    for epochs, expected in ((3, BAD_VALUE), (2, OK)):
        assert status_of(device_engine, CommandCode.RUN, RunRequest(epochs, 1).pack()) == expected
    while progress(device).is_running:
        device.link.listen(0.001)


@pytest.mark.parametrize("device_engine", ["process", "board"], indirect=True)
def test_a_detached_run_without_test_samples(device_engine: DeviceEngine) -> None:
    """None of them is right, though a model of zeros says 0 to whatever lies behind the set."""
    zeros = {0: np.zeros((2, 1), np.int8)}
    state = State({0: zeros[0].copy()}, 1)
    device_engine.load(Model(Network((1,), (Linear(1, 2),)), zeros, {0: 0}), Method(MethodKind.NITI_DYNAMIC), state)
    images, labels = np.ones((2, 1), np.int8), np.zeros(2, np.int64)
    device_engine.load_data(images, labels, images[:0], labels[:0], [labels])
    device = device_engine.device
    assert isinstance(device, LinkDevice)
    start_run(device, 1, 1)
    while (now := progress(device)).is_running:
        device.link.listen(0.001)
    assert [result.test_correct for result in now.results] == [0, 0]
    assert now.results[0].train_correct == 0


@pytest.fixture
def uneven(tmp_path: Path) -> Iterator[DeviceEngine]:
    """A process whose flash is a byte shorter than its last sector."""
    firmware = build("host")
    path = tmp_path / "flash"
    path.write_bytes(bytes(2 * SECTOR_BYTES - 1))
    link = Link(ProcessTransport(firmware.process, str(path)))
    engine = DeviceEngine(LinkDevice(link, {firmware.build_id: firmware.process}), "process")
    yield engine
    engine.close()


def test_flash_that_ends_within_a_sector(uneven: DeviceEngine) -> None:
    """Whole sectors and pages alone are erased and stored; none at all may be anywhere up to the last."""
    last = 2 * SECTOR_BYTES - PAGE_BYTES
    for command, request, expected in (
        (CommandCode.ERASE, EraseRequest(0, SECTOR_BYTES).pack(), OK),
        (CommandCode.ERASE, EraseRequest(SECTOR_BYTES, 0).pack(), OK),
        (CommandCode.ERASE, EraseRequest(SECTOR_BYTES, SECTOR_BYTES).pack(), BAD_RANGE),
        (CommandCode.ERASE, EraseRequest(0, 2 * SECTOR_BYTES).pack(), BAD_RANGE),
        (CommandCode.ERASE, EraseRequest(2 * SECTOR_BYTES, 0).pack(), BAD_RANGE),
        (CommandCode.STORE, StoreRequest(SECTOR_BYTES - PAGE_BYTES).pack() + bytes(PAGE_BYTES), OK),
        (CommandCode.STORE, StoreRequest(last).pack(), OK),
        (CommandCode.STORE, StoreRequest(last).pack() + bytes(PAGE_BYTES), BAD_RANGE),
    ):
        assert status_of(uneven, command, request) == expected, (command, request[:8])


@pytest.mark.parametrize("device_engine", ["process", "board"], indirect=True)
def test_the_end_of_flash(device_engine: DeviceEngine) -> None:
    """Up to its last page; behind it there is room for nothing, which is taken."""
    room = device_engine.device.hello.dataset_bytes
    assert room % SECTOR_BYTES == 0
    for command, request, expected in (
        (CommandCode.ERASE, EraseRequest(room - SECTOR_BYTES, SECTOR_BYTES).pack(), OK),
        (CommandCode.ERASE, EraseRequest(room, 0).pack(), OK),
        (CommandCode.ERASE, EraseRequest(room, SECTOR_BYTES).pack(), BAD_RANGE),
        (CommandCode.ERASE, EraseRequest(room + SECTOR_BYTES, 0).pack(), BAD_RANGE),
        (CommandCode.STORE, StoreRequest(room - PAGE_BYTES).pack() + bytes(PAGE_BYTES), OK),
        (CommandCode.STORE, StoreRequest(room).pack(), OK),
        (CommandCode.STORE, StoreRequest(room).pack() + bytes(PAGE_BYTES), BAD_RANGE),
    ):
        assert status_of(device_engine, command, request) == expected, (command, request[:8])
