"""A campaign's records and its table: kept, taken up again, and said."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from priot_hil.harness.mutation.campaign import known_times
from priot_hil.harness.mutation.records import Record, Results, Size, Verdict, arguments, fingerprint, record_of
from priot_hil.harness.mutation.report import difference, is_open, read_campaigns, render, summary, write_report
from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError

SHORT = "tests/equivalence/test_short.py::test_a_few_kernels[device]"
LOAD = "tests/harness/test_device_load.py::test_a_refused_description_leaves_the_model[device-mu]"
KILLED = Record("a.c:f:sign:1", "kernels/a.c", "sign", 3, "x = -y;", "x = y;", Verdict.FAILED, SHORT, 0.5, "wrong")
RECORDS = [
    KILLED,
    replace(KILLED, id="a.c:f:sign:2", verdict=Verdict.HUNG, seconds=4.0, size=Size(3, 2, 1)),
    replace(KILLED, id="a.c:g:sign:3", verdict=Verdict.CRASHED, test=LOAD, seconds=1.0, size=Size(1, 1, 4)),
    replace(KILLED, id="b.c:g:jump:4", file="kernels/b.c", operator="jump", verdict=Verdict.SURVIVED, test=""),
    replace(KILLED, id="b.c:g:jump:5", file="kernels/b.c", operator="jump", verdict=Verdict.SURVIVED, line=9, test=""),
    replace(KILLED, id="b.c:g:jump:6", file="kernels/b.c", operator="jump", verdict=Verdict.SAME_CODE, test=""),
    replace(KILLED, id="b.c:g:jump:7", file="kernels/b.c", operator="jump", verdict=Verdict.NOT_COMPILED, test=""),
]
ARGUED = {"b.c:g:jump:4": "Nothing is skipped that is not zero."}


def argue(device: str) -> dict[str, str]:
    """What is argued on any device."""
    return ARGUED


def test_records_are_taken_up_again_for_the_same_firmware_and_suite(tmp_path: Path) -> None:
    """The last word on a mutant holds; a line that is damaged or cut short, and another fingerprint's, are left out."""
    path = tmp_path / "new" / "host.jsonl"
    results = Results(path, "one")
    for record in RECORDS:
        results.add(record)
    results.add(replace(RECORDS[3], verdict=Verdict.FAILED))
    with path.open("ab") as file:
        file.write(b'\xff\n[1]\n{"key": "one"}\n{"key": "one", "verdict": "none"}\n{"key": "one", "id": "cut')
    again = Results(path, "one")
    assert again.records == {record.id: record for record in RECORDS} | {
        "b.c:g:jump:4": replace(RECORDS[3], verdict=Verdict.FAILED)
    }
    assert Results(path, "two").records == {}


@pytest.mark.parametrize(
    ("content", "times"),
    [
        (b'{"key": "one", "times": {"a": 1.5, "b": 2}}', {"a": 1.5, "b": 2.0}),
        (b'{"key": "two", "times": {"a": 1.5}}', {}),
        (b'{"key": "one"}', {}),
        (b'{"key": "one", "times": 3}', {}),
        (b'{"key": "one", "times": {"a": "long"}}', {}),
        (b'{"key": "one", "tim', {}),
        (b"[]", {}),
        (b"\xff", {}),
        (None, {}),
    ],
)
def test_times_that_cannot_be_read_are_measured_again(tmp_path: Path, content: bytes | None, times: Any) -> None:
    """A damaged file is as good as none."""
    if content is not None:
        (tmp_path / "times").write_bytes(content)
    assert known_times(tmp_path / "times", "one") == times


def test_the_fingerprint_is_that_of_firmware_and_suite(tmp_path: Path) -> None:
    """Each decides a verdict; a README does not."""
    files = ("firmware/kernels/a.c", "tests/equivalence/test_a.py", "reference/a.py", "README.md")
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("one")
    prints = [fingerprint(tmp_path)]
    for name in files:
        (tmp_path / name).write_text("other")
        prints.append(fingerprint(tmp_path))
    assert len(set(prints)) == 4
    assert prints[3] == prints[4]
    assert fingerprint(ROOT) == fingerprint(ROOT)


def test_the_summary_says_what_is_left_to_do() -> None:
    """Figures, survivors with their change, and arguments that have become wrong or stale."""
    lines = list(summary(RECORDS, {**ARGUED, KILLED.id: "never"}, ["gone"]))
    assert lines[0] == "7 mutants: 3 killed, 1 equivalent by argument, 1 by their code, 1 do not compile, 1 survived"
    assert lines[1] == "killed after 1.0 s in the median, 4.0 s at most"
    assert lines[2:5] == ["survived: b.c:g:jump:5, firmware/kernels/b.c:9", "    - x = -y;", "    + x = y;"]
    assert lines[5:] == [
        "argued to be equivalent, and killed: a.c:f:sign:1",
        "argued about, and no mutant any more: gone",
    ]


def test_a_change_in_a_long_line_is_cut_out() -> None:
    """With a little of what stands around it."""
    long = "a" * 100
    before, after = difference(replace(KILLED, before=f"{long}-{long}", after=f"{long}+{long}"))
    assert before == f"- ... {'a' * 36}-{'a' * 36} ..."
    assert after == before.replace("-", "+").replace("+ ...", "+ ...", 1)


