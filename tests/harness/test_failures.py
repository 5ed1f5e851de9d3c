"""A failing example becomes a capsule: the smallest one, for mismatches and crashes, each failure its own."""

import ast
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import read_case, size_of
from priot_hil.harness.failures import current, reduced
from priot_hil.harness.replay import replay
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.network import Conv2d, Relu
from priot_hil.reference.reference_engine import ReferenceEngine
from priot_hil.reference.run import MethodKind

pytest_plugins = ("pytester",)

DEVICE = """
    import os
    import pytest
    from priot_hil.harness import devices
    from priot_hil.harness.device_kinds import DeviceKind
    from priot_hil.harness.errors import DeviceFault, EmulationStuck, KernelStatus, LinkLost
    from priot_hil.reference.reference_engine import ReferenceEngine

    class Broken(ReferenceEngine):
        name = "broken"
        seen = 0

        def run_kernel(self, case):
            result = super().run_kernel(case)
            if (abs(case.weights.astype(int)) >= 100).any():
                self.seen += 1
                {fault}
            return result

    @pytest.fixture(scope="session", autouse=True)
    def broken():
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(devices.DEVICES, "host", DeviceKind(lambda _: Broken()))
            yield
"""
TESTS = """
    import numpy as np
    from hypothesis import Phase, example, given, settings
    from priot_hil.harness.capsule_kernel import KernelCapsule
    from priot_hil.harness.failures import expect_equal
    from priot_hil.harness.strategies import kernel_cases
    from priot_hil.reference.engine import KernelCase
    from priot_hil.reference.kinds import MethodKind
    from priot_hil.reference.network import Linear

    def one(weight, kind, theta=None, scores=None):
        weights, one = np.array([[weight]], np.int8), np.ones(1, np.int8)
        return KernelCase(Linear(1, 1), (), (1,), kind, theta, weights, scores, None, one, one, None)

    @settings(phases=[Phase.explicit])
    @example(case=one(3, MethodKind.NITI_DYNAMIC))
    @example(case=one(101, MethodKind.NITI_DYNAMIC))
    @example(case=one(102, MethodKind.PRIOT, 0, np.zeros((1, 1), np.int8)))
    @given(case=kernel_cases())
    def test_three(engine, case):
        expect_equal(KernelCapsule(case), engine)

    @settings(max_examples=100, deadline=None, database=None, derandomize=True, phases=set(Phase) - {Phase.explain})
    @given(case=kernel_cases())
    def test_any(engine, case):
        expect_equal(KernelCapsule(case), engine)
"""
FLIP = "result.output.flat[0] ^= 1"
LARGE = {101, 102}


@pytest.fixture
def run(pytester, monkeypatch):
    """Runs one of the tests on a device with a fault, in this process or another; what pytest said."""
    monkeypatch.chdir(pytester.path)

    def perform(fault, *options, test="test_three", in_process=True):
        pytester.makeconftest(DEVICE.replace("{fault}", fault))
        pytester.makepyfile(TESTS)
        options = ("-q", "-p", "no:cacheprovider", "--device", "host", "-k", test, *options)
        result = (pytester.runpytest_inprocess if in_process else pytester.runpytest_subprocess)(*options)
        return result.stdout.str() + result.stderr.str()

    return perform


def capsules(said):
    """The files that a message names, each once: on a CI server pytest says a message again, whole, in its summary."""
    return [Path(path) for path in dict.fromkeys(re.findall(r"capsule: (\S+)", said))]


def weights(path):
    """The one weight of a case."""
    return read_case(path).case.weights.item()


def test_a_mismatch_leaves_the_smallest_case(run):
    """The file named is the one there is: one weight, as small as the fault allows; nothing else stays."""
    said = run(FLIP, test="test_any")
    (path,) = capsules(said)
    assert list(Path("failures").iterdir()) == [path]
    capsule = read_case(path)
    assert isinstance(capsule, KernelCapsule)
    assert capsule.case.weights.size == 1
    assert abs(weights(path)) == 100
    assert f"capsule: {path}  ({size_of(capsule)})" in said
    assert f"replay:  ./run invoke replay --capsule {shlex.quote(str(path))} --device host" in said
    assert "first divergence in a single stage, " in said
    assert replay(capsule, ReferenceEngine()) is None
    assert "the capsule alone" not in said


class Doubled(ReferenceEngine):
    """Wrong in the error to the input, and wrong otherwise where a stage has a single weight."""

    def run_kernel(self, case):
        """The reference's result but for one tensor."""
        result = super().run_kernel(case)
        name = "output" if case.weights.size == 1 else "input_error"
        return replace(result, **{name: getattr(result, name) + 1})


