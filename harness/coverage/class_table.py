"""`invoke coverage --classes`: how many generated cases are of each class, as a table."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from priot_hil.harness.files import write_aside
from priot_hil.harness.output_kinds import CLASSES
from priot_hil.harness.outputs import check_file
from priot_hil.harness.progress import Part, Work, shown
from priot_hil.harness.strategies import extreme_kernel_cases, kernel_cases, runs
from priot_hil.reference.checks import check_range

from .classes import ROLES, SHIFTS, Classes, extreme_classes, kernel_classes, run_classes, static_shift, tally

T = TypeVar("T")

TABLE = Path("results") / "classes.md"
MISSED = 1
BATCH = 100
WEIGHTS = {"Single stages": 1.0, "Extreme stages": 3.0, "Runs": 6.0}  # what a case takes beside a single stage


def drawn(strategy: st.SearchStrategy[T], count: int, done: Callable[[], None] = lambda: None) -> list[T]:
    """`count` cases, the same ones every time.

    In batches, each from a seed of its own: hypothesis makes cases out of earlier ones, so that those of one long run
    resemble each other, and whole classes may be missing among them.
    """
    cases: list[T] = []
    for number, begin in enumerate(range(0, count, BATCH)):

        @seed(number)
        @settings(
            max_examples=min(BATCH, count - begin),
            database=None,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def collect(case: T) -> None:
            cases.append(case)
            done()

        collect()
    return cases


def classes(cases: int = 5000, out: Path | None = None) -> int:
    """Count, write the table, and name what was never reached.

    Args:
        cases: Single stages that are drawn; of whole runs an eighth as many, of extreme stages a fiftieth.
        out: The table; None for ``results/classes.md`` here.

    Returns:
        0, or 1 where no case is of some class.

    Raises:
        InputError: There are no cases to draw, or the table cannot be written.
    """
    check_range("cases", cases, 1, 10**6)
    path = check_file(TABLE if out is None else out, CLASSES)
    parts = [f"# Classes of generated cases\n\nWritten by `./run invoke coverage --classes --cases {cases}`."]
    missed: list[str] = []

    def count(what: str, strategy: st.SearchStrategy[T], number: int, classes_of: Callable[[T], Classes]) -> None:
        counts = tally(drawn(strategy, number, partial(work.advance, name=what)), classes_of)
        parts.append(f"## {what}: {number} cases\n\n{_table(counts)}")
        missed.extend(f"{what}: {name}" for name, cases in counts.items() if not cases)

    numbers = {"Single stages": cases, "Extreme stages": max(cases // 50, 1), "Runs": max(cases // 8, 1)}
    counted = {what: Part(numbers[what], kind=what, weight=weight) for what, weight in WEIGHTS.items()}
    with shown(Work("cases", counted)) as work:
        count("Single stages", kernel_cases(), numbers["Single stages"], kernel_classes)
        count("Extreme stages", extreme_kernel_cases(arena=30_000), numbers["Extreme stages"], extreme_classes)
        count("Runs", runs(), numbers["Runs"], run_classes)
    write_aside(path, "\n\n".join(parts) + "\n")
    print(f"table: {path}")
    for name in missed:
        print(f"never reached: {name}")
    return MISSED if missed else 0


def _table(counts: Counter[str]) -> str:
    """A line a class, but a line for all 32 shifts of a role."""
    lines = ["| class | cases |", "|---|---:|"]
    lines += [f"| {name} | {cases} |" for name, cases in counts.items() if not static_shift(name)]
    if any(map(static_shift, counts)):
        lines += ["", "Static shifts, where something is shifted by them:", ""]
        lines += [f"| shift | {' | '.join(map(str, SHIFTS))} |", f"|---|{'---:|' * len(SHIFTS)}"]
        for role in ROLES:
            of_role = [cases for name, cases in counts.items() if static_shift(name) and name.startswith(role)]
            lines.append(f"| {role} | {' | '.join(map(str, of_role))} |")
    return "\n".join(lines)
