"""Many small requests in few frames: a round trip costs more than most of what it asks for."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .description import scored_edges
from .device import Device
from .protocol import (
    PAYLOAD_LIMIT,
    CapabilityCode,
    CommandCode,
    KernelRequest,
    KernelResponse,
    OperationCode,
    PartRecord,
    ReadRequest,
    TensorCode,
    WriteRequest,
)

KERNEL_SECONDS = 2.0  # a kernel of any network that fits a board takes less


class Request(NamedTuple):
    """A command, and what its answer is for.

    Attributes:
        command: START, WRITE, READ or KERNEL.
        payload: Of the request.
        answer: Bytes of the answer's payload.
        name: Answers of one name are joined.
    """

    command: CommandCode
    payload: bytes = b""
    answer: int = 0
    name: str = ""


def writes(tensor: TensorCode, layer: int, values: npt.NDArray[np.generic]) -> Iterator[Request]:
    """The requests that write a tensor, none of an empty one."""
    data = values.tobytes()
    room = PAYLOAD_LIMIT - WriteRequest.size()
    for offset in range(0, len(data), room):
        yield Request(CommandCode.WRITE, WriteRequest(tensor, layer, offset).pack() + data[offset : offset + room])


def reads(tensor: TensorCode, layer: int, count: int, name: str = "") -> Iterator[Request]:
    """The requests that read the first bytes of a tensor."""
    for offset in range(0, count, PAYLOAD_LIMIT):
        size = min(PAYLOAD_LIMIT, count - offset)
        yield Request(CommandCode.READ, ReadRequest(tensor, layer, offset, size).pack(), size, name)


def score_writes(layer: int, scores: npt.NDArray[np.int8], scored: npt.NDArray[np.bool_] | None) -> Iterator[Request]:
    """The requests that write a layer's scores, and, where only some edges are scored, which these are."""
    if scored is None:
        yield from writes(TensorCode.SCORES, layer, scores)
    else:
        columns, row_ends = scored_edges(scored)
        yield from writes(TensorCode.COLUMNS, layer, columns)
        yield from writes(TensorCode.ROW_ENDS, layer, row_ends)
        yield from writes(TensorCode.SCORES, layer, scores[scored])


def kernel(operation: OperationCode, shift: int, row: int = 0, name: str = "") -> Request:
    """The request that runs a kernel."""
    return Request(CommandCode.KERNEL, KernelRequest(operation, shift, row).pack(), KernelResponse.size(), name)


def run_all(device: Device, requests: Iterable[Request]) -> dict[str, bytes]:
    """Runs requests in their order, as many in a frame as fit where the device takes several.

    Returns:
        The answers' payloads, those of one name joined.

    Raises:
        KernelStatus: One was refused; those before it have been run, and those behind it have not.
    """
    answers: dict[str, bytes] = {}
    for group in _groups(device, requests):
        budget = KERNEL_SECONDS * sum(request.command == CommandCode.KERNEL for request in group)
        if len(group) == 1:
            answer = device.command(group[0].command, group[0].payload, budget)
        else:
            answer = device.command(CommandCode.BATCH, b"".join(map(_part, group)), budget)
        at = 0
        for request in group:
            if request.answer:
                answers[request.name] = answers.get(request.name, b"") + answer[at : at + request.answer]
                at += request.answer
    return answers


def _groups(device: Device, requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Requests that go into one frame and whose answers come back in one."""
    limit = PAYLOAD_LIMIT if device.hello.capabilities & CapabilityCode.BATCH else 0
    group: list[Request] = []
    sent = answered = 0
    for request in requests:
        size = PartRecord.size() + len(request.payload)
        if group and (sent + size > limit or answered + request.answer > limit):
            yield group
            group, sent, answered = [], 0, 0
        group.append(request)
        sent += size
        answered += request.answer
    if group:
        yield group


def _part(request: Request) -> bytes:
    return PartRecord(request.command, 0, len(request.payload)).pack() + request.payload
