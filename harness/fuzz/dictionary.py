"""The fuzzer's words, from the protocol's description: its codes and constants as they stand on the wire."""

import struct
import tomllib

from priot_hil.harness.protocol_generator import ENUMS, SOURCE


def dictionary() -> str:
    """A libFuzzer dictionary; what is added to the protocol comes in by itself."""
    protocol = tomllib.loads(SOURCE.read_text(encoding="utf-8"))
    codes = {entry["code"] for name in (*ENUMS, "commands") for entry in protocol[name].values()}
    words = {struct.pack("<B", code) for code in codes}
    for constant in protocol["constants"].values():
        words.add(struct.pack("<I", constant["value"]))
    for width in ("<H", "<I"):
        words |= {struct.pack(width, 0), struct.pack(width, protocol["constants"]["payload_limit"]["value"])}
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in sorted(words))
