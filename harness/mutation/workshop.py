"""Builds mutants, each in a worker's own copy of the firmware, so that only what changed is compiled."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from filelock import FileLock, Timeout

from priot_hil.harness.firmware import ALL, BoardFirmware, BuildError, HostFirmware, build
from priot_hil.harness.paths import BUILD, ROOT
from priot_hil.harness.planting import FirmwareCopy
from priot_hil.reference.errors import InputError

from .mutant import Mutant

MutatedDevice = Literal["host", "emulator"]
PRESET: dict[MutatedDevice, str] = {"host": "host", "emulator": "rp2040"}
TARGET: dict[MutatedDevice, str] = {"host": "priot", "emulator": ALL}
SETTINGS = (
    ("CMakeLists.txt", b" -Werror ", b" "),  # an unused variable is no reason to lose a mutant
    ("boards/host/CMakeLists.txt", b"DEPENDS ${sources}", b"DEPENDS"),  # and the build id may stay
)
COMPILERS_WORD = "error:"
CODE = 2  # SHF_ALLOC: what is loaded, and so neither debugging information nor symbol tables


@dataclass(frozen=True)
class Product:
    """A build of the firmware.

    Attributes:
        device: The name for `--device`.
        code: Hash of all code and data but the build id; None where the file's format is not known.
    """

    device: str
    code: str | None


class Workshop:
    """A worker's copy of the firmware.

    Args:
        device: What is built: the library of this machine, or the RP2040's image.
        number: Of the worker; no two work in one folder.

    Raises:
        InputError: Another campaign is at work there.
    """

    def __init__(self, device: MutatedDevice, number: int) -> None:
        self.device = device
        self.root = BUILD / "mutants" / f"{device}-{number}"
        self._mutated: str | None = None
        self._lock = FileLock(self.root.with_suffix(".lock"))
        self._lock_or_refuse()
        FirmwareCopy(self.root).refresh()
        for name, wanted, instead in SETTINGS:
            self._put(name, _original(name).replace(wanted, instead))

    def build(self, mutant: Mutant | None = None) -> Product | None:
        """A mutant, or the firmware as it is.

        Returns:
            What was built; None where the mutant does not compile.

        Raises:
            BuildError: The build did not get as far as that.
        """
        if self._mutated is not None and (mutant is None or mutant.file != self._mutated):
            self._put(self._mutated, _original(self._mutated))
            self._mutated = None
        if mutant is not None:
            self._mutated = mutant.file
            self._put(mutant.file, mutant.source)
        try:
            firmware = build(PRESET[self.device], self.root, ALL if mutant is None else TARGET[self.device])
        except BuildError as error:
            if mutant is not None and COMPILERS_WORD in str(error):
                return None
            raise
        if isinstance(firmware, BoardFirmware):
            return Product(f"image:{firmware.ram.elf}", code_hash(firmware.ram.elf, firmware.ram.build_id))
        assert isinstance(firmware, HostFirmware)
        assert firmware.library is not None, "the preset host always links the library"
        return Product(f"library:{firmware.library}", code_hash(firmware.library, firmware.build_id))

    def close(self) -> None:
        """Leaves the copy to the next campaign."""
        self._lock.release()

    def _lock_or_refuse(self) -> None:
        self.root.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            do = "wait for the other campaign, or interrupt it"
            raise InputError.about(str(self.root), expected="nobody at work", got="a campaign", do=do) from None

    def _put(self, name: str, data: bytes) -> None:
        """Writes a file of the copy, unless it is so already: what is not touched is not compiled again."""
        path = self.root / "firmware" / name
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


def code_hash(path: Path, build_id: bytes) -> str | None:
    """A hash of everything in a linked file that is loaded, without its build id: equal for equal programs.

    Returns:
        None where it is no ELF, as on macOS.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for section in ELFFile(file).iter_sections():
                if section["sh_flags"] & CODE:
                    data = b"" if section["sh_type"] == "SHT_NOBITS" else section.data()
                    digest.update(f"{section.name} {section['sh_size']}\n".encode())
                    digest.update(data.replace(build_id, bytes(len(build_id))))
    except ELFError:
        return None
    return digest.hexdigest()


def _original(name: str) -> bytes:
    return (ROOT / "firmware" / name).read_bytes()
