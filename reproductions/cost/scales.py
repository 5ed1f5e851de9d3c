"""The price of dynamic scales: the same steps, to the last bit, with the scales to be found and with them given."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add

from priot_hil.harness.engines import DeviceEngine
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.run import State

from ..performance import EnginesDiffer
from .bed import Bed, CycleCounter
from .phases import Pass
from .setting import Amount


@dataclass(frozen=True)
class ScalesCost:
    """What the same steps of an epoch took twice.

    Attributes:
        epoch: Counted from 1.
        found: With dynamic scales.
        given: With each step's scales given, as if it could have been known.
    """

    epoch: int
    found: Pass
    given: Pass


def measure_scales(
    bed: Bed, amount: Amount, host: DeviceEngine, counter: CycleCounter, done: Callable[[], None]
) -> tuple[ScalesCost, ...]:
    """Take steps of dynamic NITI twice, spread evenly over each epoch that is measured.

    The host trains through all epochs. At such a step it says which scales are used, and the counter takes the step
    from the same state with dynamic scales, and again from the same state with these.

    Args:
        bed: Data and runs.
        amount: Which epochs and how many steps of each.
        host: Goes ahead.
        counter: Takes the steps.
        done: Called after each step that was taken twice.

    Returns:
        One for each epoch.

    Raises:
        EnginesDiffer: They are not the same steps.
    """
    row = next(row.name for row in bed.setting.rows if row.kind is MethodKind.NITI_DYNAMIC)
    bed.load(host, row, bed.first_state(row, host), 1)
    costs = []
    for epoch in range(1, amount.epochs[-1] + 1):
        visits = bed.visits(epoch)
        if epoch not in amount.epochs:
            host.train_epoch(visits)
            continue
        passes = []
        begins = [index * len(visits) // amount.scale_steps for index in range(amount.scale_steps)]
        for begin, end in zip(begins, [*begins[1:], len(visits)], strict=True):
            passes.append(_step_twice(bed, row, int(visits[begin]), host, counter))
            host.train_epoch(visits[begin + 1 : end])
            done()
        found, given = (reduce(add, side) for side in zip(*passes, strict=True))
        costs.append(ScalesCost(epoch, found, given))
    return tuple(costs)


def _step_twice(bed: Bed, row: str, sample: int, host: DeviceEngine, counter: CycleCounter) -> tuple[Pass, Pass]:
    model, method, before = bed.material.model(bed.runs[row]), bed.runs[row].method, host.state()
    image, label = bed.task.train.images[sample], int(bed.task.train.labels[sample])
    ahead = host.train_step(image, label)
    static = replace(method, kind=MethodKind.NITI_STATIC)
    ends, passes = [(ahead.crcs, host.state_crc())], []
    for way, state in ((method, before), (static, State(before.values, before.rng, ahead.shifts))):
        counter.engine.load(model, way, state)
        taken, crcs = counter.step(image, label, bed.network)
        ends.append((crcs, counter.engine.state_crc()))
        passes.append(taken)
    if any(end != ends[0] for end in ends):
        raise EnginesDiffer(f"{bed.runs[row]}: a step on sample {sample} ends elsewhere with its own scales given.")
    return passes[0], passes[1]
