"""Pages, pictures and the README's table, made from the records that are committed in `docs/results`."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from priot_hil.harness import output_kinds as kinds
from priot_hil.harness.files import write_aside
from priot_hil.harness.mutation import report as mutation
from priot_hil.harness.mutation.records import arguments
from priot_hil.harness.outputs import FileKind
from priot_hil.harness.paths import ROOT
from priot_hil.harness.progress import Part, Work, shown
from priot_hil.reference.errors import InputError

from . import report, reports
from .cost import report as cost_report
from .cost.records import read_record
from .page.chapters import format_of
from .table import FORMAT, Table, read_table

BEGIN, END = "<!-- made from docs/results/{}, see docs/tables.md -->", "<!-- end -->"


# Reports by their names in `docs/results`; the first name that a file's own begins with is the one that it takes.
REPORTS: dict[str, FileKind] = {
    "coverage.md": kinds.COVERAGE,
    "classes.md": kinds.CLASSES,
    "selftest.md": kinds.SELFTEST,
    "mutation.json": kinds.MUTATION_RECORDS,
    "bench-vgg11.json": kinds.BENCH,
    "bench.json": kinds.BENCH,
    "cost.json": kinds.COST_RECORDS,
}


def publish(
    records: Path | None = None,
    taken: Sequence[Path] = (),
    root: Path = ROOT,
    say: Callable[[str], None] = print,
) -> None:
    """Take a table and reports over into `docs/results`, and make everything that is made from what is there.

    Args:
        records: The new table's file; None to make the pages of those that are there anew.
        taken: Reports, of the kinds in `REPORTS`; the page of a JSON file is made from it.
        root: The checkout.
        say: Told of each file written.

    Raises:
        InputError: The file is no table that may be published, or a report is of no kind that is.
    """
    folder = root / "docs" / "results"
    made: dict[Path, bytes | str] = {}
    for path in taken:
        made |= report_files(path, folder)
    new: dict[Path, Table] = {}
    if records is not None:
        table = read_table(records)
        check_publishable(table, records)
        path = folder / f"{table.experiment.table}.jsonl"
        made[path], new[path] = records.read_bytes(), table
    tables = {path: read_table(path) for path in published_tables(folder) if path not in new} | new
    readme = root / "README.md"
    made[readme] = readme.read_text(encoding="utf-8")
    parts = {path: Part(1, kind=path, weight=len(table.records)) for path, table in tables.items()}
    with shown(Work("tables drawn", parts)) as work:
        for path, table in tables.items():
            made[folder / picture_name(table)] = reports.svg(table)
            made[path.with_suffix(".md")] = page(table, path)
            made[readme] = with_table(str(made[readme]), table, path.name)
            work.advance(name=path)
    for file, content in made.items():
        write_aside(file, content)
        say(f"Written: {file.relative_to(root)}")


def report_files(path: Path, folder: Path) -> dict[Path, bytes | str]:
    """What is written where a report is taken over: itself, and for records their page.

    Raises:
        InputError: It cannot be read, or is of no kind that is published.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _no_report(path, str(error)) from error
    found = [name for name, kind in REPORTS.items() if kind.is_one(text)]
    name = next((each for each in found if path.stem.startswith(Path(each).stem)), None)
    if name is None:
        raise _no_report(path, "another name" if found else "another file")
    made: dict[Path, bytes | str] = {folder / name: content}
    if name == "mutation.json":
        made[folder / mutation.TABLE] = mutation.render(mutation.read_campaigns(path), arguments)
    elif name == "cost.json":
        made[folder / "cost.md"] = cost_report.markdown(read_record(path))
    return made


def _no_report(path: Path, got: str) -> InputError:
    expected = f"a report that begins as its kind does, called {', '.join(REPORTS)} or, behind that, more"
    return InputError.about(f"{path}", expected=expected, got=got, do="name a file that a command has written")


def check_publishable(table: Table, path: Path) -> None:
    """Refuse a table in its short form, and one of which a run is missing unless it is made row by row.

    Raises:
        InputError: It may not be published.
    """
    experiment = table.experiment
    got = "one in its short form" if experiment.quick else f"{len(table.records)} of {len(table.cells)} runs"
    if experiment.quick or (len(table.records) < len(table.cells) and not experiment.row_by_row):
        do = "give `invoke reproduce` without --quick, until it ends"
        raise InputError.about(f"{path}", expected="a whole table", got=got, do=do)


def published_tables(folder: Path) -> list[Path]:
    """The files of a folder that hold tables of this form.

    Raises:
        InputError: One does not even say what it holds.
    """
    return [path for path in sorted(folder.glob("*.jsonl")) if format_of(path) == FORMAT]


def picture_name(table: Table) -> str:
    """The name of a table's picture."""
    return f"{table.experiment.table}-{reports.shown(table).split()[-1]}.svg"


def page(table: Table, path: Path) -> str:
    """A table's page, with its picture."""
    return f"{reports.markdown(table, path.name)}\n![{reports.shown(table)}]({picture_name(table)})\n"


def with_table(text: str, table: Table, name: str) -> str:
    """A text with the table's lines between the two marks that name its file; a text without them stays as it is."""
    begin = BEGIN.format(name)
    lines = "\n".join(report.table_lines(table))
    pattern = f"{re.escape(begin)}\n.*?{re.escape(END)}"
    return re.sub(pattern, lambda _: f"{begin}\n\n{lines}\n\n{END}", text, flags=re.DOTALL)
