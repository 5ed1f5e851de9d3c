"""What a device takes at most beside its arena, and which of these limits a network breaks."""

import math
from collections.abc import Iterator, Sequence

from priot_hil.reference.engine import KernelCase
from priot_hil.reference.kinds import MethodKind
from priot_hil.reference.network import INT32_MAX, Conv2d, Flatten, Layer, Network, Weighted, output_shape, weight_shape

from .protocol import MAX_STAGES

MAX_ROW = 1 << 16  # PRIOT-S counts the edges of a row in 16 bits
MAX_POSITIONS = (1 << 22) - 1  # of a convolution's planes: a term has 22 bits for its place
MAX_SIDE = 0xFFFF  # of a plane


def broken_by_run(network: Network, kind: MethodKind) -> str | None:
    """The first limit that a legal network breaks, with its bound; None where all are kept."""
    return next(_broken(network.input_shape, network.layers, kind), None)


def broken_by_kernel(case: KernelCase) -> str | None:
    """The same for a single stage."""
    return next(_broken(case.input_shape, (case.layer, *case.behind), case.kind), None)


def _broken(shape: tuple[int, ...], layers: Sequence[Layer], kind: MethodKind) -> Iterator[str]:
    yield from _over("the image: values", math.prod(shape), INT32_MAX)
    stages = 0
    for index, layer in enumerate(layers):
        name = f"layer {index} {layer}"
        output = output_shape(layer, shape, name)
        if isinstance(layer, Flatten):
            yield from _over(f"{name}: values", math.prod(output), INT32_MAX)
        if isinstance(layer, Weighted):
            stages += 1
            yield from _over(f"{name}: layers with weights up to here", stages, MAX_STAGES)
            weights = weight_shape(layer)
            if isinstance(layer, Conv2d):
                yield from _over(f"{name}: height or width of its output", max(output[1:]), MAX_SIDE)
                yield from _over(f"{name}: positions of its input", math.prod(shape[1:]), MAX_POSITIONS)
                yield from _over(f"{name}: positions of its output", math.prod(output[1:]), MAX_POSITIONS)
            yield from _over(f"{name}: weights", math.prod(weights), INT32_MAX)
            if kind is MethodKind.PRIOT_S:
                yield from _over(f"{name}: weights of one output, with PRIOT-S", math.prod(weights[1:]), MAX_ROW)
        shape = output


def _over(what: str, got: int, most: int) -> Iterator[str]:
    if got > most:
        yield f"{what}: expected at most {most}, got {got}"
