"""The published record of costs in which one thing is changed: refused by name, or read as it is."""

import copy
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from priot_hil.harness.paths import ROOT
from priot_hil.harness.schema import Location
from priot_hil.reference.errors import InputError
from priot_hil.reproductions.cost.records import costs_from_json, read_record
from priot_hil.reproductions.cost.rows import RowCost
from priot_hil.reproductions.cost.scales import ScalesCost

FILE = ROOT / "docs" / "results" / "cost.json"
CONTENT = json.loads(FILE.read_text(encoding="utf-8"))
KEPT = Location("what was kept", "costs", "leave it")
MAY_BE_MISSING = {"compiler_sha256", "library_sha256"}
OTHERS = [None, True, 1.5, "x", [], [1], {}, {"a": 1}, float("nan"), -(10**9), 10**30]


def nodes(value, at=()):
    """The paths of all values within one, of lists those of the first two."""
    yield at
    steps = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for step, below in steps:
        yield from nodes(below, (*at, step))


def within(value, path):
    """What stands under a path."""
    for step in path:
        value = value[step]
    return value


PATHS = [path for path in nodes(CONTENT) if path]
PROFILE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def refused(path, content):
    """What is said of it; None where it is read, and then the same is written."""
    path.write_text(json.dumps(content), encoding="utf-8")
    try:
        record = read_record(path)
    except InputError as error:
        return str(error).removeprefix(f"{path}: ")
    assert json.loads(record.content()) == content
    return None


def changed(path, value):
    """The record with another value."""
    content = copy.deepcopy(CONTENT)
    within(content, path[:-1])[path[-1]] = value
    return content


@PROFILE
@given(st.sampled_from(PATHS), st.sampled_from(OTHERS))
def test_another_type_or_size_is_refused_by_name(tmp_path, path, other):
    """Wherever it stands."""
    before = within(CONTENT, path)
    said = refused(tmp_path / "a.json", changed(path, other))
    if type(other) is not type(before) and None not in (before, other):
        assert said is not None
    if type(other) is type(before) is int:
        assert said is not None
    if said is not None:
        assert any(str(step) in said for step in path if isinstance(step, str))
        assert "\n" not in said


