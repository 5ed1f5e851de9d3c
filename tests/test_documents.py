"""The documents name nothing that is not there: links, files, names in the code, commands and their options."""

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from invoke import Collection
from invoke.loader import FilesystemLoader
from invoke.parser import ParserContext
from pages import (
    PAGES,
    README,
    RESULTS,
    anchors,
    code_spans,
    commands,
    links,
    name_of,
    python_blocks,
    read,
    sources,
)

from priot_hil.harness.devices import parse_devices
from priot_hil.harness.firmware import PRESETS
from priot_hil.harness.fuzz.campaign import TARGETS
from priot_hil.harness.options import Place
from priot_hil.harness.paths import ROOT
from priot_hil.reproductions.any_table import ALL, COST
from priot_hil.reproductions.experiment import tables
from priot_hil.reproductions.kills import BLOWS
from priot_hil.reproductions.networks import SUBJECTS

TEXTS = {
    "",
    ".py",
    ".c",
    ".h",
    ".S",
    ".ld",
    ".toml",
    ".json",
    ".cmake",
    ".txt",
    ".yml",
    ".resc",
    ".repl",
    ".html",
    ".js",
}
SUFFIXES = "py|c|h|md|toml|npz|json|jsonl|svg|html|txt|resc|repl|S|ld|uf2"
# A path as code: <...> stands for any name.
PATH = re.compile(rf"[\w.<>*-]*(?:/[\w.<>*-]+)+/?|[\w.<>*-]+/|[\w<>*-]+\.(?:{SUFFIXES})")
NAME = re.compile(r"[A-Za-z_]\w{2,}(?:\.\w+)*(?:\(\))?")
SHA256 = re.compile(r"[0-9a-f]{64}")
# What commands write, what a format and a device of the system are called, and other programs' names.
ELSEWHERE = re.compile(
    r"(failures|sessions|results|build|DIR|/dev)/.*|\./run|(priot-capsule)?/\d|tables/|index\.html|cost\.json"
    r"|NAME-(published\.md|earlier-1\.jsonl)|selftest-host\.md|bench-vgg11_step\.json"
)
OTHER_PROGRAMS = {"ser2net", "uucp"}


@pytest.fixture(params=PAGES, ids=name_of)
def page(request: pytest.FixtureRequest) -> Path:
    """Each page that is written by hand."""
    return Path(request.param)


