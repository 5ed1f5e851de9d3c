"""A table's transfer set in a board's flash: which one, and that the board has it."""

import tempfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.firmware import build
from priot_hil.harness.protocol import DatasetRecord
from priot_hil.harness.transports.process import ProcessTransport
from priot_hil.reference.errors import InputError
from priot_hil.reproductions import board_data
from priot_hil.reproductions.board_data import give_data
from priot_hil.reproductions.data import ImageSet, transfer_task
from serial_boards import PtyBoard

ANY_BUILD = DeviceOptions(any_build=True)


@pytest.fixture
def small(monkeypatch, arrays, experiment):
    """The table in the small, on the stand-in for MNIST."""
    monkeypatch.setattr(board_data, "load_mnist", lambda say: ImageSet(**arrays))
    monkeypatch.setattr(board_data, "read_experiment", lambda table: experiment)
    return experiment


@pytest.fixture
def flash():
    """A board's flash for a transfer set, as a file."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(0x1A0000)
        yield Path(file.name)


@pytest.mark.parametrize(("seed", "angle"), [(None, None), (12, 45)])
def test_the_set_of_a_run(small, arrays, flash, seed, angle):
    """By default the table's first seed and angle; over a serial port, into flash that held something else."""
    flash.write_bytes(bytes(range(256)) * (0x1A0000 // 256))
    said = []
    board = PtyBoard(ProcessTransport(build("host").process, str(flash)))
    try:
        found = give_data(board.path, ANY_BUILD, seed=seed, angle=angle, say=said.append)
    finally:
        board.close()
    task = transfer_task(ImageSet(**arrays), angle or 30, seed or 10, 16, 8)
    data = flash.read_bytes()
    head, body = DatasetRecord.unpack(data), data[DatasetRecord.size() :]
    labels = np.frombuffer(body, "<u2", 24)
    images = np.frombuffer(body, np.int8, 24 * 784, 48).reshape(24, 1, 28, 28)
    assert (labels == np.concatenate([task.train.labels, task.test.labels])).all()
    assert (images == np.concatenate([task.train.images, task.test.images])).all()
    assert found == (16, 8, head.crc)
    assert head.crc == zlib.crc32(body[: 24 * 786])
    (line,) = said
    assert line == (
        f"{board.path} holds 16 + 8 samples of seed {seed or 10} at {angle or 30} degrees, "
        f"checksum {head.crc:#010x}, checked by the board"
    )


def test_a_board_without_flash(small):
    """It has no room, and the sentence says so."""
    board = PtyBoard(ProcessTransport(build("host").process))
    with pytest.raises(InputError, match="expected at most 0 bytes"):
        give_data(board.path, ANY_BUILD, say=lambda _: None)
    board.close()
