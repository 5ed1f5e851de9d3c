"""The four methods and the two roundings of the loss, by name."""

from enum import StrEnum


class MethodKind(StrEnum):
    """What is learned, and where the shifts come from."""

    NITI_DYNAMIC = "niti_dynamic"
    NITI_STATIC = "niti_static"
    PRIOT = "priot"
    PRIOT_S = "priot_s"

    @property
    def learns_scores(self) -> bool:
        """True for PRIOT and PRIOT-S, whose weights never change."""
        return self in (MethodKind.PRIOT, MethodKind.PRIOT_S)

    @property
    def default_theta(self) -> int | None:
        """The tables' pruning threshold, this project's choice: -64 for PRIOT, 0 for PRIOT-S, none for NITI."""
        return {MethodKind.PRIOT: -64, MethodKind.PRIOT_S: 0}.get(self)


class LossRounding(StrEnum):
    """How the loss error loses its last four bits."""

    STOCHASTIC = "stochastic"
    NEAREST = "nearest"


class Selection(StrEnum):
    """Which edges PRIOT-S scores."""

    RANDOM = "random"
    MAGNITUDE = "magnitude"
