"""Whole training runs: any network, any method, several steps; every tensor of every step."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from equivalence.cases import examples
from hypothesis import assume, given

from priot_hil.harness.capsule import Capsule, Mode
from priot_hil.harness.cases import read_case
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.replay import AnyEngine, replay
from priot_hil.harness.strategies import Run, runs

CAPSULES = Path(__file__).parent.parent / "capsules"
GOLDEN = sorted((CAPSULES / "golden").glob("*.npz"))
FIXED = sorted((CAPSULES / "fixed").glob("*.npz"))


def capsule_of(run: Run, mode: Mode, order: npt.NDArray[np.int64] | None = None) -> Capsule:
    """A generated run as a case."""
    return Capsule(run.model, run.method, run.state, run.images, run.labels, mode, order=order)


@examples(400)
@given(run=runs())
def test_runs_match_the_reference(engine: AnyEngine, run: Run) -> None:
    """Any legal run: shifts, outputs, errors and predictions of every step, the state after it, and a prediction."""
    expect_equal(capsule_of(run, Mode.TRAIN), engine)


@examples(60)
@given(run=runs())
def test_observations_match_the_reference(engine: AnyEngine, run: Run) -> None:
    """The calibration step: the same shifts, the same tensors uncounted, and only the generator moves on."""
    assume(run.state.scales is None)
    expect_equal(capsule_of(run, Mode.OBSERVE), engine)


@pytest.mark.needs("dataset")
@examples(40)
@given(run=runs())
def test_epochs_match_single_steps(engine: AnyEngine, run: Run) -> None:
    """An epoch on the device's own transfer set is the reference's, its checksum of the state included."""
    expect_equal(capsule_of(run, Mode.EPOCH, np.arange(len(run.images))[::-1].copy()), engine)


@pytest.mark.parametrize("path", GOLDEN + FIXED, ids=lambda path: path.stem)
def test_golden_capsules(engine: AnyEngine, path: Path) -> None:
    """The golden cases, with the results stored in them, and those of bugs that were found and mended."""
    divergence = replay(read_case(path), engine)
    again = f"./run invoke replay --capsule tests/capsules/{path.parent.name}/{path.name} --device {engine.name}"
    assert divergence is None, f"{divergence}\nreplay:  {again}"


def test_all_capsules_are_here() -> None:
    """An empty folder would pass in silence."""
    assert (len(GOLDEN), len(FIXED)) == (80, 2)
