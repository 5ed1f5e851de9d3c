"""A layer's weights and what a run has learned of them, on the engine's device."""

from dataclasses import dataclass

import numpy as np
import torch

from priot_hil.reference.checks import BoolArray, Int8Array

from .products import Products


@dataclass(frozen=True, eq=False)
class Edges:
    """The edges of one layer with weights; each tensor is (out, fan-in).

    Attributes:
        weights: int8, W; the same tensor as `values` where the weights are learned.
        values: int8, what is learned: W (NITI) or S (PRIOT).
        effective: The weights as a pass sees them, in the dtype of the products. Whoever changes `values` keeps them.
        scored: bool, the scored edges of PRIOT-S, else None.
        theta: The threshold of scores, None for NITI.
    """

    weights: torch.Tensor
    values: torch.Tensor
    effective: torch.Tensor
    scored: torch.Tensor | None
    theta: int | None

    def refresh(self) -> None:
        """Make the effective weights from the others."""
        if self.theta is None:
            self.effective.copy_(self.values)
            return
        pruned = self.values < self.theta
        if self.scored is not None:
            pruned &= self.scored
        self.effective.copy_(self.weights.masked_fill(pruned, 0))


def make_edges(
    products: Products,
    device: torch.device,
    weights: Int8Array,
    scores: Int8Array | None,
    scored: BoolArray | None,
    theta: int | None,
) -> Edges:
    """Put a layer on the device.

    Args:
        products: Of its passes.
        device: Where they run.
        weights: int8, W, of the layer's shape.
        scores: int8, S, the same shape; None where the weights are learned.
        scored: bool, the same shape: the scored edges of PRIOT-S, else None.
        theta: The threshold of scores, None for NITI.

    Returns:
        Copies.
    """

    def put(array: Int8Array | BoolArray) -> torch.Tensor:
        flat = np.ascontiguousarray(array.reshape(len(array), -1))
        return torch.from_numpy(flat.copy()).to(device)

    own = put(weights)
    values = own if scores is None else put(scores)
    effective = torch.empty(own.shape, dtype=products.dtype, device=device)
    edges = Edges(own, values, effective, None if scored is None else put(scored), theta)
    edges.refresh()
    return edges
