"""Counts of a chaos campaign: read as they were written, and refused where they do not add up."""

import json
from collections import Counter
from typing import Any

import pytest

from priot_hil.harness.chaos_results import Tally, tally_from_json
from priot_hil.reference.errors import InputError

TALLY = Tally(4, 2, 5, 6, Counter({"silence": 1}), Counter({"> cut": 3}), Counter({"wrong": 1}), ["case", "why"])
CONTENT: dict[str, Any] = json.loads(json.dumps(vars(TALLY)))


def test_it_is_read_as_it_was_written() -> None:
    """Counters too."""
    assert tally_from_json(CONTENT) == TALLY
    assert tally_from_json(json.loads(json.dumps(vars(Tally())))) == Tally()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"runs": 5}, "tally: runs: expected 4: exact, lost and broken together, got 5"),
        ({"exact": 3}, "tally: runs: expected 5"),
        ({"runs": True}, "tally: runs: expected a valid integer, got True"),
        ({"retries": -1}, "tally: retries: expected greater than or equal to 0"),
        ({"retries": 1.0}, "tally: retries: expected a valid integer, got 1.0"),
        ({"lost": {"silence": 2, "crash": -1}}, "tally: lost: expected counts of 0 or more, got"),
        ({"faults": {"> cut": "3"}}, r"tally: faults\['> cut'\]: expected a valid integer, got '3'"),
        ({"faults": [["> cut", 3]]}, "tally: faults: expected an object"),
        ({"broken": None}, "tally: broken: expected an object, got None"),
        ({"smallest": ["case"]}, "tally: smallest: expected cases, each with what was wrong, got 1 texts"),
        ({"smallest": [1, 2]}, r"tally: smallest\[0\]: expected a valid string, got 1"),
        ({"more": 1}, "tally: more: expected no such key, got 1"),
    ],
)
def test_what_is_none_is_refused(change: dict[str, Any], reason: str) -> None:
    """With the field."""
    with pytest.raises(InputError, match=reason):
        tally_from_json(CONTENT | change)


@pytest.mark.parametrize("name", CONTENT)
def test_every_count_is_there(name: str) -> None:
    """Though a tally begins with none."""
    with pytest.raises(InputError, match="tally"):
        tally_from_json({key: value for key, value in CONTENT.items() if key != name})
