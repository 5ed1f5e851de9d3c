"""Reads what clang counted: how often each line of a source ran, and each condition came out true and false."""

import json
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from priot_hil.harness.clang import tool_beside


@dataclass(frozen=True, order=True)
class Place:
    """Something that a test reaches or not: a line, or a condition with one of its outcomes.

    Attributes:
        file: "kernels/priot_math.h".
        line: Counted from 1.
        column: Where the condition begins, counted from 1; 0 for a line.
        outcome: "true" or "false"; "" for a line.
        function: In which it stands; "" outside of all.
        code: The line without its indentation, or the condition.
    """

    file: str
    line: int
    column: int
    outcome: str
    function: str
    code: str


Counts = Counter[Place]
"""How often each place was reached; those never reached are there with 0."""


def read_counts(clang: Path, program: Path, raw: Iterable[Path], firmware: Path, rooms: Sequence[str]) -> Counts | None:
    """What some processes have counted, in sum.

    Args:
        clang: That built the program.
        program: An executable or library of preset "host-coverage" or "fuzz".
        raw: A profile of each process.
        firmware: The folder of the sources.
        rooms: The folders in it whose sources count.

    Returns:
        The counts; None where clang's llvm-cov or llvm-profdata is missing.
    """
    profdata, cov = tool_beside(clang, "llvm-profdata"), tool_beside(clang, "llvm-cov")
    if profdata is None or cov is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        merged = Path(folder) / "merged"
        subprocess.run([profdata, "merge", "-o", merged, *raw], capture_output=True, check=True)

        def export(form: str) -> str:
            command = [str(cov), "export", f"-format={form}", f"-instr-profile={merged}", str(program)]
            return subprocess.run(command, capture_output=True, text=True, check=True).stdout

        sources = {
            f"{room}/{path.name}": path.read_text(encoding="utf-8").split("\n")
            for room in rooms
            for path in sorted((firmware / room).glob("*.[ch]"))
        }
        return parse(export("lcov"), json.loads(export("text")), sources)


def parse(lcov: str, exported: dict[str, Any], sources: dict[str, list[str]]) -> Counts:
    """Counts of lines out of lcov's text, and of conditions, with their columns, out of llvm-cov's JSON.

    Args:
        lcov: `SF:` names a source, `DA:line,times` counts a line.
        exported: llvm-cov's JSON.
        sources: The lines of each source that counts.
    """
    data = exported["data"][0]
    functions = _functions(data["functions"])
    counts: Counts = Counter()

    def place(file: str, line: int, column: int, outcome: str, code: str) -> Place:
        inside = (name for begin, end, name in functions.get(file, ()) if begin <= line <= end)
        return Place(file, line, column, outcome, next(inside, ""), code)

    file = ""
    for text in lcov.split("\n"):
        field, _, value = text.partition(":")
        if field == "SF":
            file = _name(value)
        elif field == "DA" and file in sources:
            line, times = map(int, value.split(",")[:2])
            code = sources[file][line - 1].strip()
            if code.strip("{} ") and not code.startswith("#define"):  # a brace does nothing, a macro does it elsewhere
                counts[place(file, line, 0, "", code)] += times
    for found in data["files"]:
        file = _name(found["filename"])
        for line, column, last, end, true, false, *_ in found["branches"] if file in sources else ():
            code = _code(sources[file][line - 1 : last], column, end)
            counts[place(file, line, column, "true", code)] += true
            counts[place(file, line, column, "false", code)] += false
    return counts


def _functions(functions: list[dict[str, Any]]) -> dict[str, list[tuple[int, int, str]]]:
    """First line, last line and name of the functions of each source."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    for function in functions:
        begin, _, end, *_ = function["regions"][0]
        entry = (begin, end, function["name"].rpartition(":")[2])
        entries = found.setdefault(_name(function["filenames"][0]), [])
        if entry not in entries:
            entries.append(entry)
    return found


def _name(path: str) -> str:
    """A source by its room and name."""
    return "/".join(Path(path).parts[-2:])


def _code(lines: list[str], column: int, end: int) -> str:
    """The text from a column of the first line to one of the last, in one line."""
    pieces = [*lines[:-1], lines[-1][: end - 1]]
    pieces[0] = pieces[0][column - 1 :]
    return " ".join(piece.strip() for piece in pieces)
