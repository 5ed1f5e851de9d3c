"""What the equivalence tests share: how many cases each property gets, and a capsule of the case that broke it."""

import hashlib
from pathlib import Path

from hypothesis import settings

from priot_hil.harness.capsule import Capsule, Mode, write_capsule
from priot_hil.harness.compare import Divergence, Mismatch
from priot_hil.harness.strategies import Run

FAILURES = Path("failures")


def examples(count: int) -> settings:
    """`count` cases in the default profile, as many more in another as its max_examples says."""
    return settings(max_examples=count * settings.default.max_examples // 100)


def expect_equal(divergence: Divergence | None, run: Run, test: str) -> None:
    """Fails with the divergence and a capsule of the run.

    While hypothesis shrinks, each smaller run replaces the one before; the last is the smallest.
    """
    if divergence is None:
        return
    name = hashlib.sha256(f"{test} {divergence.engine}".encode()).hexdigest()[:8]
    FAILURES.mkdir(exist_ok=True)
    path = FAILURES / f"{name}.npz"
    write_capsule(path, Capsule(run.model, run.method, run.state, run.images, run.labels, Mode.TRAIN))
    mismatch = Mismatch(divergence)
    mismatch.add_note(f"capsule: {path}")
    mismatch.add_note(f"replay:  ./run invoke replay --capsule {path} --device {divergence.engine}")
    raise mismatch
