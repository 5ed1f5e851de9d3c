"""Pages, pictures and the README's table, made from the records that are committed in `docs/results`."""

import re
from collections.abc import Callable
from pathlib import Path

from priot_hil.harness.files import write_aside
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

from . import report, reports
from .page.chapters import format_of
from .table import FORMAT, Table, read_table

BEGIN, END = "<!-- made from docs/results/{}, see docs/tables.md -->", "<!-- end -->"


def publish(records: Path | None = None, root: Path = ROOT, say: Callable[[str], None] = print) -> None:
    """Take a table over into `docs/results`, and make everything that is made from the tables there.

    Args:
        records: The new table's file; None to make the pages of those that are there anew.
        root: The checkout.
        say: Told of each file written.

    Raises:
        InputError: The file is no table that may be published, or matplotlib is missing.
    """
    folder = root / "docs" / "results"
    made: dict[Path, bytes | str] = {}
    tables = {path: read_table(path) for path in published_tables(folder)}
    if records is not None:
        table = read_table(records)
        check_publishable(table, records)
        path = folder / f"{table.experiment.table}.jsonl"
        made[path], tables[path] = records.read_bytes(), table
    readme = root / "README.md"
    made[readme] = readme.read_text(encoding="utf-8")
    for path, table in tables.items():
        made[folder / picture_name(table)] = reports.svg(table)
        made[path.with_suffix(".md")] = page(table, path)
        made[readme] = with_table(str(made[readme]), table, path.name)
    for file, content in made.items():
        write_aside(file, content)
        say(f"Written: {file.relative_to(root)}")


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
