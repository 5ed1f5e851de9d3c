"""A campaign's records and its table: kept, taken up again, and said."""

import json
import math
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from priot_hil.harness.mutation.campaign import read_times
from priot_hil.harness.mutation.records import Record, Results, Size, Verdict, arguments, fingerprint
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
    results.add(replace(RECORDS[3], verdict=Verdict.FAILED, test=SHORT))
    with path.open("a") as file:
        file.write('{"key": "one", "id": "cut')
    again = Results(path, "one")
    assert again.records == {record.id: record for record in RECORDS} | {
        "b.c:g:jump:4": replace(RECORDS[3], verdict=Verdict.FAILED, test=SHORT)
    }
    assert Results(path, "two").records == {}


@pytest.mark.parametrize(
    ("content", "times"),
    [
        (b'{"key": "one", "times": {"a": 1.5, "b": 2}}', {"a": 1.5, "b": 2.0}),
        (b'{"key": "two", "times": {"a": 1.5}}', {"a": 1.5}),
        (b'{"key": "one"}', None),
        (b'{"key": "one", "times": 3}', None),
        (b'{"key": "one", "times": {"a": "long"}}', None),
        (b'{"key": "one", "tim', None),
        (b"[]", None),
        (b"\xff", None),
        (None, None),
    ],
)
def test_times_that_cannot_be_read_are_measured_again(
    tmp_path: Path, content: bytes | None, times: dict[str, float] | None
) -> None:
    """A damaged file is as good as none."""
    if content is not None:
        (tmp_path / "times").write_bytes(content)
    found = read_times(tmp_path / "times")
    assert (None if found is None else found.times) == times


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


ENTRY = {name: value for name, value in asdict(KILLED).items() if value is not None}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "expected records of mutants, got an empty file"),
        ("[]", "expected an object, got []"),
        ('{"host": {"of": 1}}', "host.records: expected a value, got nothing"),
        ('{"host": {"of": 1, "records": [{}]}}', "host.records[0].id: expected a value, got nothing"),
        ('{"host": {"of": 1, "records": []}, "host": {"of": 1, "records": []}}', "got no JSON: the key 'host' twice"),
        (json.dumps({"host": {"of": 0, "records": [ENTRY]}}), "host.records: expected each mutant once, and at most 0"),
        (json.dumps({"host": {"of": 9, "records": [ENTRY, ENTRY]}}), "host.records: expected each mutant once"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "line": 0}]}}), "host.records[0].line: expected greater"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "line": True}]}}), "[0].line: expected a valid integer"),
        (
            json.dumps({"host": {"of": 9, "records": [{**ENTRY, "seconds": math.nan}]}}),
            "[0].seconds: expected a fin",
        ),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "seconds": -1}]}}), "[0].seconds: expected greater than"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "verdict": "won"}]}}), "[0].verdict: expected 'failed',"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "file": "b.c"}]}}), "[0].id: expected one of sign in b.c"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "test": ""}]}}), "[0].test: expected one that did not"),
        (json.dumps({"host": {"of": 9, "records": [{**ENTRY, "why": 1}]}}), "[0].why: expected no such key, got 1"),
    ],
)
def test_other_files_are_no_records(tmp_path: Path, content: str, reason: str) -> None:
    """A sentence that names the field, and the file is left alone."""
    (tmp_path / "mutation.json").write_text(content)
    with pytest.raises(InputError, match=rf"mutation\.json: .*{re.escape(reason)}"):
        write_report(tmp_path, "host", RECORDS, argue, 1)
    assert (tmp_path / "mutation.json").read_text() == content


@pytest.mark.parametrize(
    ("content", "got"),
    [
        ('[a]\nmutants = ["x"]', "nothing"),
        ('[a]\nargument = "why"', "nothing"),
        ('[a]\nmutants = []\nargument = "why"', r"\[\]"),
        ('[a]\nmutants = ["x"]\nargument = " "', "' '"),
        ('[a]\nmutants = "x"\nargument = "why"', "'x'"),
        ('[a]\nmutants = ["x"]\nargument = "why"\ndevice = "host"', "'host'"),
        ("[a", "no TOML"),
        (
            '[a]\nmutants = ["x"]\nargument = "why"\n[b]\nmutants = ["x"]\nargument = "why"',
            "x, which is in another one too",
        ),
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


def test_texts_that_break_lines_elsewhere_are_read_back(tmp_path: Path) -> None:
    r"""A record ends at ``\n`` alone, whatever a test has said."""
    said = replace(KILLED, said="a \u2028 b \x85 c \x0b d \x1c e \n f \r", before="\u2029")
    results = Results(tmp_path / "host.jsonl", "one")
    for record in (said, RECORDS[1]):
        results.add(record)
    assert list(Results(tmp_path / "host.jsonl", "one").records.values()) == [said, RECORDS[1]]


def test_a_record_behind_one_that_was_cut_off_is_whole(tmp_path: Path) -> None:
    """What a kill has left of a line is taken away by the next record, and nothing else is."""
    path = tmp_path / "host.jsonl"
    Results(path, "one").add(RECORDS[0])
    whole = path.read_bytes()
    for left in (whole[:-1], whole[:40], b"{", b""):
        path.write_bytes(whole + left)
        again = Results(path, "one")
        assert path.read_bytes() == whole + left
        again.add(RECORDS[1])
        again.add(RECORDS[2])
        assert list(Results(path, "one").records.values()) == RECORDS[:3]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2: expected records of mutants, got no JSON"),
        ("", "line 2: expected text that ends with"),
        ("{}", "line 2: key: expected the fingerprint that a record holds for, got none"),
        ('{"key": "one"}', "line 2: id: expected a value, got nothing"),
        ('{"key": "one", "key": "one"}', "line 2: .* the key 'key' twice"),
        (json.dumps({"key": "one", **asdict(KILLED), "line": 1.0}), "line 2: line: expected a valid integer, got 1.0"),
    ],
)
def test_a_damaged_record_is_not_passed_over(tmp_path: Path, line: str, reason: str) -> None:
    """It would be tried again, and the report would count one that nobody has seen; the line is named."""
    path = tmp_path / "host.jsonl"
    Results(path, "one").add(RECORDS[0])
    with path.open("a") as file:
        file.write(f"{line}\n")
    with pytest.raises(InputError, match=reason):
        Results(path, "one")
