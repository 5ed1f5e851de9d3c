"""Build id of the host build: a hash of the sources, so that it is the same on every machine.

    source_id.py ROOT OUTPUT.h SOURCE...

The RP2040's id is the linker's GNU note; a host library has none that all platforms share.
"""

import hashlib
import sys
from pathlib import Path


def source_id(root: Path, sources: list[Path]) -> bytes:
    """SHA-1 over the sources' paths below `root` and their bytes, in the order of the paths; 20 bytes."""
    digest = hashlib.sha1(usedforsecurity=False)
    for name, source in sorted((source.relative_to(root).as_posix(), source) for source in sources):
        data = source.read_bytes()
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)
    return digest.digest()


def main(arguments: list[str]) -> int:
    """Write the header that the host board includes."""
    root, output, *sources = map(Path, arguments)
    build_id = source_id(root, sources)
    rows = ", ".join(f"0x{byte:02x}" for byte in build_id)
    aside = output.with_name(output.name + ".part")
    aside.write_text(f"/* {build_id.hex()} */\n#define PRIOT_HOST_BUILD_ID {{{rows}}}\n")
    aside.replace(output)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
