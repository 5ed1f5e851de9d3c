"""Manifests: whatever of a file's contents is changed, lost or added, the rest no longer passes."""

import hashlib
import json

import numpy as np
import pytest

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.manifest import contents_of, digest, of_another_form, vouched
from priot_hil.reference.errors import InputError

META = {"format": "some/1", "text": "né", "nested": {"10": [1, 2.5, None], "9": True}}
ARRAYS = {"w0": np.arange(6, dtype=np.int8).reshape(2, 3), "labels": np.array([3, -1]), "m0": np.array([True])}


def reread(arrays):
    """Arrays as they come back from a file."""
    return unpack(pack(arrays), "it", "do")


def test_contents_come_back():
    """Without the manifest, and said to be vouched for."""
    contents = contents_of(reread(vouched(META, ARRAYS)))
    assert contents.meta == META
    assert contents.is_vouched_for
    assert contents.arrays.keys() == ARRAYS.keys()
    assert all(np.array_equal(contents.arrays[name], array) for name, array in ARRAYS.items())


def test_the_digest_is_what_the_documents_say():
    """Made by hand, so that other programs can make it too."""
    text = b'{"format":"some/1","nested":{"10":[1,2.5,null],"9":true},"text":"n\\u00e9"}\n'
    text += b"labels <i8 (2,)\n" + b"\3\0\0\0\0\0\0\0" + b"\xff" * 8
    text += b"m0 |b1 (1,)\n\1" + b"w0 |i1 (2, 3)\n\0\1\2\3\4\5"
    assert digest(META, ARRAYS) == hashlib.sha256(text).hexdigest()


def test_what_is_free_may_change():
    """The order of arrays, of keys and of memory, white space, and the order of bytes."""
    whole = vouched(META, ARRAYS)
    meta = json.loads(str(whole["meta"]))
    other = {"meta": np.array(json.dumps(dict(reversed(meta.items())), indent=3, ensure_ascii=False))}
    other |= {name: np.asfortranarray(array) for name, array in reversed(ARRAYS.items())}
    other["labels"] = other["labels"].astype(">i8")
    assert contents_of(reread(other)).is_vouched_for
    assert contents_of({**other, "labels": other["labels"]}).is_vouched_for


def test_json_counts_as_it_is_read():
    """Numbers for keys become texts, in whose order 10 comes before 9; tuples become lists."""
    contents = contents_of(reread(vouched({"a": {9: (1, 2), 10: ()}}, {})))
    assert contents.meta == {"a": {"9": [1, 2], "10": []}}


CHANGES = {
    "an array less": lambda meta, arrays: arrays.pop("m0"),
    "an array more": lambda meta, arrays: arrays.update(m1=ARRAYS["m0"]),
    "no arrays": lambda meta, arrays: arrays.clear(),
    "another name": lambda meta, arrays: arrays.update(m1=arrays.pop("m0")),
    "two names changed over": lambda meta, arrays: arrays.update(w0=arrays["labels"], labels=arrays["w0"]),
    "another number": lambda meta, arrays: arrays.update(labels=ARRAYS["labels"] ^ 1),
    "another type": lambda meta, arrays: arrays.update(w0=ARRAYS["w0"].astype(np.int16)),
    "another sign": lambda meta, arrays: arrays.update(w0=ARRAYS["w0"].view(np.uint8)),
    "another shape": lambda meta, arrays: arrays.update(w0=ARRAYS["w0"].reshape(3, 2)),
    "another text": lambda meta, arrays: meta.update(text="ne"),
    "a key less": lambda meta, arrays: meta.pop("text"),
    "a key more": lambda meta, arrays: meta.update(more=None),
    "another kind of number": lambda meta, arrays: meta["nested"].update({"10": [1.0, 2.5, None]}),
    "another manifest": lambda meta, arrays: meta.update(sha256=meta["sha256"].upper()),
    "no text for a manifest": lambda meta, arrays: meta.update(sha256=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_is_refused(name):
    """Each change alone, in an archive that is whole in itself."""
    arrays = {name: array.copy() for name, array in vouched(META, ARRAYS).items()}
    meta = json.loads(str(arrays.pop("meta")))
    CHANGES[name](meta, arrays)
    with pytest.raises(InputError, match=r"^contents: expected SHA-256 .*, got \w{16}\.\.\. of .*; take a whole copy"):
        contents_of(reread({"meta": np.array(json.dumps(meta)), **arrays}))


def test_without_a_manifest_nothing_is_vouched_for():
    """That is for each format to allow or to refuse."""
    contents = contents_of({"meta": np.array(json.dumps(META)), **ARRAYS})
    assert (contents.meta, contents.is_vouched_for) == (META, False)


@pytest.mark.parametrize(
    ("meta", "said"),
    [
        (None, r"arrays: expected keys \['meta'\], got keys \[\]"),
        (np.array(b"{}"), "meta: expected a 0-d unicode array, got |S2"),
        (np.array(["{}"]), "meta: expected a 0-d unicode array"),
        (np.array(""), "meta: expected a JSON object, got no JSON: "),
        (np.array("{'a': 1}"), "meta: expected a JSON object, got no JSON: "),
        (np.array("[" * 100_000), "meta: expected a JSON object, got no JSON: "),
        (np.array('{"a": ' * 100_000), "meta: expected a JSON object, got no JSON: "),
        (np.array("1" * 5000), "meta: expected a JSON object, got no JSON: "),
        (np.array("\ud800"), "meta: expected a JSON object, got no JSON: "),
        (np.array("[]"), "meta: expected a JSON object, got list"),
        (np.array('{"a": 1, "a": 2}'), r"the key 'a' twice"),
        (np.array('{"a": {"b": 1, "b": 2}}'), r"the key 'b' twice"),
    ],
    ids=lambda value: str(value)[:20] if isinstance(value, str) else "meta",
)
def test_what_is_no_json_is_refused(meta, said):
    """One sentence for each."""
    with pytest.raises(InputError, match=said) as refusal:
        contents_of({} if meta is None else reread({"meta": meta}))
    assert "\n" not in str(refusal.value)


def test_contents_of_another_form_are_one_sentence():
    """Whether it is Python that stumbled over them or a check that refused them."""
    do = "write it again"
    refused = InputError.about("theta", expected=1, got=2, do="choose")
    assert str(of_another_form("it", "a form", refused, do)) == (
        "it: expected a form, got theta: expected 1, got 2; choose; write it again."
    )
    stumbled = of_another_form("it", "a form", KeyError("of two\nlines"), do)
    assert str(stumbled) == "it: expected a form, got KeyError 'of two\\nlines'; write it again."
