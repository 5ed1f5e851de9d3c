"""What can go wrong while a board is flashed."""

from priot_hil.reference.errors import InputError


class FlashFailed(InputError):
    """The board does not run what it was to run; the message says what it holds now and what to do."""
