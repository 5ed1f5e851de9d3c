"""Capsules' files: no damage makes another case of one, and what has an array less than it had is refused."""

import hashlib
import io
import json
import zipfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damage import cuts, flips, shifts, sweep

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.capsule import Capsule, Expected
from priot_hil.harness.capsule_archive import CapsuleError, load
from priot_hil.harness.capsule_kernel import KernelCapsule
from priot_hil.harness.cases import case_id, contents_of, read_case, with_results, write_case
from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import Linear, Network, Relu
from priot_hil.reference.run import Method, Model, Shifts, initial_state

ROOT = Path(__file__).parents[2]
CORPUS = ROOT / "tests" / "capsules"
GOLDEN = sorted((CORPUS / "golden").glob("*.npz"))
DOCUMENT = ROOT / "docs" / "capsule.md"


def a_run():
    """A small one with all that a capsule may expect."""
    network, draws = Network((3,), (Linear(3, 2),)), np.random.default_rng(1)
    model = Model(network, {0: draws.integers(-127, 128, (2, 3), dtype=np.int8)}, {0: -7})
    method = Method(MethodKind.PRIOT, theta=-64)
    images = draws.integers(0, 128, (2, 3), dtype=np.int8)
    case = Capsule(model, method, initial_state(model, method, seed=7), images, np.array([0, 1]))
    return with_results(case)


def a_stage():
    """A small one with all its results."""
    draws = np.random.default_rng(3)

    def drawn(*shape):
        return draws.integers(-127, 128, shape, dtype=np.int8)

    case = KernelCase(
        layer=Linear(3, 2),
        behind=(Relu(),),
        input_shape=(3,),
        kind=MethodKind.PRIOT,
        theta=-3,
        weights=drawn(2, 3),
        scores=drawn(2, 3),
        scored=None,
        image=drawn(3),
        error=drawn(2),
        shifts=Shifts(8, 7, 12),
        mu=5,
    )
    return with_results(KernelCapsule(case))


CASES = {"a run's capsule": a_run, "a single stage's": a_stage}


def all_of(path):
    """All that a file says, expectations included."""
    meta, arrays = contents_of(read_case(path))
    return meta, [(name, array.dtype, array.shape, array.tobytes()) for name, array in arrays.items()]


@pytest.fixture(params=CASES)
def written(request, tmp_path):
    """A capsule's name and its file."""
    path = tmp_path / "case.npz"
    write_case(path, CASES[request.param]())
    return request.param, path


