"""Writes the protocol's C headers, Python module and documentation table from firmware/link/protocol.toml."""

import json
import tomllib
from pathlib import Path
from typing import Any

from priot_hil.harness.paths import ROOT

SOURCE = ROOT / "firmware" / "link" / "protocol.toml"
ENUMS = ("kind", "status", "tensor", "layer", "method", "rounding", "mode", "operation", "restart", "capability")
SIZES = {"u8": 1, "i8": 1, "u16": 2, "u32": 4, "u64": 8}
FORMATS = {"u8": "B", "i8": "b", "u16": "H", "u32": "I", "u64": "Q"}
NOTICE = "Generated from firmware/link/protocol.toml by `invoke protocol`; edit that."

Fields = list[dict[str, str]]


def generated_files() -> dict[Path, str]:
    """The text of every generated file by its path."""
    protocol = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    return {
        ROOT / "firmware" / "link" / "priot_protocol.h": protocol_header(protocol),
        ROOT / "firmware" / "engine" / "priot_status.h": status_header(protocol),
        ROOT / "harness" / "protocol.py": python_module(protocol),
        ROOT / "docs" / "protocol.md": documentation(protocol),
    }


def write_generated_files() -> list[Path]:
    """Writes what has changed; returns the paths written."""
    written = []
    for path, text in generated_files().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


def layouts(protocol: dict[str, Any]) -> dict[str, tuple[str, Fields]]:
    """Name -> (what it is, fields) of every fixed layout: the frame's header, the records, requests and responses."""
    found: dict[str, tuple[str, Fields]] = {"frame": (protocol["frame"]["doc"], protocol["frame"]["fields"])}
    for name, record in protocol["records"].items():
        found[f"{name}_record"] = (record["doc"], record["fields"])
    for name, command in protocol["commands"].items():
        for side in ("request", "response"):
            if side in command:
                found[f"{name}_{side}"] = (f"{side.capitalize()} of {name}.", command[side])
    return found


def field_size(kind: str) -> int:
    """Bytes of a field: u8, i8, u16, u32, u64, or `<n>s` for n bytes."""
    return SIZES[kind] if kind in SIZES else int(kind.removesuffix("s"))


def c_enum(name: str, members: dict[str, Any]) -> list[str]:
    """A C enum with a comment on each member."""
    lines = ["typedef enum {"]
    for member, entry in members.items():
        lines.append(f"    PRIOT_{name.upper()}_{member.upper()} = {entry['code']}, /* {entry['doc']} */")
    return [*lines, f"}} priot_{name};", ""]


def status_header(protocol: dict[str, Any]) -> str:
    """engine/priot_status.h: all that the engine shares with the protocol."""
    lines = [f"/* {NOTICE} */", "#ifndef PRIOT_STATUS_H", "#define PRIOT_STATUS_H", ""]
    for name, constant in protocol["constants"].items():
        lines.append(f"#define PRIOT_{name.upper()} {hex(constant['value'])}u /* {constant['doc']} */")
    lines.append("")
    for name in ENUMS:
        lines += c_enum("layer_type" if name == "layer" else name, protocol[name])
    return "\n".join([*lines, "#endif", ""])


def protocol_header(protocol: dict[str, Any]) -> str:
    """link/priot_protocol.h: command codes, and the offset of each field of each layout."""
    lines = [f"/* {NOTICE} */", "#ifndef PRIOT_PROTOCOL_H", "#define PRIOT_PROTOCOL_H", ""]
    lines += ['#include "priot_status.h"', ""]
    lines += c_enum("command", protocol["commands"])
    for name, (doc, fields) in layouts(protocol).items():
        lines.append(f"/* {doc} */")
        offset = 0
        for field in fields:
            lines.append(f"#define PRIOT_{name.upper()}_{field['name'].upper()} {offset}u /* {field['type']} */")
            offset += field_size(field["type"])
        lines += [f"#define PRIOT_{name.upper()}_BYTES {offset}u", ""]
    return "\n".join([*lines, "#endif", ""])


def class_name(name: str) -> str:
    """train_step_request -> TrainStepRequest."""
    return "".join(part.capitalize() for part in name.split("_"))


