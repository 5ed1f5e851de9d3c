"""The command line: bad input ends with status 2 and one sentence, a divergence with 1, and all else with 0."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from priot_hil.harness.capsule import Expected, Mode, read_capsule, write_capsule
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import size_of
from priot_hil.harness.failures import keep
from priot_hil.harness.paths import ROOT
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Linear

GOLDEN = ROOT / "tests" / "capsules" / "golden" / "011_priot_s.npz"


def invoke(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a task from the checkout's root, as `./run invoke` does."""
    command = [sys.executable, "-m", "invoke", *map(str, arguments)]
    environment = os.environ | {"PYTHONWARNINGS": "error::ResourceWarning"}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False)


def expect_refusal(*arguments: str | Path, sentence: str) -> None:
    """Status 2, and nothing but the sentence on standard error."""
    result = invoke(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nosuch"], "No idea what 'nosuch' is!"),
        (["bench", "--nosuch"], "No idea what '--nosuch' is!"),
        (["bench", "--only", "nosuch"], "part: expected one of steps_per_second"),
        (["replay"], "replay: expected --capsule FILE or --all, got neither"),
        (["replay", "--all", "--capsule", GOLDEN], "replay: expected --capsule FILE or --all, got both"),
        (["bisect", "--device", "host"], "engines to compare: expected two, got host and host"),
        (["replay", "--capsule"], "needed value and was not given one"),
        (["reproduce", "--table", "nosuch"], "expected"),
        (["reproduce", "--device", "nosuch"], "nosuch"),
        (["replay", "--capsule", GOLDEN, "--device", "host,nosuch"], "device: expected names out of reference, host"),
        (["replay", "--capsule", "no such.npz", "--device", "host"], "no such.npz"),
        (["build", "--preset", "nosuch"], "preset: expected rp2040 or rp2040-gcc or host or host-sanitized"),
        (["pretrain", "--way", "nosuch"], "expected"),
        (
            ["verify", "--records", "no such.jsonl"],
            "JSON Lines, a file that is there, got 'no such.jsonl': No",
        ),
        (["publish", "--records", "README.md"], "README.md, line 1: expected a chain of records"),
        (["devices", "--baud", "0"], "--baud: expected a whole number in 1..2147483647, got 0"),
        (["devices", "--baud", "2147483648"], "expected a whole number in 1..2147483647, got 2147483648"),
        (["run-epochs", "--device", "process", "--epochs", "41"], "epochs: expected a whole number in 0..40, got 41"),
        (
            ["run-epochs", "--device", "process", "--seed", "4294967296"],
            "seed: expected a whole number in 0..4294967295, got",
        ),
        (["bisect", "--device", "process", "--epochs", "1001"], "epochs: expected a whole number in 1..1000, got 1001"),
        (["bisect", "--device", "process", "--angle", "361"], "angle: expected a whole number in -360..360, got 361"),
        (["flash", "--image", "nosuch"], "image: expected flash or ram"),
        (["flash", "--drive", "no such folder"], "drive no such folder: expected a drive with 'Board-ID: RPI-RP2'"),
        (["flash", "--device", "no such port"], "no such port: expected a port that opens"),
    ],
    ids=lambda value: " ".join(map(str, value)).replace(str(GOLDEN), "GOLDEN") if isinstance(value, list) else "",
)
def test_bad_input(arguments: list[str | Path], sentence: str) -> None:
    """Unknown tasks, options, tables, devices, files and presets."""
    expect_refusal(*arguments, sentence=sentence)


@pytest.mark.parametrize("place", ["middle", "count of entries"])
def test_a_damaged_capsule(tmp_path: Path, place: str) -> None:
    """A bit flipped in the middle of the file, or where its directory says how many arrays there are."""
    data = bytearray(GOLDEN.read_bytes())
    data[{"middle": len(data) // 2, "count of entries": -12}[place]] ^= 0x10
    path = tmp_path / "damaged.npz"
    path.write_bytes(data)
    expect_refusal("replay", "--capsule", path, "--device", "host", sentence=str(path))


def test_replay_of_a_golden_capsule() -> None:
    """A line for each engine, in the order of the option."""
    result = invoke("replay", "--capsule", GOLDEN, "--device", "host,reference,process")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == "host: equal\nreference: equal\nprocess: equal\n"


def test_replay_of_altered_expectations(tmp_path: Path) -> None:
    """Status 1 and the element, on every engine."""
    capsule = read_capsule(GOLDEN)
    assert capsule.expected.logits is not None
    logits = capsule.expected.logits.copy()
    right = int(logits[0, 1])
    logits[0, 1] = right - 1 if right > 0 else right + 1
    path = tmp_path / "altered.npz"
    write_capsule(path, replace(capsule, expected=replace(capsule.expected, logits=logits)))
    result = invoke("replay", "--capsule", path, "--device", "reference,host")
    assert (result.returncode, result.stderr) == (1, "")
    for engine in ("reference", "host"):
        assert f"{engine}: first divergence at step 0, layer " in result.stdout
        assert f"tensor logits, [i=1]\n    expected {int(logits[0, 1])}   {engine} {right}\n" in result.stdout


@pytest.mark.parametrize("golden", [True, False], ids=["run", "stage"])
def test_replay_of_what_a_failure_left(tmp_path: Path, golden: bool) -> None:
    """The command of the message, for a run and for a single stage; where the bug is mended, it is equal."""
    folder = tmp_path / "it's a folder"
    one = np.ones(1, np.int8)
    stage = KernelCase(
        Linear(1, 1), (), (1,), MethodKind.NITI_DYNAMIC, None, one.reshape(1, 1), None, None, one, one, None
    )
    case = replace(read_capsule(GOLDEN), mode=Mode.TRAIN, expected=Expected()) if golden else KernelCapsule(stage)
    said, command = keep(case, folder, "host")
    (path,) = folder.iterdir()
    assert said == f"capsule: {path}  ({size_of(case)})"
    assert command == f"replay:  ./run invoke replay --capsule {shlex.quote(str(path))} --device host"
    result = invoke(*shlex.split(command)[3:])
    assert (result.returncode, result.stdout) == (0, "host: equal\n")


def test_doctor() -> None:
    """Where these tests run, what the default commands need is there."""
    result = invoke("doctor")
    assert (result.returncode, result.stderr) == (0, "")
    assert "as pinned" in result.stdout
