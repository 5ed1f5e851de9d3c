"""Single kernels: any layer, any values, any shift, and what lies behind the layer."""

from equivalence.cases import examples
from hypothesis import given

from priot_hil.harness.compare import first_difference
from priot_hil.harness.strategies import extreme_kernel_cases, kernel_cases
from priot_hil.reference.engine import KernelCase, KernelEngine, KernelResult


def expect_equal(got: KernelResult, expected: KernelResult, case: KernelCase) -> None:
    """Every tensor of a kernel case, and the shifts behind it."""
    assert got.shifts == expected.shifts
    for name in ("output", "input_error", "gradient", "updated"):
        difference = first_difference(getattr(expected, name), getattr(got, name))
        assert difference is None, f"{name} of {case.layer}, {case.kind}: {difference}"


@examples(1400)
@given(case=kernel_cases())
def test_kernels_match_the_reference(engine: KernelEngine, reference: KernelEngine, case: KernelCase) -> None:
    """Any stage: output, error to the input, gradient and updated values are those of the reference, bit for bit."""
    expect_equal(engine.run_kernel(case), reference.run_kernel(case), case)


@examples(15)
@given(case=extreme_kernel_cases(arena=30_000))
def test_large_kernels_match_the_reference(engine: KernelEngine, reference: KernelEngine, case: KernelCase) -> None:
    """Sums as long as the arena allows, up to 2**31, are as exact as short ones."""
    expect_equal(engine.run_kernel(case), reference.run_kernel(case), case)
