"""ELF files: an image that is damaged where it is looked at is refused in a sentence."""

import random

import pytest

from priot_hil.harness.elf import open_elf
from priot_hil.harness.emulator.image import read_image
from priot_hil.harness.firmware import build, build_id, sizes, symbolize
from priot_hil.reference.errors import InputError

READERS = {"image": read_image, "build id": build_id, "sizes": sizes, "symbol": lambda elf: symbolize(elf, 0x20000100)}


@pytest.fixture(scope="module")
def content():
    """A whole image's bytes."""
    return build("rp2040").ram.elf.read_bytes()


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_image_is_refused_or_read(content, tmp_path, reader):
    """Bits flipped and numbers replaced in its header and its list of sections, or cut: never a traceback."""
    path, draw, refused = tmp_path / "damaged.elf", random.Random(1), []
    sections = int.from_bytes(content[32:36], "little")
    for _ in range(60):
        damaged = bytearray(content[: draw.choice([len(content), len(content), draw.randrange(len(content))])])
        for _ in range(draw.randrange(1, 4)):
            place = draw.choice([draw.randrange(52), draw.randrange(sections, len(content))])
            damaged[place : place + 1] = bytes([draw.choice([0, 0xFF, draw.randrange(256)])])
        path.write_bytes(damaged)
        try:
            READERS[reader](path)
        except InputError as error:
            refused.append(str(error))
    assert len(refused) > 10
    assert not [sentence for sentence in refused if "\n" in sentence]
    path.write_bytes(content)
    READERS[reader](path)


def test_what_goes_wrong_is_said_with_the_file(tmp_path):
    """That there is none, that it is a folder or text, what a reader stumbles over; not what a reader refuses."""
    path = tmp_path / "some.elf"
    for error, said in (
        (KeyError("arena"), r"expected an ELF file, got something else \(KeyError 'arena'\); build the firmware again"),
        (InputError("no notes."), r"^no notes\.$"),
    ):
        path.write_bytes(build("rp2040").ram.elf.read_bytes())
        with pytest.raises(InputError, match=said), open_elf(path):
            raise error
    path.write_text("text")
    with pytest.raises(InputError, match=f"^{path}: expected an ELF file, got something else"), open_elf(path):
        pass
    for odd in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match=f"^{odd}: expected a file that can be read, got"), open_elf(odd):
            pass
