"""The report's page: everything that the records say, nothing from elsewhere, the same bytes each time."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError
from priot_hil.reproductions import report
from priot_hil.reproductions.chain import linked
from priot_hil.reproductions.cost.records import read_record
from priot_hil.reproductions.cost.report import tables as cost_tables
from priot_hil.reproductions.page import chapters, curves, render, runs
from priot_hil.reproductions.page.chapters import Chapter
from priot_hil.reproductions.page.make import report as write_report
from priot_hil.reproductions.page.sections import Fold, Grid, Heat, HeatMap, Linked, Section
from priot_hil.reproductions.plan import plan
from priot_hil.reproductions.probe import Counts
from priot_hil.reproductions.records import EpochRecord, RunRecord
from priot_hil.reproductions.table import Table, cell_of

HOSTILE = "<b onclick=\"x\">PRIOT</b> & 'co' | $1 100 % #_{~^} \\ [*]"
TOTALS = Counts(*[(10, 10)] * 6)
MADE = {"git": {"commit": "c0ffee" * 7, "is_dirty": True}, "packages": {"numpy": "9.9.9"}, "engines": {}}
VOID = {"meta", "link", "br"}


class Reader(HTMLParser):
    """Takes a page apart, and sees that its elements close in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text, self.cells = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        """An element opens."""
        self.elements.append((tag, dict(attributes)))
        if tag in ("td", "th"):
            self.cells.append([])
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        """An element without content."""
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        """An element closes."""
        assert self.open.pop() == tag

    def handle_data(self, data):
        """Text."""
        self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.cells[-1].append(data)

    def values(self, name):
        """All values of an attribute."""
        return [attributes[name] for _, attributes in self.elements if name in attributes]


def record(run, epochs):
    """A record with other numbers for each run."""
    counts = Counts(*[(1, 2)] * 6)
    right = [(7 * run.seed + 3 * i + len(run.row.name) + run.angle) % 9 for i in range(epochs + 1)]
    told = tuple(EpochRecord(i, count, count if i else None, i, 5 * i, None, counts) for i, count in enumerate(right))
    data = {"mnist_sha256": {"x_train": f"{run.seed:064x}"}, "drawn_sha256": f"{run.angle:064x}"}
    return RunRecord(run.key, run.description(), data, (MADE,), None, 50, TOTALS, told)


@pytest.fixture(scope="module")
def table(experiment):
    """Three rows, one with a name that means harm, at two angles; a run of that row is missing."""
    rows = [row for row in experiment.rows if row.name in ("before transfer", "static NITI", "PRIOT")]
    rows[2] = replace(rows[2], name=HOSTILE)
    claim = replace(experiment.claims[0], rows=(HOSTILE,))
    small = replace(
        experiment, title=f"A {HOSTILE}", rows=tuple(rows), seeds=(10, 11), angles=(30, 45), claims=(claim,)
    )
    runs = plan(small, "host", "emulator", {"float": "ab" * 32}, "cd" * 32)
    records = [record(run, run.epochs) for run in runs]
    return Table(small, "host", {cell_of(each): each for each in records[:-1]})


