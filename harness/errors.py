"""What can go wrong beside bad input; each class says who raises it and what to do."""

from enum import StrEnum


class LostReason(StrEnum):
    """Why a link was lost, for those who count."""

    LINE = "line gone"  # port, cable or process
    SILENCE = "no answer"
    DAMAGE = "damaged frames"
    SESSION = "session taken"
    RESTART = "restarted"


class CheckFailed(Exception):
    """What a command checks does not hold; the command ends with this sentence and status 1."""


class LinkLost(BaseException):
    """The device no longer answers: cable, power, port or a process that ended.

    Raised by transports and the link. Not an ``Exception``, so that hypothesis aborts on it: a broken cable is no
    counterexample, and shrinking it would only time out again and again. Catch it where a device is opened or
    recovered; look at the transcript and the cable, reset the board, then open it again.
    """

    def __init__(self, message: str, *, reason: LostReason = LostReason.LINE):
        super().__init__(message)
        self.reason = reason


class DeviceRestarted(LinkLost):
    """The device has restarted in the middle of a session, and not because of a fault: what it held is gone.

    Raised by the device. Look for a loose supply, a pressed button or a watchdog; load the run again to go on.
    """

    def __init__(self, message: str):
        super().__init__(message, reason=LostReason.RESTART)


class DeviceFault(Exception):
    """The firmware ran into a fault: a HardFault that it reported, or a lockup that the emulator saw.

    Raised by the emulator and by the device when a reboot reports a fault. An ordinary ``Exception``: the input that
    causes it is worth shrinking. Look up ``pc`` in the firmware's listing; reset the device before the next command.
    """

    def __init__(self, message: str, *, pc: int | None = None, registers: dict[str, int] | None = None):
        super().__init__(message)
        self.pc = pc
        self.registers = registers or {}


class KernelStatus(Exception):
    """The firmware refused a command and said why; its state is what it was before.

    Raised by the device for every status but OK. An ordinary ``Exception``: the request is at fault, or the firmware.
    """

    def __init__(self, message: str, *, status: int = 0, layer: int | None = None, value: int | None = None):
        super().__init__(message)
        self.status = status
        self.layer = layer
        self.value = value


class EmulationStuck(TimeoutError):
    """The emulated core still ran when the deadline passed: an endless loop, or a deadline too short for the work.

    Raised by the emulator. The message names where the core stands; go on with a later deadline, or look at the loop.
    """

    def __init__(self, message: str, *, pc: int | None = None):
        super().__init__(message)
        self.pc = pc
