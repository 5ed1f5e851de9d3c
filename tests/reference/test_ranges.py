"""The table of ranges: what it refuses, what it was derived from, and both ends of what only the reference draws."""

import numpy as np
import pytest

from priot_hil.reference import ranges
from priot_hil.reference.errors import InputError, ShiftError
from priot_hil.reference.ranges import (
    CLASSES,
    COUNT,
    DEVIATION,
    EXPONENT,
    GENERATOR,
    INT32_MAX,
    LOGIT_EXPONENT,
    MU,
    PERCENT,
    RANGES,
    SCORED_POSITIONS,
    SEED,
    SHIFT,
    SIZE,
    TERMS,
    THETA,
    VALUE,
    Range,
)
from priot_hil.reference.run import MethodKind, initial_state, run_rng
from priot_hil.reference.scales import calibration_order
from priot_hil.reference.streams import STREAMS, order, stream

# The ends as the semantics give them, written out once more: an end that moves is a change of the semantics.
ENDS = {
    VALUE: (-127, 127),
    SHIFT: (0, 31),
    SIZE: (1, 2147483647),
    CLASSES: (2, 1024),
    EXPONENT: (-64, 63),
    LOGIT_EXPONENT: (-12, 24),
    MU: (0, 7),
    THETA: (-127, 127),
    PERCENT: (0, 100),
    DEVIATION: (0, 127),
    COUNT: (1, 4294967295),
    TERMS: (1, 133144),
    SCORED_POSITIONS: (1, 1048),
    GENERATOR: (1, 4294967295),
    SEED: (0, 4294967295),
}


def test_the_ends():
    """Each range of the module is in its table, and has the ends of the semantics."""
    assert {value for value in vars(ranges).values() if isinstance(value, Range)} == set(RANGES) == set(ENDS)
    assert {row: (row.low, row.high) for row in RANGES} == ENDS
    assert len({row.of for row in RANGES}) == len(RANGES)


def test_bounds_of_sums_are_tight():
    """One product more could leave int32."""
    for row, product in ((TERMS, 127**2), (SCORED_POSITIONS, 127**3)):
        assert row.high * product <= INT32_MAX < (row.high + 1) * product


@pytest.mark.parametrize("number", [3, 5, np.int8(3), np.uint64(5)])
def test_both_ends_are_legal(number):
    """Of Python's numbers and NumPy's."""
    Range(3, 5).check("number", number)


@pytest.mark.parametrize("number", [2, 6, np.int8(2), np.uint64(6), 4.0, "4", None, True, 2**80, -(2**80)])
def test_all_else_is_refused(number):
    """With the name, both ends and what came; a boolean is no number."""
    shown = repr(int(number)) if isinstance(number, np.integer) else repr(number)
    with pytest.raises(ShiftError) as caught:
        Range(3, 5).check("number", number, ShiftError)
    assert str(caught.value) == (f"number: expected a whole number in 3..5, got {shown}; choose a value in that range.")


def refused(row, function, *arguments):
    """Whether a call is refused with the range."""
    with pytest.raises(InputError, match=rf"{row.low}\.\.{row.high}, got"):
        function(*arguments)
    return True


def test_seeds():
    """The generator of each end starts from a legal state; each stream opens."""
    for seed in (SEED.low, SEED.high):
        assert run_rng(seed) in range(GENERATOR.low, GENERATOR.high + 1)
        assert all(stream(seed, name).integers(10) in range(10) for name in STREAMS)
        assert sorted(order(seed, SEED.high, 5)) == [0, 1, 2, 3, 4]
        assert order(seed, SEED.low, 0).size == 0
    for seed in (SEED.low - 1, SEED.high + 1):
        assert refused(SEED, run_rng, seed)
        assert refused(SEED, stream, seed, "data")
        assert refused(SEED, order, seed, 0, 5)
        assert refused(SEED, order, 0, seed, 5)
    assert run_rng(SEED.high) == GENERATOR.low


def test_shares_and_deviations_of_scores(make_case):
    """None and all edges, scores of 0 and scores that are clipped at both ends."""
    model, method = make_case(MethodKind.PRIOT_S).model, make_case(MethodKind.PRIOT_S).method
    for percent in (PERCENT.low, PERCENT.high):
        state = initial_state(model, method, 0, percent=percent)
        assert {bool(value) for mask in state.scored.values() for value in mask.flat} == {percent == PERCENT.high}
    for deviation in (DEVIATION.low, DEVIATION.high):
        values = np.concatenate(
            [s.ravel() for s in initial_state(model, method, 0, deviation=deviation).values.values()]
        )
        assert (values.min(), values.max()) == ((VALUE.low, VALUE.high) if deviation else (0, 0))
    for percent in (PERCENT.low - 1, PERCENT.high + 1):
        with pytest.raises(InputError, match=rf"percent .*{PERCENT}, got {percent};"):
            initial_state(model, method, 0, percent=percent)
    for deviation in (DEVIATION.low - 1, DEVIATION.high + 1):
        with pytest.raises(InputError, match=rf"deviation .*{DEVIATION}, got {deviation};"):
            initial_state(model, method, 0, deviation=deviation)


def test_samples_of_a_calibration():
    """One is enough; more than there are is all of them."""
    assert calibration_order(0, 1, COUNT.high).tolist() == [0]
    assert len(calibration_order(0, 7, COUNT.low)) == 1
    for count in (COUNT.low - 1, COUNT.high + 1):
        assert refused(COUNT, calibration_order, 0, count)
        assert refused(COUNT, calibration_order, 0, 7, count)
