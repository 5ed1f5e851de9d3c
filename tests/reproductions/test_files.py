"""Sums of bytes."""

from priot_hil.reproductions.files import sha256


def test_the_sum_is_sha256_in_hexadecimal():
    """FIPS 180-2, appendix B.1."""
    assert sha256(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(memoryview(b"abc")) == sha256(b"abc")
