"""What a layer with weights computes, by operations on whole tensors; `reference/layers.py` defines it."""

from typing import Protocol

import torch
from torch.nn import functional

from .arithmetic import INT8_MAX, psto_clip, requantize
from .edges import Edges
from .products import Products


class Kernels(Protocol):
    """Forward, error, gradient and update of one layer. Errors and gradients are those of a single sample.

    Errors are int8, (positions, out), windows int8, (positions, columns). Accumulators are whole numbers below 2**31 in
    magnitude, of the dtype that the kernels' own `requantize` takes.

    Attributes:
        has_threads: Whether they share their work among threads of their own.
    """

    has_threads: bool

    def forward(self, edges: Edges, windows: torch.Tensor) -> torch.Tensor:
        """The accumulator, (n * positions, out), of the windows of n samples."""
        ...

    def input_error(self, edges: Edges, error: torch.Tensor, pixels: int) -> torch.Tensor:
        """The accumulator of the error to an input of that many pixels, (pixels, channels)."""
        ...

    def requantize(self, accumulator: torch.Tensor, shift: int) -> torch.Tensor:
        """An accumulator, contiguous, as int8 values of the same shape."""
        ...

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """The largest magnitude of what the layer learns from: of G, or of P on the scored edges."""
        ...

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """Update what is learned, and the effective weights with it."""
        ...

    def gradient(self, error: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """G: int32, (out, columns)."""
        ...


class TensorKernels:
    """On any device; an update passes through memory once for each of its operations."""

    has_threads = False

    def __init__(self, products: Products) -> None:
        self._products = products

    def forward(self, edges: Edges, windows: torch.Tensor) -> torch.Tensor:
        """See `Kernels.forward`."""
        return self._products(windows, edges.effective.t())

    def input_error(self, edges: Edges, error: torch.Tensor, pixels: int) -> torch.Tensor:
        """See `Kernels.input_error`."""
        taps = edges.pixels.numel()
        sums = self._products(error, edges.effective).view(taps, -1)
        return sums.new_zeros(pixels + 1, sums.shape[1]).index_add_(0, edges.pixels.view(-1), sums)[:-1]

    def requantize(self, accumulator: torch.Tensor, shift: int) -> torch.Tensor:
        """See `Kernels.requantize`; float64."""
        return requantize(accumulator, shift)

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """See `Kernels.largest`."""
        return int(self._learned_from(edges, error, windows).abs().max().item())

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """See `Kernels.learn`."""
        step = psto_clip(self._learned_from(edges, error, windows), shift)
        edges.values.copy_((edges.values - step).clamp_(-INT8_MAX, INT8_MAX))
        edges.prune()

    def gradient(self, error: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """See `Kernels.gradient`."""
        return self._products(error.t(), windows).to(torch.int32)

    def _learned_from(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> torch.Tensor:
        """G, or P = W * G on the scored edges; int32."""
        gradient = self.gradient(error, windows)
        if edges.theta is None:
            return gradient
        product = gradient.mul_(edges.weights)
        return product if edges.scored is None else product.masked_fill_(~edges.scored, 0)


def windows_of(edges: Edges, x: torch.Tensor) -> torch.Tensor:
    """What each position of a layer's output sees of its input.

    Args:
        edges: Of the layer.
        x: int8, (n, height, width, channels) or (n, features).

    Returns:
        int8, (n * positions, columns), contiguous.
    """
    pixels = functional.pad(x.reshape(x.shape[0], -1, x.shape[-1]), (0, 0, 0, 1))  # and one of padding
    met = pixels.index_select(1, edges.pixels.view(-1))
    return met.view(-1, edges.weights.shape[1])
