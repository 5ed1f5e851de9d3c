"""Devices: something that runs commands. The engine above does not see whether a link lies between."""

import ctypes
import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from priot_hil.reference.errors import InputError

from .errors import DeviceFault, DeviceRestarted, EmulationStuck, KernelStatus, LinkLost, LostReason
from .firmware import symbolize
from .link import Link
from .protocol import (
    NO_DETAIL,
    PAYLOAD_LIMIT,
    STATUS_TEXT,
    CapabilityCode,
    CommandCode,
    FaultRecord,
    HelloResponse,
    OperationCode,
    StatusCode,
)
from .store import store_dataset

HOST_ARENA_BYTES = 64 << 20
RESET_BY_FAULT = 2
RESET_CAUSES = ("power on", "request", "fault", "watchdog")


class Device(Protocol):
    """Runs commands."""

    name: str
    hello: HelloResponse

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """Runs a command and returns its answer's payload.

        Args:
            command: What to run.
            payload: Its request, at most PAYLOAD_LIMIT bytes.
            budget: Seconds the command itself may take.

        Raises:
            KernelStatus: The device refused it and is as before.
            DeviceFault: The firmware crashed.
            EmulationStuck: The emulated core still ran at the deadline.
            DeviceRestarted: The device has restarted for another reason.
            LinkLost: The device does not answer, or another host has it now.
        """
        ...

    def put_dataset(self, data: bytes) -> None:
        """Puts a transfer set where the firmware looks for one.

        Raises:
            InputError: It does not fit.
            KernelStatus: The flash is worn out.
        """
        ...

    @property
    def takes_dataset(self) -> bool:
        """Whether `put_dataset` has a way to the device's flash."""
        ...

    def close(self) -> None:
        """Lets go of the device."""
        ...


def refusal(name: str, command: CommandCode, status: int, payload: bytes) -> KernelStatus:
    """The exception for a status that is not OK."""
    layer, value = struct.unpack_from("<II", payload) if len(payload) >= 8 else (NO_DETAIL, NO_DETAIL)
    what = next((text for code, text in STATUS_TEXT.items() if code == status), "unknown status")
    where = "" if layer == NO_DETAIL else f", layer {layer}"
    number = "" if value == NO_DETAIL else f", value {value}"
    reason = f"{code_name(StatusCode, status)}{where}{number}"
    message = f"{name} refused {command.name.lower()}: {what} ({reason})"
    return KernelStatus(
        message,
        status=status,
        layer=None if layer == NO_DETAIL else layer,
        value=None if value == NO_DETAIL else value,
    )


def code_name(codes: type[IntEnum], code: int) -> str:
    """What a code is called; the number itself where another or a broken firmware made it up."""
    return next((known.name.lower() for known in codes if known == code), str(code))


