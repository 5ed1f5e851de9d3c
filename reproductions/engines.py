"""The engines of a table's runs: all devices, and the reference with another rounding of its updates."""

from priot_hil.harness.devices import open_engine
from priot_hil.reference.arithmetic import clip, round_shift
from priot_hil.reference.checks import Int8Array, Int32Array
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.reference_engine import ReferenceEngine

from .plan import NEAREST_UPDATES


def open_run_engine(name: str) -> DatasetEngine:
    """Open an engine by the name that a run has for it; see `open_engine`."""
    return NearestUpdates() if name == NEAREST_UPDATES else open_engine(name)


class NearestUpdates(ReferenceEngine):
    """The reference with updates rounded to the nearest; no firmware does that, it serves to see what it changes."""

    name = NEAREST_UPDATES

    def __init__(self) -> None:
        super().__init__(nearest_update)


def nearest_update(gradient: Int32Array, shift: int) -> Int8Array:
    """clip(round_shift(gradient, shift)), for int32 of any shape and a shift of 0..31."""
    return clip(round_shift(gradient, shift))