def test_the_table_counts_each_verdict(tmp_path: Path) -> None:
    """By operator and in all; how it was seen; survivors and arguments with their change."""
    write_report(tmp_path, "host", RECORDS, argue, 1234)
    page = (tmp_path / "mutation.md").read_text()
    assert "7 of 1,234 mutants." in page
    assert "| jump | 4 | 1 | 1 | 0 | 1 | 1 |  |" in page
    assert "| sign | 3 | 0 | 0 | 3 | 0 | 0 | 1.00 |" in page
    assert "| **all** | 7 | 1 | 1 | 3 | 1 | 1 | 1.00 |" in page
    assert "Killed: a test failed 1, the process crashed 1, a test did not end 1." in page
    assert "First seen by: the short equivalence suite 2, tests of the device's refusals and data 1." in page
    assert "weights 2 and 3, values other than 0 1.5 and 2, training steps 2.5 and 4." in page
    assert "### Survivors on host: 1\n\n`b.c:g:jump:5` (line 9)\n\n```diff\n- x = -y;\n+ x = y;\n```" in page
    assert "## Equivalent, and why\n\nNothing is skipped that is not zero.\n\n`b.c:g:jump:4`" in page


def test_each_device_has_its_section_and_the_records_give_the_page_again(tmp_path: Path) -> None:
    """A second campaign leaves the first one's records as they are."""
    write_report(tmp_path, "host", RECORDS, argue, 1234)
    write_report(tmp_path, "emulator", RECORDS[:2], argue, 1234)
    campaigns = read_campaigns(tmp_path / "mutation.json")
    assert campaigns == {"host": (1234, RECORDS), "emulator": (1234, RECORDS[:2])}
    page = (tmp_path / "mutation.md").read_text()
    assert page == render(campaigns, argue)
    assert page.index("## On host") < page.index("## On emulator")


def test_records_that_took_hours_are_not_replaced_by_fewer(tmp_path: Path) -> None:
    """A smaller campaign into the same folder: the earlier records are kept beside it; a larger one replaces them."""
    said: list[str] = []
    write_report(tmp_path, "host", RECORDS[:3], argue, 10, said.append)
    write_report(tmp_path, "emulator", RECORDS[:1], argue, 10, said.append)
    write_report(tmp_path, "host", RECORDS, argue, 10, said.append)
    assert said == []
    before = (tmp_path / "mutation.json").read_bytes()
    write_report(tmp_path, "host", RECORDS[:2], argue, 10, said.append)
    aside = tmp_path / "mutation-earlier-1.json"
    assert aside.read_bytes() == before
    why = "has records of mutants on host that this campaign has not"
    assert said == [f"{tmp_path / 'mutation.json'} {why}; it is kept as {aside}."]
    assert {name: len(kept) for name, (_, kept) in read_campaigns(tmp_path / "mutation.json").items()} == {
        "host": 2,
        "emulator": 1,
    }


@pytest.mark.parametrize("content", ["", "[]", '{"host": {"of": 1}}', '{"host": {"of": 1, "records": [{}]}}'])
def test_other_files_are_no_records(tmp_path: Path, content: str) -> None:
    """A sentence, and the file is left alone."""
    (tmp_path / "mutation.json").write_text(content)
    with pytest.raises(InputError, match=r"mutation\.json: expected records of mutants"):
        write_report(tmp_path, "host", RECORDS, argue, 1)
    assert (tmp_path / "mutation.json").read_text() == content


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ('[a]\nmutants = ["x"]', "less"),
        ('[a]\nargument = "why"', "less"),
        ('[a]\nmutants = ["x"]\nargument = "why"\n[b]\nmutants = ["x"]\nargument = "why"', "x in another one too"),
    ],
)
def test_an_argument_needs_a_mutant_and_words(tmp_path: Path, content: str, got: str) -> None:
    """One argument for each mutant."""
    (tmp_path / "equivalent.toml").write_text(content)
    with pytest.raises(InputError, match=f"got {got}"):
        arguments("host", tmp_path / "equivalent.toml")


def test_an_argument_may_hold_on_one_device_only(tmp_path: Path) -> None:
    """Such as that of a size which does not fit a board."""
    (tmp_path / "equivalent.toml").write_text('[a]\nmutants = ["x"]\ndevices = ["emulator"]\nargument = "small"')
    assert arguments("emulator", tmp_path / "equivalent.toml") == {"x": "small"}
    assert arguments("host", tmp_path / "equivalent.toml") == {}


def test_the_committed_table_is_what_its_records_give() -> None:
    """And nothing in it is left open."""
    folder = ROOT / "docs" / "results"
    campaigns = read_campaigns(folder / "mutation.json")
    assert (folder / "mutation.md").read_text() == render(campaigns, arguments)
    for device, (_, records) in campaigns.items():
        assert [record.id for record in records if is_open(record, arguments(device))] == []
    assert sum(len(records) for _, records in campaigns.values()) >= 330


def test_a_record_is_read_as_it_was_written() -> None:
    """What is not said is as it would be of a mutant that was not killed."""
    entry: dict[str, Any] = {name: getattr(KILLED, name) for name in ("id", "file", "operator", "line")}
    assert record_of(entry | {"before": "a", "after": "b", "verdict": "survived"}).size is None