class LinkDevice:
    """A device at the other end of a link.

    Args:
        link: Owned and closed by the device.
        images: The ELF files that the device may run by their build ids; they give functions their names.
        write_flash: Puts bytes into the device's dataset flash; None where the host cannot reach it, and the device has
            to do so itself.
        any_build: Accept another firmware than the one built here.

    Raises:
        LinkLost: No answer, or another protocol version or firmware than expected.
    """

    def __init__(
        self,
        link: Link,
        images: Mapping[bytes, Path],
        write_flash: Callable[[bytes], None] | None = None,
        any_build: bool = False,
    ) -> None:
        self.name = link.name
        self.link = link
        self._images = images
        self._write_flash = write_flash
        self._has_session = False
        try:
            self._open_session()
            if self.hello.build_id not in images and not any_build:
                built = " or ".join(build_id.hex()[:12] for build_id in images)
                raise LinkLost(
                    f"{self.name} runs build {self.hello.build_id.hex()[:12]}, this checkout built {built}; "
                    f"flash it with `invoke flash --device {self.name}`, or accept it with `--any-build`"
                )
        except (LinkLost, DeviceFault, EmulationStuck) as error:
            link.transcript.name_in(error)
            link.close()
            raise

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """See `Device`."""
        try:
            return self._command(command, payload, budget)
        except (LinkLost, DeviceFault, EmulationStuck) as error:
            self.link.transcript.name_in(error)
            raise

    def forget_session(self) -> None:
        """Makes the next command start a new session first, as after a lost link; the device keeps what it holds."""
        self._has_session = False

    @property
    def takes_dataset(self) -> bool:
        """See `Device`."""
        return self._write_flash is not None or bool(self.hello.capabilities & CapabilityCode.STORE)

    def _command(self, command: CommandCode, payload: bytes, budget: float) -> bytes:
        if not self._has_session:
            self._recover(command)
        try:
            status, answer = self.link.request(command, payload, budget)
        except LinkLost as lost:
            self._recover(command, lost)
            raise
        except (DeviceFault, EmulationStuck):
            self._has_session = False
            self.link.transport.reset()  # a core that locked up stays so; the next command finds a fresh one
            self._open_session()
            raise
        if status == StatusCode.OUT_OF_SEQUENCE:
            # This session, and yet another number: only a late HELLO, after a restart, can have begun it once more.
            self._recover(command)
            raise self._restarted(command, "and a late HELLO has opened its session again")
        if status == StatusCode.STALE_SESSION:
            self._recover(command, self._taken(command))
            raise self._taken(command)
        if status != StatusCode.OK:
            raise refusal(self.name, command, status, answer)
        if command == CommandCode.RESET:
            self._open_session()
        return answer

    def put_dataset(self, data: bytes) -> None:
        """See `Device`."""
        room = self.hello.dataset_bytes if self.takes_dataset else 0
        if len(data) > room:
            raise InputError.about(
                f"transfer set for {self.name}",
                expected=f"at most {room} bytes",
                got=len(data),
                do="take fewer samples",
            )
        if self._write_flash is not None:
            self._write_flash(data)
        else:
            store_dataset(self.command, data, self.name)

    def close(self) -> None:
        """See `Device`."""
        self.link.transcript.write()
        self.link.close()

    def _open_session(self) -> bytes:
        """Starts a session; returns the payload of the answer to its HELLO."""
        self._has_session = False
        payload = self.link.hello()
        self.hello = HelloResponse.unpack(payload)
        self._has_session = True
        return payload

    def _recover(self, command: CommandCode, lost: LinkLost | None = None) -> None:
        """Gets a new session by the gentlest means that does, and asks the device whether it has restarted.

        Args:
            command: What was to run.
            lost: Why there is no session; None where that was told before.

        Raises:
            DeviceFault: It has restarted after a fault.
            DeviceRestarted: It has, for another reason.
            LinkLost: It took a reset to reach it, or nothing did.
        """
        try:
            payload = self._open_session()
        except LinkLost as silent:
            lost = lost or silent
            self._reset(lost)
            raise LinkLost(
                f"{str(lost).rstrip('.')}; it answers again after a reset: load the run again", reason=lost.reason
            ) from lost
        if lost is None or self.hello.previous != 0:
            return
        if self.hello.reset_cause != RESET_BY_FAULT or not self.hello.faulted:
            cause = dict(enumerate(RESET_CAUSES)).get(self.hello.reset_cause, str(self.hello.reset_cause))
            raise self._restarted(command, f"cause: {cause}")
        raise self._fault(command, FaultRecord.unpack(payload, HelloResponse.size()))

    def _reset(self, lost: LinkLost) -> None:
        """Resets a device that gives no new session, and starts one.

        Raises:
            LinkLost: It stays silent; the sentence says what a person can do.
        """
        try:
            self.link.transport.reset()
            self._open_session()
        except LinkLost as silent:
            raise LinkLost(
                f"{str(lost).rstrip('.')}; neither a new session nor a reset brings an answer: press its button or "
                f"plug it in again, then flash it again with `invoke flash --device {self.name}`",
                reason=lost.reason,
            ) from silent

    def _taken(self, command: CommandCode) -> LinkLost:
        return LinkLost(
            f"{self.name} did not run {command.name.lower()} (stale_session): another host has spoken to it since; let "
            "one host at a time use it, and load the run again",
            reason=LostReason.SESSION,
        )

    def _restarted(self, command: CommandCode, how: str) -> DeviceRestarted:
        return DeviceRestarted(
            f"{self.name} has restarted before or during {command.name.lower()} ({how}); its model is gone; look for a "
            "loose supply or a pressed button, then load the run again"
        )

    def _fault(self, command: CommandCode, fault: FaultRecord) -> DeviceFault:
        kernel = code_name(OperationCode, fault.operation) if fault.operation else "no kernel"
        elf = self._images.get(self.hello.build_id)
        place = "an unknown build's function" if elf is None else symbolize(elf, fault.pc)
        return DeviceFault(
            f"{self.name}: HardFault during {command.name.lower()} at {place} "
            f"(pc {fault.pc:#010x}, lr {fault.lr:#010x}; {kernel} of stage {fault.stage}); the device has restarted",
            pc=fault.pc,
            registers=fault._asdict(),
        )


class LibraryDevice:
    """The firmware's engine and commands as a shared library in this process, without frames.

    Args:
        path: The library.
        arena_bytes: Memory for models.
        arena: That memory itself, aligned to 8 bytes, in place of one of the device's own; of any size to the byte.

    Raises:
        InputError: The file is no such library.
    """

    name = "host"
    takes_dataset = True

    def __init__(
        self, path: Path, arena_bytes: int = HOST_ARENA_BYTES, arena: npt.NDArray[np.uint8] | None = None
    ) -> None:
        try:
            self._library = ctypes.CDLL(str(path))
            self._library.priot_host_bytes.restype = ctypes.c_size_t
        except (OSError, AttributeError) as error:
            do = "build it with `invoke build --preset host`"
            raise InputError.about(f"{path}", expected="a library like libpriot", got=f"{error}", do=do) from error
        # Words, so that memory and arena are aligned to 8.
        self._memory = np.zeros(self._library.priot_host_bytes() // 8 + 1, np.uint64)
        self._arena = np.zeros(arena_bytes // 8, np.uint64).view(np.uint8) if arena is None else arena
        self._dataset = np.zeros(0, np.uint8)
        self._response = ctypes.create_string_buffer(PAYLOAD_LIMIT)
        self._response_bytes = ctypes.c_size_t()
        self._handle = ctypes.c_void_p(self._memory.ctypes.data)
        self._library.priot_host_create(
            self._handle, ctypes.c_void_p(self._arena.ctypes.data), ctypes.c_size_t(self._arena.nbytes)
        )
        self.hello = HelloResponse.unpack(self.command(CommandCode.HELLO))

    def command(self, command: CommandCode, payload: bytes = b"", budget: float = 0.0) -> bytes:
        """See `Device`."""
        status = self._library.priot_host_command(
            self._handle,
            ctypes.c_uint8(command),
            payload,
            ctypes.c_size_t(len(payload)),
            self._response,
            ctypes.byref(self._response_bytes),
        )
        answer = self._response.raw[: self._response_bytes.value]
        if status != StatusCode.OK:
            raise refusal(self.name, command, status, answer)
        return answer

    def put_dataset(self, data: bytes) -> None:
        """See `Device`."""
        self._dataset = np.frombuffer(data, np.uint8).copy()
        self._library.priot_host_set_dataset(
            self._handle, ctypes.c_void_p(self._dataset.ctypes.data), ctypes.c_uint32(self._dataset.nbytes)
        )

    def close(self) -> None:
        """See `Device`."""
