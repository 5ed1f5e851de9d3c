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


@dataclass(frozen=True)
class ScalesCost:
    """What the same steps took twice.

    Attributes:
        found: With dynamic scales.
        given: With each step's scales given, as if it could have been known.
    """

    found: Pass
    given: Pass


def measure_scales(
    bed: Bed, steps: int, host: DeviceEngine, found: CycleCounter, given: CycleCounter, done: Callable[[], None]
) -> ScalesCost:
    """Take the first steps of dynamic NITI's first epoch twice.

    The host goes ahead and says which scales a step uses; `given` starts it from the same state with these.

    Args:
        bed: Data and runs.
        steps: How many.
        host: Goes ahead.
        found: Takes the steps with dynamic scales.
        given: Takes them with the scales given.
        done: Called after each step.

    Returns:
        Both.

    Raises:
        EnginesDiffer: They are not the same steps.
    """
    row = next(row.name for row in bed.setting.rows if row.kind is MethodKind.NITI_DYNAMIC)
    model, method = bed.material.model, bed.runs[row].method
    state = bed.first_state(row, host)
    for engine in (host, found.engine):
        engine.load(model, method, state)
    passes: list[tuple[Pass, Pass]] = []
    for sample in bed.visits(1)[:steps]:
        image, label = bed.task.train.images[sample], int(bed.task.train.labels[sample])
        before = host.state()
        ahead = host.train_step(image, label)
        given.engine.load(
            model, replace(method, kind=MethodKind.NITI_STATIC), State(before.values, before.rng, ahead.shifts)
        )
        taken, crcs = found.step(image, label, bed.network)
        again, crcs_again = given.step(image, label, bed.network)
        if not crcs == crcs_again == ahead.crcs or found.engine.state_crc() != given.engine.state_crc():
            raise EnginesDiffer(f"{bed.runs[row]}, step {len(passes)}: with its own scales given, it ends elsewhere.")
        passes.append((taken, again))
        done()
    return ScalesCost(*(reduce(add, side) for side in zip(*passes, strict=True)))
