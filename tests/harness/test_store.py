"""A transfer set given over the link: what is stored is what is trained on, and nothing else is ever taken for it."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from priot_hil.harness.description import pack_dataset
from priot_hil.harness.device import LinkDevice
from priot_hil.harness.devices import open_emulator, open_host, open_process
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus, LinkLost
from priot_hil.harness.estimate import Work
from priot_hil.harness.protocol import (
    PAGE_BYTES,
    SECTOR_BYTES,
    CapabilityCode,
    CommandCode,
    EraseRequest,
    ResetRequest,
    RestartCode,
    StatusCode,
    StoreRequest,
    TrainEpochRequest,
)
from priot_hil.harness.store import STORE_AT_ONCE, is_stored
from priot_hil.harness.strategies import Run
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

MakeRun = Callable[[MethodKind], Run]
OPEN = {"process": open_process, "board": open_emulator}
LAST_OFFSET = 2**32


class Storing:
    """A device whose flash the host cannot reach, and the commands that it is asked."""

    def __init__(self, engine: DeviceEngine) -> None:
        assert isinstance(engine.device, LinkDevice)
        self.engine, self.device = engine, engine.device
        self.device._write_flash = None
        self.room = self.device.hello.dataset_bytes
        self.asked: list[CommandCode] = []
        self.dies_after: int | None = None
        request = self.device.link.request

        def noted(command: CommandCode, payload: bytes, budget: float = 0.0) -> tuple[int, bytes]:
            if self.dies_after is not None and self.asked.count(CommandCode.STORE) == self.dies_after:
                raise LinkLost("unplugged")
            self.asked.append(command)
            return request(command, payload, budget)

        self.device.link.request = noted  # type: ignore[method-assign]

    def erase(self, offset: int, length: int) -> None:
        """Erase as asked."""
        self.device.command(CommandCode.ERASE, EraseRequest(offset, length).pack())

    def store(self, offset: int, data: bytes) -> None:
        """Store as asked."""
        self.device.command(CommandCode.STORE, StoreRequest(offset).pack() + data)


@pytest.fixture(scope="module", params=OPEN)
def opened(request: pytest.FixtureRequest) -> Iterator[Storing]:
    """The device process, and the board's image on the emulator with its modelled bootrom."""
    engine = OPEN[request.param]()
    yield Storing(engine)
    engine.close()


@pytest.fixture
def storing(opened: Storing) -> Storing:
    """Without a transfer set."""
    opened.dies_after = None
    opened.erase(0, SECTOR_BYTES)
    opened.asked.clear()
    return opened


def loaded(storing: Storing, make_run: MakeRun) -> Run:
    """A run with enough samples for several requests."""
    run = make_run(MethodKind.PRIOT)
    run = run._replace(images=np.tile(run.images, (20, 1, 1, 1)), labels=np.tile(run.labels, 20))
    storing.engine.load(run.model, run.method, run.state)
    return run


def give(engine: DeviceEngine | ReferenceEngine, run: Run) -> None:
    """The run's samples as a transfer set."""
    engine.load_data(run.images, run.labels, run.images[:2], run.labels[:2])


