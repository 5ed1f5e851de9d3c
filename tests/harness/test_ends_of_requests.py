"""Both ends of what a request may ask, and of what a transfer set may hold: the last is taken, the next is refused."""

import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from refusals import answer_of, status_of

from priot_hil.harness.description import describe_run, pack_dataset
from priot_hil.harness.detached import progress, start_run
from priot_hil.harness.device import LibraryDevice, LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.example import example_run
from priot_hil.harness.limits import PAYLOAD, PLACE, RUN_EPOCHS, SAMPLES, TAG
from priot_hil.harness.protocol import (
    DATASET_MAGIC,
    CommandCode,
    DatasetRecord,
    ModelRecord,
    PartRecord,
    ReadRequest,
    RunRequest,
    StatusCode,
    TensorCode,
    TrainEpochRequest,
    WriteRequest,
)
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


def load_wide(engine: DeviceEngine, epoch: int = 0) -> None:
    """A run with an image of 1,100 bytes, more than a frame, and room for the order of so many samples; started."""
    network = Network((1100,), (Linear(1100, 2),))
    weights = {0: np.ones((2, 1100), np.int8)}
    model, state = Model(network, weights, {0: -7}), State(weights, 1)
    engine.device.command(CommandCode.LOAD, describe_run(model, Method(MethodKind.NITI_DYNAMIC), state, epoch))
    engine.device.command(CommandCode.START)


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, 0, OK),
        (0, PAYLOAD.high, OK),
        (0, PAYLOAD.high + 1, BAD_VALUE),
        (0, 0xFFFF, BAD_VALUE),
        (1100 - PAYLOAD.high, PAYLOAD.high, OK),
        (1100 - PAYLOAD.high + 1, PAYLOAD.high, BAD_RANGE),
        (1099, 1, OK),
        (1100, 0, OK),
        (1100, 1, BAD_RANGE),
        (1101, 0, BAD_RANGE),
        (2**32 - 1, 0, BAD_RANGE),
        (2**32 - 1, 1, BAD_RANGE),
        (2**32 - 4, 8, BAD_RANGE),
    ],
)
def test_parts_of_a_tensor(device_engine: DeviceEngine, offset: int, length: int, expected: StatusCode) -> None:
    """Up to its last byte, and no more than a frame holds; a part behind the end may be empty, and no further off."""
    load_wide(device_engine)
    status, answer = answer_of(device_engine, CommandCode.READ, ReadRequest(TensorCode.IMAGE, 0, offset, length).pack())
    assert (status, len(answer)) == (expected, length if expected == OK else 0)
    if length <= 8:
        request = WriteRequest(TensorCode.IMAGE, 0, offset).pack() + bytes(length)
        assert status_of(device_engine, CommandCode.WRITE, request) == expected


@pytest.mark.parametrize(("extra", "expected"), [(0, OK), (1, BAD_RANGE)])
def test_answers_of_a_batch(device_engine: DeviceEngine, extra: int, expected: StatusCode) -> None:
    """As many bytes as a frame holds."""
    load_wide(device_engine)
    reads = [ReadRequest(TensorCode.IMAGE, 0, 0, length).pack() for length in (PAYLOAD.high - 100, 100 + extra)]
    batch = b"".join(PartRecord(CommandCode.READ, 0, len(read)).pack() + read for read in reads)
    status, answer = answer_of(device_engine, CommandCode.BATCH, batch)
    assert (status, len(answer)) == (expected, PAYLOAD.high if expected == OK else 0)


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


@pytest.mark.parametrize("epoch", [0, 0xFFFF])
def test_room_for_an_order(device_engine: DeviceEngine, epoch: int) -> None:
    """From none to all that 16 bits count; the tensor has just that many places."""
    load_wide(device_engine, epoch)
    end = 2 * epoch
    assert status_of(device_engine, CommandCode.WRITE, WriteRequest(TensorCode.ORDER, 0, end).pack()) == OK
    assert (
        status_of(device_engine, CommandCode.WRITE, WriteRequest(TensorCode.ORDER, 0, end).pack() + b"\0") == BAD_RANGE
    )


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


@only_host
def test_the_longest_request(device_engine: DeviceEngine) -> None:
    """A frame's payload, and a byte more."""
    assert isinstance(device_engine.device, LibraryDevice)
    load_wide(device_engine)
    write = WriteRequest(TensorCode.IMAGE, 0, 0).pack()
    for extra, expected in ((0, OK), (1, StatusCode.BAD_LENGTH)):
        request = write + bytes(PAYLOAD.high - len(write) + extra)
        assert status_of(device_engine, CommandCode.WRITE, request) == expected


def test_scored_edges_of_a_layer(device_engine: DeviceEngine) -> None:
    """From none to all of them, and not one more; of a method without masks, none."""
    run = example_run(MethodKind.PRIOT_S)
    for fill, extra, expected in ((False, 0, OK), (True, 0, OK), (True, 1, StatusCode.BAD_MODEL)):
        scored = {i: np.full(w.shape, fill) for i, w in run.model.weights.items()}
        description = describe_run(run.model, run.method, replace(run.state, scored=scored), 0)
        edges = run.model.weights[4].size
        last = description[:-4] + (int(fill) * edges + extra).to_bytes(4, "little")
        assert status_of(device_engine, CommandCode.LOAD, last) == expected
    niti = example_run(MethodKind.NITI_STATIC)
    description = describe_run(niti.model, niti.method, niti.state, 0)
    for edges, expected in ((0, OK), (1, StatusCode.BAD_MODEL)):
        assert status_of(device_engine, CommandCode.LOAD, description[:-4] + edges.to_bytes(4, "little")) == expected


def test_the_length_of_a_description(device_engine: DeviceEngine) -> None:
    """A head alone, with or without layers announced; a byte less; each layer's record whole."""
    run = example_run(MethodKind.PRIOT)
    whole = describe_run(run.model, run.method, run.state, 0)
    head, none = whole[: ModelRecord.size()], ModelRecord.unpack(whole)._replace(layers=0).pack()
    for request, expected in (
        (whole, OK),
        (whole[:-1], StatusCode.BAD_LENGTH),
        (whole + b"\0", StatusCode.BAD_LENGTH),
        (head, StatusCode.BAD_LENGTH),
        (none, StatusCode.BAD_MODEL),
        (none[:-1], StatusCode.BAD_LENGTH),
        (none + b"\0", StatusCode.BAD_LENGTH),
        (b"", StatusCode.BAD_LENGTH),
    ):
        assert status_of(device_engine, CommandCode.LOAD, request) == expected, request


def test_the_name_of_a_device(device_engine: DeviceEngine) -> None:
    """Filled up with zeros, and nothing that lies behind it in memory."""
    names = [name.ljust(16, b"\0") for name in (b"host", b"rp2040")]
    assert device_engine.device.hello.name in names
