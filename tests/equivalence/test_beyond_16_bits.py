"""Networks whose sizes leave 16 bits, or a side whose size leaves 8: no counter of the firmware may be that narrow."""

import pytest
from equivalence.cases import examples
from equivalence.test_runs import capsule_of
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from priot_hil.harness.capsule import Mode
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.failures import expect_equal
from priot_hil.harness.replay import AnyEngine
from priot_hil.harness.strategies import kernel_cases_of, runs
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Network, Relu
from priot_hil.reference.run import MethodKind

pytestmark = pytest.mark.needs("large_arena")

ALL = tuple(MethodKind)
NITI = (MethodKind.NITI_DYNAMIC, MethodKind.NITI_STATIC)  # the bound on positions is below 16 bits for scores
DENSE = (*NITI, MethodKind.PRIOT)  # a row of PRIOT-S has at most 65,536 edges
LARGE = {
    "features": (DENSE, Network((2,), (Linear(2, 66_000), Relu(), Linear(66_000, 2)))),
    "scored features": (ALL, Network((1,), (Linear(1, 65_536), Relu(), Linear(65_536, 2)))),
    "channels": (
        DENSE,
        Network((1, 1, 2), (Conv2d(1, 66_000, 1), Relu(), Conv2d(66_000, 1, 1), Flatten(), Linear(2, 2))),
    ),
    "positions": (
        NITI,
        Network((1, 258, 257), (Conv2d(1, 1, 1), Relu(), Conv2d(1, 1, 1), Relu(), Flatten(), Linear(66_306, 2))),
    ),
    "taps": (DENSE, Network((1, 1, 2), (Conv2d(1, 1, 1), Conv2d(1, 1, 257, 258, 256), Flatten(), Linear(1, 2)))),
    "window": (NITI, Network((1, 257, 514), (Conv2d(1, 1, 1), MaxPool2d(257), Relu(), Flatten(), Linear(2, 2)))),
    "pooled": (NITI, Network((1, 130, 512), (Conv2d(1, 1, 1), MaxPool2d(1), Relu(), Flatten(), Linear(66_560, 2)))),
    "pixels": (ALL, Network((1, 300, 301), (Relu(), MaxPool2d(100), Flatten(), Linear(9, 2)))),
}


@pytest.mark.parametrize("name", LARGE)
@settings(examples(3), phases=set(Phase) - {Phase.shrink})
@given(data=st.data())
def test_large_sizes_match_the_reference(engine: AnyEngine, name: str, data: st.DataObject) -> None:
    """As many rows, columns, taps or positions as no 16 bits count, and sides that no 8 bits do."""
    kinds, network = LARGE[name]
    expect_equal(capsule_of(data.draw(runs(kinds, steps=2, network=network)), Mode.TRAIN), engine)


# With an error of one's own, since the loss seldom leaves one in every corner. The sides are the longest that 16 bits
# hold, and padding goes beyond them.
STAGES = {
    "height": (Conv2d(1, 1, 5, 1, 2), (1, 65_535, 1), (Relu(),)),
    "width": (Conv2d(1, 1, 5, 1, 2), (1, 1, 65_535)),
    "positions": (Conv2d(1, 1, 1), (1, 258, 257), (MaxPool2d(1), Relu())),
    "columns": (Linear(66_000, 1), (66_000,)),
    "scored columns": (Linear(65_536, 1), (65_536,)),
}


@pytest.mark.parametrize("name", STAGES)
@settings(examples(10), phases=set(Phase) - {Phase.shrink})
@given(data=st.data())
def test_large_stages_match_the_reference(engine: AnyEngine, name: str, data: st.DataObject) -> None:
    """The same of single stages, with any error."""
    case = data.draw(kernel_cases_of(*STAGES[name]))
    assume(name != "columns" or case.kind is not MethodKind.PRIOT_S)
    expect_equal(KernelCapsule(case), engine)
