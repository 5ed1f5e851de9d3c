"""Single stages with a chosen error and chosen shifts."""

import math

from hypothesis import strategies as st

from priot_hil.reference.engine import KernelCase
from priot_hil.reference.network import Conv2d, Layer, Linear, Weighted, output_shape, weight_shape
from priot_hil.reference.run import MethodKind

from .arrays import EXTREME, Palette, int8_arrays, masks
from .methods import mus, shift_triples, thetas
from .networks import FLAT_BEHIND, IMAGE_BEHIND, VECTOR_BEHIND, Shape, Sizes, draw_behind, draw_conv2d

KERNEL_SIZES = Sizes(channels=3, side=8, features=24)
PRIOT_POSITIONS = 1048
"""Positions whose score gradient still fits int32: 127**3 * 1048 <= 2**31 - 1."""

LAYERS = st.sampled_from(("linear", "conv2d", "conv2d"))
EXTREMES = st.sampled_from(("wide", "tall", "scored positions", "scored positions", "positions"))
BOUNDARIES = st.sampled_from(((1, 8, 131), (1, 131, 8), (1, 4, 262), (1, 32, 32)))
NITI = ((MethodKind.NITI_DYNAMIC, True), (MethodKind.NITI_STATIC, False))
PRIOT = tuple((kind, dynamic) for kind in (MethodKind.PRIOT, MethodKind.PRIOT_S) for dynamic in (True, False))
NITI_KINDS = st.sampled_from(NITI)
KINDS = st.sampled_from(NITI + PRIOT)
"""Methods, and whether their shifts are dynamic."""


@st.composite
def kernel_cases(draw: st.DrawFn, sizes: Sizes = KERNEL_SIZES) -> KernelCase:
    """One stage of any method, small, within every overflow bound.

    Convolution or linear, with relu, maxpool2d and flatten behind in any order; dynamic or static shifts. Shrinks to
    dynamic NITI on a linear layer with one weight.

    Args:
        draw: Hypothesis's.
        sizes: Bounds.
    """
    layer: Weighted
    orders: tuple[str, ...]
    if draw(LAYERS) == "linear":
        features = st.integers(1, sizes.features)
        layer = Linear(draw(features), draw(features))
        shape: Shape = (layer.in_features,)
        orders = VECTOR_BEHIND
    else:
        side = st.integers(1, sizes.side)
        shape = (draw(st.integers(1, sizes.channels)), draw(side), draw(side))
        layer = draw_conv2d(draw, shape, sizes)
        orders = IMAGE_BEHIND + FLAT_BEHIND
    behind = draw_behind(draw, output_shape(layer, shape, "layer"), orders)
    return _case(draw, layer, behind, shape)


@st.composite
def extreme_kernel_cases(draw: st.DrawFn, arena: int = 200_000) -> KernelCase:
    """One layer whose sums come near their bounds in int32: very wide, very tall, or with very many positions.

    Large, so draw few of them. Shrinks to a wide linear layer of ones.

    Args:
        draw: Hypothesis's.
        arena: Bytes that weights, scores, image and error may take together.
    """
    layer: Weighted
    shape: Shape
    match draw(EXTREMES):
        case "wide":
            layer = Linear(min(arena // 3, 133_000) - draw(st.integers(0, 9)), 1)
            shape = (layer.in_features,)
        case "tall":
            layer = Linear(1, min(arena // 4, 133_000) - draw(st.integers(0, 9)))
            shape = (1,)
        case "scored positions":
            layer, shape = Conv2d(1, 1, 1), draw(BOUNDARIES)
        case _:
            side = math.isqrt(arena // 3) - draw(st.integers(0, 9))
            layer, shape = Conv2d(1, 1, draw(st.integers(1, 3))), (1, side, side)
    return _case(draw, layer, (), shape, EXTREME)


@st.composite
def kernel_cases_of(draw: st.DrawFn, layer: Weighted, shape: Shape, behind: tuple[Layer, ...] = ()) -> KernelCase:
    """One chosen stage, of any method that its positions allow, with any values and shifts.

    Args:
        draw: Hypothesis's.
        layer: With weights.
        shape: Of its input.
        behind: The layers without weights behind it.
    """
    return _case(draw, layer, behind, shape)


def _case(
    draw: st.DrawFn, layer: Weighted, behind: tuple[Layer, ...], shape: Shape, palettes: tuple[Palette, ...] = ()
) -> KernelCase:
    """The method and the arrays of a stage."""
    output = output_shape(layer, shape, "layer")
    positions = math.prod(output[1:])
    kind, dynamic = draw(KINDS if positions <= PRIOT_POSITIONS else NITI_KINDS)
    theta = draw(thetas()) if kind.learns_scores else None
    for following in behind:
        output = output_shape(following, output, "layer")
    weights = weight_shape(layer)
    triples = shift_triples(math.prod(weights[1:]), positions, kind.learns_scores)
    return KernelCase(
        layer=layer,
        behind=behind,
        input_shape=shape,
        kind=kind,
        theta=theta,
        weights=draw(int8_arrays(weights, palettes=palettes)),
        scores=draw(int8_arrays(weights, near=theta)) if kind.learns_scores else None,
        scored=draw(masks(weights)) if kind is MethodKind.PRIOT_S else None,
        image=draw(int8_arrays(shape, palettes=palettes)),
        error=draw(int8_arrays(output, palettes=palettes)),
        shifts=None if dynamic else draw(triples),
        mu=draw(mus()) if dynamic else 5,
    )
