"""A layer's weights and what a run has learned of them, on the engine's device."""

from dataclasses import dataclass

import torch

from priot_hil.reference.checks import BoolArray, Int8Array
from priot_hil.reference.network import Weighted

from .layouts import edges_of, pixels_of


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of one layer with weights, each tensor (out, columns) but for `pixels`; see `layouts`.

    Attributes:
        weights: int8, W; the same tensor as `values` where the weights are learned.
        values: int8, what is learned: W (NITI) or S (PRIOT).
        effective: int8, the weights as a pass sees them; of NITI, the same tensor as `values`. Whoever changes the
            values keeps it up to date.
        scored: bool, the scored edges of PRIOT-S, else None.
        theta: The threshold of scores, None for NITI.
        pixels: int32, (positions, taps), what each tap meets of the input.
    """

    weights: torch.Tensor
    values: torch.Tensor
    effective: torch.Tensor
    scored: torch.Tensor | None
    theta: int | None
    pixels: torch.Tensor

    def prune(self) -> None:
        """Make the effective weights from the others."""
        if self.theta is not None:
            pruned = self.values < self.theta
            self.effective.copy_(self.weights.masked_fill(pruned if self.scored is None else pruned & self.scored, 0))


@dataclass(frozen=True, eq=False)
class EdgeArrays:
    """What edges are made of, each of the layer's shape of weights.

    Attributes:
        weights: int8, W.
        scores: int8, S; None where the weights are learned.
        scored: bool, the scored edges of PRIOT-S, else None.
        theta: The threshold of scores, None for NITI.
    """

    weights: Int8Array
    scores: Int8Array | None
    scored: BoolArray | None
    theta: int | None

    def put(self, layer: Weighted, input_shape: tuple[int, ...], device: torch.device) -> Edges:
        """Copies on a device, for a layer with an input of that shape."""

        def put(array: Int8Array | BoolArray) -> torch.Tensor:
            return torch.tensor(edges_of(array), device=device)

        weights = put(self.weights)
        values = weights if self.scores is None else put(self.scores)
        effective = weights if self.scores is None else torch.empty_like(weights)
        scored = None if self.scored is None else put(self.scored)
        edges = Edges(weights, values, effective, scored, self.theta, pixels_of(layer, input_shape, device))
        edges.prune()
        return edges
