"""memcpy and its sisters of the RP2040's board, compiled for this machine, against Python's own slices."""

import ctypes
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from priot_hil.harness.paths import ROOT

NAMES = ("memcpy", "memmove", "memset", "memcmp")
ROOM = 160
offsets = st.integers(0, 70)
counts = st.integers(0, 80)
# The library is loaded once for all examples of a test; it holds no state.
once = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def library(zig: Callable[..., Path]) -> ctypes.CDLL:
    """The four functions under names that no other library has."""
    source = (ROOT / "firmware" / "boards" / "rp2040" / "memory.c").read_text()
    renamed = [f"-D{name}=priot_{name}" for name in NAMES]
    loaded = ctypes.CDLL(str(zig(source, "-shared", "-fPIC", "-O2", "-fno-builtin", *renamed)))
    for name in NAMES[:3]:
        getattr(loaded, f"priot_{name}").restype = ctypes.c_void_p
    return loaded


class Memory:
    """ROOM random bytes at an address that is a multiple of eight."""

    def __init__(self, data: bytes) -> None:
        self.words = (ctypes.c_uint64 * (ROOM // 8)).from_buffer_copy(data)
        self.address = ctypes.addressof(self.words)

    def at(self, offset: int) -> ctypes.c_void_p:
        """A pointer into it."""
        return ctypes.c_void_p(self.address + offset)

    def __bytes__(self) -> bytes:
        return bytes(self.words)


contents = st.binary(min_size=ROOM, max_size=ROOM)


@once
@given(contents, contents, offsets, offsets, counts)
def test_memcpy(library: ctypes.CDLL, to: bytes, source: bytes, into: int, out_of: int, count: int) -> None:
    """Exactly the bytes asked for are copied, and the destination is returned."""
    target, origin = Memory(to), Memory(source)
    returned = library.priot_memcpy(target.at(into), origin.at(out_of), ctypes.c_size_t(count))
    assert returned == target.at(into).value
    assert bytes(target) == to[:into] + source[out_of : out_of + count] + to[into + count :]


@once
@given(contents, offsets, offsets, counts)
def test_memmove_within_one_array(library: ctypes.CDLL, data: bytes, into: int, out_of: int, count: int) -> None:
    """Overlapping in either direction, the result is as if the bytes had been read first."""
    memory = Memory(data)
    returned = library.priot_memmove(memory.at(into), memory.at(out_of), ctypes.c_size_t(count))
    assert returned == memory.at(into).value
    assert bytes(memory) == data[:into] + data[out_of : out_of + count] + data[into + count :]


@once
@given(contents, offsets, st.integers(-1000, 1000), counts)
def test_memset(library: ctypes.CDLL, data: bytes, into: int, value: int, count: int) -> None:
    """Every byte becomes the value's low eight bits."""
    memory = Memory(data)
    returned = library.priot_memset(memory.at(into), value, ctypes.c_size_t(count))
    assert returned == memory.at(into).value
    assert bytes(memory) == data[:into] + bytes([value & 0xFF]) * count + data[into + count :]


@once
@given(contents, st.integers(0, ROOM - 1), st.integers(0, 255), counts)
def test_memcmp(library: ctypes.CDLL, data: bytes, place: int, value: int, count: int) -> None:
    """The sign is that of the first differing byte, compared without sign."""
    other = data[:place] + bytes([value]) + data[place + 1 :]
    left, right = Memory(data), Memory(other)
    result = library.priot_memcmp(left.at(0), right.at(0), ctypes.c_size_t(count))
    assert (result > 0) - (result < 0) == (data[:count] > other[:count]) - (data[:count] < other[:count])
