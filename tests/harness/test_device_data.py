"""Transfer sets on a device: what is damaged or does not fit is not trained on."""

import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from priot_hil.harness.description import pack_dataset
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import CommandCode, DatasetRecord, StatusCode
from priot_hil.harness.strategies import Run
from priot_hil.reference.engine import DatasetEngine, KernelCase
from priot_hil.reference.errors import InputError, NotReady
from priot_hil.reference.network import Linear
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
Watch = Callable[[DeviceEngine, Run], Any]


def packed(run: Run) -> bytes:
    """All samples for training, the first two for testing."""
    return pack_dataset(run.images, run.labels, run.images[:2], run.labels[:2])


def with_orders(change: Callable[[bytes], bytes], *orders: list[int]) -> Callable[[bytes], bytes]:
    """The same set with orders for detached runs, changed."""

    def with_them(data: bytes) -> bytes:
        head, body = DatasetRecord.unpack(data), data[DatasetRecord.size() :]
        visits = b"".join(struct.pack(f"<{len(order)}H", *order) for order in orders)
        whole = head._replace(epochs=len(orders)).pack() + body[:16] + visits + body[16:]
        return change(whole)

    return with_them


with_room = pytest.mark.parametrize("device_engine", ["host", "board"], indirect=True)


@pytest.fixture(autouse=True)
def flash(device_engine: DeviceEngine) -> Iterator[None]:
    """Leaves no transfer set behind."""
    yield
    device = device_engine.device
    if not isinstance(device, LinkDevice) or device.hello.dataset_bytes:
        device.put_dataset(b"\xff" * DatasetRecord.size())


def sealed(body: bytes, **changes: int) -> Callable[[bytes], bytes]:
    """Another body or head under a right checksum."""

    def change(data: bytes) -> bytes:
        here = body or data[DatasetRecord.size() :]
        head = DatasetRecord.unpack(data)._replace(crc=zlib.crc32(here))._replace(**changes)
        return head.pack() + here

    return change


def with_byte(at: int, byte: int) -> Callable[[bytes], bytes]:
    """One byte of the body changed, under a right checksum."""

    def change(data: bytes) -> bytes:
        body = bytearray(data[DatasetRecord.size() :])
        body[at] = byte
        return sealed(bytes(body))(data)

    return change


DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "blank": lambda data: b"\xff" * len(data),
    "magic": sealed(b"", magic=1),
    "checksum": sealed(b"", crc=1),
    "a bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "image size": sealed(b"", image_bytes=35),
    "one sample too few": sealed(b"", train=5),
    "more than there is room for": sealed(b"", train=2**32 - 1),
    "an order's sample": with_orders(sealed(b""), [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 6]),
    "a bit of an order": with_orders(lambda data: data[:60] + bytes([data[60] ^ 1]) + data[61:], [0, 1, 2, 3, 4, 5]),
    "more orders than there are": sealed(b"", epochs=1),
    "more orders than there is room for": sealed(b"", epochs=2**32 - 1),
    "wraps": sealed(b"", train=2**31, test=2**31),
    "label": with_byte(0, 4),
    "high byte of a label": with_byte(15, 1),
    "-128": with_byte(16, 0x80),
    "-128 last": with_byte(16 + 8 * 36 - 1, 0x80),
}


@with_room
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_set_is_refused(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch, name: str) -> None:
    """Found by DATASET, which reads all of it; without one nothing trains, and the run goes on."""
    device = device_engine.device
    run = make_run(MethodKind.PRIOT_S)
    watched = watch(device_engine, run)
    device.put_dataset(DAMAGED[name](packed(run)))
    for command, payload in (
        (CommandCode.DATASET, b""),
        (CommandCode.TRAIN_EPOCH, struct.pack("<H", 1)),
        (CommandCode.EVALUATE, b""),
    ):
        with pytest.raises(KernelStatus, match="no transfer set lies in flash") as caught:
            device.command(command, payload)
        assert caught.value.status == StatusCode.NO_DATASET
    watched.expect_untouched()


@pytest.mark.parametrize("device_engine", ["process", "board"], indirect=True)
def test_a_set_that_does_not_fit(device_engine: DeviceEngine, make_run: MakeRun, watch: Watch) -> None:
    """A device behind a link has as much room as it says, or none."""
    watched = watch(device_engine, make_run(MethodKind.NITI_STATIC))
    device = device_engine.device
    room = device.hello.dataset_bytes
    with pytest.raises(InputError, match=rf"expected at most {room} bytes, got {room + 1}; take fewer samples"):
        device.put_dataset(bytes(room + 1))
    watched.expect_untouched()


