"""A table's transfer set in a board's own flash, so that it trains without a host's data."""

from collections.abc import Callable

from priot_hil.harness.boards_on_ports import open_port
from priot_hil.harness.device_kinds import DeviceOptions
from priot_hil.harness.protocol import CommandCode, DatasetResponse
from priot_hil.harness.store import CHECK_SECONDS
from priot_hil.reference.run import Method, MethodKind, State, run_rng

from .checkpoint import committed_checkpoint
from .data import load_mnist, transfer_task
from .experiment import read_experiment


def give_data(
    name: str,
    options: DeviceOptions,
    *,
    table: str = "accuracy",
    seed: int | None = None,
    angle: int | None = None,
    say: Callable[[str], None] = print,
) -> DatasetResponse:
    """Puts the transfer set of one of a table's runs into a board's flash and has the board check it.

    Args:
        name: The board's port.
        options: How it is opened.
        table: Whose network, numbers of samples, seeds and angles.
        seed: Of the run; None for the table's first.
        angle: Degrees; None for the table's first.
        say: Told what lies in flash.

    Returns:
        What the board found in its flash.

    Raises:
        InputError: No such table, no data, or the set does not fit.
        LinkLost: The board does not answer.
    """
    experiment = read_experiment(table)
    seed = experiment.seeds[0] if seed is None else seed
    angle = experiment.angles[0] if angle is None else angle
    task = transfer_task(load_mnist(say=say), angle, seed, experiment.train_samples, experiment.test_samples)
    model = committed_checkpoint(experiment.network, experiment.setting.pretraining).model
    engine = open_port(name, options)
    try:
        engine.load(model, Method(MethodKind.NITI_DYNAMIC, experiment.setting.mu), State(model.weights, run_rng(seed)))
        engine.load_data(task.train.images, task.train.labels, task.test.images, task.test.labels)
        found = DatasetResponse.unpack(engine.device.command(CommandCode.DATASET, budget=CHECK_SECONDS))
    finally:
        engine.close()
    say(
        f"{name} holds {found.train} + {found.test} samples of seed {seed} at {angle} degrees, "
        f"checksum {found.crc:#010x}, checked by the board"
    )
    return found
