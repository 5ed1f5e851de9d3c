"""Every range that the semantics set, said once: the checks of all engines use these, and docs/semantics.md lists them.

Where a bound depends on the network (a label, a padding, a window), the check works it out from the network instead.
"""

from dataclasses import dataclass

import numpy as np

from .errors import InputError

INT32_MAX = 2**31 - 1
UINT32_MAX = 2**32 - 1


@dataclass(frozen=True)
class Range:
    """Whole numbers from one end to the other, both of them legal.

    Attributes:
        low: Smallest legal value.
        high: Largest legal value.
        of: What lies in it, for the documents.
        note: The section of docs/semantics.md that sets it, or the reason for it.
    """

    low: int
    high: int
    of: str = ""
    note: str = ""

    def check(self, what: str, value: object, error: type[InputError] = InputError) -> None:
        """Refuse a value that is not a whole number of this range.

        Args:
            what: Name of the value for the message.
            value: The value; Python and NumPy integers pass, booleans do not.
            error: The refusal to raise.

        Raises:
            InputError: The value is not a whole number, or outside the range; the message has both ends.
        """
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            if self.low <= value <= self.high:
                return
            value = int(value)  # NumPy's numbers would show their type
        do = "choose a value in that range"
        raise error.about(what, expected=f"a whole number in {self}", got=repr(value), do=do)

    def __str__(self) -> str:
        return f"{self.low}..{self.high}"


VALUE = Range(-127, 127, "a stored value: of an image, a weight, a score, an output, an error", "1")
SHIFT = Range(0, 31, "a shift", "2")
SIZE = Range(1, INT32_MAX, "channels, height, width, features, kernel, stride, window", "3")
CLASSES = Range(2, 1024, "classes", "3")
EXPONENT = Range(-64, 63, "the exponent of the input and of each layer's weights", "3")
LOGIT_EXPONENT = Range(-12, 24, "the exponent of the logits in the loss; any other is clamped", "5")
MU = Range(0, 7, "mu", "6")
THETA = Range(-127, 127, "theta", "7")
PERCENT = Range(0, 100, "the share of scored edges in percent", "7")
DEVIATION = Range(0, 127, "the standard deviation of the initial scores", "7")
TERMS = Range(1, INT32_MAX // VALUE.high**2, "fan_in, out_channels * k * k and positions of a layer", "9")
SCORED_POSITIONS = Range(1, INT32_MAX // VALUE.high**3, "positions of a layer, PRIOT and PRIOT-S", "9")
GENERATOR = Range(1, UINT32_MAX, "the generator's state", "10")
SEED = Range(0, UINT32_MAX, "a seed, an epoch's number", "11")
COUNT = Range(1, UINT32_MAX, "samples of a pre-training set and of a calibration", "8")

RANGES = (
    VALUE,
    SHIFT,
    SIZE,
    CLASSES,
    EXPONENT,
    LOGIT_EXPONENT,
    MU,
    THETA,
    PERCENT,
    DEVIATION,
    COUNT,
    TERMS,
    SCORED_POSITIONS,
    GENERATOR,
    SEED,
)
"""All of them, in the order of their sections."""
