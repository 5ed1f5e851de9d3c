"""Pre-training on integers alone: dynamic NITI from random int8 weights, the same bytes on every machine."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from priot_hil.harness.archive import pack, unpack
from priot_hil.harness.files import read_whole, write_aside
from priot_hil.harness.manifest import OF_ANOTHER_FORM, contents_of, of_another_form, vouched
from priot_hil.harness.outputs import set_aside
from priot_hil.harness.progress import counted, shown
from priot_hil.reference.checks import Int8Array
from priot_hil.reference.engine import DatasetEngine
from priot_hil.reference.network import Conv2d, Network
from priot_hil.reference.run import Method, MethodKind, Model, State, run_rng
from priot_hil.reference.streams import order

from .checkpoint import Checkpoint
from .data import TITLES, Samples
from .files import sha256
from .networks import network, subject
from .plan import code_fingerprint

INPUT_EXPONENT = -7
SEED = 0
PART = 5000  # steps between two states that are kept
# A stream of its own beside those of a run (data 0 to calibration 4).
WEIGHTS_STREAM = 5
OTHERS = "holds another training: another recipe, data or code"
DO = "delete it and give the same command again"


def train_niti(
    network_name: str,
    upright: Samples,
    engine: DatasetEngine,
    kept: Path,
    say: Callable[[str], None],
    mu_by_epoch: Sequence[int],
) -> Checkpoint:
    """Train a network with dynamic NITI, batch 1; the update's width mu falls from epoch to epoch.

    Args:
        network_name: Name of the network.
        upright: The training set; at most 65,536 images.
        engine: Any engine; all give the same integers.
        kept: The state after some thousand steps is kept here, so that an interrupted command goes on; the caller
            removes it when the checkpoint is safe.
        say: Told of each part.
        mu_by_epoch: One mu an epoch.

    Returns:
        The checkpoint; its bytes depend on the arguments alone.

    Raises:
        InputError: The kept state is damaged, or the engine refuses the run.
    """
    initial = random_model(network(network_name))
    net, images = initial.network, len(upright.images)
    key = _key(network_name, upright, mu_by_epoch)
    done, state = _read_kept(kept, key, net, say) or (0, State(initial.weights, run_rng(SEED)))
    with shown(counted("training steps", images * len(mu_by_epoch), done)) as work:
        while done < images * len(mu_by_epoch):
            epoch, begin = divmod(done, images)
            engine.load(initial, Method(MethodKind.NITI_DYNAMIC, mu_by_epoch[epoch]), state)
            engine.load_data(upright.images, upright.labels, upright.images[:1], upright.labels[:1])
            passed = engine.train_epoch(order(SEED, epoch, images)[begin : begin + PART])
            state, done = engine.state(), done + passed.steps
            _keep(kept, key, done, state)
            work.advance(passed.steps)
            so_far = "" if done % images == 0 else f", image {done % images:,} of {images:,}"
            accuracy = f"{100 * passed.correct / passed.steps:.1f} % right while training"
            say(f"epoch {epoch + 1} of {len(mu_by_epoch)}, mu {mu_by_epoch[epoch]}{so_far}: {accuracy}")
    model = Model(net, state.values, initial.weight_exponents, INPUT_EXPONENT)
    provenance = {
        "trained_by": "dynamic NITI on integers alone, batch 1, stochastic loss rounding",
        "data": f"{TITLES[subject(network_name).data_set]}, {len(upright.images)} training images, upright",
        "mu_by_epoch": list(mu_by_epoch),
        "seed": SEED,
    }
    return Checkpoint(network_name, "niti", model, provenance)


def random_model(net: Network) -> Model:
    """Xavier's uniform initial weights, drawn as integers.

    Source: Glorot and Bengio, AISTATS 2010: uniform within sqrt(6 / (fan_in + fan_out)).
    """
    draws = np.random.Generator(np.random.PCG64([SEED, WEIGHTS_STREAM]))
    weights: dict[int, Int8Array] = {}
    exponents = {}
    for i in net.weighted:
        limit, exponents[i] = xavier_limit(*_fans(net, i))
        weights[i] = draws.integers(-limit, limit, net.weight_shape(i), np.int8, endpoint=True)
    return Model(net, weights, exponents, INPUT_EXPONENT)


def xavier_limit(fan_in: int, fan_out: int) -> tuple[int, int]:
    """Xavier's bound as an int8 and its exponent.

    Args:
        fan_in: Inputs of an output, positions of the kernel included; 1 or more.
        fan_out: Outputs of an input, the same way.

    Returns:
        The limit in 64..127 and the exponent for which ``limit * 2**exponent`` comes nearest the bound from below.
    """
    fans = fan_in + fan_out
    exponent = 0
    # The limit is floor(bound * 2**-exponent), its square the floor of that of a whole fraction.
    while (limit := math.isqrt(6 * 4**-exponent // fans)) * 2 < 127:
        exponent -= 1
    return limit, exponent


def _fans(net: Network, index: int) -> tuple[int, int]:
    layer = net.weighted_layer(index)
    outputs, inputs = net.weight_shape(index)[:2]
    area = layer.kernel**2 if isinstance(layer, Conv2d) else 1
    return inputs * area, outputs * area


def _key(network_name: str, upright: Samples, mu_by_epoch: Sequence[int]) -> str:
    data = sha256(upright.images.tobytes() + upright.labels.tobytes())
    return json.dumps([network_name, data, list(mu_by_epoch), code_fingerprint()])


def _keep(path: Path, key: str, steps: int, state: State) -> None:
    meta = {"key": key, "steps": steps, "rng": state.rng}
    write_aside(path, pack(vouched(meta, {f"w{i}": values for i, values in state.values.items()})))


def _read_kept(path: Path, key: str, net: Network, say: Callable[[str], None]) -> tuple[int, State] | None:
    """Steps done and the state after them; None where nothing is kept, or only what another command left."""
    if not path.exists():
        return None
    what = f"kept training {path}"
    arrays = unpack(read_whole(path, what, DO), what, DO)
    try:
        contents = contents_of(arrays)
        meta = contents.meta
        state = State({i: contents.arrays[f"w{i}"] for i in net.weighted}, int(meta["rng"]))
        if meta["key"] == key:
            return int(meta["steps"]), state
    except OF_ANOTHER_FORM as error:
        raise of_another_form(what, "a state", error, DO) from error
    set_aside(path, OTHERS, say)
    return None