def paths_in(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Paths that stand as code, each with the names that are said to be in it."""
    for span in code_spans(read(page)):
        path, _, names = span.partition(": ")
        if PATH.fullmatch(path) and not ELSEWHERE.fullmatch(path):
            yield path, [name for name in re.split(r", | and ", names) if name]


def files_of(path: str) -> list[str]:
    """The files that a path can mean: in full, or from some folder on."""
    pattern = re.sub(r"<[^>]*>", "*", path).rstrip("/")
    return [file for file in sources() if fnmatch(file, pattern) or fnmatch(file, f"*/{pattern}")]


def test_links_lead_somewhere(page: Path) -> None:
    """Each to a file that is there, and to a heading of it."""
    for target in links(read(page)):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        aim = (page.parent / file).resolve() if file else page
        assert aim.exists(), f"{name_of(page)}: {target}"
        if anchor:
            assert anchor in anchors(read(aim)), f"{name_of(page)}: {target}"


def test_links_of_the_made_pages_lead_somewhere() -> None:
    """Those under `docs/results`."""
    assert RESULTS
    for made in RESULTS:
        for target in links(read(made)):
            assert "://" in target or (made.parent / target.partition("#")[0]).exists(), f"{name_of(made)}: {target}"


def test_files_are_there(page: Path) -> None:
    """And in them what is said to be in them."""
    for path, names in paths_in(page):
        files = files_of(path)
        assert files, f"{name_of(page)}: {path}"
        for name in names:
            said = rf"\b{re.escape(name.rpartition('.')[2])}\b"
            assert any(re.search(said, read(file)) for file in files), f"{name_of(page)}: {path}: {name}"


@cache
def words() -> dict[str, frozenset[str]]:
    """The words of every source, those of its path among them."""
    found = {}
    for name in sources():
        path = ROOT / name
        is_text = path.is_file() and path.suffix in TEXTS
        text = path.read_text(encoding="utf-8", errors="replace") if is_text else ""
        found[name] = frozenset(re.findall(r"\w+", f"{name} {text}"))
    return found


def test_names_are_those_of_the_code(page: Path) -> None:
    """A name that stands as code is said somewhere in it, `Class.method` in one place; one that was renamed is not."""
    for span in code_spans(read(page)):
        if NAME.fullmatch(span) and not SHA256.fullmatch(span) and span not in OTHER_PROGRAMS:
            parts = set(re.findall(r"\w+", span))
            assert any(parts <= found for found in words().values()), f"{name_of(page)}: {span}"


@cache
def tasks() -> dict[str, ParserContext]:
    """What `invoke` takes: every task by its name, with its options."""
    module, _ = FilesystemLoader(start=str(ROOT)).load("tasks")
    return {str(context.name): context for context in Collection.from_module(module).to_contexts()}


# What an option's value has to be one of, for whichever task has the option.
CHOICES = {
    "table": {*tables(), COST, ALL},
    "network": set(SUBJECTS),
    "preset": set(PRESETS),
    "target": set(TARGETS),
    "how": set(BLOWS),
    "profile": {"default", "thorough"},
}


def test_tasks_and_their_options_are_there(page: Path) -> None:
    """Every `invoke` that a page shows is one that there is, and names tables, presets and files that there are."""
    for words_of in commands(read(page), "invoke"):
        shown = f"{name_of(page)}: {words_of}"
        if words_of[0].startswith("--"):
            continue
        task, *words = words_of
        assert task in tasks(), shown
        rest = iter(words)
        for word in rest:
            flag, _, value = word.partition("=")
            assert flag in tasks()[task].flags, shown
            option = tasks()[task].flags[flag]
            if option.takes_value:
                value = value or next(rest)
                check_value(str(option.name), option, value, shown)


def check_value(name: str, option: Any, value: str, shown: str) -> None:
    """See that a value is legal; of one that stands for any, in capitals or with <...>, nothing is known."""
    if value.isupper() or "<" in value:
        return
    if name in CHOICES:
        assert value in CHOICES[name], shown
    if name == "device":
        parse_devices(value)
    if not isinstance(option.declared.kind, Place):
        option.declared.kind.read(name, value)
    elif value.startswith(("docs/", "tests/")):
        assert value in sources(), shown


def test_pytest_s_options_and_paths_are_there(page: Path, pytestconfig: pytest.Config) -> None:
    """Every `pytest` that a page shows takes its options, and selects a test."""
    for arguments in commands(read(page), "pytest"):
        shown = f"{name_of(page)}: {arguments}"
        for option in (argument for argument in arguments if argument.startswith("-")):
            name, _, value = option.partition("=")
            pytestconfig.getoption(name)  # ValueError where there is none
            if name == "--device":
                parse_devices(value)
        paths = [argument for argument in arguments if argument.startswith("tests/")]
        assert all(path in sources() for path in paths), shown
        expression = arguments[arguments.index("-m") + 1] if "-m" in arguments else "not slow"
        assert any(selects(file, expression) for file in files_of_tests(paths or ["tests"])), shown


def files_of_tests(paths: list[str]) -> Iterator[str]:
    """The files of tests that these paths have."""
    for file in sources():
        is_within = any(f"{file}/".startswith(f"{path}/") for path in paths)
        if is_within and re.fullmatch(r"test_\w+\.py", file.rpartition("/")[2]):
            yield file


@cache
def selects(file: str, expression: str) -> bool:
    """Whether a file has a test that `-m slow`, or by default `-m "not slow"`, selects."""
    is_slow = re.compile(r"\bpytest\.mark\.slow\b")
    tree = ast.parse(read(file))
    assigned = {ast.unparse(node.targets[0]): node.value for node in tree.body if isinstance(node, ast.Assign)}
    marks = ast.unparse(assigned["pytestmark"]) if "pytestmark" in assigned else ""
    if is_slow.search(marks):
        return expression != "not slow"
    tests = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    slow = [any(is_slow.search(ast.unparse(mark)) for mark in test.decorator_list) for test in tests]
    return any(slow) if expression == "slow" else expression != "not slow" or not all(slow)


def test_options_are_some_command_s(page: Path, pytestconfig: pytest.Config) -> None:
    """An option that stands by itself is one of a task, or of pytest."""
    of_tasks = {flag for context in tasks().values() for flag in context.flags}
    for span in code_spans(read(page)):
        option = re.match(r"--[a-z][a-z-]*", span)
        if option and option[0] not in of_tasks:
            pytestconfig.getoption(option[0])  # ValueError where there is none


def test_extras_are_there(page: Path) -> None:
    """Those that a command asks for by `PRIOT_EXTRAS`."""
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    for asked in re.findall(r"PRIOT_EXTRAS=([\w,]+)", read(page)):
        assert set(asked.split(",")) <= set(extras), f"{name_of(page)}: {asked}"


def test_every_page_is_found_from_the_others() -> None:
    """The README and the page that holds all together link each page."""
    for index in (README, ROOT / "docs" / "how-it-fits.md"):
        linked = {(index.parent / target.partition("#")[0]).resolve() for target in links(read(index))}
        missing = [name_of(each) for each in PAGES if each.parent == ROOT / "docs" and each not in {*linked, index}]
        assert not missing, f"{name_of(index)} lacks {missing}"


@pytest.mark.parametrize("page", [page for page in PAGES if python_blocks(read(page))], ids=name_of)
def test_code_that_is_shown_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each block of Python; of one that has a name to be filled in, what it imports."""
    monkeypatch.chdir(tmp_path)
    for block in python_blocks(read(page)):
        code = ast.parse(block)
        for node in ast.walk(code):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(str(node.module))
                assert all(hasattr(module, alias.name) for alias in node.names)
        if "<id>" not in block:
            exec(compile(code, name_of(page), "exec"), {"pytest": pytest})
