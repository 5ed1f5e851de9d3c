"""`report`: one page with everything, and its tables as files beside it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from priot_hil.harness.files import write_aside
from priot_hil.harness.output_kinds import REPORT_PAGE, REPORT_TABLE
from priot_hil.harness.outputs import check_file, check_folder
from priot_hil.harness.progress import counted, shown

from .chapters import RESULTS, choose, keys, read_chapter
from .render import page
from .tables import files

OUT = Path("results") / "report"


def report(
    records: Sequence[Path] = (), out: Path = OUT, published: Path = RESULTS, say: Callable[[str], None] = print
) -> None:
    """Write the page ``index.html``, and its tables as Markdown and LaTeX into ``tables/``.

    Args:
        records: Files of records, and folders with some; none for the published ones.
        out: Folder of the page.
        published: Where these are.
        say: Told of each file left out, and of what was written.

    Raises:
        InputError: A file is missing, damaged or of no known format; or the folder cannot be written, or has another
            file where one of the report would be.
    """
    check_file(out / "index.html", REPORT_PAGE)
    check_folder(out / "tables")
    chosen = choose(records, published)
    for sentence in chosen.left_out:
        say(sentence)
    chapters = []
    sizes = {path: path.stat().st_size for path in chosen.files}
    with shown(counted("records read and drawn", sum(sizes.values()), unit="bytes")) as work:
        for key, path in keys(chosen.files).items():
            chapters.append(read_chapter(path, key))
            say(f"{chapters[-1].name}: {chapters[-1].records}")
            work.advance(sizes[path])
    made = {out / "tables" / name: text for name, text in files(chapters).items()}
    made[out / "index.html"] = page(chapters, chosen.left_out)
    for path in made:
        check_file(path, REPORT_PAGE if path.suffix == ".html" else REPORT_TABLE)
    for path, text in made.items():
        write_aside(path, text)
    say(f"Written: {out / 'index.html'}, and {len(made) - 1} tables as Markdown and LaTeX in {out / 'tables'}")
