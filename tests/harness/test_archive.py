"""Archives of arrays: the same bytes everywhere; what NumPy writes is read; what is damaged or odd is refused."""

import hashlib
import io
import struct
import zipfile
import zlib
from functools import partial

import numpy as np
import pytest
from damage import cuts, flips, shifts, sweep
from hypothesis import given
from hypothesis import strategies as st

from priot_hil.harness import archive
from priot_hil.harness.archive import MAGIC, pack, unpack
from priot_hil.reference.errors import InputError

ARRAYS = {"meta": np.array("{}"), "w0": np.arange(-3, 3, dtype=np.int8).reshape(2, 3)}
KINDS = {
    "text": np.array("né"),
    "empty text": np.array(""),
    "bytes": np.array(b"x"),
    "none": np.zeros((0, 3), np.int8),
    "scalar": np.array(-3, np.int64),
    "columns first": np.asfortranarray(np.arange(24).reshape(2, 3, 4)),
    "every second": np.arange(12, dtype=np.int32)[::2],
    "big-endian": np.arange(-2, 2, dtype=">i8"),
    "big-endian text": np.array("xy", ">U2"),
    "floats": np.array([[0.5, -0.0, np.inf]], np.float32),
    "mask": np.array([True, False]),
    "unsigned": np.array([[255]], np.uint8),
}
NUMPY = (np.savez, np.savez_compressed)


def written(write, arrays) -> bytes:
    """What a function of NumPy writes."""
    file = io.BytesIO()
    write(file, **arrays)
    return file.getvalue()


WRITERS = {"pack": pack} | {write.__name__: partial(written, write) for write in NUMPY}


def zipped(members, **options) -> bytes:
    """A zip archive of members by name, as `zipfile` writes it."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", **options) as opened:
        for name, data in members:
            opened.writestr(name, data)
    return file.getvalue()


def member(array) -> bytes:
    """An array as a member's bytes."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def with_header(header: str, body: bytes = b"") -> bytes:
    """An archive of one array with a header of one's own."""
    text = header.encode("latin1")
    return zipped([("a.npy", MAGIC + struct.pack("<H", len(text)) + text + body)])


def of_shape(sizes: str, descr: str = "'|i1'", order: str = "False") -> str:
    """A header as NumPy writes it."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': ({sizes}), }}\n"


def test_bytes_are_pinned():
    """No date, no system, no compression: one sum for all machines."""
    digest = hashlib.sha256(pack(ARRAYS)).hexdigest()
    assert digest == "f84188b608acbff9886e1cf9907a7df14dd85004e5e2d084522d22fda83e177f"


def test_the_order_of_memory_and_of_bytes_does_not_matter():
    """The same numbers give the same bytes."""
    plain = np.arange(6, dtype="<i4").reshape(2, 3)
    for other in (np.asfortranarray(plain), plain.astype(">i4"), plain.repeat(2, axis=1)[:, ::2]):
        assert pack({"a": other}) == pack({"a": plain})


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_arrays_come_back(write):
    """Of every kind, in their order, as they were; in C order, in this machine's order of bytes, writable."""
    arrays = unpack(write(KINDS), "it", "do")
    assert list(arrays) == list(KINDS)
    for name, array in KINDS.items():
        found = arrays[name]
        assert (found.dtype, found.shape) == (array.dtype.newbyteorder("="), array.shape), name
        assert found.tolist() == array.tolist(), name
        assert found.flags.c_contiguous
        assert found.flags.writeable


def test_numpy_reads_it():
    """What is packed is an ordinary `.npz`."""
    with np.load(io.BytesIO(pack(KINDS)), allow_pickle=False) as found:
        assert found.files == list(KINDS)
        assert all(found[name].tolist() == array.tolist() for name, array in KINDS.items())
    assert unpack(pack({}), "it", "do") == {}


