"""How something is refused: the sentence for a user, and the status with which a device ends a command."""

from collections.abc import Callable

import pytest

from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.errors import KernelStatus
from priot_hil.harness.protocol import CommandCode, StatusCode
from priot_hil.reference.errors import InputError


def sentence_of(function: Callable[..., object], *arguments: object) -> str:
    """The sentence with which a call is refused; it has to be."""
    with pytest.raises(InputError) as caught:
        function(*arguments)
    return str(caught.value)


def answer_of(engine: DeviceEngine, command: CommandCode, payload: bytes = b"") -> tuple[int, bytes]:
    """Status and answer of a command that is sent as it is."""
    try:
        return StatusCode.OK, engine.device.command(command, payload, 60.0)
    except KernelStatus as refused:
        return refused.status, b""


def status_of(engine: DeviceEngine, command: CommandCode, payload: bytes = b"") -> int:
    """How a command that is sent as it is ends."""
    return answer_of(engine, command, payload)[0]
