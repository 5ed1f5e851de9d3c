"""Devices: something that runs commands. The engine above does not see whether a link lies between."""

import ctypes
import struct
from collections.abc import Callable, Mapping
from enum import IntEnum
from pathlib import Path
from typing import Protocol

import numpy as np

from priot_hil.reference.errors import InputError

from .errors import DeviceFault, DeviceRestarted, EmulationStuck, KernelStatus, LinkLost
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
SESSION_LOST = (StatusCode.STALE_SESSION, StatusCode.OUT_OF_SEQUENCE)


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
    return KernelStatus(message, status=status, layer=None if layer == NO_DETAIL else layer)


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
        try:
            self.hello = HelloResponse.unpack(link.hello())
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

    @property
    def takes_dataset(self) -> bool:
        """See `Device`."""
        return self._write_flash is not None or bool(self.hello.capabilities & CapabilityCode.STORE)

    def _command(self, command: CommandCode, payload: bytes, budget: float) -> bytes:
        try:
            status, answer = self.link.request(command, payload, budget)
        except LinkLost:
            self._find_out_why(command)
            raise
        except (DeviceFault, EmulationStuck):
            self.link.transport.reset()  # a core that locked up stays so; the next command finds a fresh one
            self.link.hello()
            raise
        if status in SESSION_LOST:
            self._find_out_why(command)
            raise LinkLost(
                f"{self.name} did not run {command.name.lower()} ({code_name(StatusCode, status)}): another host has "
                "spoken to it since; let one host at a time use it, and load the run again"
            )
        if status != StatusCode.OK:
            raise refusal(self.name, command, status, answer)
        if command == CommandCode.RESET:
            self.hello = HelloResponse.unpack(self.link.hello())
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

    def _find_out_why(self, command: CommandCode) -> None:
        """Starts a new session with a device that did not run a command, and asks it whether it has restarted.

        Raises:
            DeviceFault: It has, after a fault.
            DeviceRestarted: It has, for another reason.
        """
        payload = self.link.hello()
        self.hello = HelloResponse.unpack(payload)
        if self.hello.previous != 0:
            return
        if self.hello.reset_cause != RESET_BY_FAULT or not self.hello.faulted:
            cause = dict(enumerate(RESET_CAUSES)).get(self.hello.reset_cause, str(self.hello.reset_cause))
            raise DeviceRestarted(
                f"{self.name} has restarted before or during {command.name.lower()} (cause: {cause}); its model is "
                "gone; look for a loose supply or a pressed button, then load the run again"
            )
        fault = FaultRecord.unpack(payload, HelloResponse.size())
        registers = fault._asdict()
        kernel = code_name(OperationCode, fault.operation) if fault.operation else "no kernel"
        elf = self._images.get(self.hello.build_id)
        place = "an unknown build's function" if elf is None else symbolize(elf, fault.pc)
        raise DeviceFault(
            f"{self.name}: HardFault during {command.name.lower()} at {place} "
            f"(pc {fault.pc:#010x}, lr {fault.lr:#010x}; {kernel} of stage {fault.stage}); the device has restarted",
            pc=fault.pc,
            registers=registers,
        )


class LibraryDevice:
    """The firmware's engine and commands as a shared library in this process, without frames.

    Args:
        path: The library.
        arena_bytes: Memory for models.
    """

    name = "host"
    takes_dataset = True

    def __init__(self, path: Path, arena_bytes: int = HOST_ARENA_BYTES) -> None:
        self._library = ctypes.CDLL(str(path))
        self._library.priot_host_bytes.restype = ctypes.c_size_t
        # Words, so that memory and arena are aligned to 8.
        self._memory = np.zeros(self._library.priot_host_bytes() // 8 + 1, np.uint64)
        self._arena = np.zeros(arena_bytes // 8, np.uint64)
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