def test_trains_on_what_was_stored(storing: Storing, make_run: MakeRun, works: list[Work]) -> None:
    """An epoch on it equals the reference's on the same samples."""
    run = loaded(storing, make_run)
    reference = ReferenceEngine()
    reference.load(run.model, run.method, run.state)
    order = np.arange(len(run.images))[::-1]
    for engine in (storing.engine, reference):
        give(engine, run)
        assert engine.train_epoch(order).steps == len(order)
    assert storing.engine.state_crc() == reference.state_crc()
    assert storing.engine.evaluate() == reference.evaluate()
    assert storing.asked.count(CommandCode.STORE) == -(-(20 + 38 * 120 + 76) // STORE_AT_ONCE) > 2
    assert storing.asked.count(CommandCode.ERASE) == 1
    erasing, storing_it = [work for work in works if work.unit == "bytes"]
    assert erasing.done == erasing.total == storing_it.done == storing_it.total


def test_what_is_there_is_not_stored_again(storing: Storing, make_run: MakeRun) -> None:
    """The same set, after another load too; but one bit of it changed, or its order, is another set."""
    run = loaded(storing, make_run)
    give(storing.engine, run)
    storing.asked.clear()
    storing.engine.load(run.model, run.method, run.state)
    give(storing.engine, run)
    assert not {CommandCode.ERASE, CommandCode.STORE} & set(storing.asked)
    run.images[-1, 0, 5, 5] ^= 1
    give(storing.engine, run)
    assert CommandCode.STORE in storing.asked


def test_a_set_that_claims_anothers_checksum_is_stored(storing: Storing, make_run: MakeRun) -> None:
    """The head alone does not prove what the bytes behind it are."""
    run = loaded(storing, make_run)
    give(storing.engine, run)
    data = pack_dataset(run.images, run.labels, run.images[:2], run.labels[:2])
    assert is_stored(storing.device.command, data)
    assert not is_stored(storing.device.command, data[:-1] + bytes([data[-1] ^ 1]))
    assert not is_stored(storing.device.command, data[:-1])
    storing.device.put_dataset(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(KernelStatus, match="no_dataset"):
        storing.device.command(CommandCode.DATASET)


@pytest.mark.parametrize("stored", [0, 1, 5])
def test_an_interrupted_set_is_none(storing: Storing, make_run: MakeRun, stored: int) -> None:
    """Unplugged in the middle: the device has no set, and takes it when it is given again."""
    run = loaded(storing, make_run)
    storing.dies_after = stored
    with pytest.raises(LinkLost):
        give(storing.engine, run)
    storing.dies_after = None
    with pytest.raises(KernelStatus, match="no_dataset"):
        storing.device.command(CommandCode.DATASET)
    give(storing.engine, run)
    assert storing.engine.train_epoch(np.arange(4)).steps == 4


@pytest.mark.parametrize("change", ["erase", "store"])
def test_a_changed_set_is_forgotten(storing: Storing, make_run: MakeRun, change: str) -> None:
    """Even one that was changed outside of itself: DATASET has to look again."""
    run = loaded(storing, make_run)
    give(storing.engine, run)
    epoch = (CommandCode.TRAIN_EPOCH, TrainEpochRequest(0).pack())
    storing.device.command(*epoch)
    if change == "erase":
        storing.erase(storing.room - SECTOR_BYTES, SECTOR_BYTES)
    else:
        storing.store(storing.room - PAGE_BYTES, b"\xff" * PAGE_BYTES)
    with pytest.raises(KernelStatus, match="no_dataset"):
        storing.device.command(*epoch)
    storing.device.command(CommandCode.DATASET)
    storing.device.command(*epoch)


@pytest.mark.parametrize(
    ("offset", "count", "status", "value"),
    [
        (1, 256, StatusCode.BAD_VALUE, 1),
        (255, 256, StatusCode.BAD_VALUE, 255),
        (0, 255, StatusCode.BAD_VALUE, 255),
        (0, 257, StatusCode.BAD_VALUE, 257),
        (0x1A0000, 256, StatusCode.BAD_RANGE, 0x1A0000),
        (0x1A0000 - 256, 512, StatusCode.BAD_RANGE, 0x1A0000),
        (LAST_OFFSET - 256, 512, StatusCode.BAD_RANGE, 0x1A0000),
    ],
)
def test_store_is_refused(storing: Storing, offset: int, count: int, status: StatusCode, value: int) -> None:
    """Beside the pages, or outside of the room."""
    with pytest.raises(KernelStatus, match=rf"{status.name.lower()}, value {value}\)") as caught:
        storing.store(offset, bytes(count))
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("offset", "length", "status", "value"),
    [
        (256, 4096, StatusCode.BAD_VALUE, 256),
        (0, 4095, StatusCode.BAD_VALUE, 4095),
        (0x1A0000, 4096, StatusCode.BAD_RANGE, 0x1A0000),
        (0, 0x1A1000, StatusCode.BAD_RANGE, 0x1A0000),
        (4096, LAST_OFFSET - 4096, StatusCode.BAD_RANGE, 0x1A0000),
    ],
)
def test_erase_is_refused(storing: Storing, offset: int, length: int, status: StatusCode, value: int) -> None:
    """Beside the sectors, or outside of the room."""
    with pytest.raises(KernelStatus, match=rf"{status.name.lower()}, value {value}\)") as caught:
        storing.erase(offset, length)
    assert caught.value.status == status


def test_what_was_not_erased_is_noticed(storing: Storing) -> None:
    """Writing only clears bits: the first byte that would need one set is named, and what went before is there."""
    storing.store(PAGE_BYTES, b"\x0f" * PAGE_BYTES)
    with pytest.raises(KernelStatus, match=rf"bad_flash, value {PAGE_BYTES + 7}\)"):
        storing.store(PAGE_BYTES, b"\x0f" * 7 + b"\xf0" * (PAGE_BYTES - 7))
    storing.store(PAGE_BYTES, b"\x0f" * 7 + bytes(PAGE_BYTES - 7))


PLACES = st.integers(0, 7)
OPERATIONS = st.lists(
    st.tuples(st.just("erase"), PLACES.map(lambda n: n % 2), st.just(b""))
    | st.tuples(st.just("store"), st.integers(0, 31), st.binary(min_size=PAGE_BYTES, max_size=PAGE_BYTES)),
    max_size=12,
)


@settings(max_examples=20)
@given(operations=OPERATIONS)
def test_any_order_of_erase_and_store(opened: Storing, operations: list[tuple[str, int, bytes]]) -> None:
    """Two sectors against a model of them: each request succeeds where the model's bytes are those asked for."""
    opened.dies_after = None
    opened.erase(0, 2 * SECTOR_BYTES)
    flash = np.full(2 * SECTOR_BYTES, 0xFF, np.uint8)
    for what, place, data in operations:
        if what == "erase":
            opened.erase(place * SECTOR_BYTES, SECTOR_BYTES)
            flash[place * SECTOR_BYTES : (place + 1) * SECTOR_BYTES] = 0xFF
            continue
        page = flash[place * PAGE_BYTES : (place + 1) * PAGE_BYTES]
        wanted = np.frombuffer(data, np.uint8)
        page &= wanted
        wrong = np.flatnonzero(page != wanted)
        if len(wrong):
            with pytest.raises(KernelStatus, match=rf"bad_flash, value {place * PAGE_BYTES + wrong[0]}\)"):
                opened.store(place * PAGE_BYTES, data)
        else:
            opened.store(place * PAGE_BYTES, data)


def test_the_library_has_no_flash() -> None:
    """No capability, and no such command."""
    engine = open_host()
    assert not engine.device.hello.capabilities & CapabilityCode.STORE
    for command, request in (
        (CommandCode.ERASE, EraseRequest(0, 0).pack()),
        (CommandCode.STORE, StoreRequest(0).pack()),
        (CommandCode.RESET, ResetRequest(RestartCode.FIRMWARE).pack()),
    ):
        with pytest.raises(KernelStatus, match="unknown_command"):
            engine.device.command(command, request)


def test_a_process_has_no_loader(process_engine: DeviceEngine) -> None:
    """Nor is there a third way to restart; it has not restarted either."""
    for restart in (RestartCode.LOADER, 2, 255):
        with pytest.raises(KernelStatus, match=rf"bad_value, value {int(restart)}\)"):
            process_engine.device.command(CommandCode.RESET, ResetRequest(restart).pack())