@PROFILE
@given(st.sampled_from([path for path in PATHS if isinstance(path[-1], str)]), st.booleans())
def test_keys_are_all_there_and_no_others(tmp_path, path, is_missing):
    """Also where the dataclass would have a default; the names of source files are free."""
    content = copy.deepcopy(CONTENT)
    holder = within(content, path[:-1])
    if is_missing:
        del holder[path[-1]]
        free = {"stored", "zeroed"} & set(path[:-1]) or path[-1] in MAY_BE_MISSING
        assert (refused(tmp_path / "a.json", content) is not None) or free
    else:
        holder["unknown"] = "x"
        assert refused(tmp_path / "a.json", content) is not None


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("rows", 0, "epochs", 0, "training", "cycles"), 1, "rows[0].epochs[0].training.cycles: expected "),
        (
            ("rows", 0, "epochs", 0, "training", "steps"),
            1023,
            "rows[0].epochs[0].training.steps: expected 1024, got 1023",
        ),
        (("rows", 0, "epochs", 0, "training", "least"), 10**8, "rows[0].epochs[0].training.least: expected at most"),
        (("rows", 0, "epochs", 0, "training", "most"), 1, "rows[0].epochs[0].training.least: expected at most"),
        (("rows", 0, "epochs", 0, "training", "between"), -1, "rows[0].epochs[0].training.between: expected 0 or more"),
        (("rows", 0, "epochs", 0, "training", "instructions"), 1, "training.instructions: expected at least those"),
        (("rows", 0, "epochs", 0, "training", "parts", 0, "phase"), "x", "parts[0].phase: expected one of forward"),
        (
            ("rows", 0, "epochs", 0, "training", "parts", 0, "layer"),
            1,
            "rows[0].epochs[0].training.parts: expected layers",
        ),
        (("rows", 0, "epochs", 0, "training", "parts", 0, "cycles"), 0, "parts[0].instructions: expected 0..0, its"),
        (("rows", 0, "epochs", 0, "training", "parts", 1, "layer"), 0, "parts: expected each layer and phase once"),
        (("rows", 0, "epochs", 0, "state_crc"), 2**32, "rows[0].epochs[0].state_crc: expected 0..4294967295"),
        (("rows", 0, "epochs", 1, "epoch"), 29, "rows[0].epochs: expected one for each of (1, 30), got (1, 29)"),
        (("rows", 0, "stack"), None, "rows[0].stack: expected 0 or more bytes beside tensors"),
        (("rows", 0, "stack"), 5000, "rows[0].stack: expected at most 4096 bytes, got 5000"),
        (("rows", 0, "tensors", 0, "bytes"), 10**6, "rows[0].tensors: expected at most 214904 bytes, the arena"),
        (("rows", 0, "tensors", 0, "kind"), "x", "rows[0].tensors[0].kind: expected one of weights"),
        (("rows", 0, "tensors", 0, "layer"), 1, "rows[0].tensors: expected layers"),
        (("rows", 0, "row"), "PRIOT", "rows: expected one of each of"),
        (("rows", 1, "scales", "0"), [1, 2, 32], "rows[1].scales.0: expected three shifts, 0..31, got [1, 2, 32]"),
        (("rows", 1, "scales", "0"), [1, 2], "rows[1].scales.0: expected three shifts, 0..31, got [1, 2]"),
        (("rows", 1, "scales"), None, "rows[1].scales: expected those of [0, 3, 7, 9], got None"),
        (("rows", 0, "scales"), {}, "rows[0].scales: expected null, got {}"),
        (("scales", 0, "given", "steps"), 63, "scales[0].given.steps: expected 64, the same steps, got 63"),
        (("scales", 1, "epoch"), 2, "scales: expected one for each of the epochs (1, 30), got (1, 2)"),
        (("layers", "0"), "linear 1->1", "layers: expected those of tiny_cnn"),
        (("methods", "PRIOT"), "none", "methods.PRIOT: expected 'niti_dynamic'"),
        (("programs", 0, "arena"), -1, "programs[0].arena: expected 0..2097152 bytes, got -1"),
        (
            ("programs", 0, "stored", "kernels/priot_terms.c"),
            -1,
            "programs[0].stored.kernels/priot_terms.c: expected 0..",
        ),
        (("programs", 1, "image"), "ram", "programs: expected those of ('ram', 'flash'), got ('ram', 'ram')"),
        (("device",), "a board", "counted: expected the same rows, where another device has counted, got []"),
        (("description", "network"), "none", "description.network: expected string should match"),
        (("description", "image"), "flash", "description.image: expected 'ram', got 'flash'"),
        (("made", "machine", "system"), "", "made.machine.system: expected string should have at least 1"),
        (("format",), "priot-cost/0", "format: expected priot-cost/1, got 'priot-cost/0'"),
    ],
)
def test_numbers_have_to_do_with_one_another(tmp_path, path, value, reason):
    """What cannot be is refused by name."""
    assert reason in refused(tmp_path / "a.json", changed(path, value))


def test_a_layer_has_one_name(tmp_path):
    """Another form of the same number is another text; both together are one too many."""
    for name in ("00", " 0", "+0", "0_0"):
        content = copy.deepcopy(CONTENT)
        content["layers"][name] = content["layers"]["0"]
        assert "layers" in refused(tmp_path / "a.json", content)
        del content["layers"]["0"]
        assert "layers" in refused(tmp_path / "a.json", content)


def test_what_is_kept_is_read_as_it_was_written():
    """Rows and prices; what is no such thing is measured again."""
    rows, scales = CONTENT["rows"][:1], CONTENT["scales"]
    assert costs_from_json(tuple[RowCost, ...], rows, KEPT)[0].row == rows[0]["row"]
    assert [cost.epoch for cost in costs_from_json(tuple[ScalesCost, ...], scales, KEPT)] == [1, 30]
    for kind, content in ((tuple[RowCost, ...], scales), (tuple[ScalesCost, ...], rows), (tuple[RowCost, ...], {})):
        with pytest.raises(InputError, match="what was kept"):
            costs_from_json(kind, content, KEPT)
    bad = copy.deepcopy(rows)
    bad[0]["epochs"][1]["inference"]["clock"] += 1
    with pytest.raises(InputError, match=r"what was kept: \[0\]\.epochs\[1\]\.inference\.cycles: expected"):
        costs_from_json(tuple[RowCost, ...], bad, KEPT)
