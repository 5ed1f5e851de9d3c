"""A divergence says where its value comes from, and which mistake would give what came instead."""

import contextlib
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from priot_hil.harness.capsule import Expected, Mode
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import read_case
from priot_hil.harness.replay import replay
from priot_hil.harness.rounding_words import describe_requantized, describe_update
from priot_hil.reference import kernel, passes, reference_engine
from priot_hil.reference.arithmetic import bit_width, clip, round_shift
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Conv2d, Flatten, Linear, MaxPool2d, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import Shifts

GOLDEN = Path(__file__).parent.parent / "capsules" / "golden"


class Mistaken(ReferenceEngine):
    """The reference with functions of its own replaced while it works."""

    name = "mistaken"

    def __init__(self, *mistakes):
        super().__init__(lambda *arguments: reference_engine.update_of(*arguments))  # whichever it is by then
        self.mistakes = mistakes

    def _mistakenly(self, function, *arguments):
        with contextlib.ExitStack() as stack:
            for module, name, replacement in self.mistakes:
                stack.enter_context(mock.patch.object(module, name, replacement))
            return function(*arguments)

    def train_step(self, image, label):
        """The step, mistaken."""
        return self._mistakenly(super().train_step, image, label)

    def run_kernel(self, case):
        """The stage, mistaken."""
        return self._mistakenly(super().run_kernel, case)

    def predict(self, image):
        """The prediction, mistaken."""
        return self._mistakenly(super().predict, image)


def in_both(name, replacement):
    """The same function as steps and single stages know it."""
    return [(module, name, replacement) for module in (reference_engine, kernel)]


def add(values, update):
    """An update with the wrong sign."""
    return clip(values.astype(np.int16) + update)


MISTAKES = {
    "floor": ([(passes, "requantize", lambda a, s: clip(a >> s))], "as if rounded down"),
    "cast": (
        [(passes, "requantize", lambda a, s: round_shift(a, s).astype(np.int8))],
        "clipped to -127, then relu; 118 as if wrapped to int8",
    ),
    "shift": ([(passes, "requantize_shift", lambda a: max(0, bit_width(a) - 6))],
        "dynamic: 11 bits for the largest accumulator, 1905, less 7"),
    "sign": (in_both("apply_update", add), "as if added instead of subtracted"),
    "nearest": (in_both("update_of", lambda g, s: clip(round_shift(g, s))), "rounded to nearest"),
    "no W": (in_both("score_gradient", lambda w, g, s: g), "as if updated by G without W"),
    "loss": (
        [(reference_engine, "round_error", lambda e, r, g: (clip(round_shift(e, 4)), g))],
        "682 / 2**4 = 42.62; 43 as if rounded to nearest",
    ),
}  # fmt: skip


def divergences(mistakes):
    """Of all golden capsules, beside the reference."""
    for path in sorted(GOLDEN.glob("*.npz")):
        found = replay(replace(read_case(path), expected=Expected()), Mistaken(*mistakes))
        if found is not None:
            yield found


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(name):
    """In some golden capsule the message names the mistake that was made; none is longer than six lines."""
    mistakes, words = MISTAKES[name]
    for divergence in divergences(mistakes):
        assert len(str(divergence).splitlines()) <= 6
        if words in f"{divergence.origin} {divergence.story}":
            return
    raise AssertionError(f"nobody said {words}")


def stage(**changes):
    """A single stage whose every number can be worked out by hand: 3 x 3 ones, two kernels, a pool, relu, flatten."""
    case = KernelCase(
        layer=Conv2d(1, 2, 2),
        behind=(MaxPool2d(2), Relu(), Flatten()),
        input_shape=(1, 3, 3),
        kind=MethodKind.NITI_STATIC,
        theta=None,
        weights=np.array([[[[1, 2], [3, 4]]], [[[-1, -2], [-3, -4]]]], np.int8),
        scores=None,
        scored=None,
        image=np.array([[[1, 1, 1], [1, 1, 3], [1, 1, 1]]], np.int8),
        error=np.array([100, 0], np.int8),
        shifts=Shifts(2, 3, 1),
    )
    return replace(case, **changes)


class Off(ReferenceEngine):
    """The reference, one off in one element of one result."""

    name = "off"

    def __init__(self, part, index):
        super().__init__()
        self.part, self.index = part, index

    def run_kernel(self, case):
        """The stage, one off."""
        result = super().run_kernel(case)
        value = getattr(result, self.part).copy()
        value[self.index] += 1
        return replace(result, **{self.part: value})


