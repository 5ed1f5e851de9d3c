"""What a layer learns from an error; `reference/methods.py` defines it."""

from typing import Protocol

import torch

from priot_hil.harness.firmware import build

from .arithmetic import INT8_MAX, psto_clip
from .edges import Edges
from .host_updates import HostUpdates
from .products import FLOAT32, Products


class Updates(Protocol):
    """The gradient of a layer and its update, one layer and sample at a time."""

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """The largest magnitude of what the layer learns from: of G, or of P on the scored edges.

        Args:
            edges: Of the layer.
            error: (out, positions), at its output.
            windows: (positions, fan-in), its input.
        """
        ...

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """Update what is learned, and the effective weights with it; see `largest`."""
        ...


class TensorUpdates:
    """By operations on whole tensors: on any device, but a pass through memory for each of them."""

    def __init__(self, products: Products) -> None:
        self._products = products

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """See `Updates.largest`."""
        return int(self._learned_from(edges, error, windows).abs().max().item())

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """See `Updates.learn`."""
        step = psto_clip(self._learned_from(edges, error, windows), shift)
        edges.values.copy_((edges.values - step).clamp_(-INT8_MAX, INT8_MAX))
        edges.refresh()

    def _learned_from(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """G, or P = W * G on the scored edges; int32."""
        gradient = self._products(error, windows).to(torch.int32)
        if edges.theta is None:
            return gradient
        product = gradient.mul_(edges.weights)
        return product if edges.scored is None else product.masked_fill_(~edges.scored, 0)


def choose_updates(device: torch.device, products: Products) -> Updates:
    """The fastest updates on a device."""
    library = build("host").library if device.type == "cpu" and products is FLOAT32 else None
    if library is None:
        return TensorUpdates(products)
    wide = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return HostUpdates(library, wide, torch.get_num_threads())