@pytest.mark.parametrize("write", NUMPY)
@pytest.mark.parametrize("is_old", [False, True])
def test_both_ways_in_which_python_writes_large_sizes_are_read(write, is_old):
    """Before 3.11.4, the sizes of a member stood twice in its own description; since then only once."""
    content, at = bytearray(written(write, ARRAYS)), 0
    while content[at : at + 4] == b"PK\3\4":
        name_size = struct.unpack_from("<H", content, at + 26)[0]
        size, stored = struct.unpack_from("<2Q", content, at + 30 + name_size + 4)
        struct.pack_into("<2L", content, at + 18, *((stored, size) if is_old else (0xFFFFFFFF, 0xFFFFFFFF)))
        at += 30 + name_size + 20 + stored
    assert unpack(bytes(content), "it", "do")["w0"].tolist() == ARRAYS["w0"].tolist()


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_no_damage_gives_other_arrays(write, tmp_path):
    """Every bit, every length, every byte too many or too few: refused, or the same arrays, and never a word beside."""
    path = tmp_path / "file"
    path.write_bytes(write({"a": np.arange(3, dtype=np.int16), "b": np.zeros((2, 2), np.int8)}))
    content = path.read_bytes()

    def read(file):
        arrays = unpack(file.read_bytes(), "it", "do")
        return [(name, array.dtype, array.tolist()) for name, array in arrays.items()]

    flipped = sweep(path, read, flips(content))
    assert (flipped.tried, flipped.other) == (8 * len(content), [])
    # What carries no meaning may change: of each member two versions, times and rights, and what fills its last byte.
    assert flipped.same <= 2 * 8 * (2 + 4 + 4 + 4 + 6 + 1)
    for damages in (cuts, shifts):
        found = sweep(path, read, damages(content, 3))
        assert found.tried > len(content) // 3
        assert (found.same, found.other) == (0, [])


def layouts() -> dict[str, tuple[bytes, str]]:
    """Archives that are laid out otherwise than `pack` and NumPy do it, and what is said of them."""
    w0, large = ("w0.npy", member(ARRAYS["w0"])), ("w0.npy", member(np.zeros(9999, np.int8)))
    plain = zipped([w0])
    commented = io.BytesIO(plain)
    with zipfile.ZipFile(commented, "a") as opened:
        opened.comment = b"hello"
    of_member = zipfile.ZipInfo("w0.npy")
    of_member.comment = b"hello"
    extended = zipfile.ZipInfo("w0.npy")
    extended.extra = struct.pack("<2H", 0x7075, 0)
    crossed = bytearray(zipped([w0, ("v0.npy", w0[1])]))
    crossed[crossed.index(b"PK\1\2") :] = crossed[crossed.index(b"PK\1\2") :].replace(b"v0", b"w0")
    fewer = bytearray(zipped([w0, ("v0.npy", w0[1])]))
    struct.pack_into("<2H", fewer, len(fewer) - 14, 1, 1)
    unsure = bytearray(plain)
    struct.pack_into("<H", unsure, 6, 8)
    struct.pack_into("<H", unsure, unsure.index(b"PK\1\2") + 8, 8)
    inflating = bytearray(zipped([large], compression=zipfile.ZIP_DEFLATED))
    for at in (22, inflating.index(b"PK\1\2") + 24):
        struct.pack_into("<L", inflating, at, archive.MAX_INFLATED + 1)
    return {
        "nothing": (b"", "cut short"),
        "text": (b"not an archive, but long enough to be one", "no zip archive"),
        "an array": (w0[1], "no zip archive"),
        "a comment": (commented.getvalue(), "no zip archive"),
        "a member's comment": (zipped([(of_member, w0[1])]), "directory that is damaged"),
        "an unknown field": (zipped([(extended, w0[1])]), "directory that is damaged"),
        "no array": (zipped([("notes.txt", b"hello")]), "a member 'notes.txt', which is no array"),
        "a folder": (zipped([("folder/", b"")]), "a member 'folder/', which is no array"),
        "a foreign name": (zipped([("é.npy", w0[1])]), "which is no array"),
        "an empty member": (zipped([("w0.npy", b"")]), "w0 that is no plain array"),
        "bzip2": (zipped([large], compression=zipfile.ZIP_BZIP2), "a form that NumPy does not write (zip's method 12"),
        "lzma": (zipped([large], compression=zipfile.ZIP_LZMA), "a form that NumPy does not write (zip's method 14"),
        "encrypted or sized later": (bytes(unsure), "flags 0x8"),
        "two of one name": (bytes(crossed), "w0 twice"),
        "a member that the directory leaves out": (bytes(fewer), "bytes that belong to no member"),
        "more than there is room for": (bytes(inflating), "more than 1073741824 bytes"),
    }


