"""Puts the firmware on a board: by its UF2 drive, picotool or a debugger, and sees what runs afterwards."""

from .errors import FlashFailed
from .flash import FlashOptions, Patience, flash

__all__ = ["FlashFailed", "FlashOptions", "Patience", "flash"]
