"""Published records in which one thing is changed, with hashes that fit: read as they are, or refused by name."""

import copy
import json
from dataclasses import fields
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from priot_hil.harness.paths import ROOT
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.chain import Entry, read_chain, write_chain
from priot_hil.reproductions.plan import key_of
from priot_hil.reproductions.record_schema import RunResults
from priot_hil.reproductions.records import record_from_json
from priot_hil.reproductions.table import read_table

RESULTS = ROOT / "docs" / "results"
# A table of accuracies and a study; static and dynamic scales, with and without scores, selection and cycles.
TABLES = ("accuracy", "sensitivity-vgg11")
MAY_BE_MISSING = {"compiler_sha256", "library_sha256", "elf_sha256", "torch", "host", "emulator"}
OTHERS = [None, True, False, 0, 1, 1.0, 1.5, "x", "", "a\u2028b", [], [1], {}, {"a": 1}, float("nan"), float("-inf")]
LATER_EPOCHS = {("body", "epochs", number) for number in range(2, 99)}
FAR = [-(10**30), -(10**9), 10**30, 2**64]


@cache
def published(name):
    """Head, and three records of a published table, as what a head says of three."""
    head, *records = read_chain(RESULTS / f"{name}.jsonl")
    chosen = records[:2] + [each for each in records if each.body["method"] == "priot_s"][:1]
    chosen = chosen if len(chosen) == 3 else records[:3]
    return [Entry({**head.body, "records": 3}, head.beside), *chosen]


def nodes(value, at=()):
    """The paths of all values within one."""
    yield at
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, below in steps:
        yield from nodes(below, (*at, step))


def within(value, path):
    """What stands under a path."""
    for step in path:
        value = value[step]
    return value


class Twice(dict):
    """An object whose first key is written twice."""

    def items(self):
        """See `dict`."""
        pairs = list(super().items())
        return [*pairs, pairs[0]]


@st.composite
def places(draw):
    """A table's entries as plain JSON, and the path of something in them."""
    entries = [
        {"body": entry.body, "beside": entry.beside}
        for entry in copy.deepcopy(published(draw(st.sampled_from(TABLES))))
    ]
    line = draw(st.integers(0, 3))
    # Of the many numbers of many epochs those of two, so that all else is seen too.
    paths = [path for path in nodes(entries[line]) if path[1:2] != ("epochs",) or path[2:3] in ((), (0,), (1,))]
    return entries, (line, *draw(st.sampled_from([path for path in paths if len(path) > 1])))


def written(tmp_path, entries):
    """A file of them, whose hashes fit."""
    path = tmp_path / "table.jsonl"
    write_chain(path, [Entry(entry["body"], entry["beside"]) for entry in entries])
    return path


def refused(path):
    """What is said of a file, in one line; None where it is read, and then the same is written again."""
    try:
        table = read_table(path)
    except InputError as error:
        return str(error)
    again = path.with_name("again.jsonl")
    table.write(again)
    assert sorted(map(_plain, again.read_text(encoding="utf-8").split("\n"))) == sorted(
        map(_plain, path.read_text(encoding="utf-8").split("\n"))
    )
    return None


def _plain(line):
    """A line but for the order of keys and the hashes, which follow the order of lines."""
    content = json.loads(line) if line else {"body": {}}
    return json.dumps([{**content["body"], "previous": ""}, content.get("beside")], sort_keys=True)


def named(said, path):
    """Whether a refusal names a field, what holds it, or what follows from it: a run's key, a table's experiment."""
    field = said.partition(f", line {path[0] + 1}: ")[2].partition(": expected ")[0]
    return any(isinstance(step, str) and step in field for step in path[2:]) or field.startswith(("key", "experiment"))


PROFILE = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@PROFILE
@given(places(), st.sampled_from(OTHERS))
def test_a_value_of_another_type_is_refused_by_name(tmp_path, place, other):
    """Each field, whatever stands there instead."""
    entries, path = place
    expect_refused(tmp_path, entries, path, other)


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLES)
def test_every_value_of_another_type_is_refused_by_name(tmp_path, name):
    """All of them, of the head and of a record."""
    for line in (0, 2):
        entries = [{"body": entry.body, "beside": entry.beside} for entry in published(name)]
        for path in [path for path in nodes(entries[line]) if len(path) > 1 and path[:3] not in LATER_EPOCHS]:
            for other in OTHERS:
                expect_refused(tmp_path, copy.deepcopy(entries), (line, *path), other)


def expect_refused(tmp_path, entries, path, other):
    """Another value is refused where it is of another type, and in any case by name."""
    before = within(entries, path)
    within(entries, path[:-1])[path[-1]] = other
    said = refused(written(tmp_path, entries))
    assert "\n" not in (said or "")
    number = {int, float} if path[-1] == "seconds" else {type(before)}
    may_be_null = before is None or other is None  # what else may be there is the rules' concern
    if type(other) not in number and not may_be_null:
        assert said is not None
    if said is not None:
        assert named(said, path) or "of its own experiment" in said, said


