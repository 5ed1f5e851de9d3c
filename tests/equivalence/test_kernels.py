"""Single kernels: any layer, any values, any shift, and what lies behind the layer."""

from equivalence.cases import examples
from hypothesis import Phase, given, settings

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.replay import AnyEngine
from priot_hil.harness.strategies import extreme_kernel_cases, kernel_cases
from priot_hil.reference.engine import KernelCase


@examples(1400)
@given(case=kernel_cases())
def test_kernels_match_the_reference(engine: AnyEngine, case: KernelCase) -> None:
    """Any stage: output, error to the input, gradient and updated values are those of the reference, bit for bit."""
    expect_equal(KernelCapsule(case), engine)


@settings(examples(15), phases=set(Phase) - {Phase.shrink})  # of 7,500 weights, five minutes make no readable case
@given(case=extreme_kernel_cases(arena=30_000))
def test_large_kernels_match_the_reference(engine: AnyEngine, case: KernelCase) -> None:
    """Sums as long as the arena allows, up to 2**31, are as exact as short ones."""
    expect_equal(KernelCapsule(case), engine)
