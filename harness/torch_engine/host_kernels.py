"""A layer by loops in C over its edges: sums in int32, no gradient kept, and on the way back zeros skipped."""

import ctypes
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from .edges import Edges
from .kernels import TensorKernels
from .products import Products

EDGES_OF_A_THREAD = 1 << 16  # fewer are done before another thread has begun


class Layer(ctypes.Structure):
    """`priot_layer` of firmware/boards/host/priot_layer.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("errors", "inputs", "pixels", "weights", "scored")),
        *((name, ctypes.c_void_p) for name in ("values", "effective", "accumulators")),
        *((name, ctypes.c_uint32) for name in ("rows", "positions", "taps", "channels", "pixels_in", "shift")),
        ("theta", ctypes.c_int32),
    )


class HostKernels(TensorKernels):
    """`Kernels` on the CPU by the library libpriot, whose loops take the tensors where they lie.

    Args:
        products: For gradients that someone wants to see.
        library: The library.
        wide: Take the loops for AVX2, which the processor has to have.
        threads: How many share the work of a layer.
    """

    def __init__(self, products: Products, library: Path, wide: bool, threads: int) -> None:
        super().__init__(products)
        self.has_threads = threads > 1
        loaded, suffix = ctypes.CDLL(str(library)), "_avx2" if wide else ""
        self._forward = loaded[f"priot_layer_forward{suffix}"]
        self._input_error = loaded[f"priot_layer_input_error{suffix}"]
        self._largest = loaded[f"priot_layer_largest{suffix}"]
        self._largest.restype = ctypes.c_uint32
        self._learn = loaded[f"priot_layer_learn{suffix}"]
        self._requantize = loaded[f"priot_layer_requantize{suffix}"]
        self._threads = threads
        self._helpers = ThreadPoolExecutor(max(1, threads - 1), "layer")

    def forward(self, edges: Edges, windows: torch.Tensor) -> torch.Tensor:
        """See `Kernels.forward`."""
        positions, rows = len(edges.pixels), len(edges.values)
        accumulators = torch.empty(len(windows), rows, dtype=torch.int32)
        for sample, own in zip(windows.split(positions), accumulators.split(positions), strict=True):
            layer = _layer(edges, inputs=sample.data_ptr(), accumulators=own.data_ptr())
            self._share(self._forward, layer, rows, [()] * self._shares(edges, rows))
        return accumulators

    def input_error(self, edges: Edges, error: torch.Tensor, pixels: int) -> torch.Tensor:
        """See `Kernels.input_error`."""
        layer = _layer(edges, errors=error.data_ptr(), pixels_in=pixels)
        columns, channels = edges.values.shape[1], layer.channels
        own = torch.empty(self._shares(edges, len(error)), columns + (pixels + 1) * channels, dtype=torch.int32)
        self._share(self._input_error, layer, len(error), _addresses(own))
        sums = own[:, columns:-channels]
        return (sums[0] if len(sums) == 1 else sums.sum(0, dtype=torch.int32)).view(pixels, channels)

    def requantize(self, accumulator: torch.Tensor, shift: int) -> torch.Tensor:
        """See `Kernels.requantize`; int32."""
        values = torch.empty_like(accumulator, dtype=torch.int8)
        count, wanted = (ctypes.c_uint32(number) for number in (accumulator.numel(), shift))
        to = ctypes.c_void_p(values.data_ptr())
        self._requantize(ctypes.c_void_p(accumulator.data_ptr()), count, wanted, to)
        return values

    def largest(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor) -> int:
        """See `Kernels.largest`."""
        layer = _layer(edges, errors=error.data_ptr(), inputs=windows.data_ptr())
        return max(int(found) for found in self._on_rows(self._largest, edges, layer))

    def learn(self, edges: Edges, error: torch.Tensor, windows: torch.Tensor, shift: int) -> None:
        """See `Kernels.learn`."""
        self._on_rows(
            self._learn, edges, _layer(edges, errors=error.data_ptr(), inputs=windows.data_ptr(), shift=shift)
        )

    def _on_rows(self, function: Callable[..., Any], edges: Edges, layer: Layer) -> list[Any]:
        """Call a function on all rows, with memory for a gradient in each thread."""
        rows, columns = edges.values.shape
        own = torch.empty(self._shares(edges, rows), columns, dtype=torch.int32)
        return self._share(function, layer, rows, _addresses(own))

    def _shares(self, edges: Edges, count: int) -> int:
        """How many threads are worth their while."""
        return int(max(1, min(self._threads, count, edges.values.numel() // EDGES_OF_A_THREAD)))

    def _share(self, function: Callable[..., Any], layer: Layer, count: int, more: list[tuple[Any, ...]]) -> list[Any]:
        """Call a function on parts of 0..count - 1, each in a thread and with further arguments of its own."""
        shares = len(more)

        def take(share: int) -> Any:
            first, end = (ctypes.c_uint32(count * k // shares) for k in (share, share + 1))
            return function(ctypes.byref(layer), first, end, *more[share])

        others = [self._helpers.submit(take, share) for share in range(1, shares)]
        return [take(0), *(other.result() for other in others)]


def _layer(edges: Edges, **more: int) -> Layer:
    """A layer as C sees it, with further fields. What it points to has to outlive it."""
    rows, columns = edges.values.shape
    positions, taps = edges.pixels.shape
    return Layer(
        pixels=edges.pixels.data_ptr(),
        weights=None if edges.theta is None else edges.weights.data_ptr(),
        scored=None if edges.scored is None else edges.scored.data_ptr(),
        values=edges.values.data_ptr(),
        effective=edges.effective.data_ptr(),
        rows=rows,
        positions=positions,
        taps=taps,
        channels=columns // taps,
        theta=edges.theta or 0,
        **more,
    )


def _addresses(own: torch.Tensor) -> list[tuple[Any, ...]]:
    """The address of each row of a tensor, as an argument."""
    return [(ctypes.c_void_p(row.data_ptr()),) for row in own]
