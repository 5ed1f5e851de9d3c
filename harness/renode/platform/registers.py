"""Registers that remember what was written, in place of the RP2040's blocks that Renode has no model of.

Renode's Python 2 runs this file once for each access, with `request` and `self` given; names are kept from run to run.
Up to Renode 1.16.0 the request's attributes start with a small letter.
"""

RESETS_RESET, RESETS_DONE, ALL_RESETS = 0x4000C000, 0x4000C008, 0x01FFFFFF
CLK_REF_CTRL, CLK_REF_SELECTED = 0x40008030, 0x40008038
CLK_SYS_CTRL, CLK_SYS_SELECTED = 0x4000803C, 0x40008044
XOSC_STATUS, PLL_SYS_CS, PLL_USB_CS = 0x40024004, 0x40028000, 0x4002C000
TIMER_RAWH, TIMER_RAWL = 0x40054024, 0x40054028
READY = 1 << 31

CAPITALS = hasattr(request, "IsInit")


def of_request(name):
    """An attribute of the request, under the name of this Renode."""
    return getattr(request, name if CAPITALS else name[0].lower() + name[1:])


def microseconds():
    """Virtual time since the machine was made."""
    return int(self.GetMachine().ElapsedVirtualTime.TimeElapsed.TotalMicroseconds)


def read(address):
    """What the firmware sees: oscillators are stable, clocks switched and resets done at once."""
    stored = registers.get(address, 0)
    if address == RESETS_DONE:
        return ~registers[RESETS_RESET] & ALL_RESETS
    if address == CLK_REF_SELECTED:
        return 1 << (registers.get(CLK_REF_CTRL, 0) & 3)
    if address == CLK_SYS_SELECTED:
        return 1 << (registers.get(CLK_SYS_CTRL, 0) & 1)
    if address in (XOSC_STATUS, PLL_SYS_CS, PLL_USB_CS):
        return stored | READY
    if address == TIMER_RAWL:
        return microseconds() & 0xFFFFFFFF
    if address == TIMER_RAWH:
        return microseconds() >> 32
    return stored


def write(address, alias, value):
    """Plain, or through the alias that flips, sets or clears the bits written."""
    old = registers.get(address, 0)
    registers[address] = (value, old ^ value, old | value, old & ~value)[alias]


if of_request("IsInit"):
    registers = {RESETS_RESET: ALL_RESETS}
else:
    register, alias = of_request("Absolute") & ~0x3000, of_request("Absolute") >> 12 & 3
    if of_request("IsWrite"):
        write(register, alias, of_request("Value"))
    else:
        setattr(request, "Value" if CAPITALS else "value", read(register))
