"""`invoke selftest`: plants each bug, and says what found it, how soon, how small, and in which words."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from priot_hil.harness.files import write_aside
from priot_hil.harness.output_kinds import SELFTEST
from priot_hil.harness.outputs import check_file
from priot_hil.harness.paths import BUILD
from priot_hil.harness.planting import FirmwareCopy
from priot_hil.harness.progress import Part, Work, shown
from priot_hil.reference.errors import InputError

from .planted import Finder, Planted, read_planted
from .proofs import PRESETS, Bench, Proof, prove, prove_clean

MISSED = 1
WORK = BUILD / "selftest"
RESULTS = Path("results")
# What a bug takes until it is found, roughly, with the build.
SECONDS = {Finder.SUITE: 15.0, Finder.SANITIZERS: 20.0, Finder.FUZZER: 20.0, Finder.COVERAGE: 30.0}
VERDICTS = {True: "found", False: "**missed**", None: "not run"}


def selftest(device: str, only: str | None = None, out: Path | None = None) -> int:
    """Plant the bugs one after the other.

    Args:
        device: On which the suite looks for them: "host" or "emulator".
        only: A part of the names of those to plant; None for all.
        out: The table as Markdown; None for ``results/selftest-DEVICE.md`` here, of a part ``-part.md``.

    Returns:
        1 where a bug was missed, else 0.

    Raises:
        InputError: An option is refused, or the suite fails without any bug.
        BuildError: The firmware does not build.
    """
    console = Console()
    bugs = choose(read_planted(), only or "")
    if device not in PRESETS:
        expected = " or ".join(PRESETS)
        raise InputError.about("device to plant bugs on", expected=expected, got=repr(device), do="name one of them")
    path = check_file(RESULTS / f"selftest-{device}{'-part' if only else ''}.md" if out is None else out, SELFTEST)
    bench = Bench(FirmwareCopy(WORK), WORK / "found", device)
    bench.copy.refresh()
    bench.build()  # shows how far it is
    proofs: dict[Planted, Proof] = {}
    clean = {None: Part(1, kind="clean", weight=SECONDS[Finder.SUITE])}
    parts = {bug: Part(1, kind=bug.finder, weight=SECONDS[bug.finder]) for bug in bugs}
    with shown(Work("suite without a bug, then each bug", clean | parts)) as work:
        check_clean(bench)
        work.advance()
        for bug in bugs:
            proofs[bug] = prove(bug, bench)
            work.advance(name=bug)
            tell(bug, proofs[bug], console)
    write_aside(path, markdown(proofs, device))
    console.print(f"table: {path}", soft_wrap=True)
    return MISSED if any(proof.is_found is False for proof in proofs.values()) else 0


def check_clean(bench: Bench) -> None:
    """Refuse a firmware on which the suite fails without a planted bug.

    Raises:
        InputError: It does.
    """
    clean = prove_clean(bench)
    if clean.is_red:
        got = f"{clean.test}: {clean.message}"
        raise InputError.about("firmware without a planted bug", expected="it to pass", got=got, do="mend it first")


def tell(bug: Planted, proof: Proof, console: Console) -> None:
    """Print what became of a bug."""
    by = f" by {proof.by} after {proof.seconds:.1f} s" if proof.by else ""
    size = f", shrunk to {proof.size}" if proof.size else ""
    reason = f": {proof.said}" if proof.is_found is None else ""
    said = VERDICTS[proof.is_found].strip("*")
    console.print(f"{bug.name}: {said}{by}{size}{reason}", markup=False, highlight=False, soft_wrap=True)


def choose(bugs: Sequence[Planted], only: str) -> list[Planted]:
    """The bugs whose names have a text in them.

    Raises:
        InputError: None has.
    """
    chosen = [bug for bug in bugs if only in bug.name]
    if not chosen:
        names = ", ".join(bug.name for bug in bugs)
        raise InputError.about("only", expected=f"a part of one of: {names}", got=repr(only), do="name one of them")
    return chosen


def markdown(proofs: Mapping[Planted, Proof], device: str) -> str:
    """The table, and below it what each finder said."""
    lines = [f"# Planted bugs, the suite on {device}", ""]
    lines += ["| bug | found | by | after | shrunk to |", "| :-- | :-- | :-- | --: | :-- |"]
    for bug, proof in proofs.items():
        after = f"{proof.seconds:.1f} s" if proof.by else ""
        lines.append(f"| {bug.name} | {VERDICTS[proof.is_found]} | {proof.by} | {after} | {proof.size} |")
    for bug, proof in proofs.items():
        lines += ["", f"## {bug.name}", "", f"{bug.like[0].upper()}{bug.like[1:]}.", ""]
        for change in bug.changes:
            removed = [f"-{line}" for line in change.clean.splitlines()]
            added = [f"+{line}" for line in change.broken.splitlines()]
            lines += ["```diff", f"# firmware/{change.file}", *removed, *added, "```", ""]
        lines += ["```", *brief(proof.said, bug.finder), "```"]
    return "\n".join(lines) + "\n"


def brief(said: str, finder: Finder) -> list[str]:
    """What was said, without the machine's own paths and, of a tool, without all that follows its first words."""
    lines = said.replace(f"{BUILD}", "build").splitlines() or ["nothing"]
    return lines if finder is Finder.SUITE else lines[:6]