def test_a_stage_says_what_stands_behind_each_result():
    """Worked out by hand: sums, the place a pool took its maximum from, products, the update's parts."""
    case = stage()
    # The windows' sums are 10, 1 + 2 + 3 + 4 * 3 = 18, 10 and 1 + 2 * 3 + 3 + 4 = 14; the largest is at y 0, x 1.
    text = str(replay(KernelCapsule(case), Off("output", (0,))))
    assert text == (
        "first divergence in a single stage, conv2d 1->2 k2, maxpool2d 2, relu, flatten (niti_static), "
        "tensor output, [i=0]\n"
        "    expected 5 (accumulator 18 at [0, 0, 1], the largest of 4, shift 2)   off 6\n"
        "    18 / 2**2 = 4.5, half way, so away from zero to 5\n"
        "    i=0..1  expected  [5] 0\n"
        "            off       [6] 0\n"
        "    0 of 2 elements equal before it; 1 differs"
    )
    # The error reaches the window at y 0, x 1 alone: to the input at y 1, x 2 comes 100 * 4.
    found = replay(KernelCapsule(case), Off("input_error", (0, 1, 2)))
    assert (found.difference.expected, found.origin) == (50, "accumulator 400, shift 3")
    found = replay(KernelCapsule(case), Off("gradient", (0, 0, 1, 1)))
    assert (found.difference.expected, found.origin) == (300, "the sum of 4 x error x input")
    found = replay(KernelCapsule(case), Off("updated", (0, 0, 1, 1)))
    assert (found.difference.expected, found.origin) == (-123, "was 4, G 300, shift 1")
    assert found.story == "300 / 2**1 = 150, clipped to 127; 4 - 127"
    priot = stage(kind=MethodKind.PRIOT, theta=0, scores=np.full((2, 1, 2, 2), 50, np.int8), shifts=Shifts(2, 3, 5))
    found = replay(KernelCapsule(priot), Off("updated", (0, 0, 1, 1)))
    assert (found.difference.expected, found.origin) == (12, "was 50, P 1200 = W 4 x G 300, shift 5")
    assert found.story == (
        "1200 / 2**5 = 37.5, to 38 by its discarded bits; 50 - 38; "
        "13 as if updated by 1200 rounded toward zero, or updated by 1200 rounded down"
    )


def test_a_pool_says_where_its_maximum_was():
    """In the window of that element, not of another: numbers from 0 to 15 on 4 x 4, whose largest is last in each."""
    case = stage(
        layer=Conv2d(1, 1, 1),
        behind=(MaxPool2d(2),),
        input_shape=(1, 4, 4),
        weights=np.ones((1, 1, 1, 1), np.int8),
        image=np.arange(16, dtype=np.int8).reshape(1, 4, 4),
        error=np.zeros((1, 2, 2), np.int8),
        shifts=Shifts(0, 0, 0),
    )
    for y, x, sum_there in ((0, 1, 7), (1, 0, 13), (1, 1, 15)):
        found = replay(KernelCapsule(case), Off("output", (0, y, x)))
        where = [0, 2 * y + 1, 2 * x + 1]
        assert found.origin == f"accumulator {sum_there} at {where}, the largest of 4, shift 0"


@pytest.mark.parametrize(
    ("accumulator", "shift", "expected", "got", "relu", "story"),
    [
        (-1030, 8, -4, -5, False, "-1030 / 2**8 = -4.023; -5 as if rounded down"),
        (-24, 4, -2, -1, False, "-24 / 2**4 = -1.5, half way, so away from zero to -2; "
         "-1 as if rounded toward zero, or rounded half up, or shifted by one too many"),
        (40, 4, 3, 2, False, "40 / 2**4 = 2.5, half way, so away from zero to 3; "
         "2 as if rounded down, or rounded toward zero, or rounded half to even"),
        (2096, 4, 127, -125, False, "2096 / 2**4 = 131, clipped to 127; -125 as if wrapped to int8"),
        (-2048, 4, -127, -128, False, "-2048 / 2**4 = -128, clipped to -127; "
         "-128 as if wrapped to int8, or clipped at -128"),
        (-160, 4, 0, -10, True, "-160 / 2**4 = -10, then relu; -10 as if without the relu"),
        (160, 4, 10, 5, False, "160 / 2**4 = 10; 5 as if shifted by one too many"),
        (160, 4, 10, 20, False, "160 / 2**4 = 10; 20 as if shifted by one too few"),
        (77, 0, 77, 3, False, "77, not shifted"),
    ],
)  # fmt: skip
def test_a_rounding_in_words(accumulator, shift, expected, got, relu, story):
    """The quotient, what happened to it, and the mistakes that fit; none where none does."""
    assert describe_requantized(accumulator, shift, expected, got, relu) == story


@pytest.mark.parametrize(
    ("before", "gradient", "shift", "expected", "got", "story"),
    [
        (12, 0, 4, 12, 13, "0 / 2**4 = 0; 12 - 0"),
        (12, 64, 4, 8, 12, "64 / 2**4 = 4; 12 - 4; 12 as if not updated"),
        (-120, 160, 4, -127, 126, "160 / 2**4 = 10; -120 - 10 clipped to -127; 126 as if the result wrapped"),
        (100, 3200, 4, -27, -100, "3200 / 2**4 = 200, clipped to 127; 100 - 127; -100 as if the update not clipped"),
    ],
)
def test_an_update_in_words(before, gradient, shift, expected, got, story):
    """What is subtracted, and from what."""
    assert describe_update(before, gradient, shift, expected, got, None) == story


def test_a_linear_stage_beside_a_prediction():
    """A prediction shows its logits; a linear gradient is one product."""
    ones = np.ones((2, 3), np.int8)
    case = KernelCase(
        Linear(3, 2), (), (3,), MethodKind.NITI_DYNAMIC, None, ones, None, None, ones[0], ones[:, 0], None
    )
    assert replay(KernelCapsule(case), Off("gradient", (1, 2))).origin == "error x input"

    class Misreading(ReferenceEngine):
        def predict(self, image):
            return 1 - super().predict(image)

    golden = read_case(GOLDEN / "041_niti_dynamic.npz")
    found = replay(replace(golden, expected=Expected(), mode=Mode.PREDICT), Misreading())
    logits = " ".join(map(str, golden.expected.logits[0]))
    assert (found.tensor, found.origin) == ("prediction", f"logits {logits}")
