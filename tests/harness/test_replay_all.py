"""`replay --all`: every capsule that is kept, on each device; and what the reference stores in one."""

import json
from dataclasses import replace

import numpy as np
import pytest

from priot_hil.harness import devices
from priot_hil.harness.capsule import Expected, Mode
from priot_hil.harness.capsule_kernel import ExpectedKernel, KernelCapsule
from priot_hil.harness.cases import read_case, with_results, write_case
from priot_hil.harness.device_kinds import DeviceKind
from priot_hil.harness.errors import DeviceFault, LinkLost
from priot_hil.harness.replay import replay
from priot_hil.harness.replay_command import CORPUS, replay_all
from priot_hil.reference.errors import InputError
from priot_hil.reference.reference_engine import ReferenceEngine

FIXED = CORPUS / "fixed" / "second_pool.npz"
GOLDEN = sorted((CORPUS / "golden").glob("*.npz"))


class Broken(ReferenceEngine):
    """Does something of its own with single stages."""

    name = "broken"

    def __init__(self, act):
        super().__init__()
        self.act = act

    def run_kernel(self, case):
        """The stage, as `act` makes it."""
        return self.act(super().run_kernel(case))


@pytest.fixture
def folder(tmp_path):
    """A run and two stages."""
    for name in ("golden/a", "fixed/b", "fixed/c"):
        write_case(
            tmp_path / f"{name}.npz",
            read_case(CORPUS / "golden" / "041_niti_dynamic.npz" if name == "golden/a" else FIXED),
        )
    return tmp_path


@pytest.fixture
def broken(monkeypatch):
    """Makes `host` a device that does something of its own with single stages."""

    def make(act):
        monkeypatch.setitem(devices.DEVICES, "host", DeviceKind(lambda _: Broken(act)))

    return make


def flip(result):
    """One bit of the output."""
    output = result.output.copy()
    output.flat[0] ^= 1
    return replace(result, output=output)


def test_the_corpus_is_equal(capsys):
    """All that is kept, golden cases and mended bugs, on the reference; a line for the device."""
    assert replay_all("reference") == 0
    count = len(list(CORPUS.glob("*/*.npz")))
    assert count >= 82
    assert capsys.readouterr().out == f"reference: {count} of {count} capsules are equal\n"


def test_each_failure_is_shown_on_its_device(folder, broken, capsys, works):
    """With its file; the others go on, and so does the next device. All of them count as done."""
    broken(flip)
    assert replay_all("host,reference", folder) == 1
    assert [(work.done, work.total) for work in works if work.what == "capsules"] == [(6, 6)]
    stage = "conv2d 1->1 k1, maxpool2d 2, maxpool2d 2 (niti_dynamic)"
    where = f"first divergence in a single stage, {stage}, tensor output, [c=0 y=0 x=0]"
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith(("host: ", "reference: "))] == [
        f"host: fixed/b.npz: {where}",
        f"host: fixed/c.npz: {where}",
        "host: 1 of 3 capsules are equal, 2 failed",
        "reference: 3 of 3 capsules are equal",
    ]


def test_a_crash_is_a_failure_and_a_refusal_is_none(folder, broken, capsys):
    """The one ends with status 1, the other is left out; both with their reason."""

    def crash(_):
        raise DeviceFault("a fault at pc 0x20001234")

    def refuse(_):
        raise InputError("the arena has 1 byte; make the network smaller.")

    broken(crash)
    assert replay_all("host", folder) == 1
    said = capsys.readouterr().out
    assert "host: fixed/b.npz: DeviceFault: a fault at pc 0x20001234\n" in said
    assert said.endswith("host: 1 of 3 capsules are equal, 2 failed\n")
    broken(refuse)
    assert replay_all("host", folder) == 0
    said = capsys.readouterr().out
    assert "host: fixed/b.npz: left out: the arena has 1 byte; make the network smaller.\n" in said
    assert said.endswith("host: 1 of 3 capsules are equal, 2 left out\n")


def test_what_cannot_be_run_ends_it(folder, broken, tmp_path_factory):
    """A lost device gives no verdict; an unreadable capsule or an empty folder is refused before anything runs."""

    def lose(_):
        raise LinkLost("the cable")

    broken(lose)
    with pytest.raises(LinkLost):
        replay_all("host", folder)
    (folder / "fixed" / "d.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match=r"d\.npz: file: expected a whole"):
        replay_all("host", folder)
    with pytest.raises(InputError, match="expected capsules, got none"):
        replay_all("reference", tmp_path_factory.mktemp("empty"))


@pytest.mark.parametrize("path", GOLDEN[::8], ids=lambda path: path.stem)
def test_the_reference_stores_what_golden_capsules_have(path):
    """Two programs agreed on those numbers."""
    golden = read_case(path)
    expected = with_results(replace(golden, expected=Expected())).expected
    assert np.array_equal(expected.logits, golden.expected.logits)
    assert np.array_equal(expected.predictions, golden.expected.predictions)
    for i, values in golden.expected.values.items():
        scored = True if golden.state.scored is None else golden.state.scored[i]
        assert (np.where(scored, expected.values[i], 0) == np.where(scored, values, 0)).all()
    if golden.expected.rng is not None:
        assert expected.rng == golden.expected.rng


@pytest.mark.parametrize("mode", Mode)
def test_results_of_every_mode(mode, tmp_path):
    """What is stored is believed: the reference replays equal, another state does not."""
    golden = read_case(CORPUS / "golden" / "041_niti_dynamic.npz")
    order = np.arange(len(golden.images)) if mode is Mode.EPOCH else None
    case = with_results(replace(golden, mode=mode, order=order, expected=Expected()))
    assert (case.expected.logits is not None) == mode.has_steps
    write_case(tmp_path / "case.npz", case)
    case = read_case(tmp_path / "case.npz")
    assert replay(case, ReferenceEngine()) is None
    values = {i: values.copy() for i, values in case.expected.values.items()}
    values[0].flat[0] ^= 1
    wrong = replace(case, expected=replace(case.expected, values=values))
    assert replay(wrong, ReferenceEngine()).tensor == "weights"


def test_results_of_a_stage(tmp_path):
    """Those of the mended bug."""
    stored = read_case(FIXED)
    case = with_results(KernelCapsule(stored.case, ExpectedKernel()))
    for name in ("output", "input_error", "gradient", "updated", "shifts"):
        assert np.array_equal(getattr(case.expected, name), getattr(stored.expected, name))
    with np.load(FIXED) as file:
        assert json.loads(str(file["meta"]))["expected_shifts"] == list(stored.expected.shifts)