def ready(engine: DatasetEngine, run: Run) -> None:
    """Load the run and its samples."""
    engine.load(run.model, run.method, run.state)
    engine.load_data(run.images, run.labels, run.images[:2], run.labels[:2])


@with_room
def test_orders_outside_the_set_are_refused(device_engine: DeviceEngine, make_run: MakeRun) -> None:
    """By the host, and by the firmware where it is asked directly; nothing is trained."""
    run = make_run(MethodKind.PRIOT)
    ready(device_engine, run)
    before = device_engine.state_crc()
    for order, expected in (([0, 6], "last sample .*0..5, got 6"), ([-1, 0], "first sample .*0..5, got -1")):
        with pytest.raises(InputError, match=expected):
            device_engine.train_epoch(np.array(order))
    head = struct.pack("<BBI", 8, 0, 0)
    device_engine.device.command(CommandCode.WRITE, head + struct.pack("<3H", 0, 5, 6))
    for samples, value in ((3, 6), (1025, 1025)):
        with pytest.raises(KernelStatus, match=rf"bad_value, value {value}\)"):
            device_engine.device.command(CommandCode.TRAIN_EPOCH, struct.pack("<H", samples))
    assert device_engine.state_crc() == before


@with_room
def test_a_flash_that_did_not_take_the_set(
    device_engine: DeviceEngine, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The device finds it damaged; the set before is gone, and is not trained on as if it were there."""
    run = make_run(MethodKind.PRIOT)
    ready(device_engine, run)
    put = device_engine.device.put_dataset
    monkeypatch.setattr(device_engine.device, "put_dataset", lambda data: put(DAMAGED["a bit"](data)))
    with pytest.raises(KernelStatus, match="it is damaged"):
        device_engine.load_data(run.images, run.labels, run.images, run.labels)
    with pytest.raises(NotReady, match="expected a loaded"):
        device_engine.train_epoch(np.arange(6))


@with_room
@pytest.mark.parametrize("again", ["load", "run_kernel"])
def test_data_belong_to_the_loaded_run(device_engine: DeviceEngine, make_run: MakeRun, again: str) -> None:
    """The reference and a device alike want them anew after the next load, and say so in the same way."""
    run = make_run(MethodKind.NITI_DYNAMIC)
    engines: list[DatasetEngine] = [device_engine, ReferenceEngine()]
    for engine in engines:
        ready(engine, run)
        assert engine.train_epoch(np.arange(6)).steps == 6
        if again == "load":
            engine.load(run.model, run.method, run.state)
        elif isinstance(engine, DeviceEngine):
            engine.run_kernel(tiny_kernel())
        else:
            continue  # the reference's kernels have nothing to do with its run
        with pytest.raises(NotReady, match="expected a loaded"):
            engine.train_epoch(np.arange(6))
        with pytest.raises(NotReady, match="expected a loaded"):
            engine.evaluate()


def test_a_kernel_is_no_run(device_engine: DeviceEngine) -> None:
    """After a single kernel there is no state to ask for."""
    device_engine.run_kernel(tiny_kernel())
    for ask in (device_engine.state, device_engine.state_crc, lambda: device_engine.tensor("logits")):
        with pytest.raises(NotReady, match="expected a loaded one, got none"):
            ask()


def tiny_kernel() -> KernelCase:
    """A linear layer with one weight."""
    one = np.ones((1, 1), np.int8)
    return KernelCase(
        layer=Linear(1, 1),
        behind=(),
        input_shape=(1,),
        kind=MethodKind.NITI_DYNAMIC,
        theta=None,
        weights=one,
        scores=None,
        scored=None,
        image=one[0],
        error=one[0],
        shifts=None,
    )


@with_room
def test_a_refused_set_replaces_a_good_one(device_engine, make_run):
    """After DATASET refused what lies in flash, nothing trains on what it found there before."""
    run = make_run(MethodKind.PRIOT)
    ready(device_engine, run)
    device = device_engine.device
    device.put_dataset(DAMAGED["label"](packed(run)))
    with pytest.raises(KernelStatus, match="no_dataset"):
        device.command(CommandCode.DATASET)
    for command, payload in ((CommandCode.TRAIN_EPOCH, struct.pack("<H", 1)), (CommandCode.EVALUATE, b"")):
        with pytest.raises(KernelStatus, match="no_dataset"):
            device.command(command, payload)