def test_a_case_that_hypothesis_left_large_is_told_with_its_own_divergence():
    """The smaller case fails in the same tensor, and what it gives stands beside what the larger one gave."""
    case = KernelCase(
        layer=Conv2d(2, 2, 2),
        behind=(Relu(),),
        input_shape=(2, 3, 3),
        kind=MethodKind.NITI_DYNAMIC,
        theta=None,
        weights=np.ones((2, 2, 2, 2), np.int8),
        scores=None,
        scored=None,
        image=np.ones((2, 3, 3), np.int8),
        error=np.ones((2, 2, 2), np.int8),
        shifts=None,
    )
    small, told = reduced(KernelCapsule(case), Doubled(), 30)
    divergence = replay(small, Doubled())
    assert told == f"smaller still: {divergence}"
    assert divergence.tensor == "input error"
    assert 1 < small.case.weights.size < case.weights.size


@pytest.mark.slow
def test_without_time_the_case_is_that_of_the_message(run):
    """What hypothesis shows as the failing case is what the file has."""
    said = run(FLIP, "--shrink", "0", test="test_any")
    (path,) = capsules(said)
    capsule = read_case(path)
    shown = re.findall(r"weights=array\((.*?), dtype=int8", said.replace("\nE", ""), re.DOTALL)
    assert np.array_equal(np.array(ast.literal_eval(shown[-1].replace(" ", ""))), capsule.case.weights)
    assert "smaller still" not in said


@pytest.mark.parametrize("error", ["DeviceFault", "EmulationStuck", "KernelStatus", "ZeroDivisionError"])
def test_a_crash_leaves_its_case(run, error):
    """What the firmware dies of is a case as well."""
    said = run(f"raise {error}('broken down')", "--failures", "elsewhere")
    assert {path.parent for path in capsules(said)} == {Path("elsewhere")}
    assert [weights(path) for path in capsules(said)] == [100]
    assert "broken down" in said
    assert f"smaller still: {error}: " in said


def test_a_lost_link_leaves_nothing(run):
    """No verdict, no case."""
    said = run("raise LinkLost('gone')")
    assert "no verdict, the device was lost: gone" in said
    assert not capsules(said)
    assert not Path("failures").exists()


def test_a_device_lost_in_the_search_leaves_the_case(run):
    """A cable that breaks while the case runs once more costs the device, not the case."""
    said = run("if self.seen > 1:\n                    raise LinkLost('gone')\n                raise DeviceFault('1')")
    assert [weights(path) for path in capsules(said)] == [101]
    assert "the device was lost when the case ran once more: gone" in said


def test_two_failures_leave_two_cases(run):
    """Distinct ones in one test do not overwrite each other; the sound case is not among them."""
    said = run(
        "if case.scores is None:\n                    raise DeviceFault('1')\n                raise DeviceFault('2')",
        "--shrink",
        "0",
    )
    assert {weights(path) for path in capsules(said)} == LARGE
    assert sorted(Path("failures").iterdir()) == sorted(capsules(said))


def test_a_failure_that_does_not_come_again(run):
    """Hypothesis calls it flaky; its case is kept all the same, and the message says that it alone is equal."""
    said = run("result.output.flat[0] ^= self.seen == 1", test="test_any")
    (path,) = capsules(said)
    assert np.abs(read_case(path).case.weights.astype(int)).max() >= 100
    assert "the capsule alone replays equal" in said


@pytest.mark.slow
def test_a_case_that_kills_the_process_is_there_already(run):
    """With --write-ahead; where nothing dies, nothing stays."""
    run("os._exit(9)", "--write-ahead", in_process=False)
    (path,) = Path("failures").iterdir()
    assert re.fullmatch(r"running-\d+\.npz", path.name)
    assert weights(path) in LARGE
    path.unlink()
    assert "1 passed" in run("pass", "--write-ahead")
    assert list(Path("failures").iterdir()) == []


@pytest.mark.slow
def test_an_interrupted_search_leaves_its_case(run):
    """Ctrl-C while hypothesis shrinks."""
    fault = """if self.seen == 5:
                    raise KeyboardInterrupt
                raise DeviceFault('broken down')"""
    said = run(fault, "--failures", "elsewhere", test="test_any", in_process=False)
    (path,) = capsules(said)
    assert "interrupted while a failing case was being shrunk" in said
    assert path.parent == Path("elsewhere")
    assert "--device host" in said
    assert np.abs(read_case(path).case.weights.astype(int)).max() >= 100


def test_the_session_around_keeps_its_folder(run, tmp_path):
    """A session inside a session, as here, leaves the outer one's settings as they were."""
    before = replace(current)
    run("pass", "--failures", str(tmp_path), "--write-ahead")
    assert (current.folder, current.ahead) == (before.folder, before.ahead)