def python_module(protocol: dict[str, Any]) -> str:
    """harness/protocol.py: constants, enums, and a NamedTuple with pack and unpack for each layout."""
    lines = [f'"""The protocol\'s codes and layouts. {NOTICE}"""', ""]
    lines += ["import struct", "from enum import IntEnum, IntFlag", "from typing import NamedTuple, Self", ""]
    for name, constant in protocol["constants"].items():
        lines.append(f"{name.upper()} = {constant['value']}  # {constant['doc']}")
    enums = {**{name: protocol[name] for name in ENUMS}, "command": protocol["commands"]}
    for name, members in enums.items():
        base = "IntFlag" if name == "capability" else "IntEnum"
        lines += ["", "", f"class {class_name(name)}Code({base}):", f'    """Codes of a {name}."""', ""]
        lines += [f"    {member.upper()} = {entry['code']}" for member, entry in members.items()]
    lines += ["", "", "STATUS_TEXT = {"]
    lines += [
        f"    StatusCode.{name.upper()}: {json.dumps(entry['doc'])}," for name, entry in protocol["status"].items()
    ]
    lines.append("}")
    for name, (doc, fields) in layouts(protocol).items():
        lines += python_layout(class_name(name), doc, fields)
    return "\n".join([*lines, ""])


def python_layout(name: str, doc: str, fields: Fields) -> list[str]:
    """A NamedTuple that packs into and unpacks from its wire format."""
    format_ = "<" + "".join(FORMATS.get(field["type"], field["type"]) for field in fields)
    size = sum(field_size(field["type"]) for field in fields)
    lines = ["", "", f"class {name}(NamedTuple):", f'    """{doc}"""', ""]
    for field in fields:
        kind = "int" if field["type"] in SIZES else "bytes"
        default = " = 0" if field["name"] == "spare" and field is fields[-1] else ""
        lines.append(f"    {field['name']}: {kind}{default}")
    return [
        *lines,
        "",
        "    def pack(self) -> bytes:",
        f'        """The {size} bytes on the wire."""',
        f'        return struct.pack("{format_}", *self)',
        "",
        "    @classmethod",
        "    def unpack(cls, data: bytes, offset: int = 0) -> Self:",
        f'        """Reads {size} bytes at `offset`; struct.error where there are fewer."""',
        f'        return cls(*struct.unpack_from("{format_}", data, offset))',
        "",
        "    @staticmethod",
        "    def size() -> int:",
        '        """Bytes on the wire."""',
        f"        return {size}",
    ]


def documentation(protocol: dict[str, Any]) -> str:
    """docs/protocol.md: the same as tables for people."""
    lines = ["# The protocol", "", f"<!-- {NOTICE} -->", ""]
    lines += [
        "All integers are little-endian. A frame is COBS(header, payload, CRC-32) and a zero byte; the host sends one",
        "request at a time and waits. One that repeats the last sequence number is answered again, not run again;",
        "one of another session, or of any number but the next, is refused. So a request that was doubled or delayed",
        "on its way has no effect, however late it comes.",
        "",
    ]
    lines += ["| constant | value | |", "|---|---|---|"]
    lines += [f"| {name} | {entry['value']} | {entry['doc']} |" for name, entry in protocol["constants"].items()]
    for name in ENUMS:
        lines += ["", f"## {name.capitalize()}", "", "| code | name | |", "|---|---|---|"]
        lines += [f"| {entry['code']} | {member} | {entry['doc']} |" for member, entry in protocol[name].items()]
    lines += ["", "## Frame header and records"]
    for name, (doc, fields) in layouts(protocol).items():
        if not name.endswith(("_request", "_response")):
            lines += ["", f"### {name}", "", doc, "", *field_table(fields)]
    lines += ["", "## Commands"]
    for name, command in protocol["commands"].items():
        lines += ["", f"### {command['code']} {name}", "", command["doc"]]
        for side in ("request", "response"):
            tail = command.get(f"{side}_tail")
            if side in command or tail:
                behind = f", behind it {tail}" if side in command and tail else f": {tail}" if tail else ""
                lines += ["", f"{side.capitalize()}{behind}", ""]
                lines += field_table(command[side]) if side in command else []
    return "\n".join([*lines, ""])


def field_table(fields: Fields) -> list[str]:
    """A Markdown table of a layout."""
    rows = [f"| {field['name']} | {field['type']} | {field['doc']} |" for field in fields]
    return ["| field | type | |", "|---|---|---|", *rows]