@pytest.fixture(scope="module")
def chapter(table):
    """What it has to say, with two quantities as curves."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(curves, "CURVES", curves.CURVES[:2])
        sections = chapters.sections_of(table, "a folder/accuracy.jsonl")
    hashed = linked(table.entries())[-1].sha256
    return Chapter("accuracy", table.experiment.title, "a folder/accuracy.jsonl", "n runs", "last", hashed, sections)


@pytest.fixture(scope="module")
def page(chapter):
    """The page."""
    return render.page([chapter], ["One file is left out."])


@pytest.fixture(scope="module")
def read(page):
    """The page, taken apart."""
    return Reader(page)


def test_the_page_asks_for_nothing(page, read):
    """No address but those within it, and nothing that a browser would load."""
    assert not read.open
    assert all(value.startswith(("#", "data:,")) for name in ("href", "src") for value in read.values(name))
    assert not {"img", "iframe", "object", "base", "form"} & {tag for tag, _ in read.elements}
    assert not [value for value in read.values("http-equiv") if value != "Content-Security-Policy"]
    assert "default-src 'none'" in " ".join(filter(None, read.values("content")))
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page)


def test_addresses_are_unique_and_lead_somewhere(page, read):
    """Every id once; every link, label and reference of a picture to one that is there."""
    ids = read.values("id")
    assert len(ids) == len(set(ids))
    used = [value[1:] for value in read.values("href") if value.startswith("#")]
    used += [*read.values("aria-labelledby"), *re.findall(r"url\(#([^)]*)\)", page)]
    assert set(used) <= set(ids)
    with pytest.raises(ValueError, match="given twice: \\['a'\\]"):
        render.check_addresses('<p id="a"></p><p id="a"></p>')
    with pytest.raises(ValueError, match="lead nowhere: \\['b'\\]"):
        render.check_addresses('<a id="a" href="#b"></a>')


def test_all_runs_are_there(table, page, read):
    """Each with its key, the hash of its record, its numbers, and the cell that verifies it."""
    cells = {"".join(cell) for cell in read.cells}
    text = "".join(read.text)
    for line in linked(table.entries())[1:]:
        assert {line.sha256, line.entry.body["key"]} <= cells
    for cell, each in table.records.items():
        assert {f"{each.best:.1f}", f"{each.last:.1f}", each.data["drawn_sha256"]} <= cells
        assert each.data["mnist_sha256"]["x_train"] in text
        assert f",{cell.angle},{cell.seed}" in text
    assert "./run invoke verify --records 'a folder/accuracy.jsonl' \\\n    --cell 'static NITI,30,10' \\\n" in text
    for fact in ("ab" * 32, "cd" * 32, "c0ffee" * 7, "9.9.9", "tracked files differ from it"):
        assert fact in text
    assert linked(table.entries())[-1].sha256 in cells
    assert "1 of 12 runs have not been made" in text
    assert "One file is left out." in text


def test_the_table_s_figures_are_the_report_s(table, chapter, read):
    """Every cell of the Markdown page, in order, each leading to the runs of its row and angle."""
    told = [cell.replace("\n", "") for row in report.body(table) for cell in row]
    shown = ["".join(cell) for cell in read.cells]
    assert any(shown[at : at + len(told)] == told for at in range(len(shown)))
    grid = chapter.sections[0].parts[0]
    assert grid.full_columns == report.header(table.experiment)
    assert [cell.to for cell in grid.rows[1] if isinstance(cell, Linked)] == ["runs-2-at-30"] * 3 + ["runs-2-at-45"] * 3
    assert grid.rows[2][4:7] == tuple(Linked("not run", "runs-3-at-45") for _ in range(3))


def test_names_are_escaped(page, read):
    """What a name says is shown, and nothing of it is markup."""
    assert HOSTILE in "".join(read.text)
    assert "<b" not in re.sub(r"<(body|button)", "", page)
    assert not [name for _, attributes in read.elements for name in attributes if name.startswith("on")]


def test_tables_have_headings_and_pictures_descriptions(chapter, read):
    """Every heading of a table says of what; every picture is told in words, its numbers among them."""
    assert all("scope" in attributes for tag, attributes in read.elements if tag == "th")
    told = [attributes["aria-label"] for _, attributes in read.elements if attributes.get("role") == "img"]
    assert len(told) == 4  # two rows that train, two quantities
    assert all(re.search(r"30°: from \d+\.\d % at epoch 0", each) for each in told if "test accuracy" in each)
    assert sum("45°: not run." in each for each in told) == 2
    assert [attributes for tag, attributes in read.elements if tag == "html"] == [{"lang": "en"}]
    assert {"header", "nav", "main"} <= {tag for tag, _ in read.elements}


def test_the_same_records_give_the_same_bytes(table, chapter, page, monkeypatch):
    """The pictures' among them; another number gives others."""
    monkeypatch.setattr(curves, "CURVES", curves.CURVES[:2])
    again = replace(chapter, sections=chapters.sections_of(table, chapter.name))
    assert render.page([again], ["One file is left out."]) == page
    cell, first = next(iter(table.records.items()))
    other = replace(first, epochs=(replace(first.epochs[0], test_correct=8),))
    changed = replace(table, records={**table.records, cell: other})
    assert report.body(changed) != report.body(table)


def test_two_files_on_one_page(chapter):
    """Each part has an address of its own, though both have the same parts."""
    keys = chapters.keys([ROOT / "a" / "accuracy.jsonl", ROOT / "b" / "accuracy.jsonl", ROOT / "Files.jsonl"])
    assert list(keys) == ["accuracy", "accuracy-2", "files-2"]
    read = Reader(render.page([replace(chapter, key=key) for key in keys], []))
    assert len(read.values("id")) == len(set(read.values("id")))


def test_many_cells_are_folded_once_more(table, monkeypatch):
    """Else a study of hundreds of settings would be a page of nothing but their names."""
    monkeypatch.setattr(runs, "MANY", 5)
    (_, fold) = runs.runs_section(table, "f").parts
    assert [part.key for part in fold.parts] == [f"runs-{row}-at-{angle}" for row in (1, 2, 3) for angle in (30, 45)]
    monkeypatch.setattr(runs, "MANY", 6)
    assert runs.runs_section(table, "f").parts[1:] == fold.parts


def test_a_heat_map_is_coloured_by_its_values():
    """From one end to the other, or from the middle to both; what was not run has no colour."""
    heat = Heat(95.0, "95.0\n± 1.0", "why")
    single = HeatMap("map", "A map", "mu", "theta", ("5",), ("-64", "0"), ((heat, None),), 90, 100, unit="%")
    assert [single.shade(value) for value in (80, 90, 95, 100, 110)] == [0, 0, 0.5, 1, 1]
    double = replace(single, low=-10, high=20, middle=0)
    assert [double.shade(value) for value in (-20, -5, 0, 5, 20)] == [-1, -0.5, 0, 0.25, 1]
    why = Grid("other", "Why", ("a", "b"), (("1", "2"),), is_exported=False)
    section = Section("s", "S", (single, Fold("why", "Why", (why,))))
    page = render.page([Chapter("c", "C", "f", "r", "h", "0" * 64, (section,))], [])
    assert '<td class="high" style="--shade: 50%"><a href="#c.why">' in page
    assert '<td class="none">not run</td>' in page


