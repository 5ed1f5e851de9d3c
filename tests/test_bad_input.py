"""Whatever a user types for any option of any task: one sentence, status 2, and nothing has been started by then."""

import inspect
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from invoke.collection import Collection
from invoke.program import Program

from priot_hil.harness.command_line import Command, Declared
from priot_hil.harness.options import Existing, OneOf, Place, Text, Whole
from priot_hil.harness.paths import ROOT

TABLE = ROOT / "docs" / "results" / "accuracy.jsonl"
NO_NUMBERS = (
    *("abc", "", " ", "1e3", "1_000", " 5", "5 ", "1.0", "0x10", "٣", "²", "+", "-", "+5", "--5", "5-", "1,000"),
    *("nan", "inf", "None", "5\n", "5\n6", "five"),
)
NO_TEXTS = ("", " ", "a\nb", "a\n", "\t", "a\x1b[31m", "\u2028")
# What else a task has to be given, so that all that is wrong is the option that is tried.
NEEDED: dict[str, tuple[str, ...]] = {
    "verify": ("--records", str(TABLE)),
    "curves": ("--records", str(TABLE)),
    "pretrain": ("--way", "niti"),
    "bisect": ("--device", "emulator"),
    "run-epochs": ("--device", "process"),
}
# Names that only the task itself can judge; each refuses a name that it does not know.
NAMED = ("a device's name", "devices with commas", "ports with commas", "a port's name")


def tasks() -> dict[str, Command]:
    """All tasks, by name."""
    module = runpy.run_path(str(ROOT / "tasks.py"))  # invoke's loader would leave the checkout's root on the path
    return {str(task.name): task for task in module.values() if isinstance(task, Command)}


TASKS = tasks()
OPTIONS = [
    (name, option.replace("_", "-"), each) for name, task in TASKS.items() for option, each in task.declared.items()
]
VALUED = [(name, option, each) for name, option, each in OPTIONS if each.kind is not None]
IDS = [f"{name} --{option}" for name, option, _ in VALUED]


@pytest.fixture(autouse=True)
def nothing_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In an empty folder, that stays as it is; a process that is started, or a fetch, fails the test."""

    def started(*arguments: object, **_: object) -> None:
        raise AssertionError(f"work has started: {arguments}")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)  # invoke sets it
    monkeypatch.setattr(subprocess.Popen, "__init__", started)
    monkeypatch.setattr("urllib.request.urlopen", started)
    monkeypatch.setattr("priot_hil.reproductions.data.load_images", started)
    monkeypatch.setattr("priot_hil.reproductions.publish.write_aside", started)
    monkeypatch.setattr("priot_hil.reproductions.page.make.write_aside", started)
    before = status_of_checkout()
    yield
    assert status_of_checkout() == before


def status_of_checkout() -> list[tuple[str, int]]:
    """What a task could overwrite: files of the checkout's own folder and of its results."""
    folders = (ROOT, ROOT / "docs" / "results")
    files = [path for folder in folders for path in folder.iterdir() if path.is_file()]  # folders others may write into
    return sorted((str(path), path.stat().st_mtime_ns) for path in files)


def run(*arguments: str) -> None:
    """Run invoke in this process, with the task that is named alone: it copies every option of every task it knows."""
    named = [TASKS[each] for each in arguments if each in TASKS]
    Program(binary="invoke", namespace=Collection(*named or TASKS.values())).run(["invoke", *arguments])


