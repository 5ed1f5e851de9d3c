"""`pretrain`: the upright model made anew, and held against the committed one."""

from functools import partial
from pathlib import Path

from rich.console import Console

from priot_hil.harness.devices import open_engine
from priot_hil.harness.errors import CheckFailed
from priot_hil.harness.outputs import check_folder, set_aside
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.errors import InputError
from priot_hil.reference.run import Method, MethodKind, initial_state

from .checkpoint import Checkpoint, committed_sums
from .data import LOADERS, Samples
from .files import sha256
from .float_training import float_accuracy, import_torch, train_float
from .integer_training import train_niti
from .networks import subject as find_subject
from .recipes import FLOORS, MU_BY_EPOCH, RECIPES
from .runner import RESULTS, check_device

WAYS = ("float", "niti")


class TooInaccurate(CheckFailed):
    """A pre-trained model that does not reach the declared accuracy."""


def pretrain(
    way: str,
    *,
    network: str = "tiny_cnn",
    device: str | None = None,
    out: Path | None = None,
    console: Console | None = None,
) -> Path:
    """Train the upright model and write its checkpoint; the committed one stays as it is.

    Args:
        way: ``"float"`` (needs torch) or ``"niti"`` (integers alone, byte-identical everywhere).
        network: Name of the network.
        device: The engine that trains *niti*, and that evaluates both; None for the fastest with the network.
        out: Folder of the checkpoint; None for ``results/pretrain`` here.
        console: Where progress goes; None for standard output.

    Returns:
        The checkpoint's file.

    Raises:
        InputError: No such way, network or device; or torch or the data is missing.
        TooInaccurate: The model does not reach the floor.
    """
    if way not in WAYS:
        raise InputError.about("way", expected=f"one of {', '.join(WAYS)}", got=repr(way), do="name one of them")
    subject = find_subject(network)
    device = device or subject.engine
    check_device(device)
    if way == "float":
        import_torch()  # before anything is fetched
    say = partial((console or Console()).print, markup=False, highlight=False, soft_wrap=True)
    folder = check_folder(RESULTS / "pretrain" if out is None else out)
    path = folder / f"{network}_{way}.npz"
    part = folder / f"{path.stem}.part"
    images = LOADERS[subject.data_set](say=say)
    engine = open_engine(device)
    upright, test, floor = images.upright_train(), images.upright_test(), FLOORS[network, way]
    if way == "float":
        checkpoint, module = train_float(network, RECIPES[network], upright, part, say)
        say(f"{path.name}: {float_accuracy(module, test):.2f} % upright in float32")
    else:
        checkpoint = train_niti(network, upright, engine, part, say, MU_BY_EPOCH[network])
    accuracy = upright_accuracy(checkpoint, test, engine)
    say(f"{path.name}: {accuracy:.2f} % upright in int8, at least {floor:.1f} % declared")
    if accuracy < floor:
        raise TooInaccurate(f"{path.name}: {accuracy:.2f} % upright, declared are {floor:.1f} %; not written.")
    if path.exists() and path.read_bytes() != checkpoint.content():
        set_aside(path, "holds another checkpoint", say)
    checkpoint.write(path)
    part.unlink(missing_ok=True)
    say(f"Written: {path}; {comparison(checkpoint, path.name)}.")
    return path


def upright_accuracy(checkpoint: Checkpoint, test: Samples, engine: DatasetEngine) -> float:
    """The int8 model's accuracy in percent with dynamic shifts."""
    method = Method(MethodKind.NITI_DYNAMIC)
    engine.load(checkpoint.model, method, initial_state(checkpoint.model, method, 0))
    engine.load_data(test.images[:1], test.labels[:1], test.images, test.labels)
    return 100 * engine.evaluate() / len(test.labels)


def comparison(checkpoint: Checkpoint, name: str) -> str:
    """Whether a checkpoint's bytes are the committed one's."""
    committed = committed_sums().get(name)
    made = sha256(checkpoint.content())
    if committed is None:
        return f"sha256 {made}, none is committed"
    if made == committed:
        return "the same bytes as the committed checkpoint"
    return f"sha256 {made}, the committed one has {committed}"
