"""An RP2040 in this process: the firmware's own ELF on Unicorn, with a compiled half for counting and peripherals."""

from priot_hil.harness.emulator.machine import Change, Fault, FaultKind, Rp2040, Snapshot, Stop

__all__ = ["Change", "Fault", "FaultKind", "Rp2040", "Snapshot", "Stop"]