class Refusal:
    """Runs tasks in this process, each of which has to refuse what it is given."""

    def __init__(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capsys, self._folder = capsys, folder

    def __call__(self, *arguments: str) -> str:
        """The one sentence of a refusal."""
        here = sorted(self._folder.rglob("*"))
        with pytest.raises(SystemExit) as end:
            run(*arguments)
        out, err = self._capsys.readouterr()
        assert (end.value.code, out) == (2, ""), (arguments, err)
        assert err.startswith("error: "), arguments
        assert err.endswith(".\n"), (arguments, err)
        assert len(err.splitlines()) == 1, arguments
        assert len(err) < 1000, arguments
        assert sorted(self._folder.rglob("*")) == here, arguments
        return err


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Refusal:
    """See `Refusal`."""
    return Refusal(capsys, tmp_path)


def given(task: str, option: str, value: str) -> tuple[str, ...]:
    """A command line that is right but for one value."""
    needed = NEEDED.get(task, ())
    if f"--{option}" in needed:
        needed = ()
    return (task, f"--{option}", value, *needed)


def bad_texts(declared: Declared) -> tuple[str, ...]:
    """Texts that are none of a kind, whatever lies on the disk."""
    match declared.kind:
        case Whole(low, high):
            beyond = (low - 1, high + 1, 10**30, -(10**30), 10**5000, 2**63, 2**64)
            return (*NO_NUMBERS, *(f"{'-' * (n < 0)}1{'0' * 5000}" if n == 10**5000 else str(n) for n in beyond))
        case OneOf() as kind:
            return (*NO_TEXTS, "nosuch", kind.names[0].upper(), f"{kind.names[0]} ", f" {kind.names[0]}", "0", ",")
        case _:
            return NO_TEXTS


@pytest.mark.parametrize(("task", "option", "declared"), VALUED, ids=IDS)
def test_no_text_is_taken_that_is_no_value(task: str, option: str, declared: Declared, refusal: Refusal) -> None:
    """Whatever the kind: the option, what it expects and what it got are named; `=` or a space, it is the same."""
    for text in bad_texts(declared):
        said = refusal(*given(task, option, text))
        assert f"--{option}: expected " in said
        assert declared.kind is not None
        assert declared.kind.legal in said
    assert refusal(task, f"--{option}={text}", *NEEDED.get(task, ())) == said


@pytest.mark.parametrize(("task", "option", "declared"), VALUED, ids=IDS)
def test_ends_of_ranges_and_defaults_are_legal(task: str, option: str, declared: Declared) -> None:
    """Of numbers both ends, of names each, and what stands for an option that is left out."""
    kind, default = declared.kind, declared.default
    legal: list[object] = [] if default in (None, [], inspect.Parameter.empty) else [default]
    match kind:
        case Whole(low, high):
            legal += [low, high]
        case OneOf():
            legal += kind.names
        case _:
            legal += ["a", "a" * 4000, "with a space, and more"]
            kind = Text("a text")
    for value in legal:
        assert kind.read(f"--{option}", str(value)) == (value if isinstance(value, int) else str(value))


NAMES = [(task, option, each) for task, option, each in VALUED if type(each.kind) is Text]


def named(value: object) -> str:
    """The part of a test's id."""
    return value if isinstance(value, str) else ""


@pytest.mark.parametrize(("task", "option", "declared"), NAMES, ids=named)
def test_an_unknown_name_is_refused(task: str, option: str, declared: Declared, refusal: Refusal) -> None:
    """By whoever knows the names: tables, rows, networks, devices, parts, presets, bugs, mutants, addresses."""
    if (task, option) == ("mutate", "only"):
        pytest.importorskip("tree_sitter")
    device = declared.kind is not None and declared.kind.legal in NAMED
    absent = ["replay:no such file"] if device else []
    absent += ["/dev/nosuch"] if device and task != "devices" else []  # which lists it, and says what is wrong with it
    for name in ("nosuch", "nosuch,nosuch", "../nosuch", "9" * 300, *absent):
        refusal(*given(task, option, name))


def misplaced(folder: Path, is_folder: bool) -> Iterator[str]:
    """Paths of which nothing can be read, and where nothing can be written."""
    (folder / "file").write_text("somebody else's\n")
    (folder / "folder").mkdir(exist_ok=True)
    yield str(folder / "file" / "below")
    yield "/dev/null"
    yield "/dev/null/below"
    yield "/proc/nosuch/below"
    yield str(folder / ("n" * 300))
    yield str(folder / ("n" * 5000))
    if is_folder:
        yield str(folder / "file")
    else:
        yield str(folder / "folder")


INPUTS = [(task, option, each.kind) for task, option, each in VALUED if isinstance(each.kind, Existing)]
OUTPUTS = [(task, option) for task, option, each in VALUED if type(each.kind) is Place]
FOLDERS = {("reproduce", "out"), ("report", "out"), ("bisect", "out"), ("mutate", "report"), ("flash", "drive")}


@pytest.mark.parametrize(("task", "option", "kind"), INPUTS, ids=named)
def test_a_file_that_cannot_be_read(task: str, option: str, kind: Existing, refusal: Refusal, tmp_path: Path) -> None:
    """Missing, a folder, a device, below a file, with a name that no file can have; or with nothing known in it."""
    nothing = tmp_path / "nothing"
    nothing.write_bytes(b"")
    noise = tmp_path / "noise"
    noise.write_bytes(bytes(range(256)))
    for path in (str(tmp_path / "missing"), *misplaced(tmp_path, kind.or_folder), str(nothing), str(noise)):
        if not (kind.or_folder and path == str(tmp_path / "file")):
            refusal(*given(task, option, path))


@pytest.mark.parametrize(("task", "option"), OUTPUTS, ids=lambda value: value)
def test_an_output_that_cannot_be_written(task: str, option: str, refusal: Refusal, tmp_path: Path) -> None:
    """Found before the work; a file that the command has not written stays as it is."""
    whole = [(), ("--classes",)] if task == "coverage" else [()]
    is_folder = (task, option) in FOLDERS
    sources = () if is_folder else (str(ROOT / "README.md"), str(ROOT / "tasks.py"))
    for path in (*misplaced(tmp_path, is_folder), *sources):
        for more in whole:
            refusal(*given(task, option, path), *more)
    assert (tmp_path / "file").read_text() == "somebody else's\n"


WRITTEN = [("reproduce", "out", "accuracy.jsonl"), ("reproduce", "out", "accuracy.md"), ("report", "out", "index.html")]


@pytest.mark.parametrize(("task", "option", "name"), WRITTEN)
def test_a_folder_with_somebody_else_s_file(
    task: str, option: str, name: str, refusal: Refusal, tmp_path: Path
) -> None:
    """Where a file of the command's would be: it stays."""
    (tmp_path / name).write_text("somebody else's\n")
    assert name in refusal(task, f"--{option}", str(tmp_path))
    assert (tmp_path / name).read_text() == "somebody else's\n"


ADDRESSES = (
    *("foo", "tls://", "tcp://", "tcp://host", "tcp://host:", "tcp://:8786", "tcp://host:port", "tcp://host:port:1"),
    *(
        "ucx://host:1",
        "ws://host:1",
        "http://host:1",
        "inproc://1",
        "tcp://host:99999",
        "tcp://host:0",
        "tcp://host:-1",
    ),
    *(
        "tcp:host:1",
        "tcp//host:1",
        "tcp://ho st:1",
        "tcp://host:1/",
        "tcp://host:1 ",
        "host",
        ":1",
        "tls://host:1",
        "://",
    ),
)


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_scheduler_s_address(address: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused by its form; tls:// where no certificates are named."""
    monkeypatch.delenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", raising=False)
    assert "scheduler" in refusal("reproduce", "--scheduler", address)
    assert "scheduler" in refusal("reproduce", "--table", "all", "--quick", "--scheduler", address)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(task: str, flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Behind the task, before it, and where a value or a required option is missing: every option with its range."""
    lines = [[flag, task], [task, flag], [task, *NEEDED.get(task, ()), flag]]
    lines += [[task, f"--{option}", flag] for name, option, _ in VALUED if name == task]
    texts = set()
    for arguments in lines:
        with pytest.raises(SystemExit) as end:
            run(*arguments)
        out, err = capsys.readouterr()
        assert (end.value.code or 0, err) == (0, ""), arguments
        texts.add(out)
    (text,) = texts
    assert f"{task} " in text.splitlines()[0]
    flat = " ".join(text.split())
    for name, option, each in OPTIONS:
        if name == task:
            assert f"--{option}" in text
            if isinstance(each.kind, Whole):
                assert each.kind.legal in flat


@pytest.mark.parametrize("task", TASKS)
def test_unknown_options_and_flags_with_values(task: str, refusal: Refusal) -> None:
    """Of every task; `-x` too, and where a required option is missing."""
    for arguments in (["--nosuch"], ["--nosuch=1"], ["--nosuch", "1"], ["-Z"], ["-Z1"], ["--No-such"]):
        assert "No idea what" in refusal(task, *arguments)
    for name, option, each in OPTIONS:
        if name == task and each.kind is None:
            assert "No idea what" in refusal(task, *NEEDED.get(task, ()), f"--{option}=maybe")
        elif name == task:
            assert f"--{option} needed value" in refusal(task, f"--{option}")
            if each.is_list:
                given_once = (f"--{option}", str(TABLE) if isinstance(each.kind, Existing) else "a")
                assert f"--{option} needed value" in refusal(task, *given_once, f"--{option}")


@pytest.mark.parametrize(
    "arguments", [["--help", "nosuch"], ["nosuch"], ["--nosuch"], ["bench", "--list-depth", "abc"]]
)
def test_what_is_no_task(arguments: list[str], refusal: Refusal) -> None:
    """Unknown names, and one of invoke's own numbers."""
    refusal(*arguments)


@pytest.mark.parametrize(
    ("task", "missing"), [("lint", "ruff"), ("pretrain", "torch"), ("bench", "torch"), ("mutate", "")]
)
def test_a_missing_extra(
    task: str, missing: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One sentence with the command that brings it."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for module in ("torch", "tree_sitter", "tree_sitter_c"):
        monkeypatch.setitem(sys.modules, module, None)
    from priot_hil.harness.mutation import sources

    sources.parser.cache_clear()
    more = {"pretrain": ("--way", "float"), "bench": ("--only", "vgg11_step")}.get(task, ())
    said = refusal(task, *more)
    assert missing in said
    assert "PRIOT_EXTRAS=" in said
    assert "./run invoke" in said


DEFAULTS = {
    "reproduce": "results/accuracy/accuracy.jsonl",
    "reproduce --quick": "results/accuracy/accuracy-quick.md",
    "reproduce --table cost": "results/cost/cost.json",
    "reproduce --table cost --quick": "results/cost/cost-quick.md",
    "report": "results/report/index.html",
    "bench": "results/bench.json",
    "bench --only steps_per_second": "results/bench-steps_per_second.json",
    "chaos": "results/chaos-process.json",
    "chaos --device emulator": "results/chaos-emulator.json",
    "coverage": "results/coverage.md",
    "coverage --profile thorough": "results/coverage-thorough.md",
    "coverage --classes": "results/classes.md",
    "selftest": "results/selftest-host.md",
    "selftest --device emulator --only accumulator": "results/selftest-emulator-part.md",
    "pretrain --way niti": "results/pretrain/",
    "mutate": "results/mutation/",
    "bisect --device emulator": "failures/",
    "run-epochs --device process": "results/run-epochs/",
}


@pytest.mark.parametrize("line", DEFAULTS)
def test_default_outputs_are_tried_too(line: str, refusal: Refusal, tmp_path: Path) -> None:
    """They lie under results/ and failures/, which git ignores; where something else is there, nothing is begun."""
    place = tmp_path / DEFAULTS[line]
    blocked = [place.parts[len(tmp_path.parts)]]
    assert f"/{blocked[0]}/" in (ROOT / ".gitignore").read_text().splitlines()
    (tmp_path / blocked[0]).write_text("a letter\n")
    refusal(*line.split())
    (tmp_path / blocked[0]).unlink()
    if not DEFAULTS[line].endswith("/"):
        place.parent.mkdir(parents=True)
        place.write_text("a letter\n")
        assert place.name in refusal(*line.split())
        assert place.read_text() == "a letter\n"