@pytest.mark.parametrize(
    ("written", "stride"),
    [("a run's capsule", 1), ("a single stage's", 11), pytest.param("a single stage's", 1, marks=pytest.mark.slow)],
    indirect=["written"],
)
def test_no_flipped_bit_gives_another_case(written, stride):
    """Every single one: refused, or the same case with the same results; the document says how many of each."""
    name, path = written
    content = path.read_bytes()
    count = sweep(path, all_of, flips(content, stride))
    print(f"{name}, {len(content):,} bytes, every bit flipped: {count}")
    assert (count.tried, count.other) == (-(-8 * len(content) // stride), [])
    row = f"| {name} | {len(content):,} | {count.tried:,} | {count.refused:,} | {count.same:,} | {len(count.other)} |"
    assert stride > 1 or row in DOCUMENT.read_text(encoding="utf-8").splitlines(), row


@pytest.mark.parametrize("damages", [cuts, shifts], ids=["cut", "shifted"])
@pytest.mark.parametrize("stride", [7, pytest.param(1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_no_other_length_gives_any_case(written, damages, stride):
    """Cut anywhere, a byte more or less anywhere, junk in front or behind: refused."""
    _, path = written
    content = path.read_bytes()
    count = sweep(path, all_of, damages(content, stride))
    print(count)
    assert count.tried > len(content) // stride
    assert (count.same, count.other) == (0, [])


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*.npz"), key=lambda path: path.stat().st_size)[:6], ids=str)
def test_nor_in_a_file_without_a_manifest(path, tmp_path):
    """Compressed, by NumPy, as files of the earlier formats are."""
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    count = sweep(copy, all_of, flips(path.read_bytes()))
    print(f"{path.name}, every bit flipped: {count}")
    assert count.other == []
    assert count.refused > 8 * count.same


def test_every_array_is_vouched_for(written):
    """One less, whether it could be missing or not; one that is another; one more."""
    _, path = written
    arrays = unpack(path.read_bytes(), "it", "do")
    for name in arrays.keys() - {"meta"}:
        less = {other: array for other, array in arrays.items() if other != name}
        for changed in (less, arrays | {name: arrays[name] ^ 1}, less | {f"{name}0": arrays[name]}):
            path.write_bytes(pack(changed))
            with pytest.raises(CapsuleError, match=f"^{path}: contents: expected SHA-256 "):
                read_case(path)


def test_a_manifest_cannot_be_taken_off(written):
    """Without it the format has to be an earlier one, and then the mode; nor is it any use to those."""
    _, path = written
    arrays = unpack(path.read_bytes(), "it", "do")
    meta = json.loads(str(arrays["meta"]))
    bare = {key: value for key, value in meta.items() if key != "sha256"}
    for changed, said in (
        (bare, "manifest of priot-capsule/3: expected one, got none"),
        (meta | {"format": "priot-capsule/1"}, "contents: expected SHA-256"),
        (meta | {"format": "priot-capsule/2"}, "contents: expected SHA-256"),
    ):
        path.write_bytes(pack(arrays | {"meta": np.array(json.dumps(changed))}))
        with pytest.raises(CapsuleError, match=said):
            read_case(path)


@pytest.mark.parametrize("path", [*GOLDEN[:8], *sorted(CORPUS.glob("fixed/*.npz"))], ids=lambda path: path.stem)
@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_the_same_case(path, write, tmp_path):
    """With and without a manifest, columns first, big-endian, in another order: for who makes their own."""
    case, again = read_case(path), tmp_path / "again.npz"
    write_case(again, case)
    for file in (path, again):
        with np.load(file) as opened:
            arrays = dict(opened)
        for changed in (
            arrays,
            dict(reversed(arrays.items())),
            {name: np.asfortranarray(array) if array.ndim else array for name, array in arrays.items()},
            {name: array.astype(array.dtype.newbyteorder(">")) for name, array in arrays.items()},
        ):
            write(tmp_path / "case.npz", **changed)
            assert all_of(tmp_path / "case.npz") == all_of(path)
            assert case_id(read_case(tmp_path / "case.npz")) == case_id(case)


def test_the_same_capsule_has_the_same_bytes_everywhere(tmp_path):
    """No date, no system, no version of a compressor: one sum for all machines."""
    digests = {}
    for name, make in CASES.items():
        write_case(tmp_path / "case.npz", make())
        digests[name] = hashlib.sha256((tmp_path / "case.npz").read_bytes()).hexdigest()[:16]
    assert digests == {"a run's capsule": "3e54a139543422b3", "a single stage's": "1bf7ef922dc32cfe"}


def test_names_of_cases_stay():
    """A case is called what it was called under the earlier formats, whatever the format of its file is now."""
    names = {"golden/000_niti_static": "a35cbc7b", "golden/079_priot_s": "391281aa", "fixed/second_pool": "5e9b74bc"}
    for name, known in names.items():
        assert case_id(read_case(CORPUS / f"{name}.npz")) == known
    case = a_run()
    assert case_id(replace(case, expected=Expected())) != case_id(case)


def test_foreign_files_are_refused(tmp_path):
    """Missing, a folder, text, a single array, a pickle alone or inside, raw or doubled members."""
    with np.load(GOLDEN[0]) as opened:
        arrays = dict(opened)
    np.savez(tmp_path / "pickle_inside.npz", **arrays | {"labels": np.array([{"a": 1}], dtype=object)})
    np.save(tmp_path / "array.npy", arrays["images"])
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "folder.npz").mkdir()
    np.array([None]).dump(tmp_path / "pickle.npz")
    member = io.BytesIO()
    np.save(member, arrays["labels"])
    doubled = pytest.warns(UserWarning, match="Duplicate name")
    for name, extra, warning in (("raw.npz", "notes.txt", nullcontext()), ("double.npz", "labels.npy", doubled)):
        (tmp_path / name).write_bytes(GOLDEN[0].read_bytes())
        with zipfile.ZipFile(tmp_path / name, "a") as opened, warning:
            opened.writestr(extra, member.getvalue())
    said = {
        "missing.npz": "a file that can be read, got No such file",
        "folder.npz": "a file, got a folder",
        "pickle_inside.npz": r"a whole .npz archive of plain arrays, got labels that is no plain array .*\|O",
        "raw.npz": "a whole .npz archive of plain arrays, got a member 'notes.txt', which is no array",
        "double.npz": "a whole .npz archive of plain arrays, got labels twice",
        **dict.fromkeys(("array.npy", "text.npz", "pickle.npz"), "a whole .npz archive of plain arrays, got "),
    }
    for name, reason in said.items():
        path = tmp_path / name
        with pytest.raises(
            CapsuleError, match=f"^{path}: file: expected {reason}.*; check the path, or write it again"
        ):
            read_case(path)


def test_what_is_read_is_left_to_be_checked(tmp_path):
    """JSON of a known format and mode, and the other arrays."""
    case = a_run()
    write_case(tmp_path / "case.npz", case)
    meta, arrays = load(tmp_path / "case.npz")
    assert (meta["format"], meta["mode"], "sha256" in meta) == ("priot-capsule/3", "train", False)
    assert list(arrays) == ["images", "labels", "w0", "s0", "s_after0", "logits", "predictions"]
