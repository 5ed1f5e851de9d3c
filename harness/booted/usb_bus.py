"""The bus: what a USB host does to the chip's controller, packet by packet, and what it would not let pass."""

import enum
import struct
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final

from rp2040py.peripherals import reset as resets
from rp2040py.peripherals import usb as controller

from priot_hil.harness.booted.chip import BootedRp2040

PACKET_BYTES: Final = 64
SET_ADDRESS: Final = (0, 5)  # type and request
CONTROL_IN, CONTROL_OUT = 0, 1  # pipes are numbered as in firmware/boards/rp2040/usb_controller.h
_PIPES: Final = 32
_BETWEEN_TRANSFERS_NANOSECONDS: Final = 50_000
_PACKET_NANOSECONDS: Final = 50_000  # 64 bytes and their frame at 12 Mbit/s
_FRAME_NANOSECONDS: Final = 1_000_000
_BUFFER_STALL: Final = 1 << 11
_TO_HOST: Final = 0x80


@dataclass(frozen=True)
class Request:
    """One control transfer: the SETUP packet's fields, and the data of a transfer towards the device."""

    type: int
    request: int
    value: int = 0
    index: int = 0
    length: int = 0
    data: bytes = b""

    def setup(self) -> bytes:
        """The eight bytes of the SETUP packet."""
        return struct.pack("<BBHHH", self.type, self.request, self.value, self.index, len(self.data) or self.length)


class Stalled(Exception):
    """The device refuses a request."""


Script = Generator[Request, bytes, None]


class _Stage(enum.Enum):
    """What the host waits for in a control transfer."""

    NONE = 0
    DATA_IN = 1
    DATA_OUT = 2
    STATUS_IN = 3
    STATUS_OUT = 4


