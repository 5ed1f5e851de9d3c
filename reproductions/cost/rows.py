"""One row of the table of costs: some epochs of a method, step by step, on devices that count cycles."""

from collections.abc import Callable
from dataclasses import dataclass

from priot_hil.harness.debug_info import DebugInfo
from priot_hil.harness.engines import DeviceEngine

from ..performance import EnginesDiffer
from .bed import Bed, CycleCounter
from .memory import Tensor, arena, paint_stack, stack_high_water
from .phases import Pass
from .setting import Amount


@dataclass(frozen=True)
class EpochCost:
    """What the first steps of an epoch took, and the predictions behind them.

    Attributes:
        epoch: Counted from 1.
        training: The steps.
        inference: The predictions.
        state_crc: Of the state that both end in, equal on the host.
    """

    epoch: int
    training: Pass
    inference: Pass
    state_crc: int


@dataclass(frozen=True)
class RowCost:
    """A method's cost.

    Attributes:
        row: Name of the row.
        scales: Static shifts [forward, backward, gradient] by layer; None where they are dynamic.
        epochs: What was measured.
        tensors: What lies in the arena; empty where the device does not show its memory.
        stack: Bytes of stack at most, by painting it; None where the device does not show its memory.
    """

    row: str
    scales: dict[int, tuple[int, ...]] | None
    epochs: tuple[EpochCost, ...]
    tensors: tuple[Tensor, ...] = ()
    stack: int | None = None


def measure_row(
    bed: Bed,
    row: str,
    amount: Amount,
    host: DeviceEngine,
    counter: CycleCounter,
    info: DebugInfo | None,
    done: Callable[[], None],
) -> RowCost:
    """Measure a row.

    The host trains through all epochs. Where one is to be measured, the counting device takes over its state, trains
    the same steps, and must end in the same state.

    Args:
        bed: Data and runs.
        row: Name of the row.
        amount: How much is measured.
        host: Trains what is not measured.
        counter: Measures.
        info: Of the image that an emulated counter runs.
        done: Called when an epoch was measured.

    Returns:
        The row.

    Raises:
        EnginesDiffer: The two do not end in the same state.
    """
    state = bed.first_state(row, host)
    bed.load(host, row, state, amount.steps)
    epochs: list[EpochCost] = []
    tensors: tuple[Tensor, ...] = ()
    stack: int | None = None
    for epoch in range(1, amount.epochs[-1] + 1):
        visits = bed.visits(epoch)
        if epoch not in amount.epochs:
            host.train_epoch(visits)
            continue
        bed.load(counter.engine, row, host.state(), amount.steps)
        if counter.machine is not None:
            paint_stack(counter.machine)
        host.train_epoch(visits[: amount.steps])
        training = counter.train(visits[: amount.steps], bed.network)
        _expect_equal(bed, row, epoch, host, counter.engine)
        epochs.append(EpochCost(epoch, training, counter.infer(bed.network), host.state_crc()))
        if counter.machine is not None and info is not None:
            # Single steps too, on their way over the link: whatever needs most stack counts. They are not measured.
            counter.step(bed.task.train.images[0], int(bed.task.train.labels[0]), bed.network)
            counter.engine.predict(bed.task.train.images[0])
            stack = max(stack or 0, stack_high_water(counter.machine))
            tensors = arena(counter.machine, info)
        host.train_epoch(visits[amount.steps :])
        done()
    scales = None if state.scales is None else {layer: tuple(shifts) for layer, shifts in state.scales.items()}
    return RowCost(row, scales, tuple(epochs), tensors, stack)


def _expect_equal(bed: Bed, row: str, epoch: int, host: DeviceEngine, other: DeviceEngine) -> None:
    expected, got = host.state_crc(), other.state_crc()
    if expected != got:
        raise EnginesDiffer(
            f"{bed.runs[row]}, in epoch {epoch}: state CRC is {expected:#010x} on {host.name}, {got:#010x} on "
            f"{other.name}; find the first step that differs with `pytest --device={other.name}`."
        )
