"""One wrong version of the firmware: where it differs, and a name that outlives edits elsewhere."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Edit:
    """Bytes [start, end) of a file and what stands there instead."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Proposal:
    """An edit, before it has a name.

    Attributes:
        operator: What kind of mistake it is.
        function: Where it lies; the name of a macro or type outside of functions.
    """

    operator: str
    function: str
    edit: Edit


@dataclass(frozen=True)
class Mutant:
    """A wrong version of one file.

    Attributes:
        id: ``file:function:operator:hash``; the hash is of the changed line and the change: edits elsewhere leave it.
        file: Below the folder of the firmware, with slashes.
        line: Of the change, from 1.
        before, after: The changed lines, joined and without indentation.
        source: The whole file, mutated.
    """

    id: str
    file: str
    function: str
    operator: str
    line: int
    before: str
    after: str
    source: bytes = field(repr=False)


def name_mutants(file: str, source: bytes, proposals: Iterable[Proposal]) -> list[Mutant]:
    """The mutants of one file, each change once, in the order of the file.

    Args:
        file: Below the folder of the firmware.
        source: The file as it is.
        proposals: Changes of it; of two with one outcome the first counts.
    """
    mutants: dict[bytes, Mutant] = {}
    seen: Counter[str] = Counter()
    for proposal in sorted(proposals, key=lambda proposal: proposal.edit.start):
        edit = proposal.edit
        mutated = source[: edit.start] + edit.text.encode() + source[edit.end :]
        if mutated == source or mutated in mutants:
            continue
        begin = source.rfind(b"\n", 0, edit.start) + 1
        before = source[begin : _end_of_line(source, edit.end)].decode()
        after = mutated[begin : _end_of_line(mutated, edit.start + len(edit.text.encode()))].decode()
        column = edit.start - begin - (len(before) - len(before.lstrip()))
        told = "\n".join((proposal.function, proposal.operator, before.strip(), str(column), edit.text))
        seen[told] += 1
        digest = hashlib.sha256(f"{told}\n{seen[told]}".encode()).hexdigest()[:6]
        mutants[mutated] = Mutant(
            id=f"{file.rpartition('/')[2]}:{proposal.function}:{proposal.operator}:{digest}",
            file=file,
            function=proposal.function,
            operator=proposal.operator,
            line=source.count(b"\n", 0, edit.start) + 1,
            before=" ".join(before.split()),
            after=" ".join(after.split()),
            source=mutated,
        )
    return list(mutants.values())


def _end_of_line(source: bytes, at: int) -> int:
    end = source.find(b"\n", at)
    return len(source) if end < 0 else end
