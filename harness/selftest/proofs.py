"""One proof for each bug: built into a copy of the firmware, and looked for by what has to find it."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from priot_hil.harness import devices
from priot_hil.harness.cases import read_case, size_of
from priot_hil.harness.clang import find_counting_clang, find_fuzzing_clang
from priot_hil.harness.coverage.command import run_counted
from priot_hil.harness.engines import DeviceEngine
from priot_hil.harness.firmware import BoardFirmware, HostFirmware, build
from priot_hil.harness.fuzz.campaign import CAPSULES, TARGETS, search
from priot_hil.harness.fuzz.seeds import write_seeds
from priot_hil.harness.mutation import trial
from priot_hil.harness.planting import FirmwareCopy
from priot_hil.harness.replay import replay

from .planted import Finder, Planted
from .suite import EQUIVALENCE, SHORT, Verdict, run_suite

PRESETS = {"host": "host", "emulator": "rp2040"}
HUNT = ("-p", trial.__name__, f"--hypothesis-profile={trial.PROFILE}")  # the first failing case, however large
SEED = "--hypothesis-seed=0"
FUZZ_SECONDS = 120


@dataclass(frozen=True)
class Proof:
    """What became of a bug.

    Attributes:
        is_found: Whether its finder found it; None where that tool is not here.
        by: The test, or the tool.
        seconds: To the first failure.
        size: Of the shrunk case; empty where there is none.
        said: What a user reads.
    """

    is_found: bool | None
    by: str = ""
    seconds: float = 0.0
    size: str = ""
    said: str = ""


@dataclass(frozen=True)
class Bench:
    """Where bugs are planted.

    Attributes:
        copy: Of the firmware; what it has built stays.
        folder: For what is written.
        device: On which the suite looks for them: a key of PRESETS.
    """

    copy: FirmwareCopy
    folder: Path
    device: str

    def build(self) -> str:
        """Builds the copy as it is; the name that `--device` has for it."""
        firmware = build(PRESETS[self.device], self.copy.root)
        if isinstance(firmware, BoardFirmware):
            return f"image:{firmware.ram.elf}"
        assert isinstance(firmware, HostFirmware)
        return f"library:{firmware.library}"


def prove_clean(bench: Bench) -> Verdict:
    """The short suite on the copy without a bug; it has to pass, or no failure means anything."""
    return run_suite(bench.build(), bench.folder / "clean", SHORT, SEED)


def prove(bug: Planted, bench: Bench) -> Proof:
    """Plant a bug and let its finder look for it."""
    if reason := unavailable(bug.finder):
        return Proof(None, said=reason)
    folder = bench.folder / re.sub(r"\W+", "-", bug.name)
    with bench.copy.planted(*bug.changes):
        return PROOFS[bug.finder](bug, bench, folder)


def unavailable(finder: Finder) -> str | None:
    """Why a finder is not here; None where it is."""
    match finder:
        case Finder.SANITIZERS:
            return devices.sanitizers_are_missing()
        case Finder.FUZZER:
            return None if find_fuzzing_clang("fuzz") else "needs a clang with libFuzzer on the PATH"
        case Finder.COVERAGE:
            return None if find_counting_clang() else "needs a clang that counts on the PATH"
        case Finder.SUITE:
            return None


def by_suite(bug: Planted, bench: Bench, folder: Path) -> Proof:
    """Red; then again with shrinking, for the smallest case and what is said about it."""
    device = bench.build()
    first = run_suite(device, folder, EQUIVALENCE, *HUNT, SEED)
    if not first.is_red or not first.test:
        return Proof(first.is_red, first.test, first.seconds, said=first.message)
    capsules = folder / "failures"
    for old in capsules.glob("*.npz"):
        old.unlink()
    shrunk = run_suite(device, folder, (first.test,), SEED)
    sizes = []
    for path in sorted(capsules.glob("*.npz")):
        case = read_case(path)
        engine = devices.open_engine("host")
        assert isinstance(engine, DeviceEngine)
        divergence = replay(case, engine)
        if divergence is not None:
            return Proof(False, first.test, first.seconds, said=f"the case fails without the bug too: {divergence}")
        sizes.append(str(size_of(case)))
    return Proof(True, first.test, first.seconds, "; ".join(sizes), shrunk.message)


def by_sanitizers(bug: Planted, bench: Bench, folder: Path) -> Proof:
    """The short suite on the sanitized process, which dies of it."""
    program = build("host-sanitized", bench.copy.root).process
    verdict = run_suite(f"process:{program}", folder, SHORT, *HUNT, SEED)
    return Proof(re.search(bug.says, verdict.message) is not None, verdict.test, verdict.seconds, said=verdict.message)


def by_fuzzer(bug: Planted, bench: Bench, folder: Path) -> Proof:
    """From the seeds that every campaign starts from."""
    library = build("host").library
    assert library is not None, "the preset host always links the library"
    folders = {target: folder / target for target in TARGETS}
    write_seeds(library, CAPSULES, folders)
    begin = time.monotonic()
    campaign = search(build("fuzz", bench.copy.root), bug.target, folders[bug.target], FUZZ_SECONDS, minimise_seconds=0)
    said = "" if campaign.find is None else campaign.find[1]
    by = f"fuzzer, {campaign.executions:,} inputs"
    return Proof(re.search(bug.says, said) is not None, by, time.monotonic() - begin, said=said)


def by_coverage(bug: Planted, bench: Bench, folder: Path) -> Proof:
    """The short suite on the build that counts: the planted condition never holds, and the report says so."""
    begin = time.monotonic()
    counts = run_counted(build("host-coverage", bench.copy.root), *SHORT, SEED, root=bench.copy.root)
    open_places = [place for place, times in counts.items() if times == 0]
    missed = [place for place in open_places if re.search(bug.says, place.code) and place.outcome == "true"]
    other = [place for place in open_places if re.search(bug.says, place.code) and place.outcome == "false"]
    said = "; ".join(f"{place.file}:{place.line} never {place.outcome}: {place.code}" for place in missed)
    return Proof(len(missed) == 1 and not other, "coverage", time.monotonic() - begin, said=said)


PROOFS: dict[Finder, Callable[[Planted, Bench, Path], Proof]] = {
    Finder.SUITE: by_suite,
    Finder.SANITIZERS: by_sanitizers,
    Finder.FUZZER: by_fuzzer,
    Finder.COVERAGE: by_coverage,
}
