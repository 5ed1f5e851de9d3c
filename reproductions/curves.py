"""Training curves: what happened epoch by epoch, as mean and 95 % interval over the seeds."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from .intervals import Spread, spread
from .records import EpochRecord, RunRecord
from .table import Table

Value = Callable[[RunRecord, EpochRecord], float | None]


@dataclass(frozen=True)
class Curve:
    """One quantity over the epochs.

    Attributes:
        name: What it is called.
        unit: Of its values, none of which is below 0.
        value: Of a record's epoch; None where there is none.
    """

    name: str
    unit: str
    value: Value

    @property
    def most(self) -> float:
        """The highest value that there can be."""
        return 100 if self.unit == "%" else math.inf

    def points(self, table: Table, row: str, angle: int) -> list[tuple[int, Spread]]:
        """Epochs with the spread over the seeds; none where a run is missing or the quantity is not defined."""
        records = table.column(row, angle) or []
        points = []
        for epochs in zip(*(record.epochs for record in records), strict=True):
            values = [self.value(record, epoch) for record, epoch in zip(records, epochs, strict=True)]
            known = [value for value in values if value is not None]
            if known and len(known) == len(values):
                points.append((epochs[0].epoch, spread(known)))
        return points


def _test(record: RunRecord, epoch: EpochRecord) -> float:
    return 100 * epoch.test_correct / int(record.run["test_samples"])


def _train(record: RunRecord, epoch: EpochRecord) -> float | None:
    return None if epoch.train_correct is None else 100 * epoch.train_correct / int(record.run["train_samples"])


def _pruned(record: RunRecord, epoch: EpochRecord) -> float | None:
    return None if epoch.pruned is None else 100 * epoch.pruned / record.edges


def _saturated_outputs(record: RunRecord, epoch: EpochRecord) -> float:
    return 100 * sum(epoch.counts.clipped_outputs) / sum(record.totals.clipped_outputs)


def _saturated_errors(record: RunRecord, epoch: EpochRecord) -> float:
    return 100 * sum(epoch.counts.clipped_errors) / sum(record.totals.clipped_errors)


def _dead(record: RunRecord, epoch: EpochRecord) -> float:
    """Of the units before the last layer, whose logits are no units."""
    return 100 * sum(epoch.counts.dead_units[:-1]) / sum(record.totals.dead_units[:-1])


def _moved(record: RunRecord, epoch: EpochRecord) -> float | None:
    return sum(epoch.counts.moved) / sum(record.totals.moved) if epoch.epoch else None


def _changed(record: RunRecord, epoch: EpochRecord) -> float | None:
    return 100 * sum(epoch.counts.changed) / sum(record.totals.changed) if epoch.epoch else None


CURVES = (
    Curve("test accuracy", "%", _test),
    Curve("training accuracy", "%", _train),
    Curve("pruned edges", "%", _pruned),
    Curve("saturated outputs", "%", _saturated_outputs),
    Curve("saturated errors", "%", _saturated_errors),
    Curve("dead units", "%", _dead),
    Curve("changed values", "%", _changed),
    Curve("update size", "mean distance", _moved),
)