@pytest.mark.parametrize("name", layouts())
def test_other_layouts_are_refused(name):
    """With what is odd about them."""
    content, said = layouts()[name]
    with pytest.raises(InputError) as refusal:
        unpack(content, "its name", "fetch it again")
    sentence = str(refusal.value)
    assert sentence.startswith("its name: expected a whole .npz archive of plain arrays, got ")
    assert sentence.endswith("; fetch it again.")
    assert said in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "header",
    [
        "",
        "\n",
        "{",
        "(" * 5000,
        "[" * 60000,
        "{'descr': " * 1000,
        "\x00",
        "{'descr': '|i1'\n\t 1",
        "'''",
        of_shape("3,)"),
        of_shape("-1,"),
        of_shape("3L,"),
        of_shape("True,"),
        of_shape("1 2"),
        of_shape("1" * 5000 + "x"),
        of_shape("1, " * 20000),
        of_shape("0, 99999999999999999999"),
        of_shape("0, 9223372036854775808"),
        of_shape("0, 9223372036854775807, 9223372036854775807"),
        of_shape("9223372036854775807, 9223372036854775807"),
        of_shape(", ".join(["0"] * 65)),
        of_shape("1,"),
        of_shape("", "'|O'"),
        of_shape("", "'i99999999999'"),
        of_shape("", "'<i3'"),
        of_shape("", "'<U99999999'"),
        of_shape("", "'<U0'"),
        of_shape("", "'|S0'"),
        of_shape("", "'a'"),
        of_shape("", "[('a', '|i1')]"),
        of_shape("", "'<M8[99999999999999999999s]'"),
        of_shape("", "'\\ud800'"),
        of_shape("", order="None"),
    ],
    ids=lambda header: header[:50].replace("\x00", "NUL"),
)
def test_odd_headers_are_refused(header):
    """By name, before anything is allocated; NumPy itself raises half a dozen exceptions and warnings over these."""
    with pytest.raises(InputError, match=r"^it: expected a whole .npz archive of plain arrays, got a ") as refusal:
        unpack(with_header(header), "it", "do")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("dtype", [object, complex, "datetime64[s]", [("x", "i1"), ("y", "i1")]])
def test_other_kinds_of_arrays_are_refused(dtype):
    """A pickle above all: reading an archive never runs what is in it."""
    with pytest.raises(InputError, match="w0 that is no plain array of numbers or text"):
        unpack(written(np.savez, {"w0": np.zeros(2, dtype)}), "it", "do")


@pytest.mark.parametrize("dtype", ["<U1", ">U1"])
def test_text_of_no_letters_is_refused(dtype):
    """NumPy and Python would raise a SystemError over it."""
    for number, is_text in ((0x10FFFF, True), (0x110000, False), (0xFFFFFFFF, False)):
        texts = np.array([65, number], f"{dtype[0]}u4").view(dtype)
        content = pack({"a": texts})
        if is_text:
            assert unpack(content, "it", "do")["a"].tolist() == ["A", "\U0010ffff"]
        else:
            with pytest.raises(InputError, match="got a of text that is none; do"):
                unpack(content, "it", "do")


def test_what_is_compressed_has_to_end_where_it_says():
    """Neither too early nor too late, and without bytes behind it."""
    data, shorter = member(np.zeros(99, np.int8)), member(np.zeros(9, np.int8))
    for compressed, size in (
        (deflated(data)[:-1], len(data)),
        (deflated(data) + b"\0", len(data)),
        (deflated(data), len(data) - 1),
        (deflated(shorter), len(data)),
        (b"", 0),
        (b"\xff" * 9, len(data)),
    ):
        with pytest.raises(InputError, match=r"^it: expected a whole .npz"):
            unpack(by_hand(compressed, size, zlib.crc32(data[:size])), "it", "do")
    assert unpack(by_hand(deflated(data), len(data), zlib.crc32(data)), "it", "do")["a"].size == 99


def deflated(data: bytes) -> bytes:
    """Compressed as a member is."""
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


def by_hand(compressed: bytes, size: int, crc: int) -> bytes:
    """An archive of one compressed member."""
    common = struct.pack("<3H2H3L2H", 20, 0, 8, 0, 0x21, crc, len(compressed), size, 5, 0)
    local = b"PK\3\4" + common + b"a.npy" + compressed
    central = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<3H2L", 0, 0, 0, 0, 0) + b"a.npy"
    return local + central + b"PK\5\6" + struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)


@given(content=st.binary(max_size=200), header=st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_bytes_are_refused(content, header):
    """Whatever a file, a member or a header holds, there is one exception."""
    for odd in (content, pack(ARRAYS) + content, zipped([("a.npy", content)]), with_header(header, content)):
        if odd != pack(ARRAYS):
            with pytest.raises(InputError):
                unpack(odd, "it", "do")
