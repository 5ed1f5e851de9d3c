"""The short suite: the same properties on few cases, for devices on which all of them would take hours."""

from pathlib import Path

import pytest
from equivalence.cases import examples
from equivalence.test_kernels import test_kernels_match_the_reference as kernels_match
from equivalence.test_runs import GOLDEN
from equivalence.test_runs import test_epochs_match_single_steps as epochs_match
from equivalence.test_runs import test_golden_capsules as golden_capsule
from equivalence.test_runs import test_runs_match_the_reference as runs_match
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness.replay import AnyEngine
from priot_hil.harness.strategies import Run, kernel_cases, runs
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.run import MethodKind

pytestmark = pytest.mark.short

# Three of each method, with few multiplications.
QUICK = {"001", "009", "041", "004", "012", "036", "010", "018", "026", "019", "031", "043"}
CAPSULES = [path for path in GOLDEN if path.stem[:3] in QUICK]


@examples(100)
@given(case=kernel_cases())
def test_a_few_kernels(engine: AnyEngine, case: KernelCase) -> None:
    """Single stages: output, error, gradient, update."""
    kernels_match.hypothesis.inner_test(engine, case)


@pytest.mark.parametrize("kind", MethodKind)
@examples(8)
@given(data=st.data())
def test_a_few_runs(engine: AnyEngine, kind: MethodKind, data: st.DataObject) -> None:
    """Steps of each method on generated networks."""
    runs_match.hypothesis.inner_test(engine, data.draw(runs(kinds=(kind,), steps=2)))


@pytest.mark.needs("dataset")
@examples(4)
@given(run=runs(steps=3))
def test_a_few_epochs(engine: AnyEngine, run: Run) -> None:
    """Epochs on the device's own data."""
    epochs_match.hypothesis.inner_test(engine, run)


@pytest.mark.parametrize("path", CAPSULES, ids=lambda path: path.stem)
def test_a_few_golden_capsules(engine: AnyEngine, path: Path) -> None:
    """Stored cases of each method."""
    golden_capsule(engine, path)
