"""Checkpoints: a pre-trained int8 model as a file, with where it came from."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.manifest import OF_ANOTHER_FORM, Contents, contents_of, of_another_form
from priot_hil.reference.checks import check_keys, check_tensor
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import Model

from .files import sha256
from .networks import network

FORMAT = "priot-checkpoint/1"
COMMITTED = Path(__file__).resolve().parent / "checkpoints"
DO = "restore the committed file, or make it anew with `invoke pretrain`"


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A pre-trained model and its provenance.

    Attributes:
        network: Name of the network.
        pretraining: ``"float"`` or ``"niti"``, the way it was trained.
        model: The int8 model.
        provenance: What was run to make it; goes into the file as JSON.
    """

    network: str
    pretraining: str
    model: Model
    provenance: dict[str, Any] = field(default_factory=dict)

    def content(self) -> bytes:
        """The bytes of its file; equal checkpoints have equal bytes on every machine."""
        model = self.model
        meta = {
            "format": FORMAT,
            "network": self.network,
            "pretraining": self.pretraining,
            "input_exponent": model.input_exponent,
            "weight_exponents": {str(i): int(model.weight_exponents[i]) for i in model.network.weighted},
            "provenance": self.provenance,
        }
        arrays = {f"w{i}": model.weights[i] for i in model.network.weighted}
        return pack({"meta": np.array(json.dumps(meta, sort_keys=True)), **arrays})

    def write(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: The folder cannot be written.
        """
        write_aside(path, self.content())


def read_checkpoint(path: Path, expected_sha256: str | None = None) -> Checkpoint:
    """Read a checkpoint.

    Args:
        path: The file.
        expected_sha256: Its SHA-256 where one is known.

    Returns:
        The checkpoint, its weights checked against its network.

    Raises:
        InputError: The file is missing, damaged, or not the expected one.
    """
    what = f"checkpoint {path}"
    content = read_whole(path, what, DO)
    if expected_sha256 is not None and sha256(content) != expected_sha256:
        raise InputError.about(what, expected=f"sha256 {expected_sha256}", got=sha256(content), do=DO)
    arrays = unpack(content, what, DO)
    try:
        return _from_contents(contents_of(arrays))
    except OF_ANOTHER_FORM as error:
        raise of_another_form(what, f"a legal {FORMAT}", error, DO) from error


def committed_checkpoint(network_name: str, pretraining: str, folder: Path = COMMITTED) -> Checkpoint:
    """Read the authoritative checkpoint of a network and a way of pre-training.

    Its SHA-256 stands in the folder's README.

    Raises:
        InputError: There is none, or the file is not the one the README names.
    """
    name = f"{network_name}_{pretraining}.npz"
    sums = committed_sums(folder)
    if name not in sums:
        expected = f"one of {', '.join(sorted(sums))}"
        raise InputError.about("checkpoint", expected=expected, got=name, do="choose another network or pre-training")
    return read_checkpoint(folder / name, sums[name])


def committed_models(network_name: str, pretrainings: Iterable[str]) -> dict[str, Model]:
    """The authoritative models of a network by their pre-training; see `committed_checkpoint`."""
    return {pretraining: committed_checkpoint(network_name, pretraining).model for pretraining in pretrainings}


def sums_by_pretraining(network_name: str, pretrainings: Iterable[str]) -> dict[str, str]:
    """The SHA-256 of the committed checkpoints of a network.

    Raises:
        KeyError: There is no such checkpoint; `committed_models` refuses it with a sentence.
    """
    sums = committed_sums()
    return {pretraining: sums[f"{network_name}_{pretraining}.npz"] for pretraining in pretrainings}


def committed_sums(folder: Path = COMMITTED) -> dict[str, str]:
    """The SHA-256 of each committed checkpoint, as the folder's README lists them.

    Raises:
        InputError: There is no README.
    """
    readme = folder / "README.md"
    do = "restore the file"
    text = read_whole(readme, f"{readme}", do).decode(errors="replace")
    return dict(re.findall(r"`(\w+\.npz)` \| `([0-9a-f]{64})`", text))


def _from_contents(contents: Contents) -> Checkpoint:
    meta, arrays = contents.meta, contents.arrays
    if meta["format"] != FORMAT:
        raise InputError.about("format", expected=FORMAT, got=repr(meta["format"]), do=DO)
    net = network(meta["network"])
    check_keys("arrays", arrays, [f"w{i}" for i in net.weighted], InputError)
    weights = {}
    for i in net.weighted:
        weights[i] = arrays[f"w{i}"]
        check_tensor(f"w{i}", weights[i], net.weight_shape(i))
    exponents = {i: int(meta["weight_exponents"][str(i)]) for i in net.weighted}
    model = Model(net, weights, exponents, int(meta["input_exponent"]))
    return Checkpoint(meta["network"], meta["pretraining"], model, meta["provenance"])
