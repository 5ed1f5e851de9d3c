"""Single stages again, steered toward rounding ties and saturation.

Besides the unsteered ones, not in their place: steered cases are less varied (docs/coverage.md has the figures).
"""

import pytest
from equivalence.cases import examples
from hypothesis import given

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.coverage.steering import steer
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.replay import AnyEngine
from priot_hil.harness.strategies import kernel_cases
from priot_hil.reference.engine import KernelCase


@pytest.mark.slow
@examples(1000)
@given(case=kernel_cases())
def test_steered_kernels_match_the_reference(engine: AnyEngine, case: KernelCase) -> None:
    """Where many sums lie between two numbers or at the ends of int8, all is the reference's too."""
    steer(case)
    expect_equal(KernelCapsule(case), engine)