class UsbBus:
    """A full-speed bus with one host and this device, on the hooks of rp2040py's controller.

    The controller's model completes a transfer as soon as the firmware offers a buffer. Here a buffer waits until the
    host polls it (NAK), a packet takes its time, its DATA0 or DATA1 must be the one that is due, and a stalled control
    pipe must be armed; what a host would throw away is thrown away and listed in ``violations``. Frames are told (SOF)
    while the firmware asks for them.
    """

    def __init__(self, machine: BootedRp2040) -> None:
        self._usb = machine.rp2040.usb_ctrl
        self._memory = machine.rp2040.usb_dpram
        self.violations: list[str] = []
        self.on_gone: Callable[[], None] = lambda: None
        self.on_reset: Callable[[], None] = lambda: None
        self.on_packet: Callable[[int, bytes], None] = lambda endpoint, packet: None
        self.polled: set[int] = set()  # endpoints that the host reads from
        self._script: Script | None = None
        self._request = Request(0, 0)
        self._stage = _Stage.NONE
        self._answer = bytearray()
        self._address = 0
        self._outgoing: dict[int, bytearray] = {}
        self._due = [0] * _PIPES
        self._resetting = False
        self._result: bytes | Stalled = b""
        self._fetching: deque[tuple[int, bytes]] = deque()
        self._next = machine.clock.create_alarm(self._go_on)
        self._fetched = machine.clock.create_alarm(self._packet_fetched)
        self._frame = machine.clock.create_alarm(self._frame_begins)
        self._is_silent = False
        self._offer = self._usb.dpram_updated
        self._read = self._usb.read_uint32
        self._write = self._usb.write_uint32
        self._resets = machine.rp2040.resets
        self._reset_block = self._resets.write_uint32
        # The package has no hooks there; its version is pinned.
        self._usb.dpram_updated = self._buffer_written  # type: ignore[method-assign]
        self._usb.read_uint32 = self._register_read  # type: ignore[method-assign]
        self._usb.write_uint32 = self._register_written  # type: ignore[method-assign]
        self._resets.write_uint32 = self._block_reset  # type: ignore[method-assign]
        self._usb.on_reset_received = self._was_reset
        self._usb.on_endpoint_read = self._packet_wanted

    @property
    def busy(self) -> bool:
        """Whether a reset, a control transfer, a packet or a frame is under way."""
        is_transferring = self._script is not None or bool(self._fetching) or any(self._outgoing.values())
        return self._resetting or is_transferring or self._tells_frames

    def reset(self) -> None:
        """Reset the bus, as a host does when it finds a device; transfers are over."""
        self.forget()
        self._resetting = True
        self._is_silent = False
        self._usb.reset_device()

    def forget(self) -> None:
        """Let go of everything under way; the device is gone, or about to be addressed anew."""
        self._script, self._stage, self._resetting, self._address = None, _Stage.NONE, False, 0
        self._outgoing.clear()
        self._fetching.clear()
        self._due = [0] * _PIPES
        self._next.cancel()
        self._fetched.cancel()
        self.polled.clear()
        self.on_gone()

    def suspend(self) -> None:
        """Fall silent: what the device sees too when its cable is pulled and something else powers it."""
        self._is_silent = True
        self._usb._sie_status |= controller.SIE_SUSPENDED
        self._usb._sie_status_updated()

    def resume(self) -> None:
        """Wake the device."""
        self._is_silent = False
        self._usb._sie_status |= controller.SIE_RESUME
        self._usb._sie_status_updated()

    def start(self, script: Script) -> None:
        """Run control transfers one after the other; each ``yield`` answers with the data, or raises ``Stalled``."""
        assert self._script is None, "one script at a time"
        self._script = script
        self._advance(lambda: next(script))

    def send(self, endpoint: int, data: bytes) -> None:
        """Queue bytes for an OUT endpoint, which takes them in packets."""
        self._outgoing.setdefault(endpoint, bytearray()).extend(data)
        self._poll(2 * endpoint + 1)

    def poll(self, endpoint: int) -> None:
        """Begin to read an IN endpoint; a packet that waits there comes now."""
        self.polled.add(endpoint)
        self._poll(2 * endpoint)

    def restart_toggles(self) -> None:
        """After SET_CONFIGURATION every endpoint but 0 begins with DATA0."""
        self._due[2:] = [0] * (_PIPES - 2)

    def restart_toggle(self, address: int) -> None:
        """After CLEAR_FEATURE(ENDPOINT_HALT) the endpoint begins with DATA0."""
        self._due[_pipe(address)] = 0

    def is_stalled(self, address: int) -> bool:
        """Whether the endpoint refuses packets."""
        return bool(self._control_word(_pipe(address)) & _BUFFER_STALL)

    # What the firmware does.

    def _register_read(self, offset: int) -> int:
        """A register; reading the frame's number clears the interrupt of a frame."""
        value = self._read(offset)
        if offset == controller.SOF_RD:
            self._usb._int_raw &= ~controller.INTR_DEV_SOF
            self._usb.check_interrupts()
        return value

    def _register_written(self, offset: int, value: int) -> None:
        """A register. The host sees a device by its pull-up; SUSPENDED is cleared by writing it."""
        was_there = self._has_pull_up
        if offset == controller.SIE_STATUS and self._usb.raw_write_value & controller.SIE_SUSPENDED:
            self._usb._sie_status &= ~controller.SIE_SUSPENDED
        self._write(offset, value)
        if self._tells_frames:
            self._frame.schedule(_FRAME_NANOSECONDS)
        if self._has_pull_up and not was_there:
            self.reset()
        elif was_there and not self._has_pull_up:
            self.forget()

    @property
    def _tells_frames(self) -> bool:
        return bool(self._usb._int_enable & controller.INTR_DEV_SOF) and not self._is_silent

    @property
    def _has_pull_up(self) -> bool:
        on = self._usb._main_ctrl & controller.CONTROLLER_EN and self._usb._sie_ctrl & controller.SIE_CTRL_PULLUP_EN
        return bool(on)

    def _block_reset(self, offset: int, value: int) -> None:
        """A register of RESETS: one that holds the controller takes it off the bus."""
        self._reset_block(offset, value)
        if offset == resets.RESET and value & resets.RESET_USBCTRL:
            self._usb.reset()
            self.forget()

    def _buffer_written(self, offset: int, value: int) -> None:
        """A word of the shared memory; the control words of pipes matter."""
        pipe = (offset - controller.EP0_IN_BUFFER_CONTROL) // 4
        if not 0 <= pipe < _PIPES:
            return
        if value & _BUFFER_STALL and pipe <= CONTROL_OUT and self._stage is not _Stage.NONE:
            if not self._usb._ep_stall_arm & 1 << pipe:
                self.violations.append(f"the control pipe {pipe} stalls without being armed")
            elif (pipe == CONTROL_IN) == (self._stage in (_Stage.DATA_IN, _Stage.STATUS_IN)):
                self._finish(Stalled(f"{self._request}"))
        self._poll(pipe)

    def _packet_fetched(self) -> None:
        """A packet has reached the host; only now the firmware hears that its buffer is free."""
        pipe, packet = self._fetching.popleft()
        if self._fetching:
            self._fetched.schedule(_PACKET_NANOSECONDS)
        taken = controller.USB_BUF_CTRL_AVAILABLE | controller.USB_BUF_CTRL_FULL
        self._set_control_word(pipe, self._control_word(pipe) & ~taken)
        self._usb._indicate_buffer_ready(pipe // 2, False)
        if pipe != CONTROL_IN:
            self.on_packet(pipe // 2, packet)
        elif self._stage is _Stage.STATUS_IN:
            if packet:
                self.violations.append(f"{len(packet)} bytes instead of an empty status of {self._request}")
            self._finish(bytes(self._answer))
        elif self._stage is _Stage.DATA_IN:
            self._answer += packet
            if len(packet) < PACKET_BYTES or len(self._answer) >= self._request.length:
                self._stage, self._due[CONTROL_OUT] = _Stage.STATUS_OUT, 1
                self._poll(CONTROL_OUT)

    def _packet_wanted(self, endpoint: int, size: int) -> None:
        """The firmware takes a packet; there is one, or ``_poll`` would not have offered it."""
        if endpoint:
            queue = self._outgoing[endpoint]
            packet = bytes(queue[: min(size, PACKET_BYTES)])
            del queue[: len(packet)]
            self._usb.endpoint_read_done(endpoint, packet)
        elif self._stage is _Stage.DATA_OUT:
            self._stage, self._due[CONTROL_IN] = _Stage.STATUS_IN, 1
            self._usb.endpoint_read_done(0, self._request.data[:size])
        else:
            self._usb.endpoint_read_done(0, b"")
            self._finish(bytes(self._answer))

    # What the host does.

    def _was_reset(self) -> None:
        if not self._resetting:
            return  # the firmware cleared a flag that was not set
        self._resetting = False
        self.on_reset()

    def _control_word(self, pipe: int) -> int:
        start = controller.EP0_IN_BUFFER_CONTROL + 4 * pipe
        return int.from_bytes(self._memory[start : start + 4], "little")

    def _set_control_word(self, pipe: int, word: int) -> None:
        start = controller.EP0_IN_BUFFER_CONTROL + 4 * pipe
        self._memory[start : start + 4] = word.to_bytes(4, "little")

    def _wants(self, pipe: int) -> bool:
        if pipe == CONTROL_IN:
            return self._stage in (_Stage.DATA_IN, _Stage.STATUS_IN)
        if pipe == CONTROL_OUT:
            return self._stage in (_Stage.DATA_OUT, _Stage.STATUS_OUT)
        endpoint, is_out = divmod(pipe, 2)
        return bool(self._outgoing.get(endpoint)) if is_out else endpoint in self.polled

    def _poll(self, pipe: int) -> None:
        """Exchange a packet, if the host wants one and the firmware has handed its buffer over."""
        word = self._control_word(pipe)
        if word & _BUFFER_STALL and pipe > CONTROL_OUT and pipe % 2:
            self._outgoing.pop(pipe // 2, None)  # the transfer has failed
        is_offered = word & controller.USB_BUF_CTRL_AVAILABLE and pipe not in (taken for taken, _ in self._fetching)
        if not is_offered or not self._wants(pipe):
            return
        if self._usb._addr_endp & 0x7F != self._address:
            self.violations.append(f"pipe {pipe}: the device does not listen at its address {self._address}")
            return
        if bool(word & controller.USB_BUF_CTRL_DATA1_PID) != bool(self._due[pipe]):
            self.violations.append(f"pipe {pipe}: DATA{self._due[pipe]} is due, the buffer says otherwise")
            return
        self._due[pipe] ^= 1
        if pipe % 2:
            self._offer(controller.EP0_IN_BUFFER_CONTROL + 4 * pipe, word)
            return
        if not word & controller.USB_BUF_CTRL_FULL:
            self.violations.append(f"pipe {pipe}: a buffer is handed over that is not full")
        start = self._usb._get_endpoint_buffer_offset(pipe // 2, False)
        packet = bytes(self._memory[start : start + (word & controller.USB_BUF_CTRL_LEN_MASK)])
        if not self._fetching:
            self._fetched.schedule(_PACKET_NANOSECONDS)
        self._fetching.append((pipe, packet))

    def _advance(self, step: Callable[[], Request]) -> None:
        try:
            self._request = step()
        except StopIteration:
            self._script = None
            return
        self._answer.clear()
        self._due[CONTROL_IN] = self._due[CONTROL_OUT] = 1
        if self._request.data:
            self._stage = _Stage.DATA_OUT
        elif self._request.type & _TO_HOST and self._request.length:
            self._stage = _Stage.DATA_IN
        else:
            self._stage = _Stage.STATUS_IN
        self._usb._ep_stall_arm = 0  # a SETUP packet disarms it
        self._usb.send_setup_packet(self._request.setup())

    def _frame_begins(self) -> None:
        if self._tells_frames:
            self._usb._int_raw |= controller.INTR_DEV_SOF
            self._usb.check_interrupts()
            self._frame.schedule(_FRAME_NANOSECONDS)

    def _finish(self, result: bytes | Stalled) -> None:
        if (self._request.type, self._request.request) == SET_ADDRESS and not isinstance(result, Stalled):
            self._address = self._request.value
        self._stage, self._result = _Stage.NONE, result
        self._next.schedule(_BETWEEN_TRANSFERS_NANOSECONDS)

    def _go_on(self) -> None:
        script, result = self._script, self._result
        if script is None:
            return
        if isinstance(result, Stalled):
            self._advance(lambda: script.throw(result))
        else:
            self._advance(lambda: script.send(result))


def _pipe(address: int) -> int:
    return (address & 15) * 2 + (0 if address & _TO_HOST else 1)
