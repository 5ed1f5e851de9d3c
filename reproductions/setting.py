"""The setting of a run: how the semantics are read where the letter leaves a choice, and the default of each."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from priot_hil.reference.kinds import LossRounding
from priot_hil.reference.ranges import DEVIATION, MU
from priot_hil.reference.run import SCORE_DEVIATION
from priot_hil.reference.scales import CALIBRATION_SAMPLES

from .fields import Fields, plain

PRETRAININGS = ("float", "niti")


class UpdateRounding(StrEnum):
    """How an update is rounded to int8: as the semantics say, or to the nearest, which only the reference can do."""

    PSEUDO_STOCHASTIC = "pseudo-stochastic"
    NEAREST = "nearest"


@dataclass(frozen=True)
class Setting:
    """What decides a run beside its method, its data and its seed.

    Attributes:
        pretraining: Which checkpoint it starts from.
        loss_rounding: How the loss error is rounded.
        mu: 0..7, the bit width of an update, from which static shifts are calibrated.
        calibration_samples: 1..60000, upright images that static shifts are found with.
        zeros_count: Whether an all-zero tensor counts, with shift 0, when the most frequent shift is found.
        score_deviation: 0..127, standard deviation of the initial scores.
        update_rounding: How updates, of weights or scores, are rounded.
    """

    pretraining: str
    loss_rounding: LossRounding
    mu: int
    calibration_samples: int = CALIBRATION_SAMPLES
    zeros_count: bool = False
    score_deviation: int = SCORE_DEVIATION
    update_rounding: UpdateRounding = UpdateRounding.PSEUDO_STOCHASTIC

    def to_json(self) -> dict[str, Any]:
        """By name."""
        return plain(vars(self))

    def differences(self, other: "Setting") -> dict[str, Any]:
        """What is said here and not there, by name."""
        there = other.to_json()
        return {name: value for name, value in self.to_json().items() if value != there[name]}


def told(change: str, value: Any) -> str:
    """A change in words; the ways of pre-training and of rounding the loss say themselves what they are."""
    if isinstance(value, bool):
        return change.replace("_", " ") if value else f"{change.replace('_', ' ')} not"
    return f"{value}" if change in ("pretraining", "loss_rounding") else f"{change.replace('_', ' ')} {value}"


_READERS: dict[str, Callable[[Fields, str], Any]] = {
    "pretraining": lambda fields, name: fields.text(name, PRETRAININGS),
    "loss_rounding": lambda fields, name: fields.choice(name, LossRounding),
    "mu": lambda fields, name: fields.number(name, MU.low, MU.high),
    "calibration_samples": lambda fields, name: fields.number(name, 1, 60000),
    "zeros_count": lambda fields, name: fields.take(name, bool),
    "score_deviation": lambda fields, name: fields.number(name, DEVIATION.low, DEVIATION.high),
    "update_rounding": lambda fields, name: fields.choice(name, UpdateRounding),
}
_WITHOUT_DEFAULT = ("pretraining", "loss_rounding", "mu")


def take_setting(fields: Fields, default: Setting | None = None) -> Setting:
    """Read a setting from a table of a file.

    Args:
        fields: The table.
        default: Where what it does not say is taken from; None for the semantics' own defaults, which leave three open.

    Returns:
        The setting.

    Raises:
        InputError: A value is not legal, or one that has no default is not said.
    """
    needed = _WITHOUT_DEFAULT if default is None else ()
    said = {name: read(fields, name) for name, read in _READERS.items() if name in fields or name in needed}
    return Setting(**said) if default is None else replace(default, **said)
