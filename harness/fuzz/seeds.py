"""Inputs to start from: what an engine really sends while it runs golden capsules and single stages."""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from priot_hil.harness.capsule import Capsule, Mode, read_capsule
from priot_hil.harness.device import LibraryDevice
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.frames import encode_request
from priot_hil.harness.protocol import (
    PAGE_BYTES,
    SECTOR_BYTES,
    CommandCode,
    EraseRequest,
    RunRequest,
    StoreRequest,
)
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, MaxPool2d, Relu

from .records import Record, Way, pack

SESSION = 1
SEED_BYTES = 4096  # longer inputs slow the fuzzer down and reach nothing more
STEPS = 2


# A detached run, which a library cannot do: looked at, stopped, and stopped again.
DETACHED = (
    Record(CommandCode.RUN, RunRequest(epochs=1, tag=1).pack()),
    *[Record(command) for command in (CommandCode.PROGRESS, CommandCode.EVALUATE, CommandCode.PROGRESS)],
    *[Record(CommandCode.STOP)] * 2,
)


class RecordingDevice:
    """A device that runs commands and notes them."""

    def __init__(self, device: LibraryDevice) -> None:
        self._device = device
        self.name, self.hello, self.takes_dataset = device.name, device.hello, True
        self.records: list[Record] = []

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """See `Device`."""
        self.records.append(Record(command, payload))
        return self._device.command(command, payload, budget)

    def put_dataset(self, data: bytes) -> None:
        """See `Device`."""
        self.records.append(Record(0, data, Way.FLASH))
        self._device.put_dataset(data)

    def close(self) -> None:
        """See `Device`."""
        self._device.close()


def seeds(library: Path, capsules: Path) -> Iterator[list[Record]]:
    """Recorded runs, none of more than SEED_BYTES.

    Args:
        library: The host library, on which they are recorded.
        capsules: A folder of capsules.
    """
    for path in sorted(capsules.glob("*.npz")):
        device = RecordingDevice(LibraryDevice(library))
        engine = DeviceEngine(device)
        _run(engine, read_capsule(path))
        device.records += DETACHED
        if len(pack(device.records)) <= SEED_BYTES:
            yield device.records
    for kind in MethodKind:
        device = RecordingDevice(LibraryDevice(library))
        DeviceEngine(device).run_kernel(_stage(kind))
        yield device.records
    yield [Record(command) for command in CommandCode]
    yield _storing()


def write_seeds(library: Path, capsules: Path, folders: Mapping[str, Path]) -> None:
    """Writes the seeds of both targets into their folders, "frames" and "commands"."""
    for records in seeds(library, capsules):
        requests = [record for record in records if record.way == Way.NEXT]
        frames = [encode_request(SESSION, 0, CommandCode.HELLO, b"")]
        frames += [encode_request(SESSION, 1 + i, r.command, r.payload) for i, r in enumerate(requests)]
        for target, data in (("frames", b"".join(frames)), ("commands", pack(records))):
            folders[target].mkdir(parents=True, exist_ok=True)
            (folders[target] / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def _run(engine: DeviceEngine, capsule: Capsule) -> None:
    engine.load(capsule.model, capsule.method, capsule.state)
    labels = [int(label) for label in capsule.labels]
    for image, label in list(zip(capsule.images, labels, strict=True))[:STEPS]:
        if capsule.mode is Mode.TRAIN:
            engine.train_step(image, label)
        else:
            engine.predict(image)
    engine.state_crc()
    engine.state()
    order = np.arange(min(STEPS, len(labels)))
    train, test = slice(None, STEPS), slice(-1, None)
    engine.load_data(capsule.images[train], capsule.labels[train], capsule.images[test], capsule.labels[test], [order])
    if capsule.mode is Mode.TRAIN:
        engine.train_epoch(order)
    engine.evaluate()


def _storing() -> list[Record]:
    """A sector erased and its first page written; then both once more, of a page that is not erased."""
    erase = Record(CommandCode.ERASE, EraseRequest(0, SECTOR_BYTES).pack())
    store = Record(CommandCode.STORE, StoreRequest(0).pack() + bytes(range(PAGE_BYTES)))
    other = Record(CommandCode.STORE, StoreRequest(0).pack() + bytes(reversed(range(PAGE_BYTES))))
    return [erase, store, Record(CommandCode.DATASET), other]


def _stage(kind: MethodKind) -> KernelCase:
    """A small convolution with a pool and a relu behind it."""
    draw = np.random.default_rng(1)

    def values(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
        return draw.integers(-127, 128, shape).astype(np.int8)

    learns = kind.learns_scores
    weights = values(3, 2, 3, 3)
    return KernelCase(
        kind=kind,
        layer=Conv2d(2, 3, 3, 1, 1),
        behind=(MaxPool2d(2), Relu()),
        input_shape=(2, 6, 6),
        weights=weights,
        image=values(2, 6, 6),
        error=values(3, 3, 3),
        shifts=None,
        mu=5,
        theta=-64 if learns else None,
        scores=values(3, 2, 3, 3) if learns else None,
        scored=draw.random(weights.shape) < 0.5 if kind is MethodKind.PRIOT_S else None,
    )