@pytest.mark.parametrize("change", [{"rows": (("1",),)}, {"align": "lrr"}, {"groups": (("g", 3),)}])
def test_a_table_that_does_not_fit_together_is_refused(change):
    """Rows, letters or groups of other lengths than the columns."""
    with pytest.raises(ValueError, match=r"^key: "):
        replace(Grid("key", "T", ("a", "b"), (("1", "2"),)), **change)


def test_costs(tmp_path, monkeypatch):
    """Every cell of every table of costs is on the page, and a picture for all layers and for each."""
    file = ROOT / "docs" / "results" / "cost.json"
    said = []
    write_report([file], tmp_path, say=said.append)
    read = Reader((tmp_path / "index.html").read_text(encoding="utf-8"))
    shown = ["".join(cell) for cell in read.cells]
    cost = read_record(file)
    for _, (_, *rows) in cost_tables(cost):
        told = [cell.strip("*") for row in rows for cell in row]
        assert any(shown[at : at + len(told)] == told for at in range(len(shown)))
    assert (tmp_path / "tables" / "cost-steps.md").exists()
    assert len([role for role in read.values("role") if role == "img"]) == 2 * (len(cost.layers) + 1)
    assert said[-1].startswith(f"Written: {tmp_path / 'index.html'}")
    assert len(list((tmp_path / "tables").glob("*.tex"))) == len(cost_tables(cost))


def test_what_is_reported_on(table, tmp_path):
    """Folders give what is known in them, and name what is of an older format; a file named must be known."""
    old, cost, other = (tmp_path / name for name in ("accuracy.jsonl", "cost.json", "bench.json"))
    old.write_text('{"format": "priot-run/1"}\n{"format": "priot-run/1"}\n')
    cost.write_text('{"format": "priot-cost/1"}\n')
    other.write_text("{}")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "cost.json").write_text('{"format": "priot-cost/1"}\n')
    table.write(tmp_path / "mine" / "accuracy-quick.jsonl")
    chosen = chapters.choose([], tmp_path)
    assert chosen.files == (tmp_path / "mine" / "accuracy-quick.jsonl", cost)
    (sentence,) = chosen.left_out
    assert sentence.startswith(f"{old} is left out: its format is priot-run/1, expected priot-table/2 or priot-cost/1;")
    assert chapters.choose([cost, tmp_path / "mine"]).files == (cost, tmp_path / "mine" / "accuracy-quick.jsonl")
    for path, got in ((old, "got priot-run/1;"), (other, "got no format;"), (tmp_path / "none", "No such file")):
        with pytest.raises(InputError, match=got):
            chapters.choose([path])
    old.write_text('{"format": ')
    with pytest.raises(InputError, match=r"accuracy.jsonl: expected priot-table/2 or priot-cost/1, got no JSON: EOF"):
        chapters.choose([], tmp_path)
    for text, got in (("[" * 100_000, "recursion limit"), ('{"format": 1, "format": 2}', "twice in one object")):
        old.write_text(text)
        with pytest.raises(InputError, match=f"accuracy.jsonl: expected .*, got no JSON: .*{got}"):
            chapters.choose([old])
    old.write_text('{"format": "a\\nb"}')
    with pytest.raises(InputError, match=r"got 'a\\nb';"):
        chapters.choose([old])
    (tmp_path / "only" / "old").mkdir(parents=True)
    (tmp_path / "only" / "old" / "cost.json").write_text('{"format": "priot-cost/0"}')
    with pytest.raises(InputError, match=r"records: expected files of .* in .*only, got .*cost.json is left out"):
        chapters.choose([tmp_path / "only"])


def test_a_damaged_file_is_refused(table, tmp_path):
    """Nothing is written."""
    path = tmp_path / "accuracy.jsonl"
    table.write(path)
    path.write_text(path.read_text(encoding="utf-8").replace('"test_correct": 1', '"test_correct": 2', 1), "utf-8")
    with pytest.raises(InputError, match="unbroken chain"):
        write_report([path], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def luminance(colour):
    """WCAG's relative luminance of #rrggbb."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_colours_stand_out(theme):
    """WCAG 2.1, AA: 4.5 to 1 for text, on heat maps too, and 3 to 1 for what is drawn."""
    style = (render.FOLDER / "page.css").read_text(encoding="utf-8")
    pairs = dict(re.findall(r"--([\w-]+): light-dark\((#\w{6}, #\w{6})\)", style))
    colours = {name: luminance(pair.split(", ")[theme]) for name, pair in pairs.items()}

    def contrast(one, other):
        low, high = sorted((colours[one], colours[other]))
        return (high + 0.05) / (low + 0.05)

    assert min(contrast(text, "paper") for text in ("ink", "quiet", "link")) >= 4.5
    assert min(contrast("ink", end) for end in ("high", "low")) >= 4.5
    assert min(contrast(f"series-{number}", "paper") for number in range(1, 7)) >= 3