@PROFILE
@given(places())
def test_a_key_that_is_missing_unknown_or_there_twice_is_refused(tmp_path, place):
    """In each object."""
    entries, path = place
    holder = within(entries, path[:-1])
    if isinstance(holder, dict):
        less = copy.deepcopy(entries)
        del within(less, path[:-1])[path[-1]]
        said = refused(written(tmp_path, less))
        assert path[-1] in MAY_BE_MISSING if said is None else named(said, path)
    if isinstance(value := within(entries, path), dict) and value:
        more = copy.deepcopy(entries)
        within(more, path)["unknown"] = 1
        assert "unknown: expected" in refused(written(tmp_path, more))
        within(entries, path[:-1])[path[-1]] = Twice(value)
        first = next(iter(value))
        said = refused(written(tmp_path, entries))
        assert said.startswith(
            f"{tmp_path / 'table.jsonl'}, line {path[0] + 1}: expected a chain of records, got no JSON"
        )
        assert f"the key {first!r} twice in one object" in said


@PROFILE
@given(places(), st.sampled_from(FAR))
def test_a_number_out_of_its_range_is_refused_by_name(tmp_path, place, number):
    """No number of a record may be as large, or less than 0 by as much."""
    entries, path = place
    if type(within(entries, path)) is not int:
        return
    within(entries, path[:-1])[path[-1]] = number
    assert named(refused(written(tmp_path, entries)), path)


@PROFILE
@given(st.data())
def test_other_numbers_that_can_be_are_read_as_they_are(tmp_path, data):
    """Nothing in a file of its own says that they are not those of the run; that is what recomputing is for."""
    entries = copy.deepcopy(published("accuracy"))
    record = data.draw(st.sampled_from(entries[2:])).body  # the first is not trained
    epoch = data.draw(st.sampled_from(record["epochs"][1:]))
    epoch["test_correct"] = data.draw(st.integers(0, 1024))
    epoch["train_correct"] = data.draw(st.integers(0, 1024))
    epoch["state_crc"] = data.draw(st.integers(0, 2**32 - 1))
    epoch["cycles"] = data.draw(st.none() | st.integers(0, 2**64 - 1))
    for name in ("clipped_outputs", "clipped_errors", "active_outputs", "dead_units"):
        epoch["counts"][name] = [data.draw(st.integers(0, total)) for total in record["totals"][name]]
    write_chain(tmp_path / "table.jsonl", entries)
    assert refused(tmp_path / "table.jsonl") is None


