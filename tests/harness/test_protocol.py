"""The protocol's generated files: fresh, and header, module and documentation agree on every code and every byte."""

import re
import struct
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest

from priot_hil.harness import protocol, protocol_generator
from priot_hil.harness.paths import ROOT
from priot_hil.harness.protocol_generator import generated_files, write_generated_files

HEADERS = "".join((ROOT / "firmware" / name).read_text() for name in ("link/priot_protocol.h", "engine/priot_status.h"))
DOCUMENTATION = (ROOT / "docs" / "protocol.md").read_text()
LAYOUTS = [kind for kind in vars(protocol).values() if isinstance(kind, type) and hasattr(kind, "unpack")]
ENUMS = [kind for kind in vars(protocol).values() if isinstance(kind, type) and issubclass(kind, Enum) and len(kind)]
CONSTANTS = [name for name, value in vars(protocol).items() if name.isupper() and isinstance(value, int)]
BYTES = {"u8": 1, "i8": 1, "u16": 2, "u32": 4, "u64": 8, "8s": 8, "16s": 16, "20s": 20}


def c_name(kind: type) -> str:
    """TrainStepRequest -> PRIOT_TRAIN_STEP_REQUEST."""
    return "PRIOT_" + re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).upper()


def defined(name: str) -> int:
    """The value of a macro or an enum's member in the C headers."""
    (value,) = re.findall(rf"(?:#define {name}|    {name} =) (0x[0-9a-f]+|\d+)u?\b", HEADERS)
    return int(value, 0)


def documented_fields(kind: type) -> list[tuple[str, str]]:
    """Names and types of a layout in docs/protocol.md."""
    words = c_name(kind).removeprefix("PRIOT_").lower()
    command, _, side = words.rpartition("_")
    if side in ("request", "response"):
        _, section = re.split(rf"\n### \d+ {command}\n", DOCUMENTATION)
        text = section.partition("\n### ")[0].partition(f"\n{side.capitalize()}")[2]
    else:
        text = DOCUMENTATION.partition(f"\n### {words}\n")[2]
    table = re.search(r"\| field \| type \| \|\n\|---\|---\|---\|\n((?:\|.*\n)+)", text)
    assert table is not None
    rows = [row.split("|") for row in table[1].splitlines()]
    return [(row[1].strip(), row[2].strip()) for row in rows]


def test_generated_files_are_fresh() -> None:
    """What lies on disk is what `invoke protocol` would write."""
    files = generated_files()
    assert len(files) == 4
    for path, text in files.items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: run `./run invoke protocol`"


def test_only_what_changed_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is missing, and one that somebody edited; not the others."""
    monkeypatch.setattr(protocol_generator, "ROOT", tmp_path)
    for folder in ("firmware/link", "firmware/engine", "harness"):
        (tmp_path / folder).mkdir(parents=True)
    assert len(write_generated_files()) == 4
    assert write_generated_files() == []
    edited, missing = tmp_path / "harness" / "protocol.py", tmp_path / "docs" / "protocol.md"
    edited.write_text("edited")
    missing.unlink()
    assert sorted(write_generated_files()) == [missing, edited]
    assert edited.read_text() == (ROOT / "harness" / "protocol.py").read_text()


def test_every_layout_is_here() -> None:
    """The frame, 7 records, and as many requests and responses as the documentation has tables for."""
    sides = len(re.findall(r"\n(?:Request|Response)[^:\n]*\n\n\| field", DOCUMENTATION))
    assert len(LAYOUTS) == 1 + 7 + sides
    assert sides == 19
    assert len(ENUMS) == 11
    assert len(CONSTANTS) == 11


@pytest.mark.parametrize("kind", LAYOUTS, ids=lambda kind: kind.__name__)
def test_sizes_and_offsets_agree(kind: Any) -> None:
    """Each field lies where header and documentation say, and as many bytes are packed."""
    fields = documented_fields(kind)
    assert [name for name, _ in fields] == list(kind._fields)
    zero = {name: bytes(BYTES[type_]) if type_.endswith("s") else 0 for name, type_ in fields}
    size = sum(BYTES[type_] for _, type_ in fields)
    assert len(kind(**zero).pack()) == kind.size() == size == defined(f"{c_name(kind)}_BYTES")
    at = 0
    for name, type_ in fields:
        count = BYTES[type_]
        ones = b"\xff" * count if type_.endswith("s") else -1 if type_ == "i8" else 2 ** (8 * count) - 1
        record = kind(**{**zero, name: ones})
        packed = record.pack()
        assert packed == bytes(at) + b"\xff" * count + bytes(size - at - count)
        assert defined(f"{c_name(kind)}_{name.upper()}") == at
        assert kind.unpack(b"\7" + packed, 1) == record
        at += count
    with pytest.raises(struct.error):
        kind.unpack(bytes(size - 1))


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_codes_agree(enum: type[IntEnum]) -> None:
    """Every member has the header's and the documentation's code, and no two have the same."""
    prefix = c_name(enum).removesuffix("_CODE")
    prefix = "PRIOT_LAYER_TYPE" if prefix == "PRIOT_LAYER" else prefix
    assert len({member.value for member in enum}) == len(re.findall(rf"^    {prefix}_\w+ =", HEADERS, re.M))
    for member in enum:
        assert defined(f"{prefix}_{member.name}") == member.value
        heading = f"### {member.value} {member.name.lower()}\n" if prefix == "PRIOT_COMMAND" else None
        assert (heading or f"| {member.value} | {member.name.lower()} |") in DOCUMENTATION


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_agree(name: str) -> None:
    """The same number in header, module and documentation."""
    value = getattr(protocol, name)
    assert defined(f"PRIOT_{name}") == value
    assert f"| {name.lower()} | {value} |" in DOCUMENTATION


def test_a_description_fits_one_frame() -> None:
    """As many layers as there may be, and a trace of as many stages."""
    assert protocol.ModelRecord.size() + protocol.MAX_LAYERS * protocol.LayerRecord.size() <= protocol.PAYLOAD_LIMIT
    trace = protocol.TrainStepResponse.size() + protocol.MAX_STAGES * protocol.TraceRecord.size()
    assert trace <= protocol.PAYLOAD_LIMIT
    assert protocol.HelloResponse.size() + protocol.FaultRecord.size() <= protocol.PAYLOAD_LIMIT


def test_every_status_has_its_text() -> None:
    """What a refusal says."""
    assert protocol.STATUS_TEXT.keys() == set(protocol.StatusCode)
    assert all(protocol.STATUS_TEXT.values())
