"""The runs of a table, and the key that tells whether one was made already."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from priot_hil.reference.run import Method

from .experiment import Experiment
from .files import sha256
from .row import Row
from .setting import UpdateRounding
from .split import Split

NEAREST_UPDATES = "reference-nearest-updates"  # see `engines.py`
ROOT = Path(__file__).resolve().parent.parent
# What decides a run's integers beside its parameters. Kernels and engine count for every device, the reference for all.
DECIDING_CODE = (
    "reference/*.py",
    "firmware/kernels/*.[ch]",
    "firmware/engine/*.[ch]",
    "reproductions/data.py",
    "reproductions/engines.py",
    "reproductions/networks.py",
    "reproductions/performance.py",
    "reproductions/probe.py",
    "reproductions/rotate.py",
    "reproductions/split.py",
)


@dataclass(frozen=True)
class Run:
    """One row, angle and seed: everything that decides it.

    Attributes:
        table: Name of the table.
        row: The row, with the method's parameters and its setting.
        network: Name of the network.
        checkpoint: SHA-256 of the checkpoint it starts from.
        code: Fingerprint of the code that decides a run.
        train_samples: Training images.
        test_samples: Images that it is judged by.
        split: Where those are drawn from.
        angle: Degrees.
        seed: Of all its streams.
        devices: The engines that take it in step; the first one's numbers are recorded, the others' must be equal.
        epochs: How many to train. They are not part of the key: a longer run goes on where a shorter one ended.
    """

    table: str
    row: Row
    network: str
    checkpoint: str
    code: str
    train_samples: int
    test_samples: int
    split: Split
    angle: int
    seed: int
    devices: tuple[str, ...]
    epochs: int

    def __str__(self) -> str:
        return f"{self.row.name}, {self.angle} degrees, seed {self.seed}"

    @property
    def method(self) -> Method:
        """The method at the row's setting."""
        return self.row.method

    def description(self) -> dict[str, Any]:
        """What was run, as JSON: all that decides its numbers."""
        return {
            "table": self.table,
            "row": self.row.name,
            "method": self.method.kind.value,
            "theta": self.method.theta,
            **self.row.setting.to_json(),
            "percent": self.row.percent,
            "selection": None if self.row.selection is None else self.row.selection.value,
            "network": self.network,
            "checkpoint_sha256": self.checkpoint,
            "code_sha256": self.code,
            "train_samples": self.train_samples,
            "test_samples": self.test_samples,
            "split": self.split.value,
            "angle": self.angle,
            "seed": self.seed,
            "devices": list(self.devices),
        }

    @property
    def key(self) -> str:
        """16 hexadecimal digits that no other run has."""
        return key_of(self.description())


def key_of(description: Mapping[str, Any]) -> str:
    """The key of the run that a description describes."""
    return sha256(json.dumps(description, sort_keys=True).encode())[:16]


def plan(
    experiment: Experiment, device: str, partner: str | None, checkpoints: Mapping[str, str], code: str
) -> list[Run]:
    """List the runs of a table.

    Args:
        experiment: The experiment.
        device: The engine that all runs go through.
        partner: An engine that takes one run of each row in step with it (first seed, first angle), or None.
        checkpoints: SHA-256 of each checkpoint, by pre-training.
        code: Fingerprint of the code.

    Returns:
        The runs as they are performed: by seed, angle and row, so that those that two engines take in step, which take
        longest, come first; or row by row, where the experiment says so.
    """
    rows = {row.name: row for row in experiment.rows}
    by_seed = product(experiment.seeds, experiment.angles, rows.values())
    by_row = product(experiment.row_by_row, experiment.angles, experiment.seeds)
    in_turn = ((seed, angle, rows[name]) for name, angle, seed in by_row)
    runs = []
    for seed, angle, row in in_turn if experiment.row_by_row else by_seed:
        is_checked = seed == experiment.seeds[0] and angle == experiment.angles[0]
        run = Run(
            table=experiment.table,
            row=row,
            network=experiment.network,
            checkpoint=checkpoints[row.setting.pretraining],
            code=code,
            train_samples=experiment.train_samples,
            test_samples=experiment.test_samples,
            split=experiment.split,
            angle=angle,
            seed=seed,
            devices=_engines(row, device, partner if is_checked else None),
            epochs=experiment.epochs_of(row),
        )
        runs.append(run)
    return runs


def _engines(row: Row, device: str, partner: str | None) -> tuple[str, ...]:
    if row.setting.update_rounding is UpdateRounding.NEAREST:
        return (NEAREST_UPDATES,)
    return (device,) if partner is None else (device, partner)


def code_fingerprint(root: Path = ROOT, patterns: Sequence[str] = DECIDING_CODE) -> str:
    """The SHA-256 of the source files that decide a run: numbers from other code are never taken for this code's."""
    digest = hashlib.sha256()
    for pattern in patterns:
        for path in sorted(root.glob(pattern)):
            content = path.read_bytes()
            digest.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()