@pytest.mark.parametrize(
    "name",
    [
        name if name in TABLES[1:] else pytest.param(name, marks=pytest.mark.slow)  # others are read by other tests too
        for name in sorted(path.stem for path in RESULTS.glob("*.jsonl"))
    ],
)
def test_published_tables_are_read_and_written_to_the_byte(name, tmp_path):
    """All of them."""
    path = RESULTS / f"{name}.jsonl"
    read_table(path).write(tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == path.read_bytes()


def priot_s():
    """A record of PRIOT-S that went through the board too."""
    return copy.deepcopy(published("accuracy")[3].body)


def described(change):
    """It with another description, whose key fits."""
    body = priot_s() | change
    results = {"format", *(field.name for field in fields(RunResults))}
    return body | {"key": key_of({name: value for name, value in body.items() if name not in results})}


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (
            ("epochs", 3, "test_correct"),
            1025,
            r"epochs\[3\].test_correct: expected at most test_samples, 1024, got 1025",
        ),
        (
            ("epochs", 3, "test_correct"),
            10**6,
            r"epochs\[3\].test_correct: expected at most test_samples, 1024, got 1000",
        ),
        (("epochs", 3, "train_correct"), 1025, r"epochs\[3\].train_correct: expected at most train_samples, 1024"),
        (
            ("epochs", 3, "train_correct"),
            None,
            r"epochs\[3\].train_correct: expected at most train_samples, .* got null",
        ),
        (("epochs", 0, "train_correct"), 5, r"epochs\[0\].train_correct: expected null, got 5"),
        (("epochs", 0, "cycles"), 5, r"epochs\[0\].cycles: expected null before training, got 5"),
        (("epochs", 3, "pruned"), None, r"epochs\[3\].pruned: expected at most the scored edges, \d+, got null"),
        (("epochs", 3, "pruned"), 52040, r"epochs\[3\].pruned: expected at most the scored edges, \d+, got 52040"),
        (("epochs", 3, "epoch"), 4, r"epochs\[3\].epoch: expected 3, each one more than the one before, got 4"),
        (("epochs", 3, "state_crc"), 2**32, r"epochs\[3\].state_crc: expected less than 4294967296"),
        (
            ("epochs", 3, "counts", "dead_units"),
            [0, 0, 0],
            r"epochs\[3\].counts.dead_units: expected a number for each",
        ),
        (("epochs", 3, "counts", "dead_units", 1), 17, r"epochs\[3\].counts.dead_units\[1\]: expected 0..16, got 17"),
        (("epochs", 3, "counts", "dead_units", 1), -1, r"epochs\[3\].counts.dead_units\[1\]: expected 0..16, got -1"),
        (("epochs", 0, "counts", "changed", 1), 1, r"epochs\[0\].counts.changed\[1\]: expected 0..0, got 1"),
        (("epochs", 3, "counts", "moved", 1), 0, r"epochs\[3\].counts.moved\[1\]: expected \d+..\d+, got 0"),
        (("epochs", 3, "counts", "moved", 1), 10**7, r"epochs\[3\].counts.moved\[1\]: expected \d+..\d+, got 10000000"),
        (("totals", "clipped_outputs", 1), 50175, "totals.clipped_outputs: expected .*50176.*, got .*50175"),
        (("totals", "clipped_outputs", 0), 10**9, "totals.clipped_outputs: expected those of at most 1024 images"),
        (("totals", "clipped_errors", 3), 257, "totals.clipped_errors: expected .*256.*, got .*257"),
        (("totals", "moved", 1), 116, "totals.moved: expected .*, got .*116"),
        (("totals", "changed", 1), 1153, "totals.changed: expected .*1152.*, got .*1153"),
        (("edges",), 52041, "edges: expected 52040, the weights of tiny_cnn, got 52041"),
        (("scales", "3"), [0, 0, 32], r"scales\['3'\]\[2\]: expected less than or equal to 31, got 32"),
        (
            ("scales", "4"),
            [0, 0, 0],
            r"scales: expected three shifts for each of the layers \[0, 3, 7, 9\], got those of",
        ),
        (("scales",), None, "scales: expected three shifts for each of the layers"),
        (("data", "cifar10_sha256"), None, "data: expected the SHA-256 of drawn_sha256 and mnist_sha256, as tiny_cnn"),
        (("data", "mnist_sha256"), None, "data: expected the SHA-256 of drawn_sha256 and mnist_sha256"),
        (("made",), [], "made: expected .* at least 1 item"),
        (("key",), "0" * 16, "key: expected that of the run's description, [0-9a-f]{16}, got 0000000000000000"),
        (("mu",), 4, "key: expected that of the run's description"),
        (("format",), "priot-run/1", "format: expected priot-run/2, got 'priot-run/1'"),
    ],
)
def test_numbers_have_to_do_with_one_another(path, value, reason):
    """What cannot be is refused, whatever the hashes say."""
    body = priot_s()
    within(body, path[:-1])[path[-1]] = value
    with pytest.raises(InputError, match=reason):
        record_from_json(body)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"theta": None}, "theta: expected a value with priot_s, got None"),
        ({"percent": None}, "percent: expected a value with priot_s, got None"),
        ({"method": "priot"}, "percent: expected null with priot, got 10"),
        ({"method": "niti_static"}, "theta: expected null with niti_static, got 0"),
        (
            {"method": "niti_dynamic", "theta": None, "percent": None, "selection": None},
            "scales: expected null with niti_dynamic",
        ),
        ({"devices": ["host", "host"]}, r"devices: expected each once, got \['host', 'host'\]"),
        ({"devices": []}, "devices: expected .* at least 1 item"),
        ({"network": "none"}, r"network: expected string should match pattern .*tiny_cnn\|vgg11.*, got 'none'"),
        ({"network": "vgg11"}, "data: expected the SHA-256 of drawn_sha256 and cifar10_sha256, as vgg11 learns from"),
        ({"angle": 361}, "angle: expected less than or equal to 360, got 361"),
        ({"mu": 8}, "mu: expected less than or equal to 7, got 8"),
        ({"mu": True}, "mu: expected a valid integer, got True"),
        ({"train_samples": 10**9}, "train_samples: expected less than or equal to 60000, got 1000000000"),
        ({"test_samples": 10001}, "test_samples: expected less than or equal to 10000, got 10001"),
        ({"train_samples": 9}, "totals.clipped_outputs: expected those of at most 9 images"),
    ],
)
def test_a_description_fits_its_method_and_network(change, reason):
    """Also where its key is that of the description."""
    with pytest.raises(InputError, match=reason):
        record_from_json(described(change))


def test_what_stands_beside_is_checked_too():
    """It is not hashed, but shown."""
    body, beside = priot_s(), copy.deepcopy(published("accuracy")[3].beside)
    assert record_from_json(body, beside).beside == beside
    assert record_from_json(body).beside == {}
    for change, reason in (
        ({"seconds": float("nan")}, "beside.seconds: expected a finite number, got nan"),
        ({"seconds": -1}, "beside.seconds: expected greater than or equal to 0"),
        ({"finished": "yesterday"}, "beside.finished: expected string should match"),
        ({"machine": {}}, "beside.machine.system: expected a value, got nothing"),
        ({"user": "x"}, "beside.user: expected no such key"),
    ):
        with pytest.raises(InputError, match=reason):
            record_from_json(body, {**beside, **change})
