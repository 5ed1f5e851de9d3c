"""Mistakes that no change of a single node makes, each a replacement with a name: `domain.toml`."""

import tomllib
from pathlib import Path

from priot_hil.harness.planting import Change

DOMAIN = Path(__file__).resolve().parent / "domain.toml"


def named_changes(path: Path = DOMAIN) -> dict[str, Change]:
    """The replacements by their names."""
    return {
        name: Change(entry["file"], entry["find"].strip("\n"), entry["replace"].strip("\n"))
        for name, entry in tomllib.loads(path.read_text()).items()
    }
